"""A gzip archive, read as what it holds: RFC 1952."""

import errno
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum, auto

from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.finding.rotated_names import ARCHIVE
from mega_collector.collector.reading.file import File
from mega_collector.collector.reading.follower import RUN
from mega_collector.collector.reading.gap import NUL
from mega_collector.marker import HEAD_SIZE, TAIL_SIZE, Marker

MAGIC = b"\x1f\x8b"

_WORD = 4

_IN = 64 << 10
"""Bytes that are read of the archive at once."""

_OUT = 1 << 20
"""Bytes that are given at once, at the most."""


def is_archive(path: bytes, file: File) -> bool:
    """By its name and its first bytes, as far as there are any.

    Raises:
        OSError: it cannot be read.
    """
    return ARCHIVE.search(path) is not None and MAGIC.startswith(file.read(len(MAGIC), 0))


class State(Enum):
    """What has come of decompressing so far."""

    READING = auto()
    WHOLE = auto()
    UNFINISHED = auto()
    """It ends in the middle: it is still being written, or was cut off."""


class Stream:
    """Decompresses from the beginning, through all members; or from where another stream stands (`copy`)."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._at = 0
        self._data = b""
        self._member: zlib._Decompress | None = None
        self._members = 0
        self.position = 0
        """In what it holds."""

    def copy(self) -> "Stream":
        stream = Stream(self._file)
        stream._at, stream._data, stream.position = self._at, self._data, self.position
        stream._members = self._members
        stream._member = self._member.copy() if self._member is not None else None
        return stream

    def read(self) -> bytes | State:
        """The next bytes; or that there are none.

        Raises:
            OSError: the archive cannot be read, or is damaged.
        """
        while True:
            if not self._data:
                self._data = self._fill()
            if self._member is None and self._members:
                # Behind the last member may be padding, or what gzip(1) calls trailing garbage.
                self._data = self._data.lstrip(b"\0") or self._fill()
                if not self._data.startswith(MAGIC[: len(self._data)]) or not self._data:
                    return State.WHOLE
            if not self._data:
                return State.UNFINISHED
            out = self._decompress()
            if out:
                self.position += len(out)
                return out

    def _fill(self) -> bytes:
        data = self._file.read(_IN, self._at)
        self._at += len(data)
        return data

    def _decompress(self) -> bytes:
        if self._member is None:
            self._member = zlib.decompressobj(wbits=31)
        try:
            out = self._member.decompress(self._data, _OUT)
        except zlib.error as error:
            raise OSError(errno.EBADMSG, f"the archive is damaged: {error}") from error
        self._data = self._member.unconsumed_tail
        if self._member.eof:
            self._data = self._member.unused_data
            self._member = None
            self._members += 1
        return out


class GzipFile:
    """An open archive as a file of what it holds. Reading on is cheap; going back begins at the start again.

    `resume` are streams that have come some way already: reading begins with the one that is nearest.
    """

    def __init__(self, file: File, *, size: int, resume: Collection[Stream] = ()) -> None:
        self._file = file
        self._size = size
        self._resume = resume
        self._stream = Stream(file)
        self._kept = b""

    def facts(self) -> FileFacts | None:
        facts = self._file.facts()
        return facts and facts._replace(size=self._size)

    def read(self, size: int, at: int) -> bytes:
        if at < self._stream.position - len(self._kept):
            self._go_back(at)
        # Should reading fail, what was kept does not belong to where the stream stands.
        pieces, have, self._kept = [self._kept], self._stream.position - len(self._kept), b""
        while self._stream.position < at + size:
            piece = self._stream.read()
            if not isinstance(piece, bytes):
                break
            pieces.append(piece)
            if self._stream.position <= at:
                pieces, have = [], self._stream.position
        data = b"".join(pieces)
        self._kept = data[max(at - have, 0) :]
        return self._kept[: min(size, max(self._size - at, 0))]

    def hole(self, _at: int) -> int:
        return self._size

    def data(self, at: int) -> int | None:
        return at

    def close(self) -> None:
        self._file.close()

    def _go_back(self, at: int) -> None:
        before = [stream for stream in self._resume if stream.position <= at]
        nearest = max(before, key=lambda stream: stream.position, default=None)
        self._stream = nearest.copy() if nearest is not None else Stream(self._file)
        self._kept = b""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a whole archive holds."""

    size: int
    """Bytes, decompressed; without NULs at the end, if there are so many that they are space that was set aside."""
    head: Marker
    before: Marker
    """Of the bytes before its end."""
    trailer: Marker
    """Of the last bytes of its compressed form, which hold a checksum of what it holds."""


