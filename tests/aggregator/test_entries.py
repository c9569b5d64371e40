"""Borders of entries, against looking at every byte."""

import pytest
from hypothesis import given, strategies as st

from mega_collector.entries import end_of_entries, end_within

# Runs of lines of one length: dense and sparse ones side by side are what a guess by the average gets wrong.
RUNS = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 300)), min_size=1, max_size=6)


def _borders(data: bytes, offset: int) -> list[int]:
    return [at + 1 for at in range(offset, len(data)) if data[at] == 0x0A]


def _data(runs: list[tuple[int, int]], end: bytes = b"") -> bytes:
    return b"".join((b"x" * length + b"\n") * times for length, times in runs) + end


@given(RUNS, st.binary(max_size=20), st.data())
def test_the_end_of_so_many_entries_is_after_that_many_newlines(
    runs: list[tuple[int, int]], end: bytes, data: st.DataObject
) -> None:
    block = _data(runs, end)
    offset = data.draw(st.integers(0, len(block) - len(end) - 1))
    borders = _borders(block, offset)
    count = data.draw(st.integers(1, len(borders)))
    assert end_of_entries(block, offset, count, len(borders)) == borders[count - 1]


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"\n" * 1000 + b"x" * 1_000_000 + b"\n", id="empty lines before one long line"),
        pytest.param(b"x" * 1_000_000 + b"\n" * 1001, id="one long line before empty lines"),
        pytest.param((b"x" * 1000 + b"\n" * 1000) * 500, id="long lines and empty ones in turn"),
        pytest.param(b"\n" * 500 + b"x" * 1_000_000 + b"\n" * 501, id="empty lines on both sides of a long one"),
    ],
)
@pytest.mark.timeout(10)
@pytest.mark.parametrize("count", [1, 33, 100, 500, 501, 1000, 1001])
def test_lines_that_are_nothing_like_the_average_are_found_all_the_same(block: bytes, count: int) -> None:
    assert end_of_entries(block, 0, count, block.count(b"\n")) == _nth(block, count)


def _nth(block: bytes, count: int) -> int:
    position = 0
    for _ in range(count):
        position = block.index(b"\n", position) + 1
    return position


@given(RUNS, st.binary(max_size=20), st.data())
def test_the_end_within_a_limit_is_the_last_border_in_it_or_the_first_of_all(
    runs: list[tuple[int, int]], end: bytes, data: st.DataObject
) -> None:
    block = _data(runs, end)
    offset = data.draw(st.integers(0, len(block) - 1))
    limit = data.draw(st.integers(0, len(block)))
    borders = _borders(block, offset) or [len(block)]
    if not block.endswith(b"\n") and borders[-1] != len(block):
        borders.append(len(block))
    # An unterminated last entry ends where the data does: that it would fit too is known without searching.
    fitting = [border for border in borders if border <= offset + limit and block[border - 1] == 0x0A]
    assert end_within(block, offset, limit) == (fitting[-1] if fitting else borders[0])
