"""Reading real files in blocks of any size, against the entries that stand in them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate, pairwise
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from hypothesis import example, given, strategies as st

from blocks import SOURCE
from collector.plain import entries_in, plain_entries
from mega_collector.block import Block
from mega_collector.collector.reading.file import File, PlainFile
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.reader import Reading, read
from mega_collector.marker import TAIL_SIZE, Marker

PIECES = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from([b"\n", b"\n", b"\r\n", b"a line\n", b"\0" * 9, "\N{GRINNING FACE}".encode(), b"x" * 70]),
    ),
    max_size=25,
)


def _follower(size: int = 0) -> Follower:
    follower = Follower(SOURCE, path=SOURCE.path, size=size, changed_ns=0, now=0, rotate_wait=5)
    follower.settle(SOURCE, 0, b"")
    return follower


@contextmanager
def _file(data: bytes = b"") -> Iterator[PlainFile]:
    with TemporaryFile(buffering=0) as file:
        file.write(data)
        yield PlainFile(file.fileno())


def _read_all(file: File, follower: Follower, *, size: int, max_line: int = 1 << 20, final: bool = True) -> list[Block]:
    """Read until nothing whole is left."""
    blocks = []
    while isinstance(result := read(file, follower, size=size, max_line=max_line, final=final), Block):
        blocks.append(result)
    assert result is Reading.NOTHING
    return blocks


@given(pieces=PIECES, size=st.integers(1, 100), max_line=st.integers(1, 100))
@example(pieces=[b"0123456789"], size=10, max_line=10)
@example(pieces=[b"0123456789", b"\n"], size=10, max_line=10)
@example(pieces=[b"0123456789", b"0"], size=10, max_line=10)
@example(pieces=[b"0123456789" * 5], size=5, max_line=12)
def test_a_file_that_grows_in_any_pieces_is_read_in_any_blocks_as_its_entries(
    pieces: list[bytes], size: int, max_line: int
) -> None:
    with _file() as file:
        follower = _follower()
        blocks = []
        for written, piece in zip(accumulate(pieces), pieces, strict=True):
            os.write(file.descriptor, piece)
            blocks += _read_all(file, follower, size=size, max_line=max_line, final=False)
            assert entries_in(blocks) == plain_entries(written, max_line=max_line, final=False)
        blocks += _read_all(file, follower, size=size, max_line=max_line)
    data = b"".join(pieces)
    assert entries_in(blocks) == plain_entries(data, max_line=max_line, final=True)
    assert [block.end for block in blocks[:-1]] == [block.start for block in blocks[1:]]
    assert follower.position == follower.size == len(data)
    assert follower.before() == Marker.of(data[-TAIL_SIZE:])


@given(pieces=PIECES, size=st.integers(1, 100), max_line=st.integers(1, 100))
def test_no_block_is_larger_than_asked_for_unless_one_entry_is(pieces: list[bytes], size: int, max_line: int) -> None:
    with _file(b"".join(pieces)) as file:
        for block in _read_all(file, _follower(), size=size, max_line=max_line):
            # Where no line ends within the block, it is read again as far as the longest line.
            assert len(block.data) <= max(size, max_line + 1)


@given(pieces=PIECES, size=st.integers(1, 100), data=st.data())
def test_reading_goes_on_from_any_entry(pieces: list[bytes], size: int, data: st.DataObject) -> None:
    content = b"".join(pieces)
    borders = [0, *(at + 1 for at in range(len(content)) if content[at] == 0x0A)]
    position = data.draw(st.sampled_from(borders))
    with _file(content) as file:
        follower = _follower()
        follower.settle(SOURCE, position, content[max(position - TAIL_SIZE, 0) : position])
        blocks = _read_all(file, follower, size=size)
    expected = plain_entries(content, max_line=1 << 20, final=True)
    assert entries_in(blocks) == [entry for entry in expected if entry[0] >= position]


@pytest.mark.case(14)
@pytest.mark.parametrize("edge", [4096, 8192, 65536, 1 << 20])
def test_a_crlf_on_both_sides_of_a_blocks_edge_ends_one_line(edge: int) -> None:
    first, second = b"a" * (edge - 1) + b"\r\n", b"b" * (edge - 1) + b"\r\n"
    with _file(first + second + b"end\n") as file:
        blocks = _read_all(file, _follower(), size=edge, max_line=2 << 20)
    assert [entry for _, entry in entries_in(blocks)] == [first, second, b"end\n"]


@pytest.mark.case(15)
@pytest.mark.parametrize("shift", range(5))
def test_a_character_of_many_bytes_on_a_blocks_edge_stays_whole(shift: int) -> None:
    line = b"x" * (4096 - shift) + "\N{GRINNING FACE}".encode() + b"\n"
    with _file(line * 4) as file:
        blocks = _read_all(file, _follower(), size=4096)
    assert [entry for _, entry in entries_in(blocks)] == [line] * 4


@pytest.mark.case(15)
def test_every_byte_value_but_the_newline_arrives_as_written() -> None:
    line = bytes(value for value in range(256) if value != 0x0A) + b"\n"
    lines = [line, b"\xc5\n", b"\0\0\n", b"\xff\xfe\n", b"\xef\xbb\xbfbom\n"]
    with _file(b"".join(lines)) as file:
        blocks = _read_all(file, _follower(), size=100)
    assert [entry for _, entry in entries_in(blocks)] == lines


@pytest.mark.case(10)
def test_a_line_written_byte_by_byte_is_one_entry() -> None:
    line = b"a line that takes its time\n"
    blocks: list[Block] = []
    with _file() as file:
        follower = _follower()
        for at in range(len(line)):
            assert blocks == []
            os.write(file.descriptor, line[at : at + 1])
            blocks += _read_all(file, follower, size=1 << 20, final=False)
    assert entries_in(blocks) == [(0, line)]


@pytest.mark.case(17, 18)
def test_an_over_long_line_is_cut_alike_whether_it_was_there_or_grew_while_it_was_read() -> None:
    line, max_line = b"x" * 95 + b"\n", 10
    with _file(line) as file:
        there = _read_all(file, _follower(), size=32, max_line=max_line)
    grown = []
    with _file() as file:
        follower = _follower()
        for at in range(0, len(line), 7):
            os.write(file.descriptor, line[at : at + 7])
            grown += _read_all(file, follower, size=32, max_line=max_line, final=False)
    assert entries_in(grown) == entries_in(there)
    assert [len(block.data) for block in there] == [10] * 9 + [6]


def test_a_file_rewritten_beyond_the_position_shows_itself_by_the_bytes_before_it() -> None:
    with _file(b"old line 1\nold line 2\n") as file:
        follower = _follower()
        _read_all(file, follower, size=100)
        os.ftruncate(file.descriptor, 0)
        os.pwrite(file.descriptor, b"new line, longer than all that was there before\n", 0)
        position = follower.position
        assert read(file, follower, size=100, max_line=100, final=False) is Reading.REWRITTEN
        assert follower.position == position


def test_a_file_that_cannot_be_read_moves_nothing(tmp_path: Path) -> None:
    follower = _follower(10)
    file = PlainFile(os.open(tmp_path, os.O_RDONLY))
    try:
        with pytest.raises(IsADirectoryError):
            read(file, follower, size=100, max_line=100, final=False)
    finally:
        file.close()
    assert (follower.position, follower.readable(0)) == (0, True)


def test_offsets_beyond_32_bits_are_offsets() -> None:
    start = (5 << 30) + 1
    with _file() as file:
        os.pwrite(file.descriptor, b"far out\nand further\n", start)
        follower = _follower()
        follower.passed(start)
        blocks = _read_all(file, follower, size=100)
    assert entries_in(blocks) == [(start, b"far out\n"), (start + 8, b"and further\n")]
    assert all(first.end == second.start for first, second in pairwise(blocks))
