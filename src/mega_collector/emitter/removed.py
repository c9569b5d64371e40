"""Which output files were removed here: whoever had found one before may still come with it."""

import os

_MOST = 10_000
"""Files that are remembered: more than are removed between a collector's finding one and its asking for it."""


class Removed:
    """Knows them by device and inode, the last `_MOST`. An inode may be another file's by now. From any thread."""

    def __init__(self) -> None:
        self._files: dict[tuple[int, int], None] = {}

    def __contains__(self, identity: tuple[int, int]) -> bool:
        return identity in self._files

    def note(self, status: os.stat_result) -> None:
        """It is removed now. To be called by one thread at a time."""
        self._files[status.st_dev, status.st_ino] = None
        if len(self._files) > _MOST:
            del self._files[next(iter(self._files))]
