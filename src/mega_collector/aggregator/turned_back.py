"""Sources that are turned back, since an output of theirs takes nothing, and when each may come again: a machine."""

import heapq
import math


class TurnedBack:
    """What of a source is on its way when it is turned back is passed over, up to where it begins anew.

    `is_stale` may be asked from any thread.
    """

    def __init__(self) -> None:
        self._stale: set[bytes] = set()
        self._again: list[tuple[float, str, bytes]] = []

    def turn(self, collector: str, source_id: bytes, again: float) -> None:
        """A source is turned back until that time."""
        self._stale.add(source_id)
        heapq.heappush(self._again, (again, collector, source_id))

    def is_stale(self, source_id: bytes) -> bool:
        """Whether what is on its way of the source was sent before it was turned back."""
        return source_id in self._stale

    @property
    def waits(self) -> bool:
        """Whether a source has not come again yet."""
        return bool(self._stale)

    def begin(self, source_id: bytes) -> None:
        """What comes from here on was sent after it."""
        self._stale.discard(source_id)

    @property
    def next_due(self) -> float:
        """When the next source may come again; infinity if none is turned back."""
        return self._again[0][0] if self._again else math.inf

    def due(self, now: float) -> dict[str, set[bytes]]:
        """The sources, by collector, that may come again: each is told once."""
        due: dict[str, set[bytes]] = {}
        while self._again and self._again[0][0] <= now:
            _, collector, source_id = heapq.heappop(self._again)
            due.setdefault(collector, set()).add(source_id)
        return due
