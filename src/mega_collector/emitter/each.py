"""Retry, notify, and wait or discard, where there are several outputs: for each of them by itself."""

import time
from collections.abc import Callable, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from mega_collector.batch import Batch
from mega_collector.emitter.backoff import LONGEST, Backoff
from mega_collector.emitter.dead_letters import DeadLetters, DeadLetterStatistics
from mega_collector.emitter.discard import report_discarded
from mega_collector.emitter.notify import Notifier, Telling
from mega_collector.emitter.protocol import Left, Taken
from mega_collector.emitter.retry import RetryStatistics
from mega_collector.errors import EmitError, RetriesExhausted
from mega_collector.protocol import Stage, Status

_FORGOTTEN = 600.0
"""Seconds after its next try was due in which nothing came for a failing output: then it counts as new."""

_log = structlog.get_logger(__name__)


class Outputs(Protocol):
    """An emitter to several outputs."""

    def emit(self, batches: Sequence[Batch], resting: Mapping[str, EmitError] | None = None) -> Taken: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class _Failing:
    cause: EmitError
    failures: int = 0
    again: float = 0.0
    exhausted: bool = False


class EachEmitter:
    """Never waits: what an output does not take is `left`, with the time from which on it is to be tried again.

    Until then it is not tried, whatever comes for it. The delays and counts are those of `RetryEmitter`; when they are
    used up the notifier is told, and then the output is tried at the slowest pace, or, with `discard`, the first batch
    for it is given up and laid in the dead letters. People hear of recovery when no output is failing any more.
    """

    def __init__(
        self,
        next_emitter: Outputs,
        *,
        count: int,
        delay: float,
        discard: bool,
        dead_letters: DeadLetters | None = None,
        notifier: Notifier | None = None,
        close_within: Callable[[], float] = lambda: 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._next = next_emitter
        self._backoff = Backoff(count, delay)
        self._discard = discard
        self._dead_letters = dead_letters
        self._notifier = notifier
        self._tell = Telling()
        self._close_within = close_within
        self._clock = clock
        self._failing: dict[str, _Failing] = {}
        self._statistics = RetryStatistics(0, 0, failing=False, last_error=None)

    def emit(self, batches: Sequence[Batch]) -> Taken:
        """Pass the batches on. Never raises EmitError: what fails is `left`."""
        now = self._clock()
        resting = {output: each.cause for output, each in self._failing.items() if each.again > now}
        taken = self._next.emit(batches, resting)
        given_up: list[Batch] = []
        left = [self._leave(each, each.output in resting, given_up) for each in taken.left]
        self.recover({state.path for state in taken.outputs} - {each.output for each in left})
        self._forget(now)
        remaining = tuple(each for each in left if each.batches or each.behind)
        return replace(taken, left=remaining, given_up=tuple(given_up))

    def recover(self, outputs: AbstractSet[str]) -> None:
        """These outputs have taken all that came for them."""
        for output in outputs & self._failing.keys():
            del self._failing[output]
            _log.info("output_recovered", output=output)
        if not outputs:
            return
        # Health says that the destination fails where none takes anything.
        self._statistics = replace(self._statistics, failing=False, in_a_row=0)
        if self._notifier is not None and not any(each.exhausted for each in self._failing.values()):
            self._tell(self._notifier.recovered)

    def statistics(self) -> RetryStatistics:
        return self._statistics

    def dead_letters(self) -> DeadLetterStatistics:
        return DeadLetterStatistics(0, 0, 0) if self._dead_letters is None else self._dead_letters.statistics()

    @property
    def failing(self) -> int:
        """How many outputs are failing."""
        return len(self._failing)

    @property
    def held_up(self) -> Status | None:
        """Of the outputs that are failing, how it stands with the one that was tried most often. From any thread."""
        worst = max(list(self._failing.values()), key=lambda each: each.failures, default=None)
        if worst is None:
            return None
        return Status(Stage.DESTINATION, str(worst.cause), worst.failures, max(worst.again - self._clock(), 0.0))

    def close(self) -> None:
        """Close the next emitter, then the notifier."""
        try:
            self._next.close()
        finally:
            if (notifier := self._notifier) is not None:
                self._tell(lambda: notifier.close(self._close_within()))

    def _leave(self, left: Left, rested: bool, given_up: list[Batch]) -> Left:
        failing = self._failing.get(left.output)
        if failing is None:
            failing = self._failing[left.output] = _Failing(left.cause)
        if not rested:
            left = self._failed(failing, left, given_up)
        return replace(left, again=failing.again)

    def _failed(self, failing: _Failing, left: Left, given_up: list[Batch]) -> Left:
        news = str(failing.cause) != str(left.cause) or not failing.failures
        failing.cause, failing.failures = left.cause, failing.failures + 1
        delay = self._backoff.after(failing.failures)
        failures, exhausted = self._statistics.failures + 1, self._statistics.exhausted
        if delay is None:
            exhausted += not failing.exhausted or self._discard
            delay, left = self._exhaust(failing, left, given_up)
        elif news:
            _log.warning("output_failing", error=str(left.cause), failures=failing.failures, again_in=delay)
        failing.again = self._clock() + delay
        self._statistics = RetryStatistics(failures, exhausted, True, str(left.cause), failing.failures)
        return left

    def _exhaust(self, failing: _Failing, left: Left, given_up: list[Batch]) -> tuple[float, Left]:
        error = RetriesExhausted(failing.failures, left.cause)
        if (notifier := self._notifier) is not None:
            self._tell(lambda: notifier.failed(error))
        if not failing.exhausted:
            failing.exhausted = True
            _log.error("destination_failing", error=str(left.cause), again_in=LONGEST)
        if not self._discard:
            return LONGEST, left
        try:
            letter = self._dead_letters.lay(left.batches[0]) if self._dead_letters else None
        except EmitError as worse:
            _log.error("emit_failed", error=str(worse))
            return self._backoff.delay, left
        report_discarded(left.batches[0], letter, error)
        given_up.append(left.batches[0])
        failing.failures = 0  # the next batch has its own count
        return self._backoff.delay, replace(left, batches=left.batches[1:])

    def _forget(self, now: float) -> None:
        for output in [output for output, each in self._failing.items() if each.again + _FORGOTTEN < now]:
            del self._failing[output]
