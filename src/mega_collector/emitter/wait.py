"""The policy never to give up."""

from collections.abc import Callable, Sequence

import structlog

from mega_collector.batch import Batch
from mega_collector.emitter.backoff import LONGEST
from mega_collector.emitter.protocol import Emitter, Taken
from mega_collector.errors import RetriesExhausted, Stopping

_log = structlog.get_logger(__name__)


class WaitEmitter:
    """Goes on at the slowest pace when all tries were used up: meanwhile the sources' own files are the buffer."""

    def __init__(self, next_emitter: Emitter, *, pause: Callable[[float], bool], pace: float = LONGEST) -> None:
        self._next = next_emitter
        self._pause = pause
        self._pace = pace

    def emit(self, batches: Sequence[Batch]) -> Taken:
        told: str | None = None
        while True:
            try:
                return self._next.emit(batches)
            except RetriesExhausted as error:
                if (text := str(error.cause)) != told:
                    # Once until it changes; the shutdown may have cut the pauses short since the first one.
                    promise = {"again_in": self._pace} if told is None else {}
                    told = text
                    _log.error("destination_failing", error=text, **promise)
                if not self._pause(self._pace):
                    raise Stopping(f"{error.cause}, and the shutdown does not wait for another try") from error

    def close(self) -> None:
        self._next.close()
