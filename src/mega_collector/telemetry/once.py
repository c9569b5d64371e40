"""Facts that would repeat themselves without end, told once in a while."""

from collections.abc import Hashable
from dataclasses import dataclass
from threading import Lock


@dataclass(slots=True)
class _Told:
    at: float
    withheld: int = 0


class Once:
    """Lets each key through at most once in `interval` seconds, and counts what it held back.

    At most `capacity` keys are remembered; the oldest make room, so a flood of new keys costs repetitions, not memory.
    May be used from any thread.
    """

    def __init__(self, *, interval: float, capacity: int = 1024) -> None:
        self._interval = interval
        self._capacity = capacity
        self._told: dict[Hashable, _Told] = {}
        self._lock = Lock()

    def due(self, key: Hashable, now: float) -> int | None:
        """Say whether to tell it now: how many were withheld since it was last told, or None for not yet.

        `now` is of a monotonic clock, in seconds.
        """
        with self._lock:
            return self._due(key, now)

    def _due(self, key: Hashable, now: float) -> int | None:
        told = self._told.pop(key, None)
        if told is not None and now < told.at + self._interval:
            told.withheld += 1
            self._told[key] = told
            return None
        if len(self._told) >= self._capacity:
            del self._told[next(iter(self._told))]
        self._told[key] = _Told(now)
        return told.withheld if told is not None else 0

    def forget(self, key: Hashable) -> None:
        """Tell it at once when it comes again: the matter was settled."""
        with self._lock:
            self._told.pop(key, None)
