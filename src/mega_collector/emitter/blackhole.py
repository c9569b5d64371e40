"""The destination that is none."""

from collections.abc import Sequence

from mega_collector.batch import Batch
from mega_collector.emitter.emitted import Emitted
from mega_collector.emitter.protocol import Taken


class BlackholeEmitter:
    """Takes everything and keeps nothing but the count."""

    def __init__(self) -> None:
        self._emitted = Emitted()

    @property
    def writes_to(self) -> tuple[tuple[int, int], ...]:
        """No file."""
        return ()

    def emit(self, batches: Sequence[Batch]) -> Taken:
        self._emitted = self._emitted.plus(batches)
        return Taken(len(batches))

    def statistics(self) -> Emitted:
        return self._emitted

    def close(self) -> None:
        """Nothing is held."""
