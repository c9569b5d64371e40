"""Newlines are counted as `bytes.count` counts them, whichever way is faster."""

import pytest
from hypothesis import given, strategies as st

from mega_collector import entries
from mega_collector.entries import newlines

DATA = st.lists(st.tuples(st.integers(0, 200), st.integers(1, 200)), max_size=6).map(
    lambda runs: b"".join((b"x" * length + b"\n") * times for length, times in runs) + b"end"
)


@given(DATA, st.data())
def test_the_newlines_between_two_offsets_are_counted(data: bytes, drawn: st.DataObject) -> None:
    start = drawn.draw(st.integers(0, len(data)))
    end = drawn.draw(st.integers(start, len(data)))
    assert newlines(data, start, end) == data.count(b"\n", start, end)
    assert newlines(data) == data.count(b"\n")


@pytest.mark.parametrize("line", [b"\n", b"x\n", b"x" * 18 + b"\n", b"x" * 19 + b"\n", b"x" * 99 + b"\n"])
def test_newlines_behind_the_first_that_are_looked_at_are_counted(line: bytes) -> None:
    data = line * (3 * entries._FEW // len(line) + 1)
    for end in (entries._FEW, entries._FEW + 1, entries._FEW + 2, len(data)):
        assert newlines(data, 1, end) == data.count(b"\n", 1, end)
