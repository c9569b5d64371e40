"""The bytes of batches on their way into a descriptor."""

import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from mega_collector.batch import Batch
from mega_collector.block import NEWLINE, Block

Lines = Callable[[Block], Iterator[bytes | memoryview]]
"""The lines of a block, newlines included, in pieces of a few MiB at the most. Always the same of the same."""

MADE_AT_ONCE: Final = 256 << 10
"""Bytes that are made before they are written, and one piece more: no more is there at once, however many come."""

_IOV_MAX = 1024  # buffers that one writev takes: linux/uio.h


def own_lines(block: Block) -> Iterator[bytes | memoryview]:
    """A block's own bytes, which are not copied."""
    if block.data:
        yield block.data
    if block.unterminated:
        yield NEWLINE


class Payload:
    """What is still to be written of some batches. It is made when it is about to be written, and then let go of.

    `prefix` goes before the first batch, and counts as part of it. `at_once` bounds what `lines` is asked to make, in
    bytes: absent for what is there anyway.
    """

    def __init__(
        self,
        batches: Sequence[Batch],
        prefix: bytes = b"",
        *,
        lines: Lines = own_lines,
        at_once: int = sys.maxsize,
    ) -> None:
        self._pieces = self._make(batches, prefix, lines)
        self._at_once = at_once
        self._made = 0
        self._ends: list[int] = []
        """Of the batches that are made to their end: never fewer than those that are written."""
        self._buffers: list[memoryview] = []
        self._next = 0
        self._last: int | None = None
        self.written = 0
        self._fill()

    def _make(self, batches: Sequence[Batch], prefix: bytes, lines: Lines) -> Iterator[bytes | memoryview]:
        if prefix:
            yield prefix
        for batch in batches:
            for block in batch.blocks:
                yield from lines(block)
            self._ends.append(self._made)

    def _fill(self) -> None:
        """Make what is written next. Nothing is left to write if there is nothing then."""
        self._buffers, self._next = [], 0
        size = 0
        for piece in self._pieces:
            self._buffers.append(memoryview(piece))
            self._made += len(piece)
            size += len(piece)
            if size >= self._at_once or len(self._buffers) == _IOV_MAX:
                break

    def __bool__(self) -> bool:
        return bool(self._buffers)

    @property
    def whole(self) -> int:
        """How many batches, from the front, are written to their end."""
        return bisect_right(self._ends, self.written)

    def end(self, count: int) -> int:
        """Bytes up to the end of the first `count` batches, which are written."""
        return self._ends[count - 1] if count else 0

    def head(self) -> list[memoryview]:
        """As many of the next buffers as fit in one writev."""
        return self._buffers[self._next :]

    def piece(self, limit: int) -> memoryview:
        """At most `limit` of the next bytes."""
        return self._buffers[self._next][:limit]

    @property
    def torn(self) -> bool:
        """Whether what is written ends amid an entry."""
        return self._last not in (None, ord(NEWLINE))

    def advance(self, count: int) -> None:
        """That many bytes were written, perhaps by an earlier payload of the same batches."""
        self.written += count
        while count:
            buffer = self._buffers[self._next]
            step = min(count, len(buffer))
            self._last = buffer[step - 1]
            count -= step
            if step < len(buffer):
                self._buffers[self._next] = buffer[step:]
                continue
            self._next += 1
            if self._next == len(self._buffers):
                self._fill()
