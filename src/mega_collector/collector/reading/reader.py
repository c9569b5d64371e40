"""Reading blocks of whole entries from a file."""

import sys
from enum import Enum

from mega_collector.block import Block, Skip
from mega_collector.collector.reading.cut import cut
from mega_collector.collector.reading.file import File
from mega_collector.collector.reading.follower import RUN, Follower
from mega_collector.collector.reading.gap import AT_END, NUL, Gap, find_gap
from mega_collector.marker import HEAD_SIZE, TAIL_SIZE

_SMALL = 4 << 10
"""Bytes that are copied sooner than a view of them is made."""


class Reading(Enum):
    """What a read gives where it gives no block."""

    NOTHING = "no whole entry yet"
    UNDECIDED = "there is more to look at before that can be told"
    REWRITTEN = "the bytes before the position are not those that were read, or the file is shorter than it was"


def read(
    file: File, follower: Follower, *, size: int, max_line: int, final: bool, until: int | None = None
) -> Block | Skip | Reading:
    """One block of about `size` bytes at the follower's position, which it moves; or a gap that is passed over.

    One system call reads the block and the bytes just before it, which must still be those that were there: a file
    that was truncated and has grown beyond the position since shows it nowhere else. So must those be there that were
    seen: what has taken their place is another source's. With `until`, a position behind the follower's, the file is
    taken to end there.

    Raises:
        OSError: the file could not be read; nothing has changed.
    """
    position, offset = follower.position, len(follower.tail)
    left = sys.maxsize if until is None else until - position
    if follower.next_hole >= position:
        # Where there are many holes, most of a whole block would be holes, and be read once for each of them; but so
        # many bytes of the next one that it is seen.
        size = min(size, follower.next_hole + RUN - position)
    size = min(size, left)
    data = file.read(offset + size, position - offset)
    length = len(data) - offset
    if _is_rewritten(file, follower, data, position + length, ended=length < size):
        return Reading.REWRITTEN
    gap = find_gap(file, follower, data, offset) if NUL in data else None
    if gap is not None:
        if gap.start == position:
            return _pass(follower, gap)
        # A gap ends the line before it; but not space that was set aside behind it, which is written to later.
        data, left = data[: offset + gap.start - position], gap.start - position
        final = gap.certain and (final or gap.end != AT_END)
    part = cut(data, offset, max_line=max_line, final=final and (size >= left or length < size))
    if part is None and len(data) - offset == size <= max_line and size < left:
        # A line that is longer than a block.
        follower.next_hole = -1
        return read(file, follower, size=max_line + 1, max_line=max_line, final=final, until=until)
    if part is None and gap is not None and not gap.certain:
        return Reading.UNDECIDED
    if part is None:
        end = follower.size if gap else position + len(data) - offset
        follower.looked(end, written_to=position + len(data[offset:].rstrip(NUL)))
        return Reading.NOTHING
    end = offset + part.size
    payload = data[offset:end] if part.size <= _SMALL else _payload(data, offset, end)
    if not position:
        follower.begins(payload[:HEAD_SIZE])
    block = Block(follower.source, position, payload, part.entries, part.unterminated)
    follower.took(position + part.size, data[max(offset, end - TAIL_SIZE) : end])
    if follower.head_size < HEAD_SIZE and position == follower.head_size and not follower.complete:
        # Else there is a hole, which may still be filled.
        follower.extend_head(block.data[: HEAD_SIZE - position])
    return block


def _is_rewritten(file: File, follower: Follower, data: bytes, end: int, *, ended: bool) -> bool:
    """Whether these, up to `end`, are other bytes than those that were read, described or seen before."""
    if follower.position == 0:
        # Nothing is known but how the source was described.
        head = follower.source.head
        if not head.matches_head(data if len(data) >= head.length else file.read(head.length, 0)):
            return True
    elif not follower.complete and not follower.begins_with(file.read(follower.head_size, 0)):
        # The bytes before the position alone do not tell where lines repeat.
        return True
    if not data.startswith(follower.tail):
        return True
    return end < follower.size and (ended if follower.complete else _is_shorter(file, follower))


def _is_shorter(file: File, follower: Follower) -> bool:
    """There are files that hold less than their size says: those in sysfs(5)."""
    facts = file.facts()
    return facts is None or follower.is_cut(facts.size)


def _pass(follower: Follower, gap: Gap) -> Skip | Reading:
    if not gap.certain:
        return Reading.UNDECIDED
    if gap.end == AT_END:
        # Space that was set aside: it is written to later, or never.
        follower.looked(follower.size, written_to=gap.start)
        return Reading.NOTHING
    follower.passed(gap.end)
    follower.next_hole = gap.next
    return Skip(follower.source, gap.start, gap.end, gap.reason)


def _payload(data: bytes, start: int, end: int) -> bytes | memoryview:
    """A part of what was read: not copied, unless that would hold much more than the window counts."""
    return memoryview(data)[start:end] if end - start > len(data) // 2 else data[start:end]
