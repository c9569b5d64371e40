"""What the publisher has to tell the tailer, which sleeps on descriptors."""

import os
from collections import deque
from dataclasses import dataclass

from mega_collector.protocol import FromAggregator, Welcome


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
    """Filled by any thread; `fileno` is readable while something is in it."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def put(self, event: Event) -> None:
        self._events.append(event)
        self.wake()

    def wake(self) -> None:
        """Make `fileno` readable, with or without an event."""
        os.eventfd_write(self._descriptor, 1)

    def take(self) -> list[Event]:
        """All events, in order."""
        try:
            os.eventfd_read(self._descriptor)
        except BlockingIOError:
            return []
        events = []
        while self._events:
            events.append(self._events.popleft())
        return events

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        os.close(self._descriptor)
