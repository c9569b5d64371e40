"""Which file is which: a machine."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

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


@dataclass(frozen=True, slots=True)
class Appeared:
    """A file that is not followed has this name."""

    identity: Identity
    path: bytes


@dataclass(frozen=True, slots=True)
class Renamed:
    """A followed file is now found by this name; None: by none."""

    identity: Identity
    name: bytes | None


@dataclass(frozen=True, slots=True)
class _Passed:
    """A file that is passed over until its size or time changes from this."""

    path: bytes
    size: int
    mtime_ns: int


class Roster:
    """Compares what a scan found with what is followed, by device and inode, never by name.

    Two names of one inode are one file, which goes by the name that sorts first. A name that could not be looked at is
    not gone. A file has no name any more when two scans in a row found none: one scan alone may miss it, when it is
    renamed meanwhile. With `ignore_older`, files that were not written to for so many seconds when first seen are
    passed over until they change.
    """

    def __init__(self, *, ignore_older: float | None = None) -> None:
        self._ignore_older = ignore_older
        self._names: dict[Identity, bytes | None] = {}
        self._passed_over: dict[Identity, _Passed] = {}
        self._missed: set[Identity] = set()

    @property
    def doubtful(self) -> bool:
        """Whether the last scan missed a file that the one before had found: the next one tells."""
        return bool(self._missed)

    def follows(self, identity: Identity) -> bool:
        """Whether the file is followed."""
        return identity in self._names

    def __contains__(self, identity: Identity) -> bool:
        return identity in self._names or identity in self._passed_over

    def update(
        self, files: Mapping[bytes, Facts], unobservable: Collection[bytes], wall_clock_ns: int
    ) -> list[Appeared | Renamed]:
        """What a scan changes: `files` by path, `unobservable` the files and directories it could not look at."""
        names = _by_identity(files)
        changes: list[Appeared | Renamed] = []
        missed_before, self._missed = self._missed, set()
        for identity, path in self._names.items():
            found = names.get(identity)
            if found == path or (found is None and path is not None and is_hidden(path, unobservable)):
                continue
            if found is None and identity not in missed_before:
                self._missed.add(identity)
            else:
                changes.append(Renamed(identity, found))
        for identity, found in names.items():
            if identity not in self._names and not self._ignored(found, files[found], wall_clock_ns):
                changes.append(Appeared(identity, found))
        for identity, passed in list(self._passed_over.items()):
            if identity not in names and not is_hidden(passed.path, unobservable):
                del self._passed_over[identity]
        return changes

    def follow(self, identity: Identity, path: bytes | None) -> None:
        """The file is followed, by this name."""
        self._passed_over.pop(identity, None)
        self._names[identity] = path

    def forget(self, identity: Identity) -> None:
        """The file is not followed any more."""
        self._names.pop(identity, None)
        self._missed.discard(identity)

    def _ignored(self, path: bytes, facts: Facts, wall_clock_ns: int) -> bool:
        if self._ignore_older is None:
            return False
        identity = facts.device, facts.inode
        before = self._passed_over.get(identity)
        if before is None:
            ignored = wall_clock_ns - facts.mtime_ns > self._ignore_older * 1e9
        else:
            ignored = (before.size, before.mtime_ns) == (facts.size, facts.mtime_ns)
        if ignored:
            self._passed_over[identity] = _Passed(path, facts.size, facts.mtime_ns)
        return ignored


def _by_identity(files: Mapping[bytes, Facts]) -> dict[Identity, bytes]:
    names: dict[Identity, bytes] = {}
    for path, facts in files.items():
        identity = facts.device, facts.inode
        if identity not in names or path < names[identity]:
            names[identity] = path
    return names


def is_hidden(path: bytes, unobservable: Collection[bytes]) -> bool:
    """Whether a file may be there although it was not seen: it, or a directory above it, could not be looked at."""
    if not unobservable:
        return False
    return path in unobservable or any(path.startswith(each.rstrip(b"/") + b"/") for each in unobservable)
