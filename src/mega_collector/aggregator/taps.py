"""Those who watch what is committed: each has a bounded queue, and never holds up what it watches."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from mega_collector.batch import Batch
from mega_collector.block import Block

MOST_TAPS = 4
"""At once: each may hold so many bytes beside the ingest buffer."""

_MOST_BYTES = 4 << 20
_MOST_BLOCKS = 4096
"""Of what waits in one, in all that it keeps in memory; a single larger block may wait too."""


@dataclass(frozen=True, slots=True)
class Missed:
    """So many lines have passed for which there was no room."""

    lines: int


class TooManyTaps(Exception):
    """As many as may be are open."""


class Taps:
    """Offered what is committed, by reference and only while somebody watches: whoever offers looks at `open` first."""

    def __init__(self) -> None:
        self.open = False
        """Whether somebody watches."""
        self._taps: list[Tap] = []
        self._closed = False
        self._lock = threading.Lock()

    def begin(self) -> "Tap":
        """Watch from now on, until the tap is given to `end`.

        Raises:
            TooManyTaps: too many do already, or all is over.
        """
        with self._lock:
            if self._closed or len(self._taps) >= MOST_TAPS:
                raise TooManyTaps
            tap = Tap()
            self._taps = [*self._taps, tap]
            self.open = True
            return tap

    def end(self, tap: "Tap") -> None:
        """It watches no more. May be called again."""
        tap.close()
        with self._lock:
            self._taps = [each for each in self._taps if each is not tap]
            self.open = bool(self._taps)

    def close(self) -> None:
        """Nobody watches any more, from now on."""
        with self._lock:
            self._closed = True
            taps = self._taps
        for tap in taps:
            tap.close()

    def offer(self, batches: Sequence[Batch]) -> None:
        """These were committed. Never waits for whoever watches."""
        for tap in self._taps:
            for batch in batches:
                for block in batch.blocks:
                    tap.put(block)


class Tap:
    """Filled by the pipeline, emptied by one thread."""

    def __init__(self) -> None:
        self._waiting: deque[Block | Missed] = deque()
        self._held = _Held()
        self._missed = 0
        """Lines, since a block was added last."""
        self._closed = False
        self._changed = threading.Condition()

    def put(self, block: Block) -> None:
        """Add a block, or count its lines as missed where there is no room for it."""
        with self._changed:
            if not self._has_room(block):
                self._missed += block.entries
                return
            if self._missed:
                self._waiting.append(Missed(self._missed))
                self._missed = 0
            self._waiting.append(block)
            self._held.add(block)
            self._changed.notify()

    def take(self) -> "Block | Missed | None":
        """What comes next; waits for it. None: it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._missed or self._closed)
            if self._closed:
                return None
            if not self._waiting:
                missed, self._missed = self._missed, 0
                return Missed(missed)
            taken = self._waiting.popleft()
            if isinstance(taken, Block):
                self._held.remove(taken)
            return taken

    def rest(self, seconds: float) -> None:
        """Wait, unless it is closed meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def _has_room(self, block: Block) -> bool:
        if self._closed:
            return False
        return not self._waiting or (self._held.with_(block) <= _MOST_BYTES and len(self._waiting) < _MOST_BLOCKS)


class _Held:
    """How many bytes are kept in memory by blocks, of which many may be parts of what was received as one."""

    def __init__(self) -> None:
        self._size = 0
        self._parts: dict[int, int] = {}
        """How many there are of each whole, by its id: it is kept for as long as one of them is."""

    def with_(self, block: Block) -> int:
        """How many it would be with this one too."""
        whole = _whole(block)
        return self._size if id(whole) in self._parts else self._size + len(whole)

    def add(self, block: Block) -> None:
        whole = _whole(block)
        self._size = self.with_(block)
        self._parts[id(whole)] = self._parts.get(id(whole), 0) + 1

    def remove(self, block: Block) -> None:
        whole = _whole(block)
        self._parts[id(whole)] -= 1
        if not self._parts[id(whole)]:
            del self._parts[id(whole)]
            self._size -= len(whole)


def _whole(block: Block) -> bytes:
    data = block.data
    return cast("bytes", data.obj) if isinstance(data, memoryview) else data
