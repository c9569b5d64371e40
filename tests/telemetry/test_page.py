"""The page is sound HTML whatever a log or a peer says, and tells what is wrong without colour or script."""

import base64
import hashlib
import re

import pytest
from hypothesis import given, strategies as st

from mega_collector.telemetry.history import History
from mega_collector.telemetry.page import POLICY, page
from telemetry.markup import Markup
from telemetry.part import Part

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style></svg></main><!-- ]]> <?x ?>",
    "&lt;b&gt; &amp; &#0;",
    "\x1b[2J\x00\n\r\u202e\udcff",
]


def shown(words: str) -> str:
    history = History()
    for moment in range(5):
        history.add(moment, (moment**2, moment))
    return page(Part(words).view(), history).decode()


@pytest.mark.parametrize("words", HOSTILE)
def test_what_a_peer_says_is_words_and_nothing_else(words: str) -> None:
    harmless, hostile = Markup(shown("words")), Markup(shown(words))
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in harmless.elements]
    assert [set(found) for _, found in hostile.elements] == [set(found) for _, found in harmless.elements]


@given(st.text())
def test_any_words_leave_it_sound(words: str) -> None:
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", Markup(shown(words)).words)


def test_what_is_said_can_be_read_as_it_was() -> None:
    assert "<script>alert(1)</script>" in Markup(shown("<script>alert(1)</script>")).words


def test_the_policy_allows_the_script_and_the_style_that_are_there_and_no_others() -> None:
    text = shown("words")
    for element in ("script", "style"):
        (source,) = re.findall(f"<{element}>(.*?)</{element}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in POLICY


def test_what_is_wrong_is_told_in_signs_too() -> None:
    part = Part()
    part.ready = (False, "the destination takes nothing")
    words = Markup(page(part.view(), History()).decode()).words
    assert words.startswith("✕ collector on words")
    assert "✕ the destination takes nothing" in words


def test_without_script_it_is_loaded_again() -> None:
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in shown("words")


def test_a_curve_says_in_words_what_it_shows() -> None:
    curves = [found for tag, found in Markup(shown("words")).elements if tag == "svg"]
    assert curves[0]["aria-label"] == "words: at most 7 B/s in the last 4 s"
