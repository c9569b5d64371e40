"""Cutting what was read at whole entries, against looking at every line."""

import pytest
from hypothesis import given, strategies as st

from blocks import SOURCE
from collector.plain import entries_in, plain_entries
from mega_collector.block import Block
from mega_collector.collector.reading.cut import Cut, cut

# Few different bytes, so that lines of every length and newlines side by side are common.
DATA = st.lists(st.sampled_from([b"x", b"xy", b"\n", b"\n", b"\r\n", b"\0", b"\xff", b"long line"])).map(b"".join)


def _all(data: bytes, offset: int, *, max_line: int, final: bool) -> list[Block]:
    """Cut until nothing whole is left."""
    blocks = []
    while (part := cut(data, offset, max_line=max_line, final=final)) is not None:
        payload = data[offset : offset + part.size]
        assert payload
        blocks.append(Block(SOURCE, offset, payload, part.entries, part.unterminated))
        offset += part.size
    return blocks


@given(data=DATA, before=DATA, max_line=st.integers(1, 12), final=st.booleans())
def test_all_cuts_together_are_the_entries_of_the_data(data: bytes, before: bytes, max_line: int, final: bool) -> None:
    offset = len(before)
    blocks = _all(before + data, offset, max_line=max_line, final=final)
    expected = [(offset + start, entry) for start, entry in plain_entries(data, max_line=max_line, final=final)]
    assert entries_in(blocks) == expected


@given(data=DATA, max_line=st.integers(1, 12))
def test_a_piece_of_an_over_long_line_stands_in_a_block_of_its_own(data: bytes, max_line: int) -> None:
    for block in _all(data, 0, max_line=max_line, final=True):
        assert block.entries == 1 or not block.unterminated


@pytest.mark.case(17)
@pytest.mark.parametrize(
    ("line", "entries"),
    [
        (b"123456789\n", [b"123456789\n"]),
        (b"1234567890\n", [b"1234567890\n"]),
        (b"12345678901\n", [b"1234567890", b"1\n"]),
        (b"12345678901234567890\n", [b"1234567890", b"1234567890\n"]),
        (b"123456789012345678901\n", [b"1234567890", b"1234567890", b"1\n"]),
    ],
)
@pytest.mark.parametrize("before", [b"", b"before\n"])
def test_a_line_is_cut_beyond_the_longest_and_not_at_it_and_its_neighbours_stay_whole(
    before: bytes, line: bytes, entries: list[bytes]
) -> None:
    blocks = _all(before + line + b"\nafter\n", 0, max_line=10, final=False)
    expected = [*([before] if before else []), *entries, b"\n", b"after\n"]
    assert [entry for _, entry in entries_in(blocks)] == expected


@pytest.mark.parametrize("data", [b"", b"a", b"1234567890"])
def test_a_line_that_may_still_grow_is_waited_for(data: bytes) -> None:
    assert cut(data, 0, max_line=10, final=False) is None


def test_a_line_that_is_already_too_long_is_not_waited_for() -> None:
    assert cut(b"12345678901", 0, max_line=10, final=False) == Cut(10, 1, unterminated=True)


def test_the_last_line_of_a_file_is_an_entry_as_it_is() -> None:
    assert cut(b"whole\nend", 0, max_line=10, final=True) == Cut(6, 1)
    assert cut(b"whole\nend", 6, max_line=10, final=True) == Cut(3, 1, unterminated=True)
    assert cut(b"whole\nend", 9, max_line=10, final=True) is None


@pytest.mark.case(13)
def test_empty_lines_are_entries() -> None:
    assert cut(b"\n\nx\n\n  \n", 0, max_line=10, final=False) == Cut(8, 5)
