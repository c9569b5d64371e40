"""What is to be said on one stream, gathered so that what is small goes out together."""

import threading
import time
from collections import deque
from collections.abc import Callable

from mega_collector import wire
from mega_collector.protocol import FromCollector

_ENOUGH = 32 << 10
"""Bytes that are worth a message of their own: gRPC takes 100 us and more for one, in each process."""

_MOST = 224 << 10
"""Bytes that are gathered into one: copying a hundred KiB once more takes less than another message does."""

_PACE = 0.005
"""Seconds from a small message to the next: 200 a second cost 2% of a core, and nobody waits for a log line longer."""


class Outbox:
    """Filled by one thread, emptied by another.

    What is small waits for more, but only behind something small that has just gone out: what comes after a pause goes
    at once, and so does whatever is large.
    """

    def __init__(self, *, pace: float = _PACE, clock: Callable[[], float] = time.monotonic) -> None:
        self._pace = pace
        self._clock = clock
        self._unsaid: list[FromCollector] = []
        self._weight = 0
        self._mentioned: FromCollector | None = None
        self._gathered: deque[FromCollector] = deque()
        """What was taken out, of the emptying thread alone: whoever says something never waits long for the lock."""
        self._gathered_weight = 0
        self._not_before = 0.0
        self._closed = False
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)

    def say(self, *messages: FromCollector) -> None:
        """Add messages, in order. Never waits."""
        weight = sum(map(wire.weight, messages))
        with self._lock:
            if self._closed:
                return
            self._unsaid += messages
            before, self._weight = self._weight, self._weight + weight
            # Whoever waits does so for a first message, or for enough of them.
            if not before or before < _ENOUGH <= self._weight:
                self._changed.notify()

    def mention(self, message: FromCollector) -> None:
        """Say it when there is time, in the place of what was mentioned before and is not taken out. Never waits."""
        with self._lock:
            if not self._closed:
                self._mentioned = message
                self._changed.notify()

    def take(self) -> list[FromCollector]:
        """What is to be said next, at once, in order; waits for it. Nothing: the outbox is closed."""
        if not self._gathered:
            with self._lock:
                while not self._closed and (pause := self._pause()):
                    self._changed.wait(None if pause < 0 else pause)
                if self._mentioned is not None:
                    self._unsaid.append(self._mentioned)
                    self._weight += wire.weight(self._mentioned)
                    self._mentioned = None
                self._gathered.extend(self._unsaid)
                self._gathered_weight = self._weight
                self._unsaid.clear()
                self._weight = 0
        return [] if self._closed else self._next()

    def close(self) -> None:
        """What is not said is forgotten, and nothing more is said."""
        with self._lock:
            self._closed = True
            self._unsaid.clear()
            self._changed.notify()

    def _pause(self) -> float:
        """Seconds to wait; negative: until there is something."""
        if not self._unsaid and self._mentioned is None:
            return -1.0
        return 0.0 if self._weight >= _ENOUGH else max(self._not_before - self._clock(), 0.0)

    def _next(self) -> list[FromCollector]:
        """As many as go together, from the front: always one."""
        if self._gathered_weight <= _MOST and len(self._gathered) <= wire.MAX_GROUP:
            messages, total = list(self._gathered), self._gathered_weight
            self._gathered.clear()
        else:
            messages, total = self._first()
        self._gathered_weight -= total
        self._not_before = self._clock() + self._pace if total < _ENOUGH else 0.0
        return messages

    def _first(self) -> tuple[list[FromCollector], int]:
        """As `_next`, where not all go together; and their weight."""
        messages = [self._gathered.popleft()]
        total = wire.weight(messages[0])
        while self._gathered and len(messages) < wire.MAX_GROUP:
            weight = wire.weight(self._gathered[0])
            if total + weight > _MOST:
                break
            messages.append(self._gathered.popleft())
            total += weight
        return messages, total
