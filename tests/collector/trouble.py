"""Run as a program, with a directory: makes it impossible to write there, then possible again.

What was flushed before stays valid all the time, and everything is there in the end. Says why it could not be written.
"""

import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from collector.entry import make_entry
from mega_collector.collector.state.checkpoint import Checkpoint, CheckpointError, Entry

SIZE = 64 * 1024


def main(how: str, directory: Path) -> None:
    hinder, free = {"limit": limit, "full": full, "read-only": read_only}[how](directory)
    checkpoint = Checkpoint(directory)
    for number in range(20):
        checkpoint.put(make_entry(number, 1))
    checkpoint.flush()
    flushed = dict(checkpoint.entries)
    hinder()
    cause = ""
    for position in range(2, 1000):
        try:
            for number in range(20):
                checkpoint.put(make_entry(number, position))
            checkpoint.flush()
            flushed = dict(checkpoint.entries)
        except CheckpointError as error:
            cause = str(error).rsplit(": ", 1)[1]
            break
    for _ in range(3):
        fails(checkpoint)
        assert entries_of_copy(directory) == flushed
    free()
    checkpoint.flush()
    assert checkpoint.statistics().failures == 4
    expected = dict(checkpoint.entries)
    checkpoint.close()
    assert entries_of_copy(directory) == expected
    sys.stdout.write(cause)


def fails(checkpoint: Checkpoint) -> None:
    try:
        checkpoint.flush()
    except CheckpointError:
        return
    raise AssertionError("it was written")


def entries_of_copy(directory: Path) -> dict[bytes, Entry]:
    """What a start would find now."""
    copy = directory.parent / "copy"
    resource_limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    copy.mkdir()
    shutil.copyfile(directory / "checkpoint", copy / "checkpoint")
    checkpoint = Checkpoint(copy)
    assert checkpoint.damage is None, checkpoint.damage
    entries = dict(checkpoint.entries)
    checkpoint.close()
    shutil.rmtree(copy)
    resource.setrlimit(resource.RLIMIT_FSIZE, resource_limit)
    return entries


Action = Callable[[], None]


def limit(_directory: Path) -> tuple[Action, Action]:
    """RLIMIT_FSIZE, which makes writes short."""

    def to(size: int) -> Action:
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    return to(SIZE), to(resource.RLIM_INFINITY)


def full(directory: Path) -> tuple[Action, Action]:
    """A small filesystem, mounted in a namespace of its own."""
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", directory], check=True)

    def free() -> None:
        subprocess.run(["mount", "-o", "remount,size=1m", directory], check=True)

    return lambda: None, free


def read_only(directory: Path) -> tuple[Action, Action]:
    """What was open stays writable; what is to be made is not."""

    def hinder() -> None:
        (directory / "checkpoint").rename(directory / "renamed")
        shutil.copyfile(directory / "renamed", directory / "checkpoint")
        directory.chmod(0o555)

    return hinder, lambda: directory.chmod(0o755)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
