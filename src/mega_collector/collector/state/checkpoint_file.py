"""One file of a checkpoint: records that are appended, between a first and a last line."""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mega_collector.collector.state.record import VERSION, Edge, Entry, Forgotten, Record, decode, encode
from mega_collector.errors import StartError

_CHUNK = 1 << 20
_LONGEST_LINE = 64 << 10
"""More than a record can have: a path is at most 4096 bytes long. Not to take in a whole file that has no lines."""


class CheckpointFile:
    """A checkpoint that is being written.

    The last line moves back with every append, so that a file that was cut short anywhere shows it. All methods raise
    OSError; what was durable before stays so.
    """

    def __init__(self, descriptor: int, last_line: bytes) -> None:
        self._descriptor = descriptor
        self._last_line = last_line
        self._end = 0
        self._sound = True

    @classmethod
    def create(
        cls, path: Path, collector_id: str, entries: Iterable[Entry], *, first: bool = False
    ) -> "CheckpointFile":
        """Write a new file, durable but for its name, in the place of whatever is there. `first`: as of `Edge`."""
        path.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        file = cls(os.open(path, flags, 0o600), encode(Edge(collector_id, end=True)))
        try:
            file._fill(Edge(collector_id, end=False, first=first), entries)
        except OSError:
            file.close()
            path.unlink(missing_ok=True)
            raise
        return file

    @classmethod
    def go_on(cls, path: Path, collector_id: str) -> "CheckpointFile | None":
        """Append to a file that was found to be whole; None if it does not end as this version's do."""
        file = cls(os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW), encode(Edge(collector_id, end=True)))
        file._end = os.fstat(file._descriptor).st_size - len(file._last_line)
        if os.pread(file._descriptor, len(file._last_line), max(file._end, 0)) == file._last_line:
            return file
        file.close()
        return None

    @property
    def size(self) -> int:
        """Bytes of records."""
        return self._end

    def can_go_on(self, path: Path) -> bool:
        """Whether it can be appended to: it is as it should be, and what the path names."""
        if not self._sound:
            return False
        try:
            return os.path.samestat(os.lstat(path), os.fstat(self._descriptor))
        except (FileNotFoundError, NotADirectoryError):
            return False

    def append(self, records: Iterable[Record]) -> None:
        """Add records, durably."""
        data = b"".join([*map(encode, records), self._last_line])
        try:
            _write(self._descriptor, data, self._end)
        except OSError:
            self._restore()
            raise
        self._sync()
        self._end += len(data) - len(self._last_line)

    def close(self) -> None:
        os.close(self._descriptor)

    def _fill(self, edge: Edge, entries: Iterable[Entry]) -> None:
        for data in _chunks(edge, entries):
            _write(self._descriptor, data, self._end)
            self._end += len(data)
        _write(self._descriptor, self._last_line, self._end)
        self._sync()

    def _restore(self) -> None:
        """Take back what was written in part. Where the disk is full, there is still room for what was there."""
        self._sound = False
        with suppress(OSError):
            _write(self._descriptor, self._last_line, self._end)
            os.ftruncate(self._descriptor, self._end + len(self._last_line))
            self._sound = True

    def _sync(self) -> None:
        try:
            os.fdatasync(self._descriptor)
        except OSError:
            # The kernel may have dropped what it could not write, and the next sync would not tell: fsync(2).
            self._sound = False
            raise


@dataclass(frozen=True, slots=True)
class Found:
    """What was in a file, besides its entries."""

    collector_id: str | None
    lines: int
    """As many as can be read."""
    damage: str | None
    """What is wrong with it, in words."""
    first: bool = False
    """Whether the first start has not seen yet all that was there."""


def read(path: Path, entries: dict[bytes, Entry]) -> Found | None:
    """Apply what a file says to `entries`, as far as it can be read; None if there is no file.

    Raises:
        StartError: it is of a newer version, no regular file, or cannot be read at all.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StartError(f"{path} is a link: move it away") from error
        raise StartError(f"{path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise StartError(f"{path} is no regular file: move it away")
    try:
        return _apply(path, _records(descriptor), entries)
    except OSError as error:
        raise StartError(f"{path} cannot be read: {error.strerror}") from error


def _apply(path: Path, records: Iterator[Record | None], entries: dict[bytes, Entry]) -> Found:
    collector_id: str | None = None
    good = bad = 0
    begun = ended = first = False
    for record in records:
        ended = False
        if record is None:
            bad += 1
            continue
        good += 1
        if isinstance(record, Entry):
            entries[record.source_id] = record
        elif isinstance(record, Forgotten):
            entries.pop(record.source_id, None)
        else:
            _require_known(record, path)
            collector_id = record.collector_id
            begun, ended, first = begun or not record.end, record.end, first or record.first
    return Found(collector_id, good, _damage(path, good, bad, whole=begun and ended), first)


def _require_known(edge: Edge, path: Path) -> None:
    if edge.version > VERSION:
        raise StartError(
            f"{path} is of version {edge.version}, and this mega-collector knows {VERSION}:"
            " use the newer one, or move the file away"
        )


def _damage(path: Path, good: int, bad: int, *, whole: bool) -> str | None:
    if not good:
        return f"{path} is not a checkpoint, or nothing in it can be read"
    if bad:
        return f"{path} is damaged: {bad} of its {good + bad} lines cannot be read"
    return None if whole else f"{path} is damaged: it was cut short"


def _records(descriptor: int) -> Iterator[Record | None]:
    """Each record, or None for a line that cannot be read. Closes the descriptor."""
    with open(descriptor, "rb", _CHUNK) as file:
        while line := file.readline(_LONGEST_LINE):
            try:
                yield decode(line)
            except ValueError:
                yield None


def _chunks(edge: Edge, entries: Iterable[Entry]) -> Iterator[bytes]:
    lines = [encode(edge)]
    size = 0
    for entry in entries:
        lines.append(encode(entry))
        size += len(lines[-1])
        if size >= _CHUNK:
            yield b"".join(lines)
            lines, size = [], 0
    yield b"".join(lines)


def _write(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of it, however little the system takes at once."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
