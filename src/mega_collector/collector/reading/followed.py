"""The followed files, by what they are and by the sources as which they are shipped."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING

from mega_collector.block import Source
from mega_collector.collector.finding.rotated_names import root, roots
from mega_collector.collector.reading.follower import Follower

if TYPE_CHECKING:
    from mega_collector.collector.finding.roster import Identity


class Followed:
    """Every follower under its present source's id, which `in` asks for, and under its file's identity."""

    def __init__(self) -> None:
        self._by_identity: dict[Identity, Follower] = {}
        self._by_source: dict[bytes, Follower] = {}
        self._by_name: dict[bytes, tuple[Follower, ...]] = {}
        """Tuples: nearly all are of one, and a list takes twice the memory."""
        self._by_root: dict[bytes, dict[Follower, int]] | None = None
        """By what the names of all begin with that is made of them in a rotation; in the order of the numbers. None:
        nobody has asked yet, and where no archives are nobody will."""
        self._numbers = count()
        # As both are asked for each line of files that grow slowly, they are the dictionaries' own.
        self.get: Callable[[Identity], Follower | None] = self._by_identity.get
        """The follower of the file that a scan found."""
        self.of: Callable[[bytes], Follower | None] = self._by_source.get
        """The follower that is shipped as this source."""

    def __len__(self) -> int:
        return len(self._by_source)

    def __iter__(self) -> Iterator[Follower]:
        """All of them; what is added or removed meanwhile does not matter."""
        return iter(list(self._by_source.values()))

    def __contains__(self, source_id: object) -> bool:
        return source_id in self._by_source

    def named(self, path: bytes) -> Sequence[Follower]:
        """The followers of the files that had this name when they were found."""
        return self._by_name.get(path, ())

    def rotated_to(self, path: bytes) -> list[Follower]:
        """Those of whose file a rotation may have made the one of that name, and some others, in the order of all."""
        if self._by_root is None:
            self._by_root = {}
            for follower in self:
                self._note_root(self._by_root, follower)
        found = {each: at for name in roots(path) for each, at in self._by_root.get(name, {}).items()}
        return sorted(found, key=found.__getitem__)

    def add(self, follower: Follower, *, found: bool = True) -> None:
        """From now on it is followed. Unless it is `found`, no scan tells of it: it is an archive, or has vanished."""
        if found:
            self._by_identity[follower.identity] = follower
            path = follower.source.path
            self._by_name[path] = (*self._by_name.get(path, ()), follower)
        self._by_source[follower.source.id] = follower
        if self._by_root is not None:
            self._note_root(self._by_root, follower)

    def _note_root(self, by_root: dict[bytes, dict[Follower, int]], follower: Follower) -> None:
        by_root.setdefault(root(follower.source.path), {}).setdefault(follower, next(self._numbers))

    def remove(self, follower: Follower) -> None:
        if self._by_identity.get(follower.identity) is follower:
            del self._by_identity[follower.identity]
        self._forget(follower.source, follower)

    def replace(self, old: Source, follower: Follower) -> None:
        """The follower was shipped as `old` until now."""
        if follower.source is old:
            return
        self._forget(old, follower)
        self.add(follower, found=self._by_identity.get(follower.identity) is follower)

    def _forget(self, source: Source, follower: Follower) -> None:
        self._by_source.pop(source.id, None)
        if self._by_root is not None:
            name = root(source.path)
            alike = self._by_root.get(name, {})
            alike.pop(follower, None)
            if not alike:
                self._by_root.pop(name, None)
        namesakes = self._by_name.pop(source.path, ())
        others = tuple(each for each in namesakes if each is not follower)
        if others:
            self._by_name[source.path] = others
