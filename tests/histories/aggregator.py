"""An aggregator in memory: the real admission, a ledger that survives its crashes, and commits when told to."""

from collections import deque
from dataclasses import dataclass, field, replace

from mega_collector.aggregator.admission import Admission, Duplicate
from mega_collector.block import Block, Skip, SkipReason, Source
from mega_collector.marker import HEAD_SIZE, TAIL_SIZE, Marker
from mega_collector.protocol import (
    Ack,
    Describe,
    Finish,
    Flush,
    FromAggregator,
    FromCollector,
    Hello,
    Holding,
    Holdings,
    Inventory,
    Known,
    Open,
    Refusal,
    RefusalReason,
    Resume,
    Sent,
)

Item = Block | Skip | Finish | Open

_PAGE = 2
"""Sources that are looked at to answer an inventory."""


@dataclass
class Row:
    """What the ledger holds of a source, and what stands at the destination."""

    source: Source
    position: int
    before: Marker = field(default_factory=Marker)
    sent: Sent | None = None
    """Up to where it was sent, if what is behind that was lost."""
    shipped: list[tuple[int, bytes]] = field(default_factory=list)
    finished: bool = False
    gone: bool = False
    """Whether its file was lost before its end was read."""
    ended_at: int = 0
    """How many ends there were before, with this."""

    @property
    def holding(self) -> Holding:
        """As it is told."""
        sent = self.sent or Sent(self.position, self.before)
        return Holding(self.source, sent.position, sent.before)

    def is_elsewhere(self, source: Source) -> bool:
        """Whether it goes on in another file than this says, or was gone."""
        there = (source.device, source.inode) != (self.source.device, self.source.inode)
        return bool(source.inode) and (self.gone or there)


