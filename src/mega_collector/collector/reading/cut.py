"""Where a block ends in the bytes that were read: at the last whole entry."""

from typing import NamedTuple

from mega_collector.block import NEWLINE
from mega_collector.entries import newlines


class Cut(NamedTuple):
    """`size` bytes from the front, which hold `entries`; the last may be `unterminated`."""

    size: int
    entries: int
    unterminated: bool = False


def cut(data: bytes, offset: int, *, max_line: int, final: bool) -> Cut | None:
    """Cut whole entries off `data`, from `offset`; None if there is no whole one yet.

    A line longer than `max_line` (without its newline) is cut into pieces of that size, each an unterminated entry in
    a block of its own; the last piece has the newline. `final` says that nothing will be written behind `data`: its
    last line is an entry as it is.
    """
    end = data.rfind(NEWLINE, offset) + 1
    if not end:
        if len(data) - offset > max_line:
            return Cut(max_line, 1, unterminated=True)
        return Cut(len(data) - offset, 1, unterminated=True) if final and len(data) > offset else None
    if end - offset > max_line + 1:
        long_line = _long_line(data, offset, end, max_line)
        if long_line == offset:
            return Cut(max_line, 1, unterminated=True)
        if long_line is not None:
            end = long_line
    return Cut(end - offset, newlines(data, offset, end))


def _long_line(data: bytes, offset: int, end: int, max_line: int) -> int | None:
    """Where the first line between `offset` and `end` begins that is longer than `max_line`."""
    lines = data[offset:end].split(NEWLINE)
    if max(map(len, lines)) <= max_line:
        return None
    for line in lines:
        if len(line) > max_line:
            return offset
        offset += len(line) + 1
    return None
