"""The collector's durable note of what is acknowledged: a log of records in the state directory."""

import fcntl
import hashlib
import os
import time
import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from mega_collector.errors import MegaCollectorError, StartError
from mega_collector.marker import Marker

VERSION = 1

_NAME = "checkpoint"
_FORMAT = "mega-collector checkpoint"
_SLACK = 256 << 10
"""Bytes that the log may grow beyond twice its live content before it is written anew."""


class CheckpointError(MegaCollectorError):
    """The checkpoint could not be written: what it held before is intact, and the next flush writes everything."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is acknowledged of a source, and what recognises its file."""

    source_id: bytes
    path: bytes
    device: int
    inode: int
    head: Marker
    position: int
    before: Marker


class Checkpoint:
    """Positions by source id, in memory and on disk.

    The file is a log: a header, then a record for each change, each a line of JSON behind its CRC-32. Positions are
    absolute, so that a lost record only means that something is sent again. A flush appends what has changed and syncs:
    its cost does not grow with the number of idle files. When the log is more than twice what lives in it, it is
    written anew beside, synced and renamed into its place; the one before stays as `checkpoint.previous`.

    Raises:
        StartError: the state directory cannot be used, is in use, or holds a checkpoint of a newer version.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / _NAME
        self._previous = directory / f"{_NAME}.previous"
        self._lock = _lock(directory)
        self._entries: dict[bytes, Entry] = {}
        self._changed: dict[bytes, None] = {}
        self._size = 0
        self._file: int | None = None
        self.collector_id = _machine_id()
        self.damage: str | None = None
        """What is wrong with the checkpoint that was found, in words."""
        try:
            self.fresh = not self._load()
            self._rewrite()
        except OSError as error:
            raise StartError(f"{self._path} cannot be used: {error.strerror}") from error

    @property
    def entries(self) -> Mapping[bytes, Entry]:
        return MappingProxyType(self._entries)

    def put(self, entry: Entry) -> None:
        """Note a position; durable after the next flush."""
        self._entries[entry.source_id] = entry
        self._changed[entry.source_id] = None

    def forget(self, source_id: bytes) -> None:
        """The source is not followed any more; durable after the next flush."""
        if self._entries.pop(source_id, None) is not None:
            self._changed[source_id] = None

    def flush(self) -> None:
        """Make everything durable that has changed.

        Raises:
            CheckpointError: it could not be written.
        """
        if not self._changed:
            return
        try:
            if self._file is None or not self._is_named() or self._size > 2 * self._live_size() + _SLACK:
                self._rewrite()
            else:
                self._append(b"".join(self._record(source_id) for source_id in self._changed))
        except OSError as error:
            # What was written in part is noticed by its checksum; the next flush begins a new file.
            self._close_file()
            raise CheckpointError(f"{self._path} cannot be written: {error.strerror}") from error
        self._changed.clear()

    def close(self) -> None:
        """Release the state directory. What was not flushed is not kept."""
        self._close_file()
        os.close(self._lock)

    # Writing

    def _append(self, data: bytes) -> None:
        assert self._file is not None
        _write_all(self._file, data)
        os.fdatasync(self._file)
        self._size += len(data)

    def _rewrite(self) -> None:
        self._close_file()
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished = self._directory / f"{_NAME}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(unfinished, flags, 0o600)
        self._size = 0
        header = {"format": _FORMAT, "version": VERSION, "collector": self.collector_id}
        self._append(_line(header) + b"".join(self._record(source_id) for source_id in self._entries))
        if self._path.exists():
            # Linked, not renamed: at no instant is there no checkpoint.
            kept = self._directory / f"{_NAME}.kept"
            kept.unlink(missing_ok=True)
            kept.hardlink_to(self._path)
            kept.replace(self._previous)
        unfinished.replace(self._path)
        _sync_directory(self._directory)

    def _record(self, source_id: bytes) -> bytes:
        entry = self._entries.get(source_id)
        if entry is None:
            return _line({"forget": source_id.hex()})
        return _line(
            {
                "source": source_id.hex(),
                "path": entry.path.decode("latin-1"),
                "device": str(entry.device),
                "inode": str(entry.inode),
                "head": [entry.head.length, entry.head.digest.hex()],
                "position": entry.position,
                "before": [entry.before.length, entry.before.digest.hex()],
            }
        )

    def _live_size(self) -> int:
        return 400 * len(self._entries)

    def _is_named(self) -> bool:
        """Whether the file is still where it belongs: the directory may have been removed."""
        assert self._file is not None
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._file))
        except FileNotFoundError:
            return False

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    # Reading

    def _load(self) -> bool:
        """Read what is there; whether there was anything."""
        for path in (self._path, self._previous):
            if path.is_symlink() or (path.exists() and not path.is_file()):
                raise StartError(f"{path} is no regular file: move it away")
        current = self._read(self._path)
        if self.damage is not None or current is None:
            # The generation before fills the gaps: an older position only means that something is sent again.
            self._entries = {**(self._read(self._previous) or {}), **(current or {})}
            if self._entries and current is None and self.damage is None:
                self.damage = f"{self._path} is missing: {self._previous} is used"
        else:
            self._entries = current
        if self.damage is not None and self._path.exists():
            aside = self._directory / f"{_NAME}.damaged-{time.time_ns()}"
            self._path.replace(aside)
            self.damage += f"; it is kept as {aside}"
        return current is not None or bool(self._entries) or self.damage is not None

    def _read(self, path: Path) -> dict[bytes, Entry] | None:
        """The entries in a file; None if there is none."""
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        entries: dict[bytes, Entry] = {}
        good = bad = 0
        for record in _records(data):
            if record is None:
                bad += 1
                continue
            good += 1
            if "format" in record:
                self._check_header(record, path)
            elif "forget" in record:
                entries.pop(bytes.fromhex(record["forget"]), None)
            else:
                entry = _entry(record)
                entries[entry.source_id] = entry
        if bad or not good:
            self.damage = f"{path} is damaged: {bad} of its records cannot be read"
        return entries

    def _check_header(self, header: Mapping[str, Any], path: Path) -> None:
        if header["version"] > VERSION:
            raise StartError(
                f"{path} is of version {header['version']}, and this mega-collector knows {VERSION}:"
                " use the newer one, or move the file away"
            )
        self.collector_id = header["collector"]


def _line(record: Mapping[str, object]) -> bytes:
    body = orjson.dumps(record)
    return b"%08x %b\n" % (zlib.crc32(body), body)


def _records(data: bytes) -> Iterator[dict[str, Any] | None]:
    """Each record, or None for one that cannot be read."""
    for line in data.split(b"\n")[: None if not data.endswith(b"\n") else -1]:
        checksum, body = line[:8], line[9:]
        try:
            sound = line[8:9] == b" " and int(checksum, 16) == zlib.crc32(body)
            yield orjson.loads(body) if sound else None
        except ValueError:
            yield None


def _entry(record: Mapping[str, Any]) -> Entry:
    return Entry(
        source_id=bytes.fromhex(record["source"]),
        path=record["path"].encode("latin-1"),
        device=int(record["device"]),
        inode=int(record["inode"]),
        head=Marker(record["head"][0], bytes.fromhex(record["head"][1])),
        position=record["position"],
        before=Marker(record["before"][0], bytes.fromhex(record["before"][1])),
    )


def _lock(directory: Path) -> int:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartError(f"the state directory {directory} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StartError(f"the state directory {directory} is in use by another collector") from error
    return descriptor


def _machine_id() -> str:
    """Made from the machine's, so that it survives the loss of the state; random where there is none."""
    try:
        machine = Path("/etc/machine-id").read_bytes().strip()
    except OSError:
        machine = b""
    if not machine:
        return uuid.uuid4().hex
    # The machine's own id is not to be given away: machine-id(5).
    return hashlib.blake2b(machine, digest_size=16, person=b"mega-collector").hexdigest()


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
