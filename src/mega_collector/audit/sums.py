"""The running checksums of records, over the bytes that they are of: a machine."""

from collections.abc import Iterable, Iterator, Sequence

from mega_collector.block import SkipReason
from mega_collector.checksum import crc32
from mega_collector.protocol import DISCARDED, Passage, Record

Span = tuple[int, int]
"""Positions: the first, and the one behind the last."""


class Sum:
    """The checksum of one record, from bytes that come in order, whatever else comes with them."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.spans = sent(record)
        self._next = 0
        self._checksum = 0

    @property
    def agrees(self) -> bool:
        """Whether the bytes so far are those that were committed."""
        return self._checksum == self.record.checksum

    def add(self, start: int, data: bytes) -> None:
        end = start + len(data)
        while self._next < len(self.spans):
            first, behind = self.spans[self._next]
            if first >= end:
                return
            self._checksum = crc32(memoryview(data)[max(first - start, 0) : behind - start], self._checksum)
            if behind > end:
                return
            self._next += 1


def sent(record: Record) -> list[Span]:
    """What of a source was sent and committed: all but what was passed over, in order."""
    spans: list[Span] = []
    at = record.first
    for passage in sorted(record.ranges, key=lambda each: each.start):
        if is_discard(passage):
            # It was sent, and given up later.
            continue
        if at < min(passage.start, record.position):
            spans.append((at, min(passage.start, record.position)))
        at = max(at, passage.end)
    if at < record.position:
        spans.append((at, record.position))
    return spans


def together(sums: Iterable[Sum]) -> Iterator[Span]:
    """What must be read for all of them, in order, nothing twice."""
    at = 0
    for first, behind in sorted(span for each in sums for span in each.spans):
        if behind > at:
            yield max(first, at), behind
            at = behind


def passages(records: Sequence[Record]) -> Iterator[Passage]:
    """What is not at the destination of a file that these are of, the one that goes furthest first.

    That nobody knows how much was lost is not among it: the file is here, and what is behind can be read.
    """
    behind = records[0].position if records else 0
    for record in records:
        for each in record.ranges:
            start, end = max(each.start, record.first), min(each.end, behind)
            if start < end:
                yield Passage(start, end, each.reason)
        behind = record.first


def is_loss(passage: Passage) -> bool:
    return passage.reason == SkipReason.LOST.value


def is_discard(passage: Passage) -> bool:
    return passage.reason == DISCARDED
