"""When a batch is sealed: a machine."""

import math
from dataclasses import dataclass

from mega_collector.batch import Batch
from mega_collector.block import Block
from mega_collector.entries import end_of_entries, end_within, newlines

_MOST_BLOCKS = 16_384
"""Blocks in a batch, whatever its limits: small ones take more memory than their bytes. As many as wait to be taken."""


@dataclass(frozen=True, slots=True)
class BatcherStatistics:
    batches_sealed: int
    entries_pending: int
    bytes_pending: int


class Batcher:
    """Groups entries into batches, in the order in which they come.

    A batch is sealed when it has `max_entries`, when another entry would take it beyond `max_bytes`, when `max_age`
    seconds have passed since its first entry, or on `flush`; and when it has very many blocks. A single entry larger
    than `max_bytes` is a batch alone.
    """

    def __init__(self, *, max_entries: int, max_bytes: int, max_age: float) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._blocks: list[Block] = []
        self._entries = 0
        self._size = 0
        self._deadline = math.inf
        self._batches_sealed = 0

    @property
    def deadline(self) -> float:
        """When the open batch is due; infinity while there is none."""
        return self._deadline

    def add(self, block: Block, now: float) -> list[Batch]:
        """Take a block whose data is `bytes`, and return the batches that it sealed."""
        if len(self._blocks) >= _MOST_BLOCKS:
            return [*self.flush(), *self.add(block, now)]
        if block.entries < self._max_entries - self._entries and len(block.data) < self._max_bytes - self._size:
            # Most blocks are small where many files grow: it fits, and nothing needs to be cut.
            self._append(block, now)
            return []
        return self._cut(block, now)

    def _cut(self, block: Block, now: float) -> list[Batch]:
        data = bytes(block.data)
        view = memoryview(data)
        sealed: list[Batch] = []
        offset, entries = 0, block.entries
        while entries:
            if self._entries == self._max_entries or (self._entries and self._size >= self._max_bytes):
                sealed += self.flush()
            end, taken = self._fit(data, offset, entries, unterminated=block.unterminated)
            if taken == 0:
                sealed += self.flush()
                continue
            last = taken == entries
            start, unterminated = block.start + offset, block.unterminated and last
            self._append(Block(block.source, start, view[offset:end], taken, unterminated, block.received), now)
            offset, entries = end, entries - taken
        if self._entries == self._max_entries:
            sealed += self.flush()
        return sealed

    def due(self, now: float) -> list[Batch]:
        """The batch whose time has come, if it has."""
        return self.flush() if now >= self._deadline else []

    def flush(self) -> list[Batch]:
        """The open batch, if there is one, whatever it lacks."""
        if not self._blocks:
            return []
        batch = Batch(tuple(self._blocks), self._entries, self._size)
        self._blocks, self._entries, self._size, self._deadline = [], 0, 0, math.inf
        self._batches_sealed += 1
        return [batch]

    def drop(self, source_id: bytes) -> int:
        """Let go of what the open batch has of a source; its bytes."""
        kept = [block for block in self._blocks if block.source.id != source_id]
        if len(kept) == len(self._blocks):
            return 0
        size, deadline = self._size, self._deadline
        self._blocks, self._entries = kept, sum(block.entries for block in kept)
        self._size = sum(len(block.data) for block in kept)
        self._deadline = deadline if kept else math.inf
        return size - self._size

    def statistics(self) -> BatcherStatistics:
        return BatcherStatistics(self._batches_sealed, self._entries, self._size)

    def _append(self, block: Block, now: float) -> None:
        if not self._blocks:
            self._deadline = now + self._max_age
        self._blocks.append(block)
        self._entries += block.entries
        self._size += len(block.data)

    def _fit(self, data: bytes, offset: int, entries: int, *, unterminated: bool) -> tuple[int, int]:
        """Where the part ends that the open batch has room for, and its entries: none if it must be sealed first."""
        room = self._max_bytes - self._size
        taken = min(entries, self._max_entries - self._entries)
        end = len(data)
        if taken < entries:
            end = end_of_entries(data, offset, taken, entries - unterminated)
        if end - offset <= room:
            return end, taken
        end = end_within(data, offset, max(room, 0))
        if end - offset > room and self._entries:
            return offset, 0
        if end == len(data) and taken == entries:
            return end, taken
        return end, newlines(data, offset, end) + (unterminated and end == len(data))
