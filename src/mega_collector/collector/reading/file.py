"""Files as they are read: the few calls that everything above needs, so that anything that answers them can be read."""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from mega_collector.collector.finding.discovery import FileFacts, facts_of
from mega_collector.collector.reading.births import born

SPARE = 4
"""Descriptors that are kept for glances: at a file and what it is compared with, and at a directory and one below."""

_GONE = (FileNotFoundError, NotADirectoryError, PermissionError)

NONE_LEFT = {errno.EMFILE, errno.ENFILE}
"""What the system says that opens no more files."""

T = TypeVar("T")


class File(Protocol):
    """An open file. Every method raises OSError if the file cannot be read."""

    def facts(self) -> FileFacts | None:
        """What it is now; None if it is no regular file."""

    def read(self, size: int, at: int) -> bytes:
        """The bytes from `at` on: `size` of them, fewer only at the end."""

    def hole(self, at: int, /) -> int:
        """Where the first hole at or behind `at` begins; the end of the file counts as one."""

    def data(self, at: int) -> int | None:
        """Where data begins at or behind `at`; None: there is nothing but a hole up to the end."""

    def close(self) -> None: ...


class Filesystem(Protocol):
    """Where files are opened."""

    def open(self, path: bytes) -> File:
        """Open for reading.

        Raises:
            OSError: it cannot be opened.
        """

    def glance(self, path: bytes) -> File:
        """As `open`, for a moment: there is a descriptor for that, though all others may be in use."""

    def inode(self, path: bytes) -> int | None:
        """The inode of the file of that name; None if there is none.

        Raises:
            OSError: it cannot be seen.
        """

    def device(self, path: bytes) -> int | None:
        """On which device a file of that name would lie, by the nearest directory there is; None: nobody can see."""

    def born(self, path: bytes, inode: int, /) -> int | None:
        """When the file of that name and inode was made, in nanoseconds; 0: nobody can tell; None: there is none."""

    def home(self, path: bytes) -> bytes | None:
        """Where a path leads that is a link; None if it is none."""

    def real(self, directory: bytes, /) -> bytes:
        """A directory's path without any link in it."""

    def entries(self, directory: bytes, /) -> Iterator[tuple[int, bytes]]:
        """What is in a directory: inodes, with their paths. Nothing if it is not there, or may not be listed.

        Raises:
            OSError: it cannot be listed now.
        """

    def below(self, directory: bytes, /) -> Iterator[bytes]:
        """The directories in a directory, links to some left out; else as `entries`."""

    def close(self) -> None:
        """No glance is needed any more."""


class PlainFile:
    """An open file of the kernel's."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def facts(self) -> FileFacts | None:
        facts = os.fstat(self.descriptor)
        return facts_of(facts) if stat.S_ISREG(facts.st_mode) else None

    def read(self, size: int, at: int) -> bytes:
        return os.pread(self.descriptor, size, at)

    def hole(self, at: int) -> int:
        return os.lseek(self.descriptor, at, os.SEEK_HOLE)

    def data(self, at: int) -> int | None:
        try:
            return os.lseek(self.descriptor, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return None
            raise

    def close(self) -> None:
        os.close(self.descriptor)


class _GlancedFile(PlainFile):
    """One whose descriptor is spare again once it is closed."""

    __slots__ = ("_closed",)

    def __init__(self, descriptor: int, closed: Callable[[], None]) -> None:
        super().__init__(descriptor)
        self._closed = closed

    def close(self) -> None:
        super().close()
        self._closed()


class Disk:
    """The machine's own filesystem. `spare`: so many descriptors are kept for glances, until it is closed."""

    def __init__(self, *, spare: int = 0) -> None:
        self._spare = spare
        self._kept: list[int] = []
        self._keep()

    def open(self, path: bytes) -> PlainFile:
        return PlainFile(_open(path))

    def glance(self, path: bytes) -> PlainFile:
        return _GlancedFile(self._with_a_spare(lambda: _open(path)), self._keep)

    def close(self) -> None:
        self._spare = 0
        while self._kept:
            os.close(self._kept.pop())

    def _keep(self) -> None:
        """As many as are to be spare, or can be for now."""
        with contextlib.suppress(OSError):
            while len(self._kept) < self._spare:
                self._kept.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    def _with_a_spare(self, use: Callable[[], T]) -> T:
        """If there is no other descriptor."""
        try:
            return use()
        except OSError as error:
            if error.errno not in NONE_LEFT or not self._kept:
                raise
        os.close(self._kept.pop())
        try:
            return use()
        except OSError:
            self._keep()
            raise

    def inode(self, path: bytes) -> int | None:
        try:
            return os.stat(path).st_ino  # noqa: PTH116 - bytes
        except (FileNotFoundError, NotADirectoryError, ValueError):
            # ValueError: a NUL, which no name has.
            return None

    def device(self, path: bytes) -> int | None:
        directory = os.path.dirname(path)  # noqa: PTH120 - bytes
        try:
            return os.stat(directory).st_dev  # noqa: PTH116 - bytes
        except FileNotFoundError:
            return self.device(directory)
        except OSError:
            return None

    def born(self, path: bytes, inode: int) -> int | None:
        return born(path, inode)

    def home(self, path: bytes) -> bytes | None:
        return os.path.realpath(path) if os.path.islink(path) else None  # noqa: PTH114 - bytes

    def real(self, directory: bytes) -> bytes:
        return os.path.realpath(directory)

    def entries(self, directory: bytes) -> Iterator[tuple[int, bytes]]:
        yield from ((entry.inode(), entry.path) for entry in self._list(directory))

    def below(self, directory: bytes) -> Iterator[bytes]:
        yield from (entry.path for entry in self._list(directory) if entry.is_dir(follow_symlinks=False))

    def _list(self, directory: bytes) -> Iterator[os.DirEntry[bytes]]:
        try:
            with contextlib.suppress(*_GONE), self._with_a_spare(lambda: os.scandir(directory)) as found:
                yield from found
        finally:
            self._keep()


def _open(path: bytes) -> int:
    # Not blocking: the name may be a FIFO's by now. No controlling terminal: or a terminal's.
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
