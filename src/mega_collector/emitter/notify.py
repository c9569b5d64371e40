"""Tells a person when the retries are used up, and when it works again."""

from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from mega_collector.batch import Batch
from mega_collector.emitter.protocol import Emitter, Taken
from mega_collector.errors import RetriesExhausted

_log = structlog.get_logger(__name__)


class Notifier(Protocol):
    """Alerts people. Nothing here blocks, but `close`."""

    def failed(self, cause: RetriesExhausted) -> None:
        """Batches cannot be delivered. Called for each that fails: the notifier keeps the repeats apart."""

    def recovered(self) -> None:
        """Batches were delivered. Called for each: the notifier knows whether this is news."""

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

    def emit(self, batches: Sequence[Batch]) -> Taken:
        """Pass the batches on.

        Raises:
            EmitError, RetriesExhausted, Stopping: as the next emitter does.
        """
        try:
            taken = self._next.emit(batches)
        except RetriesExhausted as error:
            cause = error
            tell(lambda: self._notifier.failed(cause))
            raise
        if not taken.discarded:
            tell(self._notifier.recovered)
        return taken

    def close(self) -> None:
        """Close the next emitter, then the notifier."""
        try:
            self._next.close()
        finally:
            tell(lambda: self._notifier.close(self._close_within()))


def tell(what: Callable[[], None]) -> None:
    """Tell a notifier something: what it raises is logged."""
    try:
        what()
    except Exception as error:  # noqa: BLE001 - an alert that fails must not stop the logs
        # Only its type: nobody knows what its text holds.
        _log.error("notifier_failed", error=type(error).__name__)
