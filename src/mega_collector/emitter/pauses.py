"""The pauses between tries, so that it can be told when the next one comes."""

import time
from collections.abc import Callable


class Pauses:
    """Pauses by `pause(seconds)`, which says whether there is still time for another try. One thread pauses."""

    def __init__(self, pause: Callable[[float], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._pause = pause
        self._clock = clock
        self._until: float | None = None

    def __call__(self, seconds: float) -> bool:
        self._until = self._clock() + seconds
        try:
            return self._pause(seconds)
        finally:
            self._until = None

    @property
    def left(self) -> float | None:
        """Seconds until the next try; None: it is under way, or nothing has failed. From any thread."""
        until = self._until
        return None if until is None else max(until - self._clock(), 0.0)
