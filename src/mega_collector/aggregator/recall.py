"""What of a dead letter may come back: a machine."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mega_collector.block import NEWLINE, Block
from mega_collector.protocol import DISCARDED, Record

Span = tuple[int, int]
"""From a position to another behind it."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """What is to be pushed, in order, and how many bytes are not: those delivered, and those that nobody knows of."""

    pieces: tuple[Block, ...]
    known: int
    unknown: int


def recall(blocks: Sequence[Block], records: Mapping[bytes, Record]) -> Recalled:
    """Cut out of blocks what the ledger holds as discarded, given its records by source id.

    It is cut where the discarded ranges begin and end, which is between entries: they were recorded along blocks, if
    perhaps not along these. What two blocks have in common comes back once.
    """
    extents = _extents(blocks)
    known_of = ((records[each], extent) for each, extent in extents.items() if each in records)
    standings = {record.source.id: _standing(record, extent) for record, extent in known_of}
    pieces: list[Block] = []
    known = unknown = 0
    for block in blocks:
        standing = standings.get(block.source.id)
        if standing is None or standing.collector != block.source.collector:
            unknown += len(block.data)
            continue
        mine, theirs = standing.take((block.start, block.end))
        pieces += [_cut(block, *span) for span in mine]
        known += theirs
        unknown += len(block.data) - theirs - _length(mine)
    return Recalled(tuple(pieces), known, unknown)


@dataclass(slots=True)
class _Standing:
    collector: str
    discarded: list[Span]
    delivered: list[Span] = field(default_factory=list)

    def take(self, wanted: Span) -> tuple[list[Span], int]:
        """The discarded parts of a span, which are discarded no more, and how many bytes of it were delivered."""
        taken = common(wanted, self.discarded)
        known = _length(common(wanted, self.delivered))
        for span in taken:
            self.discarded = without(self.discarded, span)
        self.delivered += taken
        return taken, known


def _extents(blocks: Iterable[Block]) -> dict[bytes, Span]:
    """From the first to the last position of each source's blocks."""
    extents: dict[bytes, Span] = {}
    for block in blocks:
        start, end = extents.get(block.source.id, (block.start, block.end))
        extents[block.source.id] = min(start, block.start), max(end, block.end)
    return extents


def _standing(record: Record, extent: Span) -> _Standing:
    """As far as it is about an extent, in one pass: a sparse file has very many ranges."""
    discarded: list[Span] = []
    delivered: list[Span] = []
    behind, at = 0, record.first
    for passage in sorted(record.ranges, key=lambda each: each.start):
        delivered.append((at, min(passage.start, record.position)))
        at = max(at, passage.end)
        if passage.reason == DISCARDED:
            # They do not overlap, unless by somebody else's hand.
            discarded.append((max(passage.start, behind), passage.end))
            behind = max(behind, passage.end)
    delivered.append((at, record.position))
    return _Standing(record.source.collector, common(extent, discarded), common(extent, delivered))


def common(wanted: Span, spans: Iterable[Span]) -> list[Span]:
    """The parts of a span that are in others, which do not overlap."""
    parts = [(max(start, wanted[0]), min(end, wanted[1])) for start, end in spans]
    return sorted((start, end) for start, end in parts if start < end)


def without(spans: Iterable[Span], gone: Span) -> list[Span]:
    """The parts of spans that are not in another."""
    parts = [part for start, end in spans for part in ((start, min(end, gone[0])), (max(start, gone[1]), end))]
    return [(start, end) for start, end in parts if start < end]


def _length(spans: Iterable[Span]) -> int:
    return sum(end - start for start, end in spans)


def _cut(block: Block, start: int, end: int) -> Block:
    data = memoryview(block.data)[start - block.start : end - block.start]
    unterminated = data[-1:] != NEWLINE
    entries = bytes(data).count(NEWLINE) + unterminated
    return Block(block.source, start, data, entries, unterminated, block.received)
