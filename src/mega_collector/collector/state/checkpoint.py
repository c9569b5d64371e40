"""The collector's durable note of what is acknowledged, in its state directory."""

import errno
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from mega_collector.collector.state.checkpoint_file import CheckpointFile, read
from mega_collector.collector.state.collector_id import MACHINE_ID, machine_based_id
from mega_collector.collector.state.record import VERSION, Entry, Forgotten
from mega_collector.directory import sync_directory
from mega_collector.errors import MegaCollectorError, StartError
from mega_collector.state_lock import InUse, StateLock

__all__ = ["VERSION", "Checkpoint", "CheckpointError", "CheckpointStatistics", "Entry", "is_fresh", "look", "peek"]

_NAME = "checkpoint"
_SLACK = 256 << 10
"""Bytes that a file may grow beyond twice what it began with before it is written anew."""

_MANY = 10_000
"""Entries that take long to write, about 30 ms: of 100 000 the reading alone takes most of a second."""

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}
"""What a file system says that has no hard links, such as FAT: link(2)."""


class CheckpointError(MegaCollectorError):
    """The checkpoint could not be written: what it held before is intact, and the next flush tries everything again."""


@dataclass(frozen=True, slots=True)
class CheckpointStatistics:
    entries: int
    size: int
    """Bytes of the file."""
    failures: int
    """Flushes that failed since the start."""


class Checkpoint:
    """Positions by source id, in memory and on disk. Used by one thread.

    The file is a log: what is known at first, then a record for each change. Positions are absolute, so that a lost
    record only means that something is sent again. A flush appends what has changed and syncs: its cost does not grow
    with the number of idle files. When the log is more than twice what it began with, it is written anew beside, synced
    and renamed into its place; the one before stays as `checkpoint.previous`.

    A file with damage gives what can be read of it, on top of the previous one, and is put aside.

    What another `collector` than this has shipped goes on from where it stands under new ids: an aggregator holds each
    source for the one collector that began it.

    Raises:
        StartError: the state directory cannot be used, is in use, or holds a checkpoint of a newer version.
    """

    def __init__(self, directory: Path, *, collector: str | None = None, machine_id: Path = MACHINE_ID) -> None:
        self._directory = directory
        self._collector = collector
        self._machine_id = machine_id
        self._path = directory / _NAME
        self._previous = directory / f"{_NAME}.previous"
        self._lock = StateLock(directory, holder="collector")
        self._file: CheckpointFile | None = None
        self._enough = 0
        self._entries: dict[bytes, Entry] = {}
        self._changed: dict[bytes, None] = {}
        self._lines = 0
        self._failures = 0
        self.collector_id = ""
        """That of the `collector`, if it is named; else kept from the first start on, or made from the machine's id."""
        self.was: str | None = None
        """The id before, if it was another one."""
        self.id_is_stable = True
        """Whether the id would be the same if the state were lost: it is made from the machine's."""
        self.damage: str | None = None
        """What is wrong with the checkpoint that was found, in words."""
        self.fresh = False
        """Whether this is the first start: there was no checkpoint, or none had begun with all that was there."""
        self._first = False
        """Whether the file says that it is not begun yet."""
        try:
            self._start()
        except BaseException:
            self._lock.release()
            raise

    @property
    def entries(self) -> Mapping[bytes, Entry]:
        return MappingProxyType(self._entries)

    def statistics(self) -> CheckpointStatistics:
        return CheckpointStatistics(len(self._entries), self._file.size if self._file else 0, self._failures)

    def put(self, entry: Entry) -> None:
        """Note a position; durable after the next flush."""
        self._entries[entry.source_id] = entry
        self._changed[entry.source_id] = None

    def forget(self, source_id: bytes) -> None:
        """The source is not followed any more; durable after the next flush."""
        if self._entries.pop(source_id, None) is not None:
            self._changed[source_id] = None

    def begun(self) -> None:
        """All that was there at the first start is known; durable after the next flush."""
        self.fresh = False

    def flush(self) -> None:
        """Make everything durable that has changed.

        Raises:
            CheckpointError: it could not be written.
        """
        if not self._changed and self._first is self.fresh:
            return
        try:
            self._lock.hold()
            self._write()
        except OSError as error:
            self._failures += 1
            raise CheckpointError(_cannot("be written", self._path, error)) from error
        self._changed.clear()

    def close(self) -> None:
        """Release the state directory. What was not flushed is not kept."""
        self._close_file()
        self._lock.release()

    # Writing

    def _write(self) -> None:
        file = self._file
        anew = self._first is not self.fresh
        if anew or file is None or not file.can_go_on(self._path) or file.size > self._enough:
            self._write_anew(keep_as=self._previous)
            return
        file.append(self._entries.get(each) or Forgotten(each) for each in self._changed)

    def _write_anew(self, *, keep_as: Path) -> None:
        unfinished = self._directory / f"{_NAME}.new"
        first = self.fresh
        file = CheckpointFile.create(unfinished, self.collector_id, self._entries.values(), first=first)
        try:
            self._keep(keep_as)
            unfinished.replace(self._path)
            sync_directory(self._directory)
        except OSError:
            file.close()
            unfinished.unlink(missing_ok=True)
            raise
        self._close_file()
        self._file, self._first = file, first
        self._enough = 2 * file.size + _SLACK

    def _keep(self, name: Path) -> None:
        """Give the present file another name too. Linked, not renamed: at no instant is there no checkpoint."""
        kept = self._directory / f"{_NAME}.kept"
        kept.unlink(missing_ok=True)
        try:
            kept.hardlink_to(self._path)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._path.replace(name)
        else:
            kept.replace(name)

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    # Starting

    def _start(self) -> None:
        try:
            self._lock.hold()
            found = self._load()
            own = machine_based_id(self._machine_id)
            self.collector_id = self._collector or found or own or uuid.uuid4().hex
            if found is not None and found != self.collector_id:
                self._take_over(found)
            self.id_is_stable = self.collector_id == own
            self._begin()
        except InUse as error:
            raise _in_use(self._directory) from error
        except OSError as error:
            raise StartError(_cannot("be used", self._directory, error)) from error

    def _begin(self) -> None:
        """Make the file ready: written anew, so that what cannot be written is known now, unless that takes long."""
        if self.damage is None and len(self._entries) > _MANY and self._lines < 2 * len(self._entries):
            self._file = CheckpointFile.go_on(self._path, self.collector_id)
        if self._file is not None:
            self._enough = 2 * self._file.size + _SLACK
        elif self.damage is None:
            self._write_anew(keep_as=self._previous)
        else:
            self._write_anew(keep_as=self._directory / f"{_NAME}.damaged-{time.time_ns()}")
        if self.was is not None:
            # The previous one would bring back the ids that are another's.
            self._write_anew(keep_as=self._previous)

    def _take_over(self, was: str) -> None:
        self.was = was
        # What is still to be told of ends was that collector's to tell.
        known = [each for each in self._entries.values() if each.recognises]
        renamed = [replace(each, source_id=uuid.uuid4().bytes, untold=False) for each in known]
        self._entries = {each.source_id: each for each in renamed}

    def _load(self) -> str | None:
        """Read what is there, and answer with the collector's id, if there is one."""
        present = read(self._path, self._entries)
        if present is not None and present.damage is None:
            self._lines = present.lines
            self.fresh = self._first = present.first
            return present.collector_id
        # An older position only means that something is sent again: what the one before knew fills the gaps.
        self._entries.clear()
        previous = read(self._previous, self._entries)
        read(self._path, self._entries)
        self.fresh = present is None and previous is None
        self._tell(
            present.damage if present else None if self.fresh else f"{self._path} is missing",
            previous.damage if previous else None,
        )
        return (present and present.collector_id) or (previous and previous.collector_id) or None

    def _tell(self, *damages: str | None) -> None:
        told = [damage for damage in damages if damage]
        if told:
            self.damage = f"{'; '.join(told)}; {len(self._entries)} sources were found"
            if self._path.exists():
                self.damage += f", and what was there is kept as {_NAME}.damaged-*"


