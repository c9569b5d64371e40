"""Files that get the inode number of one that is gone."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

_SPARE = 10_000
"""Files that are made until one has the number: others may be free, too, and the lowest is given first."""

_GET_FLAGS, _SET_FLAGS, _TOP_OF_HIERARCHY = 0x80086601, 0x40086602, 0x00020000  # linux/fs.h: FS_IOC_*, FS_TOPDIR_FL


@contextmanager
def recycling(directory: Path) -> Iterator[Path]:
    """An empty directory on a filesystem that gives numbers again (ext4 does at once, tmpfs never), and gives them to
    nobody else.

    ext4 gives the lowest number of the directory's block group that is free, so that whoever made a file in that group
    would get it. Most directories lie in the group of their parent; below a top of the hierarchy (`chattr +T`, which
    needs no privilege) each gets a group by the hash of its name.
    """
    for place in (directory, Path("/var/tmp")):
        with TemporaryDirectory(dir=place) as top:
            _spread(top)
            with TemporaryDirectory(dir=top) as apart:
                if _gives_again(Path(apart)):
                    yield Path(apart)
                    return
    pytest.skip("neither the temporary directory nor /var/tmp gives inode numbers again")


def recycle(gone: Path, path: Path, data: bytes) -> None:
    """Remove a file that nobody holds open, and make another with its number, which holds this from its beginning."""
    inode = gone.stat().st_ino
    gone.unlink()
    assert _makes(path, inode, data), f"the number {inode} was given to somebody else"
    assert path.stat().st_ino == inode


def _makes(path: Path, inode: int, data: bytes) -> bool:
    spare = []
    try:
        for number in range(_SPARE):
            attempt = path.with_name(f".{number}")  # a name that no pattern of the tests matches
            attempt.touch()
            if attempt.stat().st_ino == inode:
                attempt.write_bytes(data)
                attempt.rename(path)
                return True
            spare.append(attempt)
        return False
    finally:
        for attempt in spare:
            attempt.unlink()


def _spread(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    with contextlib.suppress(OSError):  # not ext4: others know no such groups
        flags = int.from_bytes(fcntl.ioctl(descriptor, _GET_FLAGS, bytes(4)), "little")
        fcntl.ioctl(descriptor, _SET_FLAGS, (flags | _TOP_OF_HIERARCHY).to_bytes(4, "little"))
    os.close(descriptor)


def _gives_again(directory: Path) -> bool:
    probe = directory / "probe"
    for _ in range(20):
        probe.touch()
        inode = probe.stat().st_ino
        probe.unlink()
        probe.touch()
        again = probe.stat().st_ino == inode
        probe.unlink()
        if again:
            return True
    return False
