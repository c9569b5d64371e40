"""An open output file."""

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path

from mega_collector.directory import sync_directory
from mega_collector.emitter.below import open_below, open_in
from mega_collector.emitter.cause import cause
from mega_collector.emitter.payload import Payload
from mega_collector.errors import EmitError
from mega_collector.marker import TAIL_SIZE

_STAMP = "user.mega-collector.committed"

# O_NONBLOCK: not to hang on a pipe that took the place of the file. It means nothing for the file itself.
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Output:
    """A regular file that is appended to, and cut back. The system's errors come through as OSError."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd
        status = os.fstat(fd)
        self.device = status.st_dev
        self.inode = status.st_ino

    @classmethod
    def open(cls, path: Path, *, create: bool = True, mode: int | None = None, root: Path | None = None) -> "Output":
        """Open the file, or create it durably, and lock it: two writers would cut away each other's bytes.

        What is created has that `mode`, whatever the umask. With a `root`, the directories below it are created too,
        and no link is followed there.

        Raises:
            EmitError: it cannot be opened, is no regular file, or is in use by another process.
        """
        try:
            if root is None:
                fd = open_in(None, path, _FLAGS, create=create, mode=mode)
            else:
                fd = open_below(root, path, _FLAGS, create=create, mode=mode)
        except OSError as error:
            raise EmitError(cause(path, error)) from error
        try:
            _require_regular(path, fd)
            _lock(path, fd)
            sync_directory(Path(os.path.realpath(path)).parent)
            return cls(path, fd)
        except OSError as error:
            os.close(fd)
            raise EmitError(cause(path, error)) from error
        except EmitError:
            os.close(fd)
            raise

    def lock(self) -> None:
        """Lock it, so that nobody else writes it.

        Raises:
            EmitError: another process has locked it.
        """
        _lock(self.path, self._fd)

    @property
    def size(self) -> int:
        return os.fstat(self._fd).st_size

    @property
    def written_at(self) -> int:
        """When it was written to last, in nanoseconds since the epoch."""
        return os.fstat(self._fd).st_mtime_ns

    @property
    def is_named(self) -> bool:
        """Whether the path still names this file. A path that cannot be looked at is an OSError, not a no."""
        try:
            status = os.stat(self.path)  # noqa: PTH116 - the same call as fstat's
        except (FileNotFoundError, NotADirectoryError):
            return False
        return (status.st_dev, status.st_ino) == (self.device, self.inode)

    def before(self, length: int) -> bytes:
        """Up to `TAIL_SIZE` bytes that end at that length, as far as there are."""
        start = max(length - TAIL_SIZE, 0)
        return os.pread(self._fd, length - start, start)

    def append(self, payload: Payload) -> None:
        """Write all of it, however little the system takes at once; how far it came is in the payload."""
        while payload:
            payload.advance(os.writev(self._fd, payload.head()))

    def sync(self) -> None:
        os.fdatasync(self._fd)

    def cut(self, length: int) -> None:
        os.ftruncate(self._fd, length)

    def copy_rest(self, length: int, target: int) -> None:
        """Copy what is beyond that length to another descriptor."""
        size = self.size
        while length < size:
            length += os.sendfile(target, self._fd, length, size - length)

    @property
    def stamp(self) -> int:
        """The length that was committed when the file was stamped last; 0 if it never was."""
        try:
            return int(os.getxattr(self._fd, _STAMP))
        except (OSError, ValueError):
            return 0

    @property
    def is_stamped(self) -> bool:
        """Whether it was ever stamped: then it was appended to by an aggregator."""
        try:
            return bool(os.getxattr(self._fd, _STAMP))
        except OSError:
            return False

    def put_stamp(self, length: int) -> None:
        """Have the file itself say how much of it is committed, where it can: xattr(7)."""
        with contextlib.suppress(OSError):
            os.setxattr(self._fd, _STAMP, b"%d" % length)

    def close(self) -> None:
        os.close(self._fd)


def _require_regular(path: Path, fd: int) -> None:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise EmitError(f"{os.fsdecode(path)}: it is no regular file")


def _lock(path: Path, fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise EmitError(f"{path}: another process writes it: give each aggregator a file of its own") from error
    except OSError as error:
        if error.errno not in {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}:  # a filesystem without locks
            raise
