"""The policy to give up a batch, in the open."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog

from mega_collector.batch import Batch
from mega_collector.block import Block, Source
from mega_collector.emitter.dead_letters import DeadLetters, DeadLetterStatistics
from mega_collector.emitter.emitted import Emitted
from mega_collector.emitter.protocol import Emitter, Taken
from mega_collector.errors import RetriesExhausted

_log = structlog.get_logger(__name__)


class DiscardEmitter:
    """Gives up the first batch when all its tries were used up: counts it, logs it, lays it in the dead letters.

    Where there are dead letters and they do not take it, it is not given up: emit raises their EmitError.
    """

    def __init__(self, next_emitter: Emitter, dead_letters: DeadLetters | None) -> None:
        self._next = next_emitter
        self._dead_letters = dead_letters
        self._discarded = Emitted()

    def emit(self, batches: Sequence[Batch]) -> Taken:
        try:
            return self._next.emit(batches)
        except RetriesExhausted as error:
            self._discard(batches[0], error)
            return Taken(1, discarded=True, cause=error)

    def statistics(self) -> Emitted:
        """What was given up."""
        return self._discarded

    def dead_letters(self) -> DeadLetterStatistics:
        return DeadLetterStatistics(0, 0, 0) if self._dead_letters is None else self._dead_letters.statistics()

    def close(self) -> None:
        self._next.close()

    def _discard(self, batch: Batch, error: RetriesExhausted) -> None:
        letter = self._dead_letters.lay(batch) if self._dead_letters else None
        self._discarded = self._discarded.plus([batch])
        for source, start, end in _ranges(batch.blocks):
            _report(source, start, end, letter, error)


def _report(source: Source, start: int, end: int, letter: Path | None, error: RetriesExhausted) -> None:
    _log.error(
        "batch_discarded",
        path=source.name,
        host=source.host,
        collector=source.collector,
        source=source.id.hex(),
        start=start,
        end=end,
        dead_letter=letter and str(letter),
        error=str(error.cause),
    )


def _ranges(blocks: Sequence[Block]) -> Iterator[tuple[Source, int, int]]:
    """The byte ranges of each source, adjoining ones as one."""
    ends: dict[tuple[bytes, int], tuple[Source, int]] = {}
    for block in blocks:
        source, start = ends.pop((block.source.id, block.start), (block.source, block.start))
        ends[block.source.id, block.end] = source, start
    for (_, end), (source, start) in ends.items():
        yield source, start, end
