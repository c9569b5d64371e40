"""What recognises a file: the markers of its bytes."""

import os

from mega_collector.marker import HEAD_SIZE, TAIL_SIZE, Marker


def head_of(descriptor: int) -> Marker:
    """The marker of a file's first bytes, at most `HEAD_SIZE`, as far as they are written.

    Raises:
        OSError: the file cannot be read.
    """
    return Marker.of(os.pread(descriptor, HEAD_SIZE, 0))


def before(descriptor: int, position: int) -> bytes:
    """The bytes before a position, at most `TAIL_SIZE`.

    Raises:
        OSError: the file cannot be read.
    """
    start = max(position - TAIL_SIZE, 0)
    return os.pread(descriptor, position - start, start)


def agrees(descriptor: int, *, position: int, head: Marker, tail: Marker) -> bool:
    """Whether an open file still is the one of which this is remembered: its head, and the tail before the position.

    Raises:
        OSError: the file cannot be read.
    """
    if position > os.fstat(descriptor).st_size:
        return False
    first = os.pread(descriptor, head.length, 0)
    return head.matches_head(first) and tail.matches_tail(before(descriptor, position))
