"""Whose turn it is to be read."""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from mega_collector.block import Block
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.open_files import OpenFiles
from mega_collector.collector.reading.reader import Reading, read
from mega_collector.collector.sending.shipper import Shipper

_PATIENCE = 0.02
"""Seconds that a full window waits for acknowledgements before it asks for them: while they flow, asking only costs."""

_PACE_SHARE = 2
"""What grows is read so many times while a batch waits to be full: read sooner, its lines would only wait there, and
each message costs as much as thousands of them."""

_FASTEST_PACE = 0.01
"""Seconds: what the watch tells is gathered for so long anyhow."""

_SLOWEST_PACE = 0.1
"""Seconds: a truncation takes what was written since the last read."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file could not be read; it is tried again at the next poll."""

    follower: Follower
    error: OSError


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The bytes before a follower's position are not those that were read."""

    follower: Follower


Trouble = Unreadable | Rewritten


class Turns:
    """Reads one block of each file that has one, while there is room in the window, and has it shipped.

    `once`: files are taken to end where they ended when they were found.
    """

    def __init__(self, *, files: OpenFiles, shipper: Shipper, max_line_size: int, once: bool) -> None:
        self._files = files
        self._shipper = shipper
        self._max_line_size = max_line_size
        self._once = once
        self._ready: dict[Follower, None] = {}
        self._growing: dict[Follower, None] = {}
        """What has grown by less than a block, and is read when its time has come."""
        self._read_at = 0.0
        self._pace = 0.0
        """Seconds between two reads of what grows; 0: none are waited for."""
        self._small = 0
        """Bytes below which what a file has grown by can wait."""
        self._unreadable: dict[Follower, None] = {}
        self._flush_at: float | None = None
        self.blocks = self.bytes = self.entries = self.long_lines = 0
        """What was read; lines that were cut because they are longer than a line may be."""
        self.behind: set[Follower] = set()
        """All that may have something to be read or acknowledged: whoever finds that one has not takes it away."""
        self.reading: Follower | None = None
        """Which file is read just now."""

    @property
    def pending(self) -> bool:
        """Whether something can be read and shipped now."""
        return bool(self._ready) and self._shipper.open

    def mark(self, follower: Follower | None, now: float) -> None:
        """It may have something to read."""
        if follower is not None and follower.settled and (self._once or follower.readable(now)):
            self._ready[follower] = None
            self.behind.add(follower)

    def grew(self, follower: Follower, now: float) -> bool:
        """It was written to: whether that can wait until it is `due`.

        What is less than a block is read no more often than its batch needs it; but at once after a pause. It is opened
        at once: whoever deletes it meanwhile would take what it has grown by.
        """
        if follower not in self._files:
            with suppress(OSError):
                # What is wrong with it is told when it is read.
                self._files.of(follower)
        if not self._pace or follower.size - follower.position >= self._small:
            self.mark(follower, now)
            return False
        if follower.settled:
            self._growing[follower] = None
            self.behind.add(follower)
        return True

    def hurry(self) -> None:
        """Read what grew at once: what is about to be truncated is copied before."""
        self._read_at = 0.0

    def resting(self, now: float) -> bool:
        """Whether what grows is not read yet."""
        return now < self._read_at

    @property
    def due(self) -> float:
        """When what grew is to be read; infinity if nothing has."""
        return self._read_at if self._growing else math.inf

    def mark_unreadable(self, now: float) -> None:
        """Try again what could not be read."""
        unreadable, self._unreadable = self._unreadable, {}
        for follower in unreadable:
            self.mark(follower, now)

    def drop(self, follower: Follower) -> None:
        """It is not followed any more."""
        self._ready.pop(follower, None)
        self._growing.pop(follower, None)
        self._unreadable.pop(follower, None)
        self.behind.discard(follower)

    def take(self, now: float, trouble: Callable[[Trouble], None]) -> None:
        """One block of each file, those that had theirs last being the last of the next turn."""
        self._set_pace()
        # Beside a backlog there are messages anyhow, and of that megabytes would come first.
        if self._growing and (self._ready or now >= self._read_at):
            self._ready |= self._growing
            self._growing.clear()
            self._read_at = now + self._pace
        shipper, max_line = self._shipper, self._max_line
        for follower in list(self._ready):
            size = shipper.next_size()
            if not size:
                return
            del self._ready[follower]
            if shipper.ready(follower.source):
                self._read(follower, size, max_line, now, trouble)
            else:
                # It is marked again when its handshake is done.
                shipper.begin(follower.source)

    def flush_if_stuck(self, now: float) -> None:
        """A window that stays full waits for a batch that does not fill: have it published."""
        if not self._ready or self._shipper.open:
            self._flush_at = None
        elif self._flush_at is None:
            self._flush_at = now + _PATIENCE
        elif now >= self._flush_at:
            self._shipper.flush()

    def flush_due(self, now: float) -> float | None:
        """When `flush_if_stuck` is to be called, if it is."""
        return self._flush_at if self._flush_at is not None and self._flush_at > now else None

    def _read(
        self, follower: Follower, size: int, max_line: int, now: float, trouble: Callable[[Trouble], None]
    ) -> None:
        if self._once and follower.position >= follower.until:
            return
        self.reading = follower
        try:
            result = read(
                self._files.of(follower),
                follower,
                size=size,
                max_line=max_line,
                final=self._once or follower.final(now),
                until=follower.until if self._once else None,
            )
        except OSError as error:
            self._unreadable[follower] = None
            if follower.path is not None and not follower.complete:
                # What was opened may be stale; by its name it can be opened anew.
                self._files.close(follower)
            trouble(Unreadable(follower, error))
            return
        finally:
            self.reading = None
        follower.failures = ()
        if isinstance(result, Reading):
            if result is Reading.REWRITTEN:
                trouble(Rewritten(follower))
            elif result is Reading.UNDECIDED:
                self._ready[follower] = None
            return
        if isinstance(result, Block):
            self._count(follower, result)
        self._shipper.ship(result)
        if follower.readable(now):
            self._ready[follower] = None

    def _count(self, follower: Follower, block: Block) -> None:
        self.blocks += 1
        self.bytes += len(block.data)
        self.entries += block.entries
        if block.unterminated or follower.in_long_line:
            piece = block.unterminated and len(block.data) == self._max_line
            self.long_lines += piece and not follower.in_long_line
            follower.in_long_line = piece

    def _set_pace(self) -> None:
        """By what the aggregator says of its batches, on this connection."""
        pace = min(self._shipper.batch_age / _PACE_SHARE, _SLOWEST_PACE)
        self._pace = 0.0 if self._once or pace < _FASTEST_PACE else pace
        self._small = self._shipper.block_size

    @property
    def _max_line(self) -> int:
        return min(self._max_line_size, self._shipper.largest_block - 1)
