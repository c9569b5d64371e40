"""Whose lines are shown, and which: whatever the expression, in time that is in proportion to the text."""

import re
import time

import pytest
from hypothesis import given, strategies as st

from blocks import make_block, make_source
from mega_collector.aggregator.selection import Selection
from mega_collector.errors import WireError

LINES = b"GET / 200\nPOST /a 500\n\nGET /b 500 \xff\x00\r\n"


def selected(selection: Selection, data: bytes) -> bytes:
    return b"".join(selection.lines(make_block(data)))


@pytest.mark.parametrize(
    ("glob", "wanted"),
    [
        (b"", True),
        (b"/logs/*.log", True),
        (b"*", True),
        (b"/logs/nginx/a?c.lo[gf]", True),
        (b"*.txt", False),
        (b"abc.log", False),
        (b"/logs/nginx/a.c.log", False),
        (b"\xff*", False),
    ],
)
def test_a_path_is_chosen_by_a_glob_of_which_a_star_matches_anything(glob: bytes, wanted: bool) -> None:
    block = make_block(b"a\n", source=make_source("nginx/abc"))
    assert Selection(path=glob).wants(block) is wanted


def test_a_host_is_chosen_likewise() -> None:
    block = make_block(b"a\n", source=make_source("a"))
    assert block.source.host == ""
    assert Selection(host="*").wants(block)
    assert not Selection(host="web-*").wants(block)


@pytest.mark.parametrize(
    ("match", "lines"),
    [
        (b"", LINES),
        (b"500", b"POST /a 500\nGET /b 500 \xff\x00\r\n"),
        (b"^GET", b"GET / 200\nGET /b 500 \xff\x00\r\n"),
        (b"500$", b"POST /a 500\n"),
        (b"^$", b"\n"),
        (b"(?i)post", b"POST /a 500\n"),
        (b"200\nPOST", b""),
    ],
)
def test_lines_are_chosen_by_what_is_found_in_them(match: bytes, lines: bytes) -> None:
    assert selected(Selection(match=match), LINES) == lines


@given(st.binary(min_size=1, max_size=300))
def test_without_an_expression_all_comes_with_the_end_that_was_missing(data: bytes) -> None:
    assert selected(Selection(), data) == data + (b"" if data.endswith(b"\n") else b"\n")


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), min_size=1, max_size=20))
def test_an_expression_finds_what_one_by_one_would_be_found(lines: list[bytes]) -> None:
    found = b"".join(line + b"\n" for line in lines if re.search(b"[a-z0\x00]", line))
    assert selected(Selection(match=b"[a-z0\\x00]"), b"\n".join(lines) + b"\n") == found


def test_large_blocks_come_in_pieces_of_whole_lines() -> None:
    data = b"".join(b"%d\n" % number for number in range(100_000)) + b"x" * 200_000 + b"\n"
    pieces = list(Selection().lines(make_block(data)))
    assert len(pieces) > 5
    assert all(piece.endswith(b"\n") for piece in pieces)
    assert b"".join(pieces) == data


@pytest.mark.parametrize("match", [b"(", b"a{99999}", b"(a{1000}){1000}", b"(?<=a)b", b"\\1", b"*", b"x" * 5000])
def test_what_cannot_be_searched_for_in_bounded_time_and_memory_is_refused(match: bytes) -> None:
    with pytest.raises(WireError) as refusal:
        Selection(match=match)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("match", [b"(a*)*b", b"(a|aa)+$", b"(.*)(.*)(.*)(.*)[xyz]", b"(x+x+)+y"])
def test_an_expression_that_ruins_others_is_done_at_once(match: bytes) -> None:
    selection, line = Selection(match=match), b"a" * 60_000 + b"!\n"
    began = time.thread_time()
    assert selected(selection, line) == b""
    # One that goes back on its steps is not done within the age of the universe.
    assert time.thread_time() - began < 20


def test_a_glob_that_ruins_others_is_done_at_once() -> None:
    selection = Selection(path=b"*a" * 60 + b"b")
    assert not selection.wants(make_block(b"a\n", source=make_source("a" * 4000)))
