"""What recognises a file: the markers of its bytes.

Device and inode name a file only as long as it lives: numbers of devices change over a reboot, and inodes are given
again. So what is remembered of a file is compared with its bytes, through the very file that is open.
"""

from mega_collector.collector.reading.file import File
from mega_collector.collector.reading.follower import Follower
from mega_collector.marker import HEAD_SIZE, TAIL_SIZE, Marker


def head_of(file: File, *, ended: bool = False) -> Marker:
    """The marker of a file's first bytes, at most `HEAD_SIZE`, as far as they are written.

    NULs behind them are space that was set aside, and may be written to later. Nor does a line count that is not
    complete yet, unless there is no other: it is read when it is, and may be cut before that, and written anew; but if
    the file has `ended`.

    Raises:
        OSError: the file cannot be read.
    """
    head = file.read(HEAD_SIZE, 0).rstrip(b"\0")
    if len(head) < HEAD_SIZE and not ended:
        head = head[: head.rfind(b"\n") + 1] or head
    return Marker.of(head)


def before(file: File, position: int) -> bytes:
    """The bytes before a position, at most `TAIL_SIZE`; fewer if the file ends earlier.

    Raises:
        OSError: the file cannot be read.
    """
    start = max(position - TAIL_SIZE, 0)
    return file.read(position - start, start) if position else b""


def agrees(file: File, *, position: int, head: Marker, tail: Marker) -> bool:
    """Whether an open file can be the one of which this is remembered: its head, and the tail before the position.

    What is remembered of an empty file agrees with every file: then nothing is lost if it is another.

    Raises:
        OSError: the file cannot be read.
    """
    if position and not head.length and not tail.length:
        # Bytes were passed over, and nothing is known of any.
        return False
    if not head.matches_head(file.read(head.length, 0)):
        return False
    there = before(file, position)
    return len(there) == min(position, TAIL_SIZE) and tail.matches_tail(there)


def holds(file: File, follower: Follower) -> bool:
    """Whether the file still holds what was read of it: its head, and the bytes before the position.

    Raises:
        OSError: the file cannot be read.
    """
    if not before(file, follower.position).endswith(follower.tail):
        return False
    return follower.complete or follower.begins_with(file.read(follower.head_size, 0))


def is_still(follower: Follower, file: File) -> bool:
    """Whether the file holds what was read of a follower's, or what that began with when it was described.

    Raises:
        OSError: the file cannot be read.
    """
    if follower.position > 0:
        return holds(file, follower)
    head = follower.source.head
    return head.length > 0 and head.matches_head(file.read(head.length, 0))
