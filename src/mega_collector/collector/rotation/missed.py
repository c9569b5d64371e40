"""Files that were gone before they could be opened: found again, or told of as lost if no copy has them."""

from dataclasses import replace

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
        self._missed: dict[Identity, tuple[bytes, int, bool]] = {}
        """Files that were gone when they were to be opened, and how many scans there were: the next may find them. And
        whether an archive of that name was done already, which is of another file then."""
        self._unread: list[tuple[Identity, Waiting, int]] = []
        """Files that were deleted while they waited, of which another has the inode, and how many scans there were."""

    @property
    def doubtful(self) -> bool:
        """Whether it is still to be seen if what was not found is gone."""
        return bool(self._missed or self._unread)

    def note(self, identity: Identity, path: bytes, waited: Waiting | None) -> None:
        """It is not there now, or another has its name."""
        if waited is not None and self.finds_again(identity, waited):
            return
        if waited is not None and self._left_copies.lies_on(identity, waited) and not self._is_standing(identity):
            return
        self._finder.hurry()
        self._missed[identity] = path, self._finder.scans, self._archives.are_of(path, done=True)

    def drop(self, identity: Identity) -> None:
        """It is there, or is looked at once more."""
        self._missed.pop(identity, None)

    def finds_again(self, identity: Identity, waiting: Waiting) -> bool:
        """Whether a file that waits and has lost its name has another one near it, or may have: it waits on."""
        try:
            path = self._siblings.find(waiting.path, identity[1], changed_ns=waiting.changed_ns)
        except OSError:
            path = waiting.path
            self._finder.hurry()
        if path is None:
            return False
        waiting.path = path
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
        if waiting.size and not (known or had):
            self._unread.append((identity, replace(waiting), self._finder.scans))
            self._finder.hurry()

    def tell(self) -> None:
        """What was gone when it was to be opened, and was not found by two scans since, is lost, if no archive has it.

        If something of it is remembered, that is to be sought.
        """
        if not self._sources.recollecting:
            self._tell_unread()
        for identity, (path, scans, archived) in list(self._missed.items()):
            if self._sources.follows(identity):
                # It was sought, and has a name that no pattern matches.
                del self._missed[identity]
            elif self._is_standing(identity):
                del self._missed[identity]
                self._search.begin_anew()
            elif self._sources.recollecting:
                continue
            elif self._finder.scans - scans > MISSES:
                del self._missed[identity]
                if archived or not self._archives.are_of(path):
                    source = self._sources.make(path, FileFacts(*identity, 0, 0), Marker(), None)
                    self._losses.end(source, 0, None, _UNOPENED)
            else:
                self._finder.hurry()

    def _tell_unread(self) -> None:
        for identity, waiting, scans in self._unread:
            if self._finder.scans - scans <= MISSES:
                self._finder.hurry()
            elif not self._left_copies.has_copy(waiting.path, waiting.entry(identity), waiting.size):
                source = self._sources.make(waiting.path, FileFacts(*identity, waiting.size, 0), Marker(), None)
                self._losses.end(source, 0, waiting.size, _UNOPENED)
        self._unread = [each for each in self._unread if self._finder.scans - each[2] <= MISSES]

    def _is_standing(self, identity: Identity) -> bool:
        """Whether something of it is remembered that has not ended."""
        return any(not self._endings.is_over(each.source_id) for each in self._remembered.standing(identity[1]))
