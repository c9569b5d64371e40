"""What nobody wrote: holes, and the NULs that a truncation leaves before a writer that goes on at its old offset."""

from dataclasses import dataclass

from mega_collector.block import SkipReason
from mega_collector.collector.file import File
from mega_collector.collector.follower import Follower

NUL = b"\0"

RUN = 512
"""No filesystem has smaller blocks: where a hole is, so many NULs are read."""

_BLOCK = 64 << 10
"""No filesystem has larger ones: a writer that moved on by seeking begins within so many bytes of where data begins."""

AT_END = -1
"""The end of a hole behind which the file has no data."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Positions from `start` to `end`, or `AT_END`."""

    start: int
    end: int
    reason: SkipReason
    next: int = -1
    """Where the next hole begins, if it ends before data: else -1."""


def find_gap(file: File, follower: Follower, data: bytes, offset: int) -> Gap | None:
    """The first gap in `data`, which was read at the follower's position less `offset`.

    A gap is a hole with the NULs around it in the blocks that are written in part; or, after a truncation, the NULs at
    the head of the file.

    Raises:
        OSError: the file could not be read.
    """
    position = follower.position
    if follower.complete or data.find(NUL, offset) < 0:
        return None
    run = data.find(NUL * RUN, offset)
    hole = file.hole(position) if run >= 0 else follower.size
    if hole < position + len(data) - offset and hole < follower.size:
        start = position + len(data[offset : offset + hole - position].rstrip(NUL))
        begin = file.data(hole)
        if begin is None:
            return Gap(start, AT_END, SkipReason.HOLE)
        following = file.hole(begin)
        return Gap(start, _end(file, begin, following), SkipReason.HOLE, following)
    if follower.nuls_at_head and data[offset : offset + 1] == NUL:
        return Gap(position, position + _leading(data[offset:]), SkipReason.NULS)
    return None


def _end(file: File, begin: int, following: int) -> int:
    """Where that begins which was written, in data between two holes."""
    there = file.read(min(following - begin, _BLOCK), begin)
    leading = _leading(there)
    return begin if leading == len(there) else begin + leading


def _leading(data: bytes) -> int:
    return len(data) - len(data.lstrip(NUL))
