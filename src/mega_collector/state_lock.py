"""Keeping a state directory to one process."""

import errno
import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}


class InUse(OSError):
    """Another process holds the directory."""

    def __init__(self, directory: Path, holder: str) -> None:
        super().__init__(errno.EWOULDBLOCK, f"it is in use by another {holder}", str(directory))


class StateLock:
    """A lock on a directory of one `holder`'s. The kernel releases it with the process, however that ends."""

    def __init__(self, directory: Path, *, holder: str) -> None:
        self._directory = directory
        self._holder = holder
        self._path = directory / "lock"
        self._descriptor: int | None = None

    def hold(self) -> None:
        """Make sure of it: also when the directory is not there, or no longer the one that was locked.

        Raises:
            InUse: another process holds it.
            OSError: the directory cannot be made or written, or something else has the lock's name.
        """
        if self._descriptor is not None and self._is_named(self._descriptor):
            return
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._require_file()
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            self._lock(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        self.release()
        self._descriptor = descriptor

    def look(self) -> None:
        """Look whether another process holds it. Nothing is made or held.

        Raises:
            InUse: another process does.
            OSError: something else has the lock's name.
        """
        self._require_file()
        with suppress(FileNotFoundError, PermissionError), self._path.open("rb") as file:
            self._lock(file.fileno())

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _require_file(self) -> None:
        """Look first: whoever opens a pipe waits."""
        with suppress(FileNotFoundError, PermissionError):
            if not stat.S_ISREG(self._path.lstat().st_mode):
                raise OSError(errno.EINVAL, f"{self._path.name} is no file: move it away")

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InUse(self._directory, self._holder) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:  # a filesystem without locks
                raise

    def _is_named(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.lstat(self._path), os.fstat(descriptor))
        except (FileNotFoundError, NotADirectoryError):
            return False
