"""The open files: at most so many, and never one closed that is still needed."""

import os
from collections import OrderedDict
from collections.abc import Callable

from mega_collector.collector.follower import Follower


class TooManyOpenFiles(OSError):
    """Every open file is still needed: the limit is too low for what has to be held open."""


class Descriptors:
    """Opens followed files for reading, by least recent use.

    `expendable(follower)` says whether a file can be closed and found again later: it has a name, all that was read
    of it is acknowledged, and nothing of it waits to be read.
    """

    def __init__(self, *, limit: int, expendable: Callable[[Follower], bool]) -> None:
        self._limit = limit
        self._expendable = expendable
        self._open: OrderedDict[Follower, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, follower: Follower) -> bool:
        return follower in self._open

    def get(self, follower: Follower) -> int | None:
        """The descriptor of a follower, if its file is open."""
        descriptor = self._open.get(follower)
        if descriptor is not None:
            self._open.move_to_end(follower)
        return descriptor

    def open(self, path: bytes) -> int:
        """Open a file, closing another one if there are too many; not yet kept: see `keep`.

        Raises:
            TooManyOpenFiles: none of the open files can be closed.
            OSError: the file cannot be opened.
        """
        if len(self._open) >= self._limit:
            self._make_room()
        # Not blocking: the name may be a FIFO's by now. No controlling terminal: or a terminal's.
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)

    def keep(self, follower: Follower, descriptor: int) -> None:
        """The descriptor is the follower's."""
        self._open[follower] = descriptor

    def close(self, follower: Follower) -> None:
        """Close a follower's file, if it is open."""
        descriptor = self._open.pop(follower, None)
        if descriptor is not None:
            os.close(descriptor)

    def close_all(self) -> None:
        for follower in list(self._open):
            self.close(follower)

    def _make_room(self) -> None:
        for follower in self._open:
            if self._expendable(follower):
                self.close(follower)
                return
        raise TooManyOpenFiles(f"{self._limit} files are open and all are needed (COLLECTOR_MAX_OPEN_FILES)")
