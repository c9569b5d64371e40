"""What is stuck is told: once for each cause, and when it is over."""

import time
from collections.abc import Callable, Hashable, Iterable

import structlog

from mega_collector.stuck import Stuck, Waiting, Watchdog
from mega_collector.telemetry.once import Once

_INTERVAL = 600.0
"""Seconds between two tellings of a cause that comes and goes."""

_log = structlog.get_logger(__name__)


class Vigil:
    """Logs `event` when something has waited for `after` seconds, and `over` when nothing waits for that any more."""

    def __init__(self, event: str, over: str, *, after: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._event = event
        self._over = over
        self._clock = clock
        self._watchdog = Watchdog(after)
        self._once = Once(interval=_INTERVAL)
        self._told: set[Hashable] = set()

    @property
    def stuck(self) -> int:
        """How many were stuck at the last look."""
        return self._watchdog.number

    def look(self, waiting: Iterable[Waiting]) -> None:
        """Tell what is new of what waits now."""
        now = self._clock()
        begun, over = self._watchdog.look(waiting, now)
        for each in over:
            cause = each.first.stage, each.first.cause
            if cause in self._told:
                self._told.discard(cause)
                _log.info(self._over, **_keys(each, now), cause=each.first.cause)
        for each in begun:
            cause = each.first.stage, each.first.cause
            withheld = self._once.due(cause, now)
            if withheld is not None:
                self._told.add(cause)
                _log.warning(
                    self._event, **_keys(each, now), cause=each.first.words or each.first.cause, withheld=withheld
                )


def _keys(stuck: Stuck, now: float) -> dict[str, object]:
    first = stuck.first
    which = {"path": first.what, "files": stuck.number} if first.what else {}
    return {**which, "stage": first.stage.value, "seconds": int(now - first.since)}
