"""Under which name a file is found that has lost the one it had: another in the same directory, or in one below.

That is where rotations move it: logrotate(8), olddir.
"""

import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice

from mega_collector.collector.finding.rotated_names import plain
from mega_collector.collector.reading.file import Filesystem

_MOST = 100_000
"""Names of a directory that are kept for a moment, in about 20 MB; a larger one is listed for every file."""

_ALL = b""
"""No ending."""

_MOST_BELOW = 100
"""Directories below one that are looked into: what has more is no place where logs are rotated."""


class Siblings:
    """A directory is listed once a turn, however many files have lost their names there: thousands may rotate at once.

    Files are asked for once their names are lost, so that a listing of the same turn shows whichever they have now.
    """

    def __init__(self, disk: Filesystem, *, most: int = _MOST) -> None:
        self._disk = disk
        self._most = most
        self._listed: dict[bytes, dict[int, bytes]] = {}
        self._sorted: dict[bytes, dict[bytes, list[bytes]]] = {}
        self._below: dict[bytes, list[bytes]] = {}
        self._real: dict[bytes, bytes] = {}

    def forget(self) -> None:
        """The turn is over: names may change from here on."""
        self._listed.clear()
        self._sorted.clear()
        self._below.clear()
        self._real.clear()

    def home(self, path: bytes) -> bytes | None:
        """Where the file lies to which a path leads by links, be it the name or a directory; None if there are none."""
        home = self._disk.home(path)
        if home is not None:
            return home
        directory, name = os.path.split(path)
        real = self._real.get(directory)
        if real is None:
            real = self._real[directory] = self._disk.real(directory)
        return None if real == directory else os.path.join(real, name)  # noqa: PTH118 - bytes

    def home_of(self, inode: int, path: bytes, *, before: bytes | None = None) -> bytes | None:
        """As `home`, of that inode, which had the name a moment ago; `before` where a link was turned since."""
        home = self.home(path)
        return home if home is None or self._is_there(home, inode) else before

    def is_unmounted(self, path: bytes, device: int) -> bool:
        """Whether what has the place of that path now is on another device: then the file is not deleted."""
        return self._disk.device(path) not in (None, device)

    def find(self, path: bytes, inode: int, *, changed_ns: int = 0) -> bytes | None:
        """Another name in the directory of `path`, or in one below, by which that inode is found now.

        `changed_ns`: it was changed then, so that what was made later is another file.

        Raises:
            OSError: a directory cannot be listed now.
        """
        found = self._find_anywhere(path, inode)
        return None if found is None or self.is_another(found, inode, changed_ns) else found

    def is_another(self, path: bytes, inode: int, changed_ns: int) -> bool | None:
        """Whether what has that name and inode was made after that file was changed (0: nobody knows when).

        None: nothing has both now.
        """
        born = self.born(path, inode)
        return None if born is None else 0 < changed_ns < born

    def born(self, path: bytes, inode: int) -> int | None:
        """When the file of that name and inode was made, in nanoseconds; 0: nobody can tell; None: there is none."""
        return self._disk.born(path, inode)

    def _find_anywhere(self, path: bytes, inode: int) -> bytes | None:
        directory = os.path.dirname(path)  # noqa: PTH120 - bytes
        found = self._find_now(directory, inode)
        if found is not None:
            return found
        below = self._directories_below(directory)
        return next((found for each in below if (found := self._find_now(each, inode)) is not None), None)

    def names_near(self, path: bytes) -> Iterator[bytes]:
        """All that begins as `path` does, or as it does before its ending and, but for .gz, has that at its end, too.

        In its directory and in those below.

        Raises:
            OSError: a directory cannot be listed now.
        """
        directory, name = os.path.split(path)
        stem, dot, ending = name.rpartition(b".")
        for each in (directory, *self._directories_below(directory)):
            names, begin = self._names(each), os.path.join(each, name)  # noqa: PTH118 - bytes
            yield from _beginning(begin, names[_ALL])
            if stem:
                alike = _beginning(os.path.join(each, stem), names.get(dot + ending, ()))  # noqa: PTH118 - bytes
                yield from (near for near in alike if not near.startswith(begin))

    def _names(self, directory: bytes) -> dict[bytes, list[bytes]]:
        """All in a directory, in their order, and by their endings: thousands of files may be truncated at once."""
        names = self._sorted.get(directory)
        if names is None:
            every = sorted(path for _, path in self._disk.entries(directory))
            names = {_ALL: every}
            for path in every:
                _, dot, ending = plain(path).rpartition(b".")
                names.setdefault(dot + ending, []).append(path)
            if len(every) < self._most:
                self._sorted[directory] = names
        return names

    def _directories_below(self, directory: bytes) -> list[bytes]:
        below = self._below.get(directory)
        if below is None:
            below = self._below[directory] = list(islice(self._disk.below(directory), _MOST_BELOW))
        return below

    def _find_now(self, directory: bytes, inode: int) -> bytes | None:
        known = directory in self._listed
        found = self._find(directory, inode)
        if known and found is not None and not self._is_there(found, inode):
            # Renamed again since.
            del self._listed[directory]
            found = self._find(directory, inode)
        return found

    def _find(self, directory: bytes, inode: int) -> bytes | None:
        names = self._listed.get(directory)
        if names is not None:
            return names.get(inode)
        entries = self._disk.entries(directory)
        names = dict(islice(entries, self._most))
        if len(names) < self._most:
            self._listed[directory] = names
        return names.get(inode) or next((name for each, name in entries if each == inode), None)

    def _is_there(self, path: bytes, inode: int) -> bool:
        try:
            return self._disk.inode(path) == inode
        except OSError:
            return False


def _beginning(begin: bytes, names: Sequence[bytes]) -> Iterator[bytes]:
    """Those of the sorted names that begin so."""
    for at in range(bisect_left(names, begin), len(names)):
        if not names[at].startswith(begin):
            return
        yield names[at]