class MemoryAggregator:
    def __init__(self) -> None:
        self.ledger: dict[bytes, Row] = {}
        self.answers: deque[FromAggregator] = deque()
        self.refuse_next = False
        self.refused: set[int] = set()
        """Inodes of files of which no block is taken, for good."""
        self.lost: list[Source] = []
        """Of what bytes were told as lost."""
        self.unread: set[bytes] = set()
        """Of which of these nothing had come."""
        self._admission = Admission()
        self._opened: dict[bytes, Source] = {}
        self._in_flight: deque[Item] = deque()
        self._ends = self._life = 0
        """Which of the collector's processes speaks."""

    def crash(self) -> None:
        """What was not committed is forgotten."""
        self._admission = Admission()
        self._in_flight.clear()
        self.disconnect()

    def bereave(self) -> None:
        """The collector has died."""
        self.disconnect()
        self._life += 1

    def disconnect(self) -> None:
        self._opened.clear()
        self.answers.clear()

    def ends(self, inode: int) -> bool:
        """Whether the end of a source of that file is in flight."""
        return any(isinstance(each, Finish) and each.source.inode == inode for each in self._in_flight)

    def hear(self, message: FromCollector) -> None:
        match message:
            case Describe(source):
                self._commit_what_was_left(source)
                self.answers.append(Resume(source.id, tuple(self._known(source))))
            case Open(source, position):
                row = self.ledger.get(source.id)
                committed = None if row is None else row.position
                refusal = self._admission.open(source, position, committed, b"%d" % self._life)
                self._opened[source.id] = source
                if refusal is not None:
                    self.answers.append(refusal)
                elif (row is None and position) or (row is not None and row.is_elsewhere(source)):
                    self._in_flight.append(message)
            case Block() | Skip():
                self._admit(message)
            case Finish(source, position):
                if self._opened.pop(source.id, None) and self._admission.finish(source.id, position):
                    self._in_flight.append(message)
            case Inventory(after, ended=True):
                if after is None and self._admission.left(None, b"%d" % self._life):
                    self.commit(len(self._in_flight))
                self.answers.append(self._ended(after))
            case Inventory(after):
                self.answers.append(self._holdings(after))
            case Flush() | Hello():
                pass

    def commit(self, most: int) -> None:
        """Commit so many items of those that came in, and acknowledge them."""
        positions: dict[bytes, int] = {}
        for _ in range(min(most, len(self._in_flight))):
            item = self._in_flight.popleft()
            position = self._commit(item)
            if not isinstance(item, Open):
                positions[item.source.id] = position
        if positions:
            self.answers.append(Ack(positions))

    def _commit_what_was_left(self, source: Source) -> None:
        """Who lives now does not know what the one before has sent: it is told when that is committed."""
        if self._admission.left(source, b"%d" % self._life):
            self.commit(len(self._in_flight))

    def _commit(self, item: Item) -> int:
        source = item.source
        if (isinstance(item, Finish) and item.lost) or (isinstance(item, Skip) and item.reason is SkipReason.LOST):
            self.lost.append(source)
            if source.id not in self.ledger:
                self.unread.add(source.id)
        if isinstance(item, Finish):
            self._admission.end(source.id)
            self._admission.forget(source.id, item.position)
            if source.id in self.ledger:
                self._ends += 1
                self.ledger[source.id].ended_at = self._ends
                self.ledger[source.id].finished = not item.lost
                self.ledger[source.id].gone = item.lost
            return item.position
        if isinstance(item, Open):
            row = self.ledger.setdefault(source.id, Row(source, item.position, item.before))
            row.source, row.gone, row.finished = source, False, False
            return row.position
        if isinstance(item, Block) and not item.start and len(item.data) > source.head.length:
            # As the real one, which has the bytes.
            source = replace(source, head=Marker.of(bytes(item.data)[:HEAD_SIZE]))
        row = self.ledger.setdefault(source.id, Row(source, item.start))
        assert item.start == row.position, f"{item} does not follow {row}"
        lost = isinstance(item, Skip) and item.reason is SkipReason.LOST
        row.sent = (row.sent or Sent(row.position, row.before)) if lost else None
        row.position, row.finished, row.gone = item.end, False, False
        if isinstance(item, Block):
            row.shipped.append((item.start, bytes(item.data)))
            row.before = Marker.of(bytes(item.data)[-TAIL_SIZE:])
        else:
            row.before = item.before
        self._admission.commit(source.id, row.position)
        return row.position

    def _admit(self, item: Block | Skip) -> None:
        source = item.source
        if source.id not in self._opened:
            self.answers.append(Refusal(source.id, item.start, 0, RefusalReason.NOT_OPEN, retry=True))
            return
        if source.inode in self.refused and isinstance(item, Block):
            self.answers.append(Refusal(source.id, item.start, 0, RefusalReason.NOT_YOURS, retry=False))
            return
        if self.refuse_next:
            self.refuse_next = False
            expected = self._admission.expected(source.id) or 0
            self.answers.append(Refusal(source.id, item.start, expected, RefusalReason.WRONG_START, retry=True))
            return
        admitted = self._admission.admit(item) if isinstance(item, Block) else self._admission.skip(item)
        match admitted:
            case Refusal():
                self.answers.append(admitted)
            case Duplicate(committed):
                self.answers.append(Ack({source.id: committed}))
            case _:
                self._in_flight.append(admitted)

    def _holdings(self, after: Source | None) -> Holdings:
        ids = sorted(each for each in self.ledger if after is None or each > after.id)[:_PAGE]
        rows = [self.ledger[each] for each in ids]
        unknown = [
            row.holding
            for row in rows
            if not (row.finished or row.gone or self._admission.opened(row.source.id, b"%d" % self._life))
        ]
        return Holdings(tuple(unknown), rows[-1].source if len(rows) == _PAGE else None)

    def _ended(self, after: Source | None) -> Holdings:
        rows = [row for row in self.ledger.values() if row.finished or row.gone]
        rows.sort(key=lambda row: row.ended_at, reverse=True)
        ids = [row.source.id for row in rows]
        start = 0 if after is None else ids.index(after.id) + 1
        page = rows[start : start + _PAGE]
        holdings = tuple(row.holding for row in page)
        return Holdings(holdings, page[-1].source if len(page) == _PAGE else None)

    def _known(self, source: Source) -> list[Known]:
        own = self.ledger.get(source.id)
        others = [
            row
            for row in reversed(self.ledger.values())
            if row is not own and (row.source.device, row.source.inode) == (source.device, source.inode)
        ]
        others.sort(key=lambda row: row.finished)
        rows = [own, *others] if own is not None else others
        return [Known(row.source.id, row.position, row.before, row.source.head, row.finished, row.sent) for row in rows]
