"""What a process has open, as the kernel tells it."""

import os
from collections.abc import Iterator
from pathlib import Path

from harness.process import Process


def readers(process: Process, path: Path) -> int:
    """How often a process has that file open, by whatever name."""
    wanted = path.stat()
    return sum(os.path.samestat(facts, wanted) for _, facts in _open(process))


def deleted(process: Process, directory: Path) -> int:
    """How many files that lay in a directory it has open, though they have no name any more."""
    here = f"{directory}/"
    return sum(name.startswith(here) and facts.st_nlink == 0 for name, facts in _open(process))


def _open(process: Process) -> Iterator[tuple[str, os.stat_result]]:
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        try:
            found = str(link.readlink()), link.stat()
        except OSError:
            continue  # closed meanwhile
        yield found
