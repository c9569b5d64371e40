"""A destination that fails as it is told, and a pause whose time is owned by the test."""

from collections.abc import Iterable, Sequence

from mega_collector.batch import Batch
from mega_collector.emitter.protocol import Taken
from mega_collector.errors import MegaCollectorError


class ScriptedEmitter:
    """Raises the next failure of its script, or takes everything where that is None or the script is over."""

    def __init__(self, script: Iterable[MegaCollectorError | None] = ()) -> None:
        self._script = iter(script)
        self.attempts: list[list[Batch]] = []
        self.taken: list[Batch] = []
        self.is_closed = False

    def emit(self, batches: Sequence[Batch]) -> Taken:
        self.attempts.append(list(batches))
        failure = next(self._script, None)
        if failure is not None:
            raise failure
        self.taken += batches
        return Taken(len(batches))

    def close(self) -> None:
        self.is_closed = True


class Pauses:
    """Waits for nothing, notes for how long, and allows so many of them."""

    def __init__(self, allowed: int | None = None) -> None:
        self.seconds: list[float] = []
        self._allowed = allowed

    def __call__(self, seconds: float) -> bool:
        self.seconds.append(seconds)
        return self._allowed is None or len(self.seconds) <= self._allowed
