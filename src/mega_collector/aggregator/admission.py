"""What is expected next of each source of one collector: a machine."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from mega_collector.block import NEWLINE, Block, Skip, Source
from mega_collector.protocol import Refusal, RefusalReason


@dataclass(slots=True)
class _Standing:
    source: Source
    committed: int
    expected: int
    life: bytes
    """Which of the collector's processes opened it last."""
    turned_back: bool = False
    """Whether nothing of what is in flight will be committed: it is to be opened anew."""
    ending: bool = False
    """Whether its end is in flight too."""

    @property
    def settled(self) -> bool:
        return self.turned_back or self.committed == self.expected


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Nothing of it is new: everything before `committed` is at the destination, the rest is on its way there."""

    committed: int


class Admission:
    """Trims or drops what is already committed or in flight, and refuses what leaves a gap.

    `expected` runs ahead of `committed` by what is in flight. Every method but `commit`, `end`, `turn_back` and
    `committed` is called under the collector's lock; these only move a number forward or set a mark, and may run beside
    them.
    """

    def __init__(self) -> None:
        self._sources: dict[bytes, _Standing] = {}
        self._of_file: dict[tuple[int, int], tuple[bytes, ...]] = {}
        """The sources of each device and inode."""

    def __len__(self) -> int:
        return len(self._sources)

    def __contains__(self, source_id: object) -> bool:
        return source_id in self._sources

    def __iter__(self) -> Iterator[bytes]:
        """The ids of the sources that were opened."""
        return iter(self._sources)

    @property
    def settled(self) -> bool:
        """Whether nothing is in flight: then the ledger knows all that stands here."""
        return all(standing.settled for standing in self._sources.values())

    def expected(self, source_id: bytes) -> int | None:
        """Where a source stands that was opened, with what is in flight."""
        standing = self._sources.get(source_id)
        return None if standing is None or standing.turned_back else standing.expected

    def left(self, source: Source | None, life: bytes) -> dict[bytes, int]:
        """What other processes of the collector have in flight of all, or of a source and others of its file; and ends.

        By source, the position where it stands when that is committed.
        """
        ids = self._sources.keys() if source is None else {source.id, *self._of_file.get(_file(source), ())}
        theirs = (self._sources[each] for each in ids if each in self._sources and self._sources[each].life != life)
        return {each.source.id: each.expected for each in theirs if each.ending or not each.settled}

    def opened(self, source_id: bytes, life: bytes) -> bool:
        """Whether that process of the collector's opened the source last."""
        standing = self._sources.get(source_id)
        return standing is not None and standing.life == life

    def committed(self, positions: Mapping[bytes, int]) -> bool:
        """Whether all these positions, by source, are committed, or never will be. May run beside the others."""
        standings = ((self._sources.get(source_id), position) for source_id, position in positions.items())
        return all(
            standing is None or standing.turned_back or (standing.committed >= position and not standing.ending)
            for standing, position in standings
        )

    def open(self, source: Source, position: int, committed: int | None, life: bytes = b"") -> Refusal | None:
        """The collector goes on with `source` at `position`; the ledger has `committed` of it (None: nothing).

        A source that nothing is known of is taken at the position that the collector names: also if another process of
        it has only opened it, and was killed before it sent anything. `life` tells its processes apart.
        """
        standing = self._sources.get(source.id)
        if standing is not None and self.begins(source.id, committed, life):
            self._remove(standing)
            standing = None
        if standing is None:
            at = position if committed is None else committed
            standing = self._sources[source.id] = _Standing(source, at, at, life)
            self._of_file[_file(source)] = (*self._of_file.get(_file(source), ()), source.id)
        standing.life = life
        if position > standing.expected:
            return self._wrong_start(standing, position)
        return None

    def begins(self, source_id: bytes, committed: int | None, life: bytes = b"") -> bool:
        """Whether nothing stands of a source but what the ledger has, when it is opened."""
        standing = self._sources.get(source_id)
        if standing is None or standing.turned_back:
            return True
        return committed is None and standing.life != life and standing.settled and not standing.ending

    def admit(self, block: Block) -> Block | Duplicate | Refusal:
        """What of a block is new."""
        standing = self._sources.get(block.source.id)
        if standing is None:
            return _not_open(block.source, block.start)
        if standing.turned_back:
            return held_up(block.source.id, block.start, standing.committed)
        if block.start > standing.expected:
            return self._wrong_start(standing, block.start)
        if block.end <= standing.expected:
            return Duplicate(standing.committed)
        known = standing.expected - block.start
        standing.expected = block.end
        return _without(block, known) if known else block

    def skip(self, skip: Skip) -> Skip | Duplicate | Refusal:
        """What of a skip is new."""
        standing = self._sources.get(skip.source.id)
        if standing is None:
            return _not_open(skip.source, skip.start)
        if standing.turned_back:
            return held_up(skip.source.id, skip.start, standing.committed)
        if skip.start > standing.expected:
            return self._wrong_start(standing, skip.start)
        if skip.end <= standing.expected:
            return Duplicate(standing.committed)
        start, standing.expected = standing.expected, skip.end
        return replace(skip, start=start)

    def commit(self, source_id: bytes, position: int) -> None:
        """Everything before `position` is at the destination."""
        standing = self._sources.get(source_id)
        if standing is not None:
            standing.committed = max(standing.committed, position)

    def finish(self, source_id: bytes, position: int) -> bool:
        """The source ends at a position: whether that is where it stands."""
        standing = self._sources.get(source_id)
        if standing is None or standing.turned_back or standing.expected != position:
            return False
        standing.ending = True
        return True

    def end(self, source_id: bytes) -> None:
        """The end of a source is committed."""
        standing = self._sources.get(source_id)
        if standing is not None:
            standing.ending = False

    def turn_back(self, source_id: bytes) -> int | None:
        """Nothing of what is in flight of a source will be committed; where it stands without it."""
        standing = self._sources.get(source_id)
        if standing is None:
            return None
        standing.turned_back = True
        return standing.committed

    def forget(self, source_id: bytes, position: int) -> None:
        """The source has ended and is committed up to `position`; unless it has been taken up again since."""
        standing = self._sources.get(source_id)
        if standing is not None and standing.expected == position:
            self._remove(standing)

    def _remove(self, standing: _Standing) -> None:
        source_id, file = standing.source.id, _file(standing.source)
        del self._sources[source_id]
        rest = tuple(each for each in self._of_file.pop(file) if each != source_id)
        if rest:
            self._of_file[file] = rest

    def _wrong_start(self, standing: _Standing, start: int) -> Refusal:
        return Refusal(
            source_id=standing.source.id,
            start=start,
            expected=standing.expected,
            reason=RefusalReason.WRONG_START,
            retry=True,
            message=f"expected at {standing.expected}, not {start}",
        )


def _file(source: Source) -> tuple[int, int]:
    return source.device, source.inode


def held_up(source_id: bytes, start: int, expected: int) -> Refusal:
    """It cannot be delivered now."""
    return Refusal(
        source_id, start, expected, RefusalReason.HELD_UP, retry=True, message="its destination takes nothing now"
    )


def _not_open(source: Source, start: int) -> Refusal:
    """It was finished, on another stream of the collector perhaps."""
    return Refusal(source.id, start, 0, RefusalReason.NOT_OPEN, retry=True, message="the source is not open")


def _without(block: Block, known: int) -> Block:
    data = bytes(block.data)[known:]
    entries = data.count(NEWLINE) + block.unterminated
    return Block(block.source, block.start + known, data, entries, block.unterminated, block.received)
