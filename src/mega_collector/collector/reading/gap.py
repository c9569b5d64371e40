"""What nobody wrote: holes, and the NULs that a truncation leaves before a writer that goes on at its old offset."""

from dataclasses import dataclass

from mega_collector.block import SkipReason
from mega_collector.collector.reading.file import File
from mega_collector.collector.reading.follower import RUN, Follower

NUL = b"\0"

_BLOCK = 64 << 10
"""No filesystem has larger ones: a writer that moved on by seeking begins within so many bytes of where data begins."""

AT_END = -1
"""The end of a gap behind which the file has nothing else: space that was set aside."""

_PAGE = bytes(4 << 10)

_NULS = bytes(256 << 10)

_MOST = 64
"""So many times as much is looked at in one turn: 16 MiB, a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Positions from `start` to `end`, or `AT_END`."""

    start: int
    end: int
    reason: SkipReason
    next: int = -1
    """Where the next hole begins, if it ends before data: else -1."""
    certain: bool = True
    """Whether that is the end: else there is more to look at in the next turn."""


def find_gap(file: File, follower: Follower, data: bytes, offset: int) -> Gap | None:
    """The first gap in `data`, which was read at the follower's position less `offset`.

    A gap is a hole with the NULs around it in the blocks that are written in part; or NULs up to the end of the file,
    which are space that was set aside: the kernel tells it from what was written only until it is read, lseek(2); or,
    after a truncation, the NULs at the head of the file.

    Raises:
        OSError: the file could not be read.
    """
    position = follower.position
    if follower.complete or data.find(NUL, offset) < 0:
        return None
    if data.find(NUL * RUN, offset) >= 0:
        end = position + len(data) - offset
        hole = file.hole(position)
        if hole < end and hole < follower.size:
            start = position + len(data[offset : offset + hole - position].rstrip(NUL))
            return _hole(file, follower, start, hole)
        if data.endswith(NUL * RUN) and (aside := _is_set_aside(file, follower, end)) is not False:
            start = position + _written(data, offset) - offset
            return Gap(start, AT_END, SkipReason.HOLE, certain=aside is not None)
    if follower.nuls_at_head and data[offset : offset + 1] == NUL:
        return Gap(position, position + _leading(data[offset:]), SkipReason.NULS)
    return None


def _hole(file: File, follower: Follower, start: int, hole: int) -> Gap:
    """The gap of which a hole is a part: to where that begins which was written, in the data between two holes."""
    begin = file.data(hole)
    if begin is None:
        return Gap(start, AT_END, SkipReason.HOLE)
    following = file.hole(begin)
    there = file.read(min(following - begin, _BLOCK), begin)
    leading = _leading(there)
    if leading < len(there):
        return Gap(start, begin + leading, SkipReason.HOLE, following)
    aside = _is_set_aside(file, follower, begin)
    if aside is not False:
        return Gap(start, AT_END, SkipReason.HOLE, certain=aside is not None)
    return Gap(start, begin, SkipReason.HOLE, following)


def _is_set_aside(file: File, follower: Follower, at: int) -> bool | None:
    """Whether there are only NULs from there to the end of the file; None: so far, and there is more to look at."""
    at = max(at, follower.nuls_to)
    for _ in range(_MOST):
        begin = file.data(at)
        if begin is None:
            return True
        there = file.read(len(_NULS), begin)
        follower.nuls_to = begin
        if not _NULS.startswith(there):
            return False
        if len(there) < len(_NULS):
            return True
        at = begin + len(there)
    return None


def _written(data: bytes, offset: int) -> int:
    """Where the NULs at the end begin: there are many, and `rstrip` takes milliseconds for a mebibyte of them."""
    end = len(data)
    while data.endswith(_PAGE, offset, end):
        end -= len(_PAGE)
    begin = max(end - len(_PAGE), offset)
    return begin + len(data[begin:end].rstrip(NUL))


def _leading(data: bytes) -> int:
    return len(data) - len(data.lstrip(NUL))
