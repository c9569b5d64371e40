"""The bytes of batches on their way into a descriptor."""

from bisect import bisect_right
from collections.abc import Sequence

from mega_collector.batch import Batch
from mega_collector.block import NEWLINE

_IOV_MAX = 1024  # buffers that one writev takes: linux/uio.h


class Payload:
    """What is still to be written of some batches. Nothing is copied.

    `prefix` goes before the first batch, and counts as part of it.
    """

    def __init__(self, batches: Sequence[Batch], prefix: bytes = b"") -> None:
        self._buffers = [memoryview(prefix)] if prefix else []
        self._next = 0
        self._last: int | None = None
        self._ends: list[int] = []
        self.size = len(prefix)
        """Bytes in all."""
        self.written = 0
        for batch in batches:
            self._add(batch)

    def _add(self, batch: Batch) -> None:
        for block in batch.blocks:
            if block.data:
                self._buffers.append(memoryview(block.data))
            if block.unterminated:
                self._buffers.append(memoryview(NEWLINE))
        self.size += batch.size + sum(block.unterminated for block in batch.blocks)
        self._ends.append(self.size)

    def __bool__(self) -> bool:
        return self.written < self.size

    @property
    def whole(self) -> int:
        """How many batches, from the front, are written to their end."""
        return bisect_right(self._ends, self.written)

    def end(self, count: int) -> int:
        """Bytes up to the end of the first `count` batches."""
        return self._ends[count - 1] if count else 0

    def head(self) -> list[memoryview]:
        """As many of the next buffers as fit in one writev."""
        return self._buffers[self._next : self._next + _IOV_MAX]

    def piece(self, limit: int) -> memoryview:
        """At most `limit` of the next bytes."""
        return self._buffers[self._next][:limit]

    @property
    def torn(self) -> bool:
        """Whether what is written ends amid an entry."""
        return self._last not in (None, ord(NEWLINE))

    def advance(self, count: int) -> None:
        """That many bytes were written."""
        self.written += count
        while count:
            buffer = self._buffers[self._next]
            step = min(count, len(buffer))
            self._last = buffer[step - 1]
            if step == len(buffer):
                self._next += 1
            else:
                self._buffers[self._next] = buffer[step:]
            count -= step
