"""What is counted and told when bytes vanish unread: here, and to the aggregator."""

from dataclasses import dataclass

import structlog

from mega_collector.block import Skip, SkipReason, Source
from mega_collector.collector.sending.shipper import Shipper
from mega_collector.collector.sending.window import Decide
from mega_collector.collector.state.recollection import Recollection
from mega_collector.telemetry.printable import printable

_MOST_UNTOLD = 10_000
"""Losses that are kept to be told to an aggregator that is away: about a kilobyte each."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Loss:
    source: Source
    start: int
    end: int | None


class Losses:
    """Loss is a fact with a name: a log event, two numbers, and the last that the aggregator hears of a source."""

    def __init__(self, shipper: Shipper, recollection: Recollection) -> None:
        self._shipper = shipper
        self._recollection = recollection
        self._untold: dict[bytes, _Loss] = {}
        self.sources = 0
        """Sources of which bytes vanished, or may have."""
        self.bytes = 0
        """Bytes that are known to have vanished."""

    def __contains__(self, source_id: object) -> bool:
        return source_id in self._untold

    def __len__(self) -> int:
        """How many the aggregator has not heard of."""
        return len(self._untold)

    def end(self, source: Source, start: int, end: int | None, reason: str) -> None:
        """A source has ended, and its bytes from `start` to `end` (None: nobody knows how far) cannot be had any more.

        The aggregator hears of it now, or as soon as it can be reached; beyond a number that no rotation makes, only
        this side tells of those that had to wait.
        """
        tell = _log.warning if end is None else _log.error
        tell("source_lost", path=printable(source.path), start=start, end=end, reason=reason)
        self.sources += 1
        self.bytes += 0 if end is None else end - start
        self._tell(_Loss(source, start, end))

    def finish(self, source: Source, position: int) -> None:
        """A source has ended before the aggregator has said how far it came: nothing of it is lost."""
        self._tell(_Loss(source, position, position))

    def _tell(self, loss: _Loss) -> None:
        if len(self._untold) >= _MOST_UNTOLD:
            self._shipper.end(loss.source)
            return
        self._untold[loss.source.id] = loss
        if not self._recollection.pending:
            self._tell_aggregator(loss)

    def withdraw(self, source_id: bytes) -> None:
        """The source is found after all: where it goes on is asked anew, of its file and not of what was lost."""
        if self._untold.pop(source_id, None) is not None:
            self._shipper.abandon(source_id)

    def lack(self, source_id: bytes, position: int) -> bool:
        """Whether something of that source is lost behind the position."""
        loss = self._untold.get(source_id)
        return loss is None or loss.end is None or loss.end > position

    def poll(self) -> None:
        """What can be told now is told: while more may be recollected, it may be found after all."""
        if not self._shipper.connected or self._recollection.pending:
            return
        for loss in list(self._untold.values()):
            self._tell_aggregator(loss)

    def settle(self, decide: Decide) -> None:
        """The aggregator has answered what it has of the source of a loss that waits."""
        source = decide.source
        loss = self._untold.get(source.id)
        if loss is None:
            # Too many wait already: only this side has told it.
            return
        committed = (each.position for each in decide.resume.known if each.source_id == source.id)
        self._shipper.conclude(source, next(committed, loss.start))
        self._tell_aggregator(loss)

    def _tell_aggregator(self, loss: _Loss) -> None:
        source = loss.source
        if not (self._shipper.ready(source) or self._shipper.stopped(source)):
            self._shipper.begin(source)
            return
        del self._untold[source.id]
        position = self._shipper.position(source)
        if loss.end is not None and loss.end > position:
            self._shipper.ship(Skip(source, position, loss.end, SkipReason.LOST))
        self._shipper.end(source, lost=loss.end is None)
