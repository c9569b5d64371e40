"""Opens files below a directory, whoever else may write there: no symbolic link is followed on the way."""

import errno
import os
from pathlib import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

_NO_LINK = os.O_NOFOLLOW
"""Else whoever can write to a directory among the outputs could have us write to any file that we may write to."""


def open_below(root: Path, path: Path, flags: int, *, create: bool, mode: int | None) -> int:
    """Open a file; with `create` it is made, and so are the directories down to it, durably. The descriptor.

    `root` must be there, and may lead through links: whoever runs the aggregator has named it. `mode` is that of the
    file as it is made, whatever the umask; the directories can be searched by whoever can read the file.

    Raises:
        OSError: it cannot be opened, or one of its directories is a link.
    """
    directory = open_directory(root, path.parent, create=create, mode=mode)
    try:
        return open_in(directory, path.name, flags | _NO_LINK, create=create, mode=mode)
    finally:
        os.close(directory)


def open_directory(root: Path, path: Path, *, create: bool = False, mode: int | None = None) -> int:
    """Likewise, a directory.

    Raises:
        OSError: it cannot be opened, or is, or lies behind, a link.
    """
    fd = os.open(root, _DIRECTORY)
    try:
        for name in path.relative_to(root).parts:
            below = _open_in_turn(fd, name, create=create, mode=mode)
            os.close(fd)
            fd = below
    except BaseException:
        os.close(fd)
        raise
    return fd


def open_in(directory: int | None, name: str | Path, flags: int, *, create: bool, mode: int | None) -> int:
    """Open a file in a directory, or make it, with exactly that mode if one is given."""
    if not create:
        return os.open(name, flags, dir_fd=directory)
    if mode is None:
        return os.open(name, flags | os.O_CREAT, 0o644, dir_fd=directory)
    try:
        # Not to be read by others for an instant.
        fd = os.open(name, flags | os.O_CREAT | os.O_EXCL, mode & 0o600, dir_fd=directory)
    except FileExistsError:
        # A link that leads to nothing is there too, and what it names is made.
        return os.open(name, flags | os.O_CREAT, mode, dir_fd=directory)
    os.fchmod(fd, mode)
    return fd


def _open_in_turn(fd: int, name: str, *, create: bool, mode: int | None) -> int:
    try:
        return _open_directory_in(fd, name)
    except FileNotFoundError:
        if not create:
            raise
    try:
        os.mkdir(name, _searchable(mode), dir_fd=fd)
    except FileExistsError:
        return _open_directory_in(fd, name)
    below = _open_directory_in(fd, name)
    if mode is not None:
        os.fchmod(below, _searchable(mode))
    os.fsync(fd)
    return below


def _open_directory_in(fd: int, name: str) -> int:
    try:
        return os.open(name, _DIRECTORY | _NO_LINK, dir_fd=fd)
    except NotADirectoryError:
        if os.path.islink(f"/proc/self/fd/{fd}/{name}"):  # noqa: PTH114 - there is no other way to ask
            raise OSError(errno.ELOOP, f"{name} is a symbolic link, and none is followed here") from None
        raise


def _searchable(mode: int | None) -> int:
    """The mode of a directory in which files of a mode lie: who may read them may go there."""
    return 0o755 if mode is None else mode | 0o700 | (mode & 0o444) >> 2
