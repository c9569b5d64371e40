"""Files that were gone before they could be opened: found again, or told of as lost if no copy has them."""

from dataclasses import dataclass, replace

from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.finding.finder import Finder
from mega_collector.collector.finding.roster import Identity
from mega_collector.collector.reading.siblings import Siblings
from mega_collector.collector.recognition.remembered import Remembered
from mega_collector.collector.rotation.archives import Archives
from mega_collector.collector.rotation.departures import Departures
from mega_collector.collector.rotation.left_copies import LeftCopies
from mega_collector.collector.rotation.search import MISSES, Search
from mega_collector.collector.rotation.waiting import Waiting, WaitingFiles
from mega_collector.collector.sources.endings import Endings
from mega_collector.collector.sources.losses import Losses
from mega_collector.collector.sources.sources import Sources
from mega_collector.marker import Marker

_UNOPENED = "it was deleted before it could be opened"


@dataclass(frozen=True, slots=True)
class _Gone:
    """A file that was gone when it was to be opened."""

    identity: Identity
    path: bytes
    scans: int
    """How many there were."""
    changed_ns: int
    """When it was last changed, as far as was seen; 0: that was not."""
    archived: bool
    """Whether an archive of that name was done already, which is of another file then."""


class Missed:
    """Keeps them in mind until it is seen what became of them."""

    def __init__(
        self,
        *,
        finder: Finder,
        siblings: Siblings,
        remembered: Remembered,
        sources: Sources,
        endings: Endings,
        archives: Archives,
        departures: Departures,
        losses: Losses,
        search: Search,
        waiting: WaitingFiles,
        left_copies: LeftCopies,
    ) -> None:
        self._finder = finder
        self._siblings = siblings
        self._remembered = remembered
        self._sources = sources
        self._endings = endings
        self._archives = archives
        self._departures = departures
        self._losses = losses
        self._search = search
        self._waiting = waiting
        self._left_copies = left_copies
        self._missed: dict[Identity, _Gone] = {}
        """Files that were gone when they were to be opened: the next scans may find them."""
        self._replaced: list[_Gone] = []
        """Those of which another has the inode."""
        self._unread: list[tuple[Identity, Waiting, int]] = []
        """Files that were deleted while they waited, of which another has the inode, and how many scans there were."""

    @property
    def doubtful(self) -> bool:
        """Whether it is still to be seen if what was not found is gone."""
        return bool(self._missed or self._replaced or self._unread)

    def note(self, identity: Identity, found: Waiting, *, new: bool) -> None:
        """It is not there now, or another has its name. `new`: it was just found, and has not waited."""
        if not new and self.finds_again(identity, found):
            return
        if not new and self._left_copies.lies_on(identity, found) and not self._is_standing(identity):
            return
        self._finder.hurry()
        archived = self._archives.are_of(found.path, done=True)
        self._missed[identity] = _Gone(identity, found.path, self._finder.scans, found.changed_ns, archived)

    def found(self, identity: Identity, path: bytes) -> None:
        """It is there, or is looked at once more; or another file has that name, and its inode."""
        gone = self._missed.pop(identity, None)
        if gone is not None and self._siblings.is_another(path, identity[1], gone.changed_ns):
            self._replaced.append(gone)

    def finds_again(self, identity: Identity, waiting: Waiting) -> bool:
        """Whether a file that waits and has lost its name has another one near it, or may have: it waits on."""
        try:
            path = self._siblings.find(waiting.path, identity[1], changed_ns=waiting.changed_ns)
        except OSError:
            path = waiting.path
            self._finder.hurry()
        if path is None:
            return False
        self._waiting.add(identity, path, waiting)
        return True

    def lose(self, identity: Identity, waiting: Waiting, now: float) -> None:
        """A file that waited has no name any more: what it held is lost, if no copy has it."""
        if self._left_copies.lies_on(identity, waiting):
            return
        device, inode = identity
        facts = FileFacts(device, inode, waiting.size, 0)
        entry = self._remembered.of(waiting.path, inode)
        source = self._sources.make(waiting.path, facts, Marker(), entry)
        follower = self._sources.follower(source, None, facts, now)
        self._departures.lost(follower, _UNOPENED)

    def note_unread(self, identity: Identity, waiting: Waiting) -> None:
        """Another has the inode of what waited, which was deleted: if no copy has it, it is lost.

        That is seen when the rotation is over, amid which it shows. If something of it is remembered, that is known
        when its source is settled.
        """
        known = self._is_standing(identity) or self._remembered.of(waiting.path, identity[1]) is not None
        had = self._left_copies.is_had(waiting)
        if not (known or had):
            self._unread.append((identity, replace(waiting), self._finder.scans))
            self._finder.hurry()

    def tell(self) -> None:
        """What was gone when it was to be opened, and was not found by two scans since, is lost, if no archive has it.

        If something of it is remembered, that is to be sought.
        """
        if not self._sources.recollecting:
            self._tell_unread()
        # What is followed was sought, and has a name that no pattern matches.
        missed = [each for each in self._missed.values() if not self._sources.follows(each.identity)]
        self._missed = {each.identity: each for each in missed if self._is_doubtful(each)}
        self._replaced = [each for each in self._replaced if self._is_doubtful(each)]

    def _is_doubtful(self, gone: _Gone) -> bool:
        """Whether it is still to be seen; if not, it is told."""
        if self._is_standing(gone.identity):
            self._search.begin_anew()
            return False
        if self._sources.recollecting:
            return True
        if self._finder.scans - gone.scans <= MISSES:
            self._finder.hurry()
            return True
        if gone.archived or not self._archives.are_of(gone.path):
            source = self._sources.make(gone.path, FileFacts(*gone.identity, 0, 0), Marker(), None)
            self._losses.end(source, 0, None, _UNOPENED)
        return False

    def _tell_unread(self) -> None:
        for identity, waiting, scans in self._unread:
            if self._finder.scans - scans <= MISSES:
                self._finder.hurry()
            elif not self._left_copies.has_copy(waiting.path, waiting.entry(identity), waiting.size):
                source = self._sources.make(waiting.path, FileFacts(*identity, waiting.size, 0), Marker(), None)
                self._losses.end(source, 0, waiting.size or None, _UNOPENED)
        self._unread = [each for each in self._unread if self._finder.scans - each[2] <= MISSES]

    def _is_standing(self, identity: Identity) -> bool:
        """Whether something of it is remembered that has not ended."""
        return any(not self._endings.is_over(each.source_id) for each in self._remembered.standing(identity[1]))
