"""Reading blocks of whole entries from a file."""

import os
import sys
from enum import Enum

from mega_collector.block import Block
from mega_collector.collector.cut import cut
from mega_collector.collector.follower import Follower
from mega_collector.marker import TAIL_SIZE


class Reading(Enum):
    """What a read gives where it gives no block."""

    NOTHING = "no whole entry yet"
    REWRITTEN = "the bytes before the position are not those that were read"


def read(
    descriptor: int, follower: Follower, *, size: int, max_line: int, final: bool, until: int | None = None
) -> Block | Reading:
    """One block of about `size` bytes at the follower's position, which it moves.

    One system call reads the block and the bytes just before it, which must still be those that were there: a file
    that was truncated and has grown beyond the position since shows it nowhere else. With `until`, a position behind
    the follower's, the file is taken to end there.

    Raises:
        OSError: the file could not be read; nothing has changed.
    """
    left = sys.maxsize if until is None else until - follower.position
    size = min(size, left)
    data, offset = _pread(descriptor, follower, size)
    if not data.startswith(follower.tail):
        return Reading.REWRITTEN
    part = cut(data, offset, max_line=max_line, final=final and (size == left or len(data) - offset < size))
    if part is None and len(data) - offset == size <= max_line:
        size = min(max_line + 1, left)
        data, offset = _pread(descriptor, follower, size)
        ended = size == left or len(data) - offset < size
        part = cut(data, offset, max_line=max_line, final=final and ended)
    if part is None:
        follower.looked(follower.position + len(data) - offset)
        return Reading.NOTHING
    end = offset + part.size
    block = Block(follower.source, follower.position, _payload(data, offset, end), part.entries, part.unterminated)
    follower.took(block.end, data[max(offset, end - TAIL_SIZE) : end])
    return block


def _payload(data: bytes, start: int, end: int) -> bytes | memoryview:
    """A part of what was read: not copied, unless that would hold much more in memory than the window counts."""
    return memoryview(data)[start:end] if end - start > len(data) // 2 else data[start:end]


def _pread(descriptor: int, follower: Follower, size: int) -> tuple[bytes, int]:
    offset = len(follower.tail)
    return os.pread(descriptor, offset + size, follower.position - offset), offset
