"""Holes and the NULs around them, in real files: passed over, and nothing else is."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from blocks import SOURCE
from mega_collector.block import Block, Skip, SkipReason
from mega_collector.collector.reading.file import PlainFile
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.reader import Reading, read

HOLE = 1 << 20

SPACE = 5 << 20
"""Several blocks, and more than a line may be long."""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[PlainFile]:
    file = PlainFile(os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT))
    yield file
    file.close()


def _follower(file: PlainFile) -> Follower:
    facts = file.facts()
    assert facts is not None
    follower = Follower(SOURCE, path=SOURCE.path, size=facts.size, changed_ns=0, now=0, rotate_wait=5)
    follower.settle(SOURCE, 0, b"")
    return follower


def set_aside(file: PlainFile) -> None:
    os.ftruncate(file.descriptor, SPACE)


def allocated(file: PlainFile) -> None:
    """Where this is told from what was written, it is so only until it is read."""
    os.posix_fallocate(file.descriptor, 0, SPACE)
    file.read(SPACE, 0)


def zeroed(file: PlainFile) -> None:
    os.pwrite(file.descriptor, bytes(SPACE), 0)


def _all(file: PlainFile, follower: Follower, *, final: bool = False, size: int = 1 << 16) -> list[bytes | Skip]:
    """What is read until there is nothing more; what is passed over and shipped is without a gap between."""
    found: list[bytes | Skip] = []
    position = follower.position
    while not isinstance(result := read(file, follower, size=size, max_line=1 << 20, final=final), Reading):
        assert result.start == position
        position = result.end
        found.append(bytes(result.data) if isinstance(result, Block) else replace(result, source=SOURCE))
    assert result is Reading.NOTHING
    return found


@pytest.mark.parametrize("before", [b"", b"one\n", b"one\n" * 1024, b"one\n" * 1500])
@pytest.mark.parametrize("offset", [0, 1, 4000, 4095])
def test_a_hole_is_passed_over_with_the_nuls_around_it(file: PlainFile, before: bytes, offset: int) -> None:
    os.pwrite(file.descriptor, before, 0)
    end = len(before) + HOLE + offset
    os.pwrite(file.descriptor, b"two\n", end)
    found = _all(file, _follower(file))
    assert [each for each in found if isinstance(each, Skip)] == [Skip(SOURCE, len(before), end, SkipReason.HOLE)]
    assert b"".join(each for each in found if isinstance(each, bytes)) == before + b"two\n"


def test_a_hole_ends_the_line_before_it(file: PlainFile) -> None:
    os.pwrite(file.descriptor, b"half a li", 0)
    os.pwrite(file.descriptor, b"two\n", HOLE)
    assert _all(file, _follower(file)) == [b"half a li", Skip(SOURCE, 9, HOLE, SkipReason.HOLE), b"two\n"]


@pytest.mark.parametrize("aside", [set_aside, allocated, zeroed])
def test_space_that_was_set_aside_is_waited_for(file: PlainFile, aside: Callable[[PlainFile], None]) -> None:
    aside(file)
    os.pwrite(file.descriptor, b"one\nhalf", 0)
    follower = _follower(file)
    assert _all(file, follower) == [b"one\n"]
    assert not follower.readable(0)
    os.pwrite(file.descriptor, b" a line\n", 8)
    follower.look_again()
    assert follower.readable(0)
    assert _all(file, follower) == [b"half a line\n"]


@pytest.mark.parametrize("aside", [set_aside, allocated, zeroed])
@pytest.mark.parametrize("end", [b"", b"half"])
def test_space_that_was_set_aside_is_no_part_of_a_finished_file(
    file: PlainFile, aside: Callable[[PlainFile], None], end: bytes
) -> None:
    aside(file)
    os.pwrite(file.descriptor, b"one\n" + end, 0)
    follower = _follower(file)
    assert (
        b"".join(bytes(each) for each in _all(file, follower, final=True) if isinstance(each, bytes)) == b"one\n" + end
    )
    assert (follower.exhausted, follower.position) == (True, 4 + len(end))


def test_nuls_are_looked_at_a_part_in_each_turn_and_once(file: PlainFile) -> None:
    counted = Counted(file.descriptor)
    os.pwrite(file.descriptor, b"one\n" + bytes(40 << 20), 0)
    follower = _follower(file)
    turns = 0
    while read(counted, follower, size=1 << 20, max_line=1 << 20, final=True) is not Reading.NOTHING:
        turns += 1
    assert turns == 2
    assert counted.bytes_read < 50 << 20
    assert follower.exhausted


def test_lines_behind_very_many_nuls_are_shipped_and_so_are_those(file: PlainFile) -> None:
    data = b"one\n" + bytes(20 << 20) + b"\ntwo\n"
    os.pwrite(file.descriptor, data, 0)
    follower, found = _follower(file), b""
    while follower.position < len(data):
        result = read(file, follower, size=1 << 20, max_line=1 << 20, final=False)
        assert isinstance(result, Block) or result is Reading.UNDECIDED
        found += bytes(result.data) if isinstance(result, Block) else b""
    assert found == data


@pytest.mark.parametrize("size", [1, 511, 512, 5000, 100_000])
def test_nuls_that_were_written_are_shipped(file: PlainFile, size: int) -> None:
    data = b"one\n" + b"\0" * size + b"\n" + b"two" + b"\0" * size + b"\nthree\n"
    os.pwrite(file.descriptor, data, 0)
    found = _all(file, _follower(file))
    assert b"".join(each for each in found if isinstance(each, bytes)) == data


@pytest.mark.parametrize("size", [1, 700, 200_000])
def test_nuls_at_the_head_are_passed_over_after_a_truncation_only(file: PlainFile, size: int) -> None:
    os.pwrite(file.descriptor, b"\0" * size + b"one\n" + b"\0\0\n", 0)
    follower = _follower(file)
    follower.nuls_at_head = True
    found = _all(file, follower)
    assert sum(each.end - each.start for each in found if isinstance(each, Skip)) == size
    assert {each.reason for each in found if isinstance(each, Skip)} == {SkipReason.NULS}
    assert b"".join(each for each in found if isinstance(each, bytes)) == b"one\n\0\0\n"


class Counted(PlainFile):
    """A file that counts the bytes that are read of it."""

    bytes_read = 0

    def read(self, size: int, at: int) -> bytes:
        data = super().read(size, at)
        self.bytes_read += len(data)
        return data


def test_of_a_file_with_very_many_holes_little_is_read_but_what_was_written(file: PlainFile) -> None:
    lines, every = 200, 2 * HOLE // 64
    for number in range(lines):
        os.pwrite(file.descriptor, b"%05d\n" % number, number * every)
    counted = Counted(file.descriptor)
    found = _all(counted, _follower(file), size=1 << 20)
    assert len([each for each in found if isinstance(each, Skip)]) == lines - 1
    assert b"".join(each for each in found if isinstance(each, bytes)) == b"".join(
        b"%05d\n" % number for number in range(lines)
    )
    # The first read does not know of holes yet. Were the others as large, it would be a mebibyte for each line.
    assert counted.bytes_read < lines * (1 << 16)


@pytest.mark.parametrize("line", [1000, 70_000])
def test_a_hole_that_is_filled_before_it_is_reached_ends_no_line(file: PlainFile, line: int) -> None:
    os.pwrite(file.descriptor, b"one\n", 0)
    os.pwrite(file.descriptor, b"two", HOLE)
    os.pwrite(file.descriptor, b"end\n", 2 * HOLE)
    follower = _follower(file)
    assert isinstance(read(file, follower, size=1 << 16, max_line=1 << 20, final=False), Block)
    assert isinstance(read(file, follower, size=1 << 16, max_line=1 << 20, final=False), Skip)
    os.pwrite(file.descriptor, (b"x" * line + b"\n").ljust(HOLE - 3, b"y"), HOLE + 3)
    rest = _all(file, follower)
    assert [each for each in rest if isinstance(each, Skip)] == []
    assert b"".join(each for each in rest if isinstance(each, bytes)) == file.read(HOLE + 4, HOLE)


def test_a_hole_ends_a_line_that_is_longer_than_a_block(file: PlainFile) -> None:
    os.pwrite(file.descriptor, b"x" * 9000, 0)
    os.pwrite(file.descriptor, b"two\n", HOLE)
    found = _all(file, _follower(file), size=1 << 12)
    assert found == [b"x" * 9000, Skip(SOURCE, 9000, HOLE, SkipReason.HOLE), b"two\n"]
