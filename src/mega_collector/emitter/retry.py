"""Trying again in place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from mega_collector.batch import Batch
from mega_collector.emitter.backoff import Backoff
from mega_collector.emitter.protocol import Emitter, Taken
from mega_collector.errors import DestinationGone, EmitError, RetriesExhausted, Stopping

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RetryStatistics:
    failures: int
    """Emits that failed."""
    exhausted: int
    """How often all tries were used up."""
    failing: bool
    """Whether the last emit failed: the destination is not healthy."""
    last_error: str | None
    """Of the last failure, even if it is over."""
    in_a_row: int = 0
    """Emits that failed since the last that did not."""


class RetryEmitter:
    """Tries an emit again, `count` times: first after `delay` seconds, then after twice as long each time, up to 60.

    `pause(seconds)` waits, and answers False when the shutdown does not allow it. A batch that comes again after all
    its tries were used up gets one try a time: whoever sends it again sets the pace. Another batch gets its own count.
    """

    def __init__(self, next_emitter: Emitter, *, count: int, delay: float, pause: Callable[[float], bool]) -> None:
        self._next = next_emitter
        self._backoff = Backoff(count, delay)
        self._once = Backoff(0, delay)
        self._pause = pause
        self._used_up: Batch | None = None
        self._told: str | None = None
        self._statistics = RetryStatistics(0, 0, failing=False, last_error=None)

    def emit(self, batches: Sequence[Batch]) -> Taken:
        backoff = self._once if batches[0] is self._used_up else self._backoff
        failures = 0
        while True:
            try:
                taken = self._next.emit(batches)
            except EmitError as error:
                failures += 1
                self._count(error)
                if isinstance(error, DestinationGone):
                    raise
                self._wait(batches[0], backoff, failures, error)
            else:
                self.recover()
                return taken

    def recover(self) -> None:
        """The destination has taken something."""
        self._used_up = self._told = None
        if self._statistics.failing:
            _log.info("emit_recovered", tries=self._statistics.in_a_row + 1)
            self._statistics = replace(self._statistics, failing=False, in_a_row=0)

    def statistics(self) -> RetryStatistics:
        return self._statistics

    def close(self) -> None:
        self._next.close()

    def _wait(self, head: Batch, backoff: Backoff, failures: int, error: EmitError) -> None:
        delay = backoff.after(failures)
        if delay is None:
            self._give_up(head)
            raise RetriesExhausted(failures, error) from error
        self._tell(str(error), failures, delay)
        if not self._pause(delay):
            raise Stopping(f"{error}, and the shutdown does not wait for another try") from error

    def _tell(self, error: str, failures: int, delay: float) -> None:
        """Log a failure once until it changes or is over: at a shutdown's pace it would come five times a second."""
        if error == self._told:
            return
        # The shutdown may have cut the pauses short since the first one.
        promise = {"again_in": delay} if self._told is None else {}
        self._told = error
        _log.warning("emit_failed", error=error, failures=failures, **promise)

    def _count(self, error: EmitError) -> None:
        before = self._statistics
        self._statistics = replace(
            before,
            failures=before.failures + 1,
            failing=True,
            last_error=str(error),
            in_a_row=before.in_a_row + 1,
        )

    def _give_up(self, head: Batch) -> None:
        self._used_up = head
        self._statistics = replace(self._statistics, exhausted=self._statistics.exhausted + 1)
