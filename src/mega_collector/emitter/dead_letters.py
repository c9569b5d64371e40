"""The directory of discarded batches."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from mega_collector.batch import Batch
from mega_collector.directory import sync_directory
from mega_collector.emitter.cause import cause
from mega_collector.emitter.dead_letter import encode, source_ids
from mega_collector.errors import EmitError, StartError

_SUFFIX = ".dead"
_UNFINISHED = ".unfinished"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeadLetterStatistics:
    laid: int
    """Batches laid there by this process."""
    dropped: int
    """Batches that made room for others."""
    kept_size: int
    """Bytes there after the last look."""


class DeadLetters:
    """One file a batch, named so that they sort by age, at most `limit` bytes in all: the oldest make room.

    Whoever replays or removes files needs no leave: every lay looks anew. `now` gives nanoseconds since the epoch.
    """

    def __init__(self, directory: Path, limit: int, *, now: Callable[[], int] = time.time_ns) -> None:
        """Make the directory if need be.

        Raises:
            StartError: it cannot be made or read.
        """
        self._directory = directory
        self._limit = limit
        self._now = now
        self._laid = 0
        self._dropped = 0
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in directory.glob(f"*{_UNFINISHED}"):
                path.unlink(missing_ok=True)
            self._kept_size = sum(size for _, size in self._kept())
        except OSError as error:
            raise StartError(cause(directory, error)) from error

    def lay(self, batch: Batch) -> Path:
        """Keep a batch; it is durable when this returns.

        Raises:
            EmitError: it could not be kept.
        """
        pieces = encode(batch)
        size = sum(len(piece) for piece in pieces)
        if size > self._limit:
            raise EmitError(f"{self._directory}: a batch of {size} bytes is above the limit of all dead letters")
        try:
            path = self._room(size)
            self._write(path, pieces)
        except OSError as error:
            raise EmitError(cause(self._directory, error)) from error
        self._laid += 1
        self._kept_size += size
        return path

    def statistics(self) -> DeadLetterStatistics:
        return DeadLetterStatistics(self._laid, self._dropped, self._kept_size)

    def _kept(self) -> Iterator[tuple[Path, int]]:
        """The files and their sizes, the oldest first."""
        for path in sorted(self._directory.glob(f"*{_SUFFIX}")):
            with contextlib.suppress(FileNotFoundError):  # replayed and removed meanwhile
                yield path, path.stat().st_size

    def _room(self, size: int) -> Path:
        """Remove as many of the oldest as needed; a path that sorts after all others."""
        kept = list(self._kept())
        self._kept_size = sum(size for _, size in kept)
        newest = kept[-1][0].stem if kept else "0"
        for path, length in kept:
            if self._kept_size + size <= self._limit:
                break
            self._drop(path, length)
        stamp = max(self._now(), int(newest) + 1 if newest.isdecimal() else 0)
        return self._directory / f"{stamp:020d}{_SUFFIX}"

    def _drop(self, path: Path, size: int) -> None:
        path.unlink(missing_ok=True)
        self._dropped += 1
        self._kept_size -= size
        _log.error("dead_letter_dropped", path=str(path), size=size, limit=self._limit)

    def _write(self, path: Path, pieces: list[bytes | memoryview]) -> None:
        unfinished = path.with_suffix(_UNFINISHED)
        try:
            with open(unfinished, "xb", opener=_private) as file:
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(path)
            sync_directory(self._directory)
        except OSError:
            # It will be laid again: once is enough.
            unfinished.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            raise


def kept_sources(directory: Path) -> set[bytes]:
    """The ids of the sources of which a dead letter is kept in a directory, by whomever it was laid there.

    Raises:
        ValueError: one is damaged or of another format, and may be of any source.
        OSError: the directory or one of them cannot be read.
    """
    found: set[bytes] = set()
    with contextlib.suppress(FileNotFoundError):
        for path in sorted(each for each in directory.iterdir() if each.suffix == _SUFFIX):
            with contextlib.suppress(FileNotFoundError):  # replayed and removed meanwhile
                found.update(source_ids(path))
    return found


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
