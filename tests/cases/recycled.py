"""Files that get the inode number of one that is gone."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

_SPARE = 10_000
"""Files that are made until one has the number: others may be free, too, and the lowest is given first."""

_PATIENCE = 10.0
"""Seconds: another program may have been given the number, and give it back."""


@contextmanager
def recycling(directory: Path) -> Iterator[Path]:
    """An empty directory on a filesystem that gives numbers again (ext4 does at once, tmpfs never)."""
    if _gives_again(directory):
        yield directory
        return
    with TemporaryDirectory(dir="/var/tmp") as other:
        if not _gives_again(Path(other)):
            pytest.skip("neither the temporary directory nor /var/tmp gives inode numbers again")
        yield Path(other)


def recycle(gone: Path, path: Path, data: bytes) -> None:
    """Remove a file that nobody holds open, and make another with its number, which holds this from its beginning."""
    inode, end = gone.stat().st_ino, time.monotonic() + _PATIENCE
    gone.unlink()
    while not _makes(path, inode, data):
        if time.monotonic() > end:
            pytest.skip("another program that writes to this disk was given the number")
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


def _gives_again(directory: Path) -> bool:
    probe = directory / ".probe"
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
