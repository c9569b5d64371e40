"""What is stuck is told: once for each cause, and when it is over."""

import math
import time
from collections.abc import Callable, Iterable

import structlog

from mega_collector.stuck import Cause, Stuck, Waiting, Watchdog

_INTERVAL = 600.0
"""Seconds between two tellings of a cause that comes and goes."""

_log = structlog.get_logger(__name__)


class Vigil:
    """Logs `event` when something has waited for `after` seconds, and `over` when nothing waits for that any more.

    A cause that comes and goes is told once in `interval` seconds, and how often it was withheld; if it stays, as soon
    as these have passed.
    """

    def __init__(
        self,
        event: str,
        over: str,
        *,
        after: float,
        interval: float = _INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._event = event
        self._over = over
        self._interval = interval
        self._clock = clock
        self._watchdog = Watchdog(after)
        self._causes: dict[Cause, _Told] = {}

    @property
    def stuck(self) -> int:
        """How many were stuck at the last look."""
        return self._watchdog.number

    def look(self, waiting: Iterable[Waiting]) -> None:
        """Tell what is new of what waits now."""
        now = self._clock()
        begun, over = self._watchdog.look(waiting, now)
        for cause, stuck in over.items():
            self._end(self._causes[cause], stuck, now)
        for cause in begun:
            self._causes.setdefault(cause, _Told()).begin()
        for cause, stuck in self._watchdog.stuck.items():
            self._tell(self._causes[cause], stuck, now)
        self._causes = {cause: told for cause, told in self._causes.items() if told.counts(now - self._interval)}

    def _tell(self, told: "_Told", stuck: Stuck, now: float) -> None:
        if not told.is_due(now - self._interval):
            return
        cause = stuck.first.words or stuck.first.cause
        _log.warning(self._event, **_keys(stuck, now), cause=cause, withheld=told.withheld - 1)
        told.tell(now)

    def _end(self, told: "_Told", stuck: Stuck, now: float) -> None:
        if told.end():
            _log.info(self._over, **_keys(stuck, now), cause=stuck.first.cause)


class _Told:
    """What was told of a cause."""

    def __init__(self) -> None:
        self._at = -math.inf
        self._stands = self._is_told = False
        self.withheld = 0
        """How often it has begun since it was told, and was not told."""

    def begin(self) -> None:
        self._stands, self._is_told = True, False
        self.withheld += 1

    def is_due(self, before: float) -> bool:
        """Whether it is to be told: it was not, since it began last, and was told last so long ago."""
        return self._stands and not self._is_told and self._at <= before

    def tell(self, now: float) -> None:
        self._at, self._is_told, self.withheld = now, True, 0

    def end(self) -> bool:
        """Whether it was told that it began."""
        was_told, self._stands, self._is_told = self._is_told, False, False
        return was_told

    def counts(self, before: float) -> bool:
        return self._stands or self._at > before


def _keys(stuck: Stuck, now: float) -> dict[str, object]:
    first = stuck.first
    which = {"path": first.what, "files": stuck.number} if first.what else {}
    return {**which, "stage": first.stage.value, "seconds": int(now - first.since)}
