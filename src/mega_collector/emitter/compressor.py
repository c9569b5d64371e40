"""Compresses output files that nothing is appended to any more: in a thread of its own, beside the data's way."""

import contextlib
import fcntl
import gzip
import io
import os
import threading
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog
import zstandard

from mega_collector.emitter.cause import cause
from mega_collector.emitter.configuration import Compression
from mega_collector.emitter.removed import Removed
from mega_collector.emitter.rotated import NAMES, Rotated

_STEP = 1 << 20
"""Bytes that are compressed at once; between two of them it is looked whether to stop."""

_NICE = 10
"""It gives way to all else."""

_CLOSING = 1.0
"""Seconds to wait for a step that is under way."""

_log = structlog.get_logger(__name__)


class _Stopped(Exception):
    """What is not done is done by the next process."""


@dataclass(frozen=True, slots=True)
class Job:
    """The rotated files of an output are to be compressed; and it itself, if it is over, with `over` bytes.

    If it has more it was appended to since: then it is not over, and not all of it may be committed.
    """

    path: Path
    root: Path | None
    over: int | None = None


class Compressor:
    """A file is written compressed under another name, synced, given its name, and only then removed itself.

    Whatever a kill leaves of that is mended when the file's turn comes again: a part is written anew; where both are
    there, the plain one goes if the other holds the same and has its time. A file that somebody has locked, an
    aggregator that writes it, is left alone.
    """

    def __init__(self, compression: Compression, removed: Removed) -> None:
        self._compression = compression
        self._removed = removed
        self._jobs: deque[Job] = deque()
        self._waiting: set[Job] = set()
        self._changed = threading.Condition()
        self._stopping = self._busy = False
        self._thread: threading.Thread | None = None
        self._done: deque[str] = deque()

    def submit(self, job: Job) -> None:
        """Have it done some time. What waits already is not done twice; what is under way is done again."""
        with self._changed:
            if job in self._waiting or self._stopping:
                return
            self._waiting.add(job)
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="compressor", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def done(self) -> Iterator[str]:
        """The paths of the jobs that were done since this was asked last."""
        while self._done:
            yield self._done.popleft()

    @property
    def idle(self) -> bool:
        """Whether nothing is left to be done."""
        return not self._waiting and not self._busy

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_CLOSING)

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        with contextlib.suppress(_Stopped):
            while True:
                job = self._next()
                try:
                    self._do(job)
                    self._done.append(str(job.path))
                except FileNotFoundError:
                    self._done.append(str(job.path))  # its directory has gone
                except OSError as error:
                    _log.error("output_not_compressed", error=cause(job.path, error))
                finally:
                    self._busy = False

    def _next(self) -> Job:
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._stopping)
            if self._stopping:
                raise _Stopped
            self._busy = True
            job = self._jobs.popleft()
            self._waiting.discard(job)
            return job

    def _do(self, job: Job) -> None:
        with Rotated(job.path, job.root, self._removed) as rotated:
            if job.over is not None and rotated.is_regular(job.path.name):
                self._compress(rotated, job.path.name, job.over)
            for name in rotated.plain():
                if rotated.is_regular(name):
                    self._compress(rotated, name)

    def _compress(self, rotated: Rotated, name: str, size: int | None = None) -> None:
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=rotated.directory)
        except FileNotFoundError:
            return  # rotated on since it was listed: it is among the next
        with io.FileIO(fd, "rb") as plain:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            found = os.fstat(fd).st_size
            if not found or found != (found if size is None else size):
                return  # what is empty stays: there is nothing to win, and its compressed name may be needed
            if rotated.status(name + self._compression.suffix) is None:
                self._write(rotated, plain, f".{rotated.name}.compressing")
            self._replace(rotated, plain)

    def _write(self, rotated: Rotated, plain: io.FileIO, name: str) -> None:
        status, directory = os.fstat(plain.fileno()), rotated.directory
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory)
        try:
            with io.FileIO(fd, "wb") as file:
                for piece in self._compressed(plain):
                    _write_all(file, piece)
                with contextlib.suppress(OSError):
                    os.fchown(fd, -1, status.st_gid)
                os.fchmod(fd, status.st_mode & 0o7777)
                os.utime(fd, ns=(status.st_atime_ns, status.st_mtime_ns))
                os.fsync(fd)
            self._name(rotated, name, status)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=directory)
            raise

    def _name(self, rotated: Rotated, name: str, plain: os.stat_result) -> None:
        """Give what is compressed the name that the file has now; it may have been rotated on, or removed."""
        with NAMES:
            current = rotated.name_of(plain)
            if current is None or rotated.status(current + self._compression.suffix) is not None:
                os.unlink(name, dir_fd=rotated.directory)
                return
            rotated.rename(name, current + self._compression.suffix)
            os.fsync(rotated.directory)

    def _replace(self, rotated: Rotated, plain: io.FileIO) -> None:
        """Remove the file if what stands beside it is the same, compressed."""
        with NAMES:
            name = rotated.name_of(os.fstat(plain.fileno()))
        if name is None:
            return
        beside = name + self._compression.suffix
        if not self._holds_the_same(rotated, beside, plain):
            _log.error(
                "output_not_compressed", error=f"{rotated.path.parent / beside} is there and holds something else"
            )
            return
        with NAMES:
            name = rotated.name_of(os.fstat(plain.fileno()))
            if name is not None and rotated.status(name + self._compression.suffix) is not None:
                rotated.remove(name)
                os.fsync(rotated.directory)

    def _compressed(self, plain: io.FileIO) -> Iterator[bytes]:
        coder = _coder(self._compression)
        plain.seek(0)
        while data := plain.read(_STEP):
            if self._stopping:
                raise _Stopped
            yield coder.compress(data)
        yield coder.flush()

    def _holds_the_same(self, rotated: Rotated, name: str, plain: io.FileIO) -> bool:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=rotated.directory)
        plain.seek(0)
        with io.FileIO(fd, "rb") as file:
            if os.fstat(fd).st_mtime_ns != os.fstat(plain.fileno()).st_mtime_ns:
                return False  # what came later may be the same, and is not
            try:
                with _opened(file, self._compression) as other:
                    while True:
                        data, expected = other.read(_STEP), _read_exactly(plain, _STEP)
                        if self._stopping:
                            raise _Stopped
                        if data != expected:
                            return False
                        if not data:
                            return True
            except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError):
                return False


class _Coder(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def _coder(compression: Compression) -> _Coder:
    if compression is Compression.GZIP:
        return zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return zstandard.ZstdCompressor(level=3, write_checksum=True).compressobj()


def _opened(file: io.FileIO, compression: Compression) -> io.BufferedReader:
    if compression is Compression.GZIP:
        return io.BufferedReader(gzip.GzipFile(fileobj=file))
    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return io.BufferedReader(reader)


def _read_exactly(file: io.FileIO, size: int) -> bytes:
    """As many bytes, or all that are left: a read of a file may give fewer."""
    data = b""
    while len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data


def _write_all(file: io.FileIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
