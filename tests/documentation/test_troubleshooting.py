"""What docs/troubleshooting.md says that a person sees is what they see, of each reason why a file does not arrive.

Before a fence stands of what screen it is: `<!-- shown by: top collector, page collector -->`.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from documentation.page import ROOT
from documentation.symptoms import SYMPTOMS, Symptom, missing
from harness.site import Site
from harness.template import Template
from harness.until import until


@pytest.fixture
def site(tmp_path: Path, template: Template) -> Iterator[Site]:
    with Site(tmp_path, template) as site:
        yield site


PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
FENCE = re.compile(r"<!-- shown by: ([^>]+) -->\n```text\n(.*?)```", re.DOTALL)


def fences(heading: str) -> list[tuple[list[str], list[str]]]:
    """Of a section: the screens, and the lines that are on each of them."""
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return [(screens.split(", "), lines.splitlines()) for screens, lines in FENCE.findall(section)]


@pytest.mark.parametrize("heading", SYMPTOMS)
def test_what_the_page_shows_is_what_is_seen(site: Site, heading: str) -> None:
    with SYMPTOMS[heading](site) as symptom:
        for screens, lines in fences(heading):
            for screen in screens:
                _wait_for(symptom, screen, lines)


def _wait_for(symptom: Symptom, screen: str, lines: Sequence[str]) -> None:
    seen = ""

    def shown() -> bool:
        nonlocal seen
        seen = symptom.screens[screen]()
        return not missing(lines, seen, symptom.names)

    until(shown, lambda: f"{screen} does not show {missing(lines, seen, symptom.names)}: {seen}")


@pytest.mark.parametrize("heading", SYMPTOMS)
def test_each_is_told_by_top_by_the_page_and_by_check(heading: str) -> None:
    shown = {screen.split(" ")[0] for screens, _ in fences(heading) for screen in screens}
    assert {"top", "page", "check"} <= shown


def test_a_line_that_is_not_there_is_noticed() -> None:
    assert missing(["a 5 s b", "c ... d", "no"], "x\n  a   61 s   b\nc whatever d", {}) == ["no"]
