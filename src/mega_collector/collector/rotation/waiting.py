"""Files that are found and wait: for a descriptor, or until it is seen what they are copies of."""

import errno
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass

from mega_collector.collector.finding.finder import Finder
from mega_collector.collector.finding.roster import Identity
from mega_collector.collector.finding.rotated_names import originals, uncopied
from mega_collector.collector.reading.file import File
from mega_collector.collector.reading.lag import Hold, Seen
from mega_collector.collector.reading.open_files import OpenFiles
from mega_collector.collector.recognition.copies import Copies
from mega_collector.collector.state.checkpoint import Entry
from mega_collector.marker import Marker

_UNKNOWN = Marker()


@dataclass(slots=True)
class Waiting:
    """A file that could not be opened because too many were; or that is perhaps a copy, until then."""

    path: bytes
    size: int
    scan: int
    """How many scans there were when it was found."""
    found_at: float
    """When that was: what is found later may be its copy."""
    changed_ns: int = 0
    """When it was last changed, as far as was seen: what has its inode and was made later is another file."""
    head: Marker = _UNKNOWN
    """How it began then, as far as could be seen by a glance: a copy of it begins so too."""
    file: File | None = None
    """Open, if it is perhaps a copy, so that it is there though it is deleted; but for those that are too many."""
    until: float | None = None
    contained: tuple[bytes, int] | None = None
    """The source that held all of it when that was looked at last, and how many bytes that was."""
    parted: bool = False
    """Whether it looked like no copy any more when it was looked at last."""

    def entry(self, identity: Identity) -> Entry:
        """What is known of what it holds: nothing of it was read."""
        return Entry(b"", self.path, *identity, self.head, 0, _UNKNOWN)


class WaitingFiles:
    """Those that wait, by what they are: the finder tells of them as of what is followed."""

    def __init__(self, *, finder: Finder, files: OpenFiles, copies: Copies) -> None:
        self._finder = finder
        self._files = files
        self._copies = copies
        self._waiting: dict[Identity, Waiting] = {}
        self._by_name: dict[bytes, Identity] = {}
        self._by_original: dict[bytes, list[Waiting]] | None = None
        """What is perhaps a copy of what has that name; None: that has changed."""
        files.give_up = self._give_one_up

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Identity]:
        """All of them; what is added or removed meanwhile does not matter."""
        return iter(list(self._waiting))

    def __contains__(self, identity: object) -> bool:
        return identity in self._waiting

    def __getitem__(self, identity: Identity) -> Waiting:
        return self._waiting[identity]

    def get(self, identity: Identity) -> Waiting | None:
        """The file, if it waits."""
        return self._waiting.get(identity)

    def named(self, path: bytes) -> Identity | None:
        """The one that waits under that name, which no pattern need find."""
        return self._by_name.get(path)

    @property
    def copies(self) -> set[bytes]:
        """The names of those that are perhaps copies."""
        return {each.path for each in self._waiting.values() if each.until is not None}

    @property
    def crowded(self) -> bool:
        """Whether one waits for a descriptor."""
        return any(each.until is None for each in self._waiting.values())

    def holds(self, entry: Entry) -> bool:
        """Whether one has all that was shipped of a source: that goes on there, if it has ended."""
        return self.hold_copy(entry.path, entry, entry.position)

    def hold_copy(self, path: bytes, entry: Entry, size: int, *, since: float = -math.inf) -> bool:
        """Whether one may be a copy of what has that name: it begins as is remembered, and has so many bytes.

        And was found after `since`. It may have been deleted since it was found.
        """
        if self._by_original is None:
            self._by_original = {}
            for each in self._waiting.values():
                for name in originals(each.path):
                    self._by_original.setdefault(name, []).append(each)
        named = (each for each in self._by_original.get(uncopied(path), ()) if each.found_at > since)
        return any(self._has_all(each, entry, size) for each in named)

    def _has_all(self, waiting: Waiting, entry: Entry, size: int) -> bool:
        if waiting.file is not None:
            return self._copies.has_all(waiting.file, entry, size)
        try:
            with self._files.looking(waiting.path) as file:
                return self._copies.has_all(file, entry, size)
        except OSError:
            return False

    def add(self, identity: Identity, path: bytes, waiting: Waiting) -> None:
        """From now on it waits, under that name; its file is closed if too many are open already."""
        if waiting.file is not None and self._waiting.get(identity) is not waiting and not self._files.hold():
            waiting.file.close()
            waiting.file = None
        if identity in self._waiting:
            self._forget_name(identity)
        waiting.path = path
        self._waiting[identity] = waiting
        self._by_name[path] = identity
        self._by_original = None
        self._finder.follow(identity, path)

    def _give_one_up(self) -> bool:
        """Close one that is held open and still has a name, as what is followed has no descriptor left."""
        for each in self._waiting.values():
            if each.file is not None and _is_linked(each.file):
                each.file.close()
                each.file = None
                self._files.release()
                return True
        return False

    def remove(self, identity: Identity) -> Waiting:
        """It waits no more."""
        self._finder.forget(identity)
        return self.take(identity)

    def take(self, identity: Identity) -> Waiting:
        """It is judged anew: meanwhile the finder tells of it on, and keeps in mind that it was missed, perhaps."""
        self._by_original = None
        self._forget_name(identity)
        waiting = self._waiting.pop(identity)
        if waiting.file is not None:
            self._files.release()
        return waiting

    def _forget_name(self, identity: Identity) -> None:
        name = self._waiting[identity].path
        if self._by_name.get(name) == identity:
            del self._by_name[name]

    def behind(self) -> Iterator[Seen]:
        """Those that cannot be opened at present."""
        for identity, each in self._waiting.items():
            if each.until is None:
                yield Seen(identity, each.path, each.size, 0, Hold.UNREADABLE, os.strerror(errno.EMFILE))

    def close(self) -> None:
        """Close what is held open."""
        for each in self._waiting.values():
            if each.file is not None:
                each.file.close()


def _is_linked(file: File) -> bool:
    try:
        facts = file.facts()
    except OSError:
        return False
    return facts is not None and facts.links > 0
