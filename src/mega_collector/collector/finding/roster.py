"""Which file is which: a machine."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from mega_collector.collector.finding.passed_over import PassedOver

Identity = tuple[int, int]
"""Device and inode."""


class Facts(Protocol):
    """What a scan tells of a file."""

    @property
    def device(self) -> int: ...
    @property
    def inode(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def mtime_ns(self) -> int: ...
    @property
    def changed_ns(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Appeared:
    """A file that is not followed has this name."""

    identity: Identity
    path: bytes
    facts: Facts | None = field(default=None, compare=False)
    """As it was seen."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """A followed file is now found by this name; None: by none."""

    identity: Identity
    name: bytes | None


class Roster:
    """Compares what a scan found with what is followed, by device and inode, never by name.

    Two names of one inode are one file, which goes by the name that sorts first. A name that could not be looked at is
    not gone. A file has no name any more when two scans in a row found none: one scan alone may miss it, when it is
    renamed meanwhile. With `ignore_older`, files that were not written to for so many seconds when first seen are
    passed over until they change; but not those that were followed before, which `remembers` tells of inodes.
    """

    def __init__(
        self, *, ignore_older: float | None = None, remembers: Callable[[int], bool] = lambda _: False
    ) -> None:
        self._ignore_older = ignore_older
        self._remembers = remembers
        self._names: dict[Identity, bytes | None] = {}
        """Those that are followed, by what they go by."""
        self._found: dict[bytes, Identity] = {}
        self._found_as: dict[Identity, tuple[bytes, ...]] = {}
        """All names of each, sorted."""
        self._passed_over = PassedOver()
        self._missed: set[Identity] = set()
        self._unnamed: set[Identity] = set()
        # As both are asked for each line of files that grow slowly, they are the dictionaries' own.
        self.knows: Callable[[bytes], bool] = self._found.__contains__
        """Whether a file was last found by that name."""
        self.found: Callable[[bytes], Identity | None] = self._found.get
        """The file that was last found by that name."""
        self.follows: Callable[[Identity], bool] = self._names.__contains__
        """Whether the file is followed."""

    @property
    def names(self) -> list[bytes]:
        """By which files were last found. From any thread: a list of a dict is made at once."""
        return list(self._found)

    def finds(self, inode: int) -> bool:
        """Whether a file with that inode was last found by some name. Of all are asked: it is for what is rare."""
        return any(found == inode for _, found in self._found.values())

    @property
    def doubtful(self) -> bool:
        """Whether the last scan missed a file that the one before had found: the next one tells."""
        return bool(self._missed)

    @property
    def unsettled(self) -> bool:
        """Whether the last looks left a file without a name: its new one is told soon, or it is gone."""
        return bool(self._unnamed)

    def __contains__(self, identity: Identity) -> bool:
        return identity in self._names or identity in self._passed_over

    def update(
        self, files: Mapping[bytes, Facts], unobservable: Collection[bytes], wall_clock_ns: int
    ) -> list[Appeared | Renamed]:
        """What a scan changes: `files` by path, `unobservable` the files and directories it could not look at."""
        self._find(files)
        self._found_as = _by_identity(self._found)
        names = {identity: paths[0] for identity, paths in self._found_as.items()}
        changes: list[Appeared | Renamed] = []
        missed_before, self._missed = self._missed | self._unnamed, set()
        self._unnamed.clear()
        for identity, path in self._names.items():
            found = names.get(identity)
            if found == path or (found is None and path is not None and is_hidden(path, unobservable)):
                continue
            if found is None and identity not in missed_before:
                self._missed.add(identity)
            else:
                changes.append(Renamed(identity, found))
        for identity, found in names.items():
            if identity not in self._names and not self.passes_over(files[found], wall_clock_ns):
                changes.append(Appeared(identity, found, files[found]))
        self._passed_over.turn(keep=bool(unobservable))
        return changes

    def _find(self, files: Mapping[bytes, Facts]) -> None:
        """What is as it was keeps its objects, which others have too: of ten thousand files it is a megabyte."""
        found = self._found
        for path in found.keys() - files.keys():
            del found[path]
        for path, facts in files.items():
            identity = facts.device, facts.inode
            if found.get(path) != identity:
                found[path] = identity

    def passes_over(self, facts: Facts, wall_clock_ns: int) -> bool:
        """Whether a file that a scan finds need not be told to `update`: then nothing is kept of it but what it is."""
        identity = facts.device, facts.inode
        if identity in self._names or not self._ignored(identity, facts, wall_clock_ns):
            return False
        self._passed_over.find(identity, facts.size, facts.mtime_ns)
        return True

    def amend(self, files: Mapping[bytes, Facts | None], wall_clock_ns: int) -> list[Appeared | Renamed]:
        """What looks at some names change since the last scan: None for a name that nothing has any more."""
        touched: dict[Identity, Facts | None] = {}
        for path, facts in files.items():
            before = self._found.pop(path, None)
            if before is not None:
                touched.setdefault(before)
                self._name(before, [each for each in self._found_as[before] if each != path])
            if facts is not None:
                identity = self._found[path] = facts.device, facts.inode
                touched[identity] = facts
                self._name(identity, [*self._found_as.get(identity, ()), path])
        changes: list[Appeared | Renamed] = []
        for identity, facts in touched.items():
            names = self._found_as.get(identity)
            if identity in self._names:
                changes.extend(self._renamed(identity, None if names is None else names[0]))
            elif facts is not None and names is not None:
                if self._ignored(identity, facts, wall_clock_ns):
                    self._passed_over.add(identity, facts.size, facts.mtime_ns)
                else:
                    changes.append(Appeared(identity, names[0], facts))
        return changes

    def settle(self) -> list[Renamed]:
        """Files that an earlier `amend` has left without a name, and whose new one was not told meanwhile."""
        changes = [Renamed(identity, None) for identity in self._unnamed]
        self._unnamed.clear()
        return changes

    def follow(self, identity: Identity, path: bytes | None) -> None:
        """The file is followed, by this name."""
        self._names[identity] = path

    def forget(self, identity: Identity) -> None:
        """The file is not followed any more."""
        self._names.pop(identity, None)
        self._missed.discard(identity)
        self._unnamed.discard(identity)

    def _name(self, identity: Identity, paths: Collection[bytes]) -> None:
        if paths:
            self._found_as[identity] = tuple(sorted(paths))
        else:
            del self._found_as[identity]

    def _renamed(self, identity: Identity, found: bytes | None) -> Iterator[Renamed]:
        self._unnamed.discard(identity)
        self._missed.discard(identity)
        if found is None and self._names[identity] is not None:
            # A rename is told in two parts, and the second may be still to come.
            self._unnamed.add(identity)
        elif found != self._names[identity]:
            yield Renamed(identity, found)

    def _ignored(self, identity: Identity, facts: Facts, wall_clock_ns: int) -> bool:
        if self._ignore_older is None or self._remembers(facts.inode):
            return False
        changed = self._passed_over.changed(identity, facts.size, facts.mtime_ns)
        return wall_clock_ns - facts.mtime_ns > self._ignore_older * 1e9 if changed is None else not changed


def _by_identity(found: Mapping[bytes, Identity]) -> dict[Identity, tuple[bytes, ...]]:
    names: dict[Identity, tuple[bytes, ...]] = {}
    for path, identity in found.items():
        before = names.get(identity)
        names[identity] = (path,) if before is None else tuple(sorted((*before, path)))
    return names


def is_hidden(path: bytes, unobservable: Collection[bytes]) -> bool:
    """Whether a file may be there although it was not seen: it, or a directory above it, could not be looked at."""
    if not unobservable:
        return False
    return path in unobservable or any(path.startswith(each.rstrip(b"/") + b"/") for each in unobservable)
