"""What the publisher has to tell the tailer, which sleeps on descriptors."""

import os
import threading
from dataclasses import dataclass

from mega_collector.protocol import Ack, FromAggregator, Welcome


@dataclass(frozen=True, slots=True)
class Connected:
    """A stream stands; sessions are numbered."""

    session: int
    welcome: Welcome


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The stream of a session has ended."""

    session: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The aggregator said something on the stream of a session."""

    session: int
    message: FromAggregator


Event = Connected | Disconnected | Answered


class Inbox:
    """Filled by any thread; `fileno` is readable while something is in it that cannot wait."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._rung = False
        """Whether the descriptor is readable: to ring once is enough, and each time costs a system call."""
        self._patient = False
        self._lock = threading.Lock()
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def put(self, event: Event) -> None:
        with self._lock:
            self._events.append(event)
            if not self._patient or not _can_wait(event):
                self._ring()

    def be(self, *, patient: bool) -> None:
        """Patient, if whoever takes comes soon anyhow: then acknowledgements do not make `fileno` readable."""
        with self._lock:
            self._patient = patient
            if self._events and not patient:
                self._ring()

    def wake(self) -> None:
        """Make `fileno` readable, with or without an event."""
        with self._lock:
            self._ring()

    def take(self) -> list[Event]:
        """All events, in order."""
        with self._lock:
            if self._rung:
                os.eventfd_read(self._descriptor)
                self._rung = False
            events, self._events = self._events, []
        return events

    def _ring(self) -> None:
        if not self._rung:
            os.eventfd_write(self._descriptor, 1)
            self._rung = True

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        os.close(self._descriptor)


def _can_wait(event: Event) -> bool:
    return isinstance(event, Answered) and isinstance(event.message, Ack)
