import re
from pathlib import Path

import click
import pytest

from documentation.machine import Machine, matches
from documentation.page import PAGES, ROOT, blocks, inline
from mega_collector.cli import command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    run = [block for block in blocks(page) if block.reason is None]
    if not run:
        return  # a page that says to type nothing

    ended = Machine(tmp_path).run(run)

    place = f"{page.relative_to(ROOT)}:{ended.line}"
    assert ended.code == 0, f"at {place}: {ended.said}"
    for block in run:
        if block.output is not None:
            assert matches(block.output, ended.said[block.line]), f"{page.name}:{block.line}: {ended.said[block.line]}"


def test_pages_have_commands_that_are_run() -> None:
    run = {page.stem for page in PAGES if any(block.reason is None for block in blocks(page))}
    assert {"README", "tls", "operating"} <= run


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_names_of_the_command_line_exists(page: Path) -> None:
    known = set(command.list_commands(click.Context(command)))
    shown = [*inline(page), *(line for block in blocks(page) for line in block.commands.splitlines())]
    for text in shown:
        for name in re.findall(r"(?<![\w-] )(?<!/)\bmega-collector ([a-z]\w*)", text):
            assert name in known, text
        for script in re.findall(r"(?<!\S)scripts/\w+", text):
            assert (ROOT / script).exists(), text
