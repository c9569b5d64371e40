"""Tells a person when the retries are used up, and when it works again."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from mega_collector.batch import Batch
from mega_collector.emitter.protocol import Emitter, Taken
from mega_collector.errors import RetriesExhausted
from mega_collector.telemetry.once import Once

_INTERVAL = 60.0
"""Seconds between two tellings of one failure: the notifier is called for each batch."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AlertStatistics:
    """Events since the start. `failed` counts tries, `pending` those that wait: at most 2."""

    accepted: int
    refused: int
    failed: int
    pending: int
    problem: str | None = None
    """Why the last one did not get there, and what to do; None: it did, or there was none."""
    failed_at: float | None = None
    """When one last did not, in seconds since the epoch."""


class Notifier(Protocol):
    """Alerts people. Nothing here blocks, but `close`."""

    def failed(self, cause: RetriesExhausted) -> None:
        """Batches cannot be delivered. Called for each that fails: the notifier keeps the repeats apart."""

    def recovered(self) -> None:
        """Batches were delivered. Called for each: the notifier knows whether this is news."""

    def statistics(self) -> AlertStatistics:
        """What became of what was told. From any thread."""

    def close(self, timeout: float) -> None:
        """Deliver what waits, within `timeout` seconds. Nothing is told afterwards."""


class NotifyEmitter:
    """Passes batches on; tells the notifier when the retries are used up, and when batches are taken again.

    The notifier never delays a batch and never fails one: what it raises is logged.
    """

    def __init__(
        self, next_emitter: Emitter, notifier: Notifier, *, close_within: Callable[[], float] = lambda: 3.0
    ) -> None:
        """`close_within` bounds the notifier's part of `close`, in seconds; asked when it comes to that."""
        self._next = next_emitter
        self._notifier = notifier
        self._close_within = close_within
        self._tell = Telling()

    def emit(self, batches: Sequence[Batch]) -> Taken:
        """Pass the batches on.

        Raises:
            EmitError, RetriesExhausted, Stopping: as the next emitter does.
        """
        try:
            taken = self._next.emit(batches)
        except RetriesExhausted as error:
            cause = error
            self._tell(lambda: self._notifier.failed(cause))
            raise
        if not taken.discarded:
            self._tell(self._notifier.recovered)
        return taken

    def close(self) -> None:
        """Close the next emitter, then the notifier."""
        try:
            self._next.close()
        finally:
            self._tell(lambda: self._notifier.close(self._close_within()))


class Telling:
    """Tells a notifier something: what it raises is logged."""

    def __init__(self) -> None:
        self._told = Once(interval=_INTERVAL)

    def __call__(self, what: Callable[[], None]) -> None:
        try:
            what()
        except Exception as error:  # noqa: BLE001 - an alert that fails must not stop the logs
            # Only its type: nobody knows what its text holds.
            name = type(error).__name__
            withheld = self._told.due(name, time.monotonic())
            if withheld is not None:
                _log.error("notifier_failed", error=name, withheld=withheld)
