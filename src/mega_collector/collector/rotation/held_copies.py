"""Files that are perhaps copies: held open until it is seen whether they are, and what of them was shipped."""

import math
from dataclasses import replace

from mega_collector.collector.finding.finder import Finder
from mega_collector.collector.finding.roster import Identity
from mega_collector.collector.reading.file import File
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.open_files import OpenFiles, TooManyOpenFiles
from mega_collector.collector.recognition.copies import Copies
from mega_collector.collector.recognition.identity import head_of
from mega_collector.collector.recognition.remembered import Remembered
from mega_collector.collector.rotation.departures import Departures
from mega_collector.collector.rotation.search import Search
from mega_collector.collector.rotation.waiting import Waiting, WaitingFiles
from mega_collector.collector.sources.endings import Endings
from mega_collector.collector.sources.sources import Sources
from mega_collector.collector.sources.starts_at_end import StartsAtEnd
from mega_collector.collector.state.checkpoint import Entry


class HeldCopies:
    """Decides how long each waits, and what becomes of it when it is deleted meanwhile."""

    def __init__(
        self,
        *,
        finder: Finder,
        files: OpenFiles,
        remembered: Remembered,
        sources: Sources,
        endings: Endings,
        starts_at_end: StartsAtEnd,
        copies: Copies,
        departures: Departures,
        search: Search,
        waiting: WaitingFiles,
        rotate_wait: float,
        once: bool,
    ) -> None:
        self._finder = finder
        self._files = files
        self._remembered = remembered
        self._sources = sources
        self._endings = endings
        self._starts_at_end = starts_at_end
        self._copies = copies
        self._departures = departures
        self._search = search
        self._waiting = waiting
        self._rotate_wait = rotate_wait
        self._once = once

    def is_undecided(self, original: Entry) -> bool:
        """Whether the original may still be found by this first scan, waits itself, or is in flight as far as read."""
        found = None if original.ended else self._waiting.get((original.device, original.inode))
        waits = found is not None and found.until is None
        return not self._finder.scanned or waits or self._sources.is_coming(original)

    def wait_for(
        self,
        identity: Identity,
        path: bytes,
        file: File,
        original: Entry,
        *,
        size: int,
        now: float,
        waited: Waiting | None,
    ) -> None:
        """It waits until that is decided."""
        waiting = self._waits(path, size, now, waited, file=file, until=now)
        if size <= original.position:
            waiting.contained = original.source_id, size
        elif waited is not None:
            waiting.contained = waited.contained
        self._waiting.add(identity, path, waiting)

    def is_held(
        self,
        identity: Identity,
        path: bytes,
        file: File,
        *,
        size: int,
        now: float,
        waited: Waiting | None,
        lacks_original: bool,
    ) -> bool:
        """Whether it may be a copy, of which the original is not truncated yet.

        `lacks_original`: as `Newcomers` has it.
        """
        original = None if self._once else self._copies.lookalike(path, file)
        if original is None and lacks_original:
            self._waiting.add(identity, path, self._waits(path, size, now, waited, file=file, until=math.inf))
            return True
        if original is None:
            if waited is None or waited.until is None or waited.parted:
                return False
            # Its original was truncated just now, perhaps, which is to be seen while this one waits: nothing is lost.
            self._waiting.add(identity, path, replace(waited, path=path, size=size, file=file, parted=True))
            return True
        until = waited.until if waited is not None and waited.until != math.inf else None
        if waited is not None and waited.size != size and self._is_copied_now(original, file, size, waited):
            until = None
        if until is not None and now >= until and self._stays(original):
            return False
        if until is not None and now >= until and self._takes_the_place_of(original, size):
            # What it takes over it may go on from.
            self._endings.end(original)
            self._departures.let_go(original)
        until = now + self._rotate_wait if until is None else until
        contained = waited.contained if waited is not None else None
        if self._copies.is_beginning(original, file, size) and not self._copies.is_cut(original):
            contained = original.source.id, size
        waiting = self._waits(path, size, now, waited, file=file, until=until)
        waiting.contained = contained
        self._waiting.add(identity, path, waiting)
        return True

    def is_coming(self, path: bytes, file: File) -> bool:
        """Whether it is still to be seen how far its original was shipped: a copy is held open until then.

        That is in flight yet, has no name any more, or was truncated and is longer again.
        """
        try:
            entry, original = self._copies.original(path, file), self._copies.lookalike(path, file)
        except TooManyOpenFiles:
            return True
        except OSError:
            return False
        return (
            self._sources.is_coming(entry)
            if entry is not None
            else original is not None and (original.path is None or self._is_open(original))
        )

    def follow(self, path: bytes, file: File, now: float) -> None:
        """What was perhaps a copy was deleted: it is read to its end, unless all of it is in its original."""
        try:
            facts = file.facts()
            entry = self._copies.original(path, file)
            if facts is None:
                file.close()
                return
            _, end = as_begun(self._remembered.recognise(facts.inode, file, self._sources.taken))
            if entry is None and self._copies.is_contained(path, file, facts.size):
                if end is not None:
                    # It was a copy: it does not matter where it was to begin if it was none.
                    self._starts_at_end.forget(end)
                file.close()
                return
            if entry is not None and end is not None and entry is not end:
                self._starts_at_end.forget(end)
            entry = entry or (end and self._starts_at_end.begin_at(end))
            source = self._sources.make(path, facts, head_of(file), entry)
        except OSError:
            file.close()
            return
        follower = self._sources.follower(source, None, facts, now)
        self._files.keep(follower, file)
        self._sources.begin(follower, found=False)
        self._departures.add(follower, path)

    def is_copy_now(self, follower: Follower, name: bytes) -> bool:
        """Whether a file that was truncated or rewritten may be a copy of another now, in the place of one before.

        `name`: that which it has, or had last; then only by what was shipped of the other.
        """
        if self._once:
            return False
        try:
            if follower.path is not None and follower not in self._files:
                with self._files.looking_at(follower, name) as file:
                    return self._is_copy(follower, name, file)
            # Out of the others' way, of which some may have to be opened, and others closed.
            file = self._files.hand_over(follower)
            try:
                return self._is_copy(follower, name, file)
            finally:
                self._files.keep(follower, file)
        except OSError:
            return False

    def _is_copy(self, follower: Follower, name: bytes, file: File) -> bool:
        if self._copies.original(name, file) is not None:
            return True
        return self._copies.lookalike(name, file, own=follower) is not None

    def _waits(
        self, path: bytes, size: int, now: float, waited: Waiting | None, *, file: File, until: float
    ) -> Waiting:
        """As what it waits from now on, found when it was first."""
        if waited is None:
            return Waiting(path, size, self._finder.scans, now, file=file, until=until)
        return Waiting(path, size, waited.scan, waited.found_at, waited.changed_ns, waited.head, file, until)

    def _is_copied_now(self, original: Follower, file: File, size: int, waited: Waiting) -> bool:
        """Whether it is still being copied, or was just now, with the inode of what waited and was closed.

        What grows otherwise is no copy, however long the two begin alike.
        """
        begun = self._copies.is_begun(original, file, size)
        return begun or (waited.file is None and self._copies.is_beginning(original, file, size))

    def _takes_the_place_of(self, original: Follower, size: int) -> bool:
        """Whether that is gone and refused for good, so that nothing more comes of it, and the copy has all of it."""
        refused = original.path is None and self._sources.is_stopped(original)
        return refused and size >= original.size and not self._sources.recollecting

    def _stays(self, original: Follower) -> bool:
        """Whether it seems to be neither truncated nor removed, whatever the last scan has seen; or not to be told."""
        path = original.path
        there = path is not None and self._search.is_called(path, original.source.inode)
        return there and not self._sources.recollecting and not self._is_open(original)

    def _is_open(self, original: Follower) -> bool:
        """Whether it is not known yet how far it was shipped; or it was truncated, and is longer again than before.

        That is seen when it is read on. Of what is refused for good nothing is.
        """
        return (not original.settled or self._copies.is_cut(original)) and not self._sources.is_stopped(original)


def as_begun(known: Entry | None) -> tuple[Entry | None, Entry | None]:
    """What was shipped of it; or that it is to begin at its end, if this turns out to be no copy."""
    return (known, None) if known is None or not known.unconfirmed else (None, known)