def look(directory: Path) -> None:
    """Look whether the checkpoint of a state directory could be used. Nothing is made, changed or kept open.

    Raises:
        StartError: another process uses it, or it is of a newer version, or cannot be read.
    """
    try:
        StateLock(directory, holder="collector").look()
    except InUse as error:
        raise _in_use(directory) from error
    except OSError as error:
        raise StartError(_cannot("be used", directory, error)) from error
    read(directory / _NAME, {})


def peek(directory: Path, *, machine_id: Path = MACHINE_ID) -> tuple[str | None, list[Entry]]:
    """The id of the collector that has this state directory, and what it remembers, whether it runs or not.

    The id is None if it is to be made at the first start. Nothing is made, changed or locked.

    Raises:
        StartError: the checkpoint cannot be read, or is of a newer version.
    """
    entries: dict[bytes, Entry] = {}
    present, previous = read(directory / _NAME, entries), None
    if present is None or present.damage is not None:
        entries.clear()
        previous = read(directory / f"{_NAME}.previous", entries)
        read(directory / _NAME, entries)
    found = (present and present.collector_id) or (previous and previous.collector_id)
    return found or machine_based_id(machine_id), list(entries.values())


def is_fresh(directory: Path) -> bool:
    """Whether a collector that starts with this state directory is the first."""
    if not any(os.path.lexists(directory / name) for name in (_NAME, f"{_NAME}.previous")):
        return True
    present = read(directory / _NAME, {})
    return present is not None and present.damage is None and present.first


def _in_use(directory: Path) -> StartError:
    return StartError(f"the state directory {directory} is in use by another collector")


def _cannot(what: str, path: Path, error: OSError) -> str:
    return f"{error.filename or path} cannot {what}: {error.strerror}"
