"""What was received and is not yet committed: the bounded store between the wire and the batcher."""

import threading
from collections import deque
from dataclasses import dataclass

from mega_collector.aggregator.replay import Replay
from mega_collector.block import Block, Skip
from mega_collector.protocol import Finish, Flush, Open


@dataclass(frozen=True, slots=True)
class Anew:
    """A source that was turned back begins again: what stands behind this was sent after that."""

    source_id: bytes


Item = Block | Skip | Finish | Flush | Open | Replay | Anew

MOST_ITEMS = 16_384
"""Items that wait to be taken, whatever their size: what has no bytes costs memory too, and small blocks cost more than
theirs. Far more than fit into the buffer of blocks as collectors send them."""


class BufferClosed(Exception):
    """The aggregator is ending: nothing more is taken in."""


@dataclass(frozen=True, slots=True)
class IngestBufferStatistics:
    limit: int
    size: int
    blocks_received: int
    bytes_received: int
    entries_received: int
    waiting: int


class IngestBuffer:
    """Bounded in bytes of data, from a block's arrival until it is committed or discarded, and in `MOST_ITEMS`.

    When it is full, whoever puts waits: the streams are then not read, HTTP/2 flow control stops the collectors, and
    their files wait. One block always fits, whatever its size.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: deque[Item] = deque()
        self._size = 0
        self._waiting = 0
        self._closed = self._woken = False
        self._changed = threading.Condition()
        self._received = self._bytes = self._entries = 0

    def put(self, *items: Item) -> None:
        """Add items in order, waiting while the buffer is full.

        Raises:
            BufferClosed: nothing more is taken in. Some of the items may have been.
        """
        with self._changed:
            for item in items:
                self._put(item)
            self._changed.notify_all()

    def _put(self, item: Item) -> None:
        size = len(item.data) if isinstance(item, Block) else 0
        # A replay needs no room: there is one at a time, and who waits for it must be able to turn away.
        if not isinstance(item, Replay) and not self._has_room(size):
            self._wait_for_room(size)
        if self._closed:
            raise BufferClosed
        self._items.append(item)
        self._size += size
        if isinstance(item, Block):
            self._received += 1
            self._bytes += size
            self._entries += item.entries

    def take(self, timeout: float | None) -> list[Item]:
        """Everything that is there, in order of arrival; waits for something up to `timeout` seconds.

        Wakes early, with nothing, when the buffer is full or closed, and on `wake`.
        """
        with self._changed:
            if not self._items and not self._closed and not self._waiting and not self._woken:
                self._changed.wait(timeout)
            self._woken = False
            items = list(self._items)
            self._items.clear()
            if len(items) >= MOST_ITEMS:
                self._changed.notify_all()
            return items

    def wake(self) -> None:
        """Have `take` return."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def release(self, size: int) -> None:
        """`size` bytes that were taken are committed or discarded."""
        with self._changed:
            self._size -= size
            self._changed.notify_all()

    @property
    def full(self) -> bool:
        """Whether somebody waits for room."""
        return self._waiting > 0

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Take nothing more in; what is there can still be taken out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def statistics(self) -> IngestBufferStatistics:
        return IngestBufferStatistics(
            self._limit, self._size, self._received, self._bytes, self._entries, self._waiting
        )

    def _has_room(self, size: int) -> bool:
        fits = not size or not self._size or self._size + size <= self._limit
        return fits and len(self._items) < MOST_ITEMS

    def _wait_for_room(self, size: int) -> None:
        self._waiting += 1
        self._changed.notify_all()
        try:
            while not self._has_room(size) and not self._closed:
                self._changed.wait()
        finally:
            self._waiting -= 1