def trailer_of(file: File) -> Marker:
    """The marker of the last bytes of an open file, at most `TAIL_SIZE`.

    Raises:
        OSError: the file cannot be read.
    """
    facts = file.facts()
    end = 0 if facts is None else facts.size
    return Marker.of(file.read(TAIL_SIZE, max(end - TAIL_SIZE, 0)))


def last_size(file: File) -> int:
    """How many bytes the last member of an open archive holds, modulo 2**32, if it is whole: that is its last word.

    Raises:
        OSError: the file cannot be read.
    """
    facts = file.facts()
    end = 0 if facts is None else facts.size
    return int.from_bytes(file.read(_WORD, max(end - _WORD, 0)), "little")


class Inspection:
    """Goes through an archive once, in steps, to see whether it is whole and what it holds.

    `wanted` is asked once, with the first bytes, for positions; of those, the tails before them are kept in `tails`.
    """

    def __init__(self, file: File, wanted: Callable[[bytes], Collection[int]]) -> None:
        self._file = file
        self._wanted = wanted
        self._stream = Stream(file)
        self.head = b""
        """The first bytes of what it holds, at most `HEAD_SIZE`."""
        self._last = self._written = b""
        """The last bytes so far, and those before the NULs at the end."""
        self._nuls = 0
        """How many there are at the end."""
        self._positions: list[int] | None = None
        self._passed: Stream | None = None
        self.tails: dict[int, bytes] = {}
        self.contents: Contents | None = None
        self.streams: list[Stream] = []
        """Where reading can begin: shortly before each position."""

    def step(self) -> State:
        """Go on for a few milliseconds.

        Raises:
            OSError: the archive cannot be read, or is damaged.
        """
        begun = self._stream.copy() if self._positions else None
        piece = self._stream.read()
        if not isinstance(piece, bytes):
            if piece is State.WHOLE:
                self._finish()
            return piece
        if len(self.head) < HEAD_SIZE:
            self.head = (self.head + piece)[:HEAD_SIZE]
        self._note(piece, begun)
        self._last = (self._last + piece)[-TAIL_SIZE:]
        if written := piece.rstrip(NUL):
            self._written = (self._written + bytes(min(self._nuls, TAIL_SIZE)) + written)[-TAIL_SIZE:]
            self._nuls = 0
        self._nuls += len(piece) - len(written)
        return State.READING

    def _note(self, piece: bytes, begun: Stream | None) -> None:
        end = self._stream.position
        if self._positions is None:
            if len(self.head) < HEAD_SIZE:
                return
            self._ask()
        known = self._last + piece
        first = end - len(known)
        while self._positions and self._positions[0] <= end:
            position = self._positions.pop(0)
            self.tails[position] = known[max(position - TAIL_SIZE - first, 0) : position - first]
            if begun is not None:
                self.streams.append(begun)

    def _ask(self) -> None:
        """Which positions are wanted; those in the head are at hand."""
        wanted = sorted(set(self._wanted(self.head)))
        for position in wanted:
            if position <= len(self.head):
                self.tails[position] = self.head[max(position - TAIL_SIZE, 0) : position]
        self._positions = [position for position in wanted if position > len(self.head)]

    def _finish(self) -> None:
        if self._positions is None:
            # It is short: its head is all of it.
            self._ask()
        size, before = self._stream.position, self._last
        if self._nuls >= RUN:
            size, before = size - self._nuls, self._written
        self.contents = Contents(size, Marker.of(self.head), Marker.of(before), trailer_of(self._file))
