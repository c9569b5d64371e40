"""What is known of one followed file, and what is to be done with it next: a machine."""

import math
import sys
from dataclasses import replace
from enum import Enum, auto

from mega_collector.block import Source
from mega_collector.checksum import crc32
from mega_collector.marker import TAIL_SIZE, Marker

RUN = 512
"""NULs that are no text: no filesystem has smaller blocks, so that where a hole is, so many are read."""


class Sight(Enum):
    """What a look at a file shows."""

    SAME = auto()
    GREW = auto()
    TRUNCATED = auto()
    SUSPECT = auto()
    """It was written to and is no longer than before: only its bytes can tell whether it was rewritten."""


class Follower:
    """One file, by device and inode, through all the sources that it is cut into by truncations.

    `path` is the name by which it is found now; None once it has none any more that the patterns match (it was renamed
    away, or unlinked): it is then read on through its open descriptor until it is at its end and has been quiet for
    `rotate_wait` seconds, counted from its last growth, and at least from when it lost its name.

    A `complete` file is an archive: nothing will be written to it, and its size is that of what it holds.
    """

    __slots__ = (
        "_grew_at",
        "_head_checksum",
        "_left_at",
        "_looked_to",
        "_renamed_at",
        "_rotate_wait",
        "_written_to",
        "begun_at",
        "changed_ns",
        "complete",
        "failures",
        "head_size",
        "home",
        "in_long_line",
        "linked",
        "next_hole",
        "nuls_at_head",
        "nuls_to",
        "path",
        "position",
        "settled",
        "shrunk_by",
        "size",
        "source",
        "tail",
        "truncated",
        "until",
        "vanished",
    )

    def __init__(
        self,
        source: Source,
        *,
        path: bytes | None,
        size: int,
        changed_ns: int,
        now: float,
        rotate_wait: float,
        complete: bool = False,
    ) -> None:
        self.source = source
        self.path = path
        self.position = 0
        self.tail = b""
        """The bytes just before the position, at most `TAIL_SIZE`: what the file must still hold there."""
        self.settled = False
        """Whether the handshake has said where the source goes on."""
        self.until = size
        """Where the file ended when this source was begun."""
        self.truncated = False
        """Whether this source began with a truncation."""
        self.nuls_at_head = False
        """Whether NULs at the position were left by a writer that went on at its old offset after a truncation."""
        self.vanished = False
        """Whether its bytes cannot be had any more: it was not open when it lost its name."""
        self.failures: tuple[int | None, ...] = ()
        """Numbers of the errors with which reading it has failed since it succeeded last."""
        self.in_long_line = False
        """Whether what was read last is a piece of a line that goes on."""
        self.next_hole = -1
        """Where the hole begins that is next, if that is known (else -1): it may have been filled since."""
        self.nuls_to = 0
        """Up to where there were only NULs behind what was read, as far as that was looked at."""
        self.head_size = 0
        """Bytes at the start of the file that it must still hold, as it does before the position."""
        self._head_checksum = 0
        self.home: bytes | None = None
        """Where the file itself lies, if its path leads there by a link."""
        self.linked = False
        """Whether it had several names: by one that is not watched it may be written to, and nothing tells."""
        self.shrunk_by = 0
        """Bytes that were not read when the file was found truncated."""
        self.complete = complete
        self.begun_at = now
        """When what it holds was found."""
        self.size = size
        self.changed_ns = changed_ns
        """When it was last changed, as far as was seen."""
        self._looked_to = 0
        self._written_to = sys.maxsize
        self._grew_at = now
        self._renamed_at = -math.inf if path is not None else now
        self._left_at = -math.inf
        self._rotate_wait = rotate_wait

    def __repr__(self) -> str:
        return f"<Follower of {self.source.name} at {self.position} of {self.size}>"

    @property
    def identity(self) -> tuple[int, int]:
        return self.source.device, self.source.inode

    @property
    def lag(self) -> int:
        """Bytes that are not read."""
        return max(self.size - self.position, 0)

    @property
    def quiet_since(self) -> float:
        """When it last grew."""
        return self._grew_at

    @property
    def left_its_name_as_it_is(self) -> bool:
        """Whether it has not grown since it lost the name by which it was begun, as far as was seen."""
        return self._left_at >= self._grew_at

    def observe(self, size: int, changed_ns: int, now: float) -> Sight:
        """A look at the file: its size and when it was last written to."""
        if self.complete:
            return Sight.SAME
        before, written = self.size, changed_ns != self.changed_ns
        cut = (size <= before or size < self.position) and self.is_cut(size)
        self.size, self.changed_ns = size, changed_ns
        if cut:
            self.shrunk_by = max(before - self.position, 0)
            return Sight.TRUNCATED
        if size > before or written:
            # What was written may have been read already, and then shows in the time only.
            self._grew_at = now
        if size > before:
            self._written_to = sys.maxsize
            return Sight.GREW
        return Sight.SUSPECT if written or size < before else Sight.SAME

    def is_cut(self, size: int) -> bool:
        """Whether a file of that size lacks what was there: more than space that was set aside and never written to."""
        return size < self.position or size < min(self.size, self._written_to)

    def is_as_seen(self, size: int, changed_ns: int) -> bool:
        """Whether the file is as it was at the last look, all of which was read."""
        return size == self.size == self.position and changed_ns == self.changed_ns

    def expect(self, position: int) -> None:
        """It will probably go on there, if the handshake does not tell otherwise."""
        self.position = position

    def begin_anew(self, size: int) -> None:
        """It was rewritten before it was settled: it holds so many bytes now."""
        self.size = self.until = size

    def settle(self, source: Source, position: int, tail: bytes) -> None:
        """The handshake is done: the file goes on as `source` at `position`, behind `tail`."""
        self.source, self.position, self.tail = source, position, tail
        self.settled = True
        self._looked_to = position

    def restart(self, source: Source, size: int, now: float) -> None:
        """The file was truncated or rewritten: a new source begins at 0, of which `size` bytes are there."""
        self.source, self.position, self.tail = source, 0, b""
        self.settled, self.truncated, self.nuls_at_head = False, True, True
        self.size = self.until = size
        self.shrunk_by = 0
        self._looked_to, self._written_to = 0, sys.maxsize
        self._grew_at = self.begun_at = now
        self.head_size, self._head_checksum = 0, 0
        self.in_long_line = False
        self.next_hole, self.nuls_to = -1, 0

    def begins(self, head: bytes | memoryview) -> None:
        """The first bytes are read: where fewer were there when it was described, these tell it from others."""
        if len(head) > self.source.head.length:
            self.source = replace(self.source, head=Marker.of(head))

    def keep_head(self, head: bytes) -> None:
        """The file begins so, and must from now on."""
        self.head_size, self._head_checksum = len(head), crc32(head)

    def extend_head(self, data: bytes | memoryview) -> None:
        """What was read right behind the head is of it too."""
        self._head_checksum = crc32(data, self._head_checksum)
        self.head_size += len(data)

    def begins_with(self, head: bytes) -> bool:
        """Whether these first `head_size` bytes are those that were kept."""
        return crc32(head) == self._head_checksum and len(head) == self.head_size

    def readable(self, now: float) -> bool:
        """Whether a read can give an entry: there are bytes that were not looked at, or the last line is final."""
        return self.size > self._looked_to or (self.size > self.position and self.final(now))

    def looked(self, end: int, *, written_to: int) -> None:
        """There is no whole entry before `end`, which is as far as the file goes; from `written_to` on only NULs."""
        self._looked_to, self._written_to = end, written_to
        self.size = max(self.size, end)

    def look_again(self) -> None:
        """What was looked at behind the position may have been written anew, or a hole at the end filled."""
        self._looked_to = self.position
        self.nuls_to = 0

    def took(self, end: int, data: bytes) -> None:
        """The entries up to `end` were read; `data` ends with them."""
        self.position = self._looked_to = end
        self.size = max(self.size, end)
        self.tail = (self.tail + data)[-TAIL_SIZE:] if len(data) < TAIL_SIZE else data[-TAIL_SIZE:]
        self.nuls_at_head = False

    def passed(self, end: int) -> None:
        """The bytes up to `end` are passed over, unread."""
        self.position = self._looked_to = end
        self.size = max(self.size, end)
        self.tail = b""

    def fails(self, error: int | None) -> bool:
        """Reading it fails with an error of that number: whether that is new since a read succeeded last."""
        new = error not in self.failures
        if new:
            self.failures += (error,)
        return new

    @property
    def failure(self) -> int | None:
        """The number of the last new error with which reading it fails; None: it does not, as far as is known."""
        return self.failures[-1] if self.failures else None

    def rename(self, path: bytes | None, now: float) -> None:
        """It is found by another name now, or by none."""
        if self.path == self.source.path:
            self._left_at = now
        self.path = path
        self._renamed_at = now

    def come_back(self, path: bytes, size: int) -> None:
        """Its bytes are found again, in an archive that holds `size` of them."""
        self.path, self.size = path, size
        self.complete, self.vanished = True, False

    def final(self, now: float) -> bool:
        """Whether nothing more will be written: it has no name, and was quiet for long enough since it lost it."""
        if self.complete:
            return True
        # However quiet it was before: whoever writes to it may learn of the rotation later.
        return self.path is None and now - max(self._grew_at, self._renamed_at) >= self._rotate_wait

    def finished(self, now: float) -> bool:
        """Whether all of it is read, and it is final."""
        return self.final(now) and self.settled and self.exhausted

    @property
    def exhausted(self) -> bool:
        """Whether nothing is behind the position, as far as it was looked at, but space that was set aside."""
        left = self.size - self.position
        return left <= 0 or (left >= RUN and self._looked_to >= self.size and self._written_to <= self.position)

    def before(self) -> Marker:
        """The marker of the bytes before the position."""
        return Marker.of(self.tail)
