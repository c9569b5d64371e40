"""What is to be said on one stream: acknowledgements, and answers in order."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain

from mega_collector.protocol import Ack, FromAggregator, Grant

_MOST_ANSWERS = 1024
"""Answers that wait to be sent: beyond it the stream is not read, so that a peer that asks and never listens costs
nothing. Acknowledgements need no bound: there is one position a source."""


_PACE = 0.005
"""Seconds from a message to the next: each costs 100 us and more in each half, and nobody waits for an answer longer.
What comes after a pause goes at once."""


class Outbox:
    """Written by the stream's reader and by the pipeline, drained by the thread that gRPC lends to the stream."""

    def __init__(self, *, pace: float = _PACE) -> None:
        self._pace = pace
        self._answers: deque[FromAggregator] = deque()
        self._acks: dict[bytes, int] = {}
        self._grant: Grant | None = None
        self._ended = threading.Event()
        self._changed = threading.Condition()

    def say(self, answer: FromAggregator, *, alone: bool = False) -> None:
        """Add an answer, waiting while too many are unsent; one that is large, while any is (`alone`)."""
        most = 1 if alone else _MOST_ANSWERS
        with self._changed:
            while len(self._answers) >= most and not self.closed:
                self._changed.wait()
            self._answers.append(answer)
            self._changed.notify_all()

    def hint(self, answer: FromAggregator) -> None:
        """Add an answer that may be left out when too many are unsent. Never waits."""
        with self._changed:
            if len(self._answers) < _MOST_ANSWERS:
                self._answers.append(answer)
                self._changed.notify_all()

    def urge(self, answer: FromAggregator) -> None:
        """Add an answer that must not be left out. Never waits: there is a bounded number of such a source."""
        with self._changed:
            self._answers.append(answer)
            self._changed.notify_all()

    def ack(self, positions: dict[bytes, int]) -> None:
        """These positions are committed. Never waits, and never goes back: an older position may come late."""
        with self._changed:
            for source_id, position in positions.items():
                self._acks[source_id] = max(position, self._acks.get(source_id, 0))
            self._changed.notify_all()

    def grant(self, window: int) -> None:
        """So many bytes may be in flight from now on: what was said of it before and is unsent does not count."""
        with self._changed:
            self._grant = Grant(window)
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether the stream has ended, or is to end."""
        return self._ended.is_set()

    def wait_for(self, committed: Callable[[], bool]) -> bool:
        """Wait until something holds that acknowledgements bring about: it is asked again at each of them.

        False: the stream has ended before.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.closed or committed())
            return committed()

    def close(self) -> None:
        """End the stream once all that was said is sent."""
        with self._changed:
            self._ended.set()
            self._changed.notify_all()

    def drain(self) -> Iterator[FromAggregator]:
        """All that is said, as it is said, until the outbox is closed and empty."""
        return chain.from_iterable(self.drain_together())

    def drain_together(self) -> Iterator[list[FromAggregator]]:
        """Likewise, each time all that there is: what is said one shortly after the other is gathered."""
        not_before = 0.0
        while True:
            with self._changed:
                while not (self._answers or self._acks or self._grant or self.closed):
                    self._changed.wait()
            if (pause := not_before - time.monotonic()) > 0:
                # Not at the condition: there, whatever is said would wake it.
                self._ended.wait(pause)
            with self._changed:
                answers = list(self._answers)
                self._answers.clear()
                if self._acks:
                    answers.append(Ack(self._acks))
                    self._acks = {}
                if self._grant is not None:
                    answers.append(self._grant)
                    self._grant = None
                if not answers:
                    return
                self._changed.notify_all()
            not_before = time.monotonic() + self._pace
            yield answers
