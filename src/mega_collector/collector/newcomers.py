"""Files that are followed from now on: those that appear, and those that are remembered."""

import errno
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import structlog

from mega_collector.block import Source
from mega_collector.collector.archives import Archives
from mega_collector.collector.checkpoint import Entry
from mega_collector.collector.copies import Copies
from mega_collector.collector.departures import Departures
from mega_collector.collector.discovery import FileFacts
from mega_collector.collector.file import File, Filesystem
from mega_collector.collector.finder import Finder
from mega_collector.collector.follower import Follower
from mega_collector.collector.identity import agrees, head_of
from mega_collector.collector.lag import Hold, Seen
from mega_collector.collector.losses import Losses
from mega_collector.collector.open_files import OpenFiles, TooManyOpenFiles
from mega_collector.collector.remembered import Remembered, entry_of
from mega_collector.collector.roster import Identity
from mega_collector.collector.rotated_names import originals
from mega_collector.collector.siblings import Siblings
from mega_collector.collector.sources import Sources
from mega_collector.marker import Marker

_MISSES = 2
"""Scans in a row: one that runs beside a rename may see a file under neither name. The one that has found it is counted
only when all of it is told, and is none of them."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Waiting:
    """A file that could not be opened because too many were; or that is perhaps a copy, until then."""

    path: bytes
    size: int
    scan: int
    """How many scans there were when it was found."""
    file: File | None = None
    """Open, if it is perhaps a copy."""
    until: float | None = None
    contained: tuple[bytes, int] | None = None
    """The source that held all of it when that was looked at last, and how many bytes that was."""
    parted: bool = False
    """Whether it looked like no copy any more when it was looked at last."""


class Newcomers:
    """Opens what appears and begins to follow it."""

    def __init__(
        self,
        *,
        finder: Finder,
        files: OpenFiles,
        disk: Filesystem,
        siblings: Siblings,
        remembered: Remembered,
        sources: Sources,
        archives: Archives,
        copies: Copies,
        departures: Departures,
        losses: Losses,
        rotate_wait: float,
        start_at_end: bool,
        once: bool,
    ) -> None:
        self._finder = finder
        self._files = files
        self._disk = disk
        self._siblings = siblings
        self._remembered = remembered
        self._sources = sources
        self._archives = archives
        self._copies = copies
        self._departures = departures
        self._losses = losses
        self._rotate_wait = rotate_wait
        self._start_at_end = start_at_end
        self._once = once
        self._waiting: dict[Identity, _Waiting] = {}
        self._copies_of: dict[bytes, list[_Waiting]] | None = None
        """What waits and is perhaps a copy of what has that name; None: that has changed."""
        self._failing: dict[Identity, tuple[bytes, str]] = {}
        """Files that could not be opened or read, and why."""
        self._missed: dict[Identity, tuple[bytes, int, bool]] = {}
        """Files that were gone when they were to be opened, and how many scans there were: the next may find them. And
        whether an archive of that name was done already, which is of another file then."""
        self._doubted: dict[bytes, tuple[bool, int]] = {}
        """Likewise, remembered sources whose file was not found; and whether something had its name and inode."""
        self._sought: set[bytes] = set()
        """Remembered sources whose fate is known: they may be remembered on, to be recognised."""
        self._theirs: set[bytes] = set()
        """What was recollected while another process was connected, whose it may be."""
        self._gone: set[bytes] = set()
        """Those that were not found before all was recollected: a copy or an archive may turn out to be theirs."""
        self._looked_for: set[bytes] = set()
        """Those of which all is known that there is to know, until all are that are sought now: a doubt of one must not
        begin anew while there is one of another."""
        self._crowded = self._crowding = False
        """Whether too many files were open lately; and since the last poll."""

    @property
    def waiting(self) -> bool:
        """Whether a file waits to be opened."""
        return bool(self._waiting)

    @property
    def copies(self) -> set[bytes]:
        """The names of those that are perhaps copies."""
        return {each.path for each in self._waiting.values() if each.until is not None}

    def holds(self, entry: Entry) -> bool:
        """Whether one of them has all that was shipped of a source that has ended: that goes on there."""
        return bool(self._waiting_copies(entry.path, entry, entry.position))

    @property
    def doubtful(self) -> bool:
        """Whether it is still to be seen if what was not found is gone."""
        return bool(self._doubted or self._missed)

    def __contains__(self, identity: Identity) -> bool:
        """Whether the file waits to be opened."""
        return identity in self._waiting

    # What the finder tells

    def appeared(self, identity: Identity, path: bytes, now: float) -> None:
        """A file is found that is not followed."""
        self._open(identity, path, now, None)

    def take_over(self, identity: Identity, path: bytes, file: File, now: float) -> None:
        """A file that was followed, and is open, is judged anew."""
        self._open(identity, path, now, _Waiting(path, 0, self._finder.scans or 1, file))

    def _open(self, identity: Identity, path: bytes, now: float, waited: _Waiting | None) -> None:
        self._missed.pop(identity, None)
        self._failing.pop(identity, None)
        try:
            file = waited.file if waited is not None and waited.file is not None else self._files.open(path)
        except TooManyOpenFiles as error:
            self._wait(identity, path, _Waiting(path, waited.size if waited else 0, self._scan_of(waited)))
            self.warn_of_crowd(error)
            return
        except FileNotFoundError:
            if waited is not None and self._finds_again(identity, waited):
                return
            self._finder.hurry()
            self._missed[identity] = path, self._finder.scans, self._archives.are_of(path, done=True)
            return
        except OSError as error:
            self._failing[identity] = path, _words(error)
            self._finder.warn(path, error, "cannot_open")
            return
        try:
            kept = self._take(identity, path, file, now, waited)
        except OSError as error:
            self._failing[identity] = path, _words(error)
            self._finder.warn(path, error, "cannot_read")
            kept = False
        if not kept:
            file.close()

    def seen(self, identity: Identity, size: int, now: float) -> None:
        """A file that waits has this size now."""
        waiting = self._waiting[identity]
        if size != waiting.size and waiting.until is not None:
            # It is still being copied, or tells by what was written that it is no copy.
            self._try_again(identity, now)
        else:
            waiting.size = size

    def renamed(self, identity: Identity, name: bytes | None, now: float) -> None:
        """A file that waits to be opened has another name now, or none."""
        waiting = self._waiting[identity]
        if name is not None:
            waiting.path = name
            self._wait(identity, name, waiting)
            return
        if self._finds_again(identity, waiting):
            return
        if waiting.file is not None and self._is_coming(waiting.path, waiting.file):
            self._wait(identity, waiting.path, waiting)
            return
        self._wait_no_more(identity)
        if waiting.file is not None:
            self._follow_copy(waiting.path, waiting.file, now)
            return
        device, inode = identity
        facts = FileFacts(device, inode, waiting.size, 0)
        entry = self._remembered.of(waiting.path, inode)
        older = partial(self._is_older, waiting.scan)
        if self._copies.lies_near(waiting.path, entry, waiting.size, since=now, older=older):
            return
        source = self._sources.make(waiting.path, facts, Marker(), entry)
        follower = self._follower(source, None, facts, now)
        self._departures.lost(follower, "it was deleted before it could be opened")

    def leave_out(self, outputs: Collection[Identity]) -> None:
        """The aggregator writes to these files: they are not to be followed."""
        for identity in outputs:
            self._failing.pop(identity, None)
            if identity in self._waiting:
                waiting = self._wait_no_more(identity)
                if waiting.file is not None:
                    waiting.file.close()

    def poll(self, now: float) -> None:
        """Open what waits: other files may have been closed since, the original of a copy truncated, a mode changed."""
        for identity, (path, _) in list(self._failing.items()):
            self.appeared(identity, path, now)
        self._crowded, self._crowding = self._crowding or self._is_crowded, False
        for identity in list(self._waiting):
            self._try_again(identity, now)
            if self._crowding:
                return

    def holds_copy_of(self, follower: Follower) -> bool:
        """Whether a file waits that may be a copy of one that was truncated, or lies there, and is found next."""
        if not follower.shrunk_by:
            return False
        entry, size = self._sources.expected(follower) or entry_of(follower), follower.position + follower.shrunk_by
        if self._lies_copy(follower, entry, size) or self._waiting_copies(follower.source.path, entry, size):
            return True
        return entry.position > 0 and self._was_cut_twice(follower, entry, size)

    def _was_cut_twice(self, follower: Follower, entry: Entry, size: int) -> bool:
        """Whether there is a copy that ends before what was seen: that was written when the file had been truncated.

        Then it is told as lost, though another copy may have it; of what was read, nothing is.
        """
        path, position = follower.source.path, entry.position
        if not (self._lies_copy(follower, entry, position) or self._waiting_copies(path, entry, position)):
            return False
        source = self._sources.make(path, FileFacts(*follower.identity, size, 0), Marker(), None)
        self._losses.end(source, 0, size, "the file was truncated before it was read")
        return True

    def _lies_copy(self, follower: Follower, entry: Entry, size: int) -> bool:
        path, since = follower.source.path, follower.begun_at
        return self._copies.lies_near(path, entry, size, since=since, older=self._is_known)

    def _waiting_copies(self, path: bytes, entry: Entry, size: int) -> list[_Waiting]:
        """Those that may be copies of what has that name; they may have been deleted since they were found."""
        if self._copies_of is None:
            self._copies_of = {}
            for each in self._waiting.values():
                for name in originals(each.path):
                    self._copies_of.setdefault(name, []).append(each)
        waiting = ((each, each.file) for each in self._copies_of.get(path, ()))
        return [each for each, file in waiting if file is not None and self._copies.has_all(file, entry, size)]

    def _is_known(self, facts: FileFacts) -> bool:
        """Whether that was there before, and is not what was just made of another file."""
        identity = facts.device, facts.inode
        return self._finder.passes_over(identity) or self._archives.is_known(facts)

    def _is_older(self, scan: int, facts: FileFacts) -> bool:
        """Likewise, or whether that was found no later than what that scan found."""
        waiting = self._waiting.get((facts.device, facts.inode))
        return self._is_known(facts) or (waiting is not None and waiting.scan <= scan)

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
        return follower.path is not None and self._copies.lookalike(name, file, own=follower) is not None

    def tell_missed(self) -> bool:
        """What was gone when it was to be opened, and was not found by two scans since, is lost, if no archive has it.

        Whether something of it is remembered: then that is to be sought, again if it had its name when it was before.
        """
        remembered = False
        for identity, (path, scans, archived) in list(self._missed.items()):
            if any(not self._sources.is_over(each.source_id) for each in self._remembered.standing(identity[1])):
                del self._missed[identity]
                self._looked_for.clear()
                remembered = True
            elif self._sources.recollecting:
                continue
            elif self._finder.scans - scans > _MISSES:
                del self._missed[identity]
                if archived or not self._archives.are_of(path):
                    source = self._sources.make(path, FileFacts(*identity, 0, 0), Marker(), None)
                    self._losses.end(source, 0, None, "it was deleted before it could be opened")
            else:
                self._finder.hurry()
        return remembered

    def behind(self) -> Iterator[Seen]:
        """What cannot be opened at present. Of how many bytes it has nothing is said where nobody could look."""
        for identity, (path, why) in self._failing.items():
            yield Seen(identity, path, 0, 0, Hold.UNREADABLE, why)
        for identity, waiting in self._waiting.items():
            if waiting.until is None:
                yield Seen(identity, waiting.path, waiting.size, 0, Hold.UNREADABLE, os.strerror(errno.EMFILE))

    def close(self) -> None:
        """Close what is held open."""
        for waiting in self._waiting.values():
            if waiting.file is not None:
                waiting.file.close()

    def warn_of_crowd(self, error: TooManyOpenFiles) -> None:
        """Say that there are too many open files, once for as long as there are."""
        if not self._crowded:
            _log.warning("too_many_open_files", error=error.strerror)
        self._crowded = self._crowding = True

    @property
    def _is_crowded(self) -> bool:
        return any(waiting.until is None for waiting in self._waiting.values())

    # What is remembered

    def wanted(self, entries: Iterable[Entry]) -> list[Entry]:
        """Of what the aggregator remembers, what is of files that are wanted here, and more than is known of them.

        Or whoever is the aggregator could have any file read.
        """
        return [each for each in entries if self._finder.matches(each.path) and self._sources.is_news(each)]

    def recollect(self, entries: Sequence[Entry], now: float, *, others: bool) -> None:
        """The aggregator has told what it remembers: what was found before that is recognised now, and may begin.

        `others`: what has not ended of it may be another process's, and is not sought.
        """
        for entry in self.wanted(entries):
            # More is known: what was found may not be it after all.
            self._sought.discard(entry.source_id)
            if self._sources.recollect(entry) and others and not entry.ended:
                self._theirs.add(entry.source_id)
        for follower, error in self._sources.reconsider().items():
            if follower.path is not None and self._sources.expected(follower) is None:
                # It is found anew, when it can be read.
                self._failing[follower.identity] = follower.path, _words(error)
                self._departures.let_go(follower)
        self._gone.clear()
        self._looked_for.clear()
        self._sources.ask_again()
        self.poll(now)

    def seek_remembered(self, now: float) -> bool:
        """After the first scan: what became of the files that are remembered and were not found.

        False: not all of them could be looked at, or some may only have been missed. It is to be called again.
        """
        known = self._sought | self._theirs | self._gone | self._looked_for
        unknown = (each for each in self._remembered if each.source_id not in known)
        sought = [each for each in unknown if not self._sources.is_over(each.source_id)]
        left = self._seek(sought, now)
        if left:
            self._looked_for.update({each.source_id for each in sought} - {each.source_id for each in left})
        else:
            self._looked_for.clear()
        return not left

    def seek_strangers(self, strangers: Iterable[Entry], now: float) -> list[Entry]:
        """Likewise of those that only the aggregator remembers; those for which it is to be called again."""
        # Its file may have been found since the aggregator was asked, or told as gone: then it is no stranger any more.
        unknown = self._sources.unknown(strangers)
        return self._seek([each for each in unknown if each.source_id not in self._sought], now)

    def _seek(self, entries: Iterable[Entry], now: float) -> list[Entry]:
        """Those of which it is not known yet what became of their files."""
        doubted, self._doubted = self._doubted, {}
        left = [
            each
            for each in entries
            if not self._finder.hidden(each.path) and not self._finds_out(each, now, doubted.get(each.source_id))
        ]
        if self._doubted:
            self._finder.hurry()
        return left

    def _finds_out(self, entry: Entry, now: float, doubted: tuple[bool, int] | None) -> bool:
        """`doubted`: as it was left the last time. A scan beside a rename may have missed it."""
        try:
            if not entry.ended:
                return self._is_found_or_gone(entry, now, doubted)
            if entry.trailer.length and not self._archives.know(entry):
                self._sources.conclude(entry)
        except TooManyOpenFiles as error:
            self.warn_of_crowd(error)
            return False
        except OSError as error:
            self._finder.warn(entry.path, error, "cannot_look")
            return False
        return True

    def _is_found_or_gone(self, entry: Entry, now: float, doubted: tuple[bool, int] | None) -> bool:
        named = self._has_its_name(entry)
        path = None if named else self._beside(entry)
        if path is not None and self._follow_nameless(entry, path, now):
            return True
        since = doubted[1] if doubted is not None and doubted[0] == named else self._finder.scans
        if self._finder.scans - since < _MISSES:
            self._doubted[entry.source_id] = named, since
            return False
        if named and self._sources.follow_now(entry):
            return self._tells_gone(entry, now, "it was truncated or rewritten while the collector was stopped")
        # Where it has its name, no pattern matches that any more.
        return named or self._tells_gone(entry, now, "it vanished while the collector was stopped")

    def _beside(self, entry: Entry) -> bytes | None:
        """The name that its file has now, where it lay or where a link leads that led to it."""
        if entry.source_id not in self._remembered and not self._finder.matches(entry.path):
            # Or whoever is the aggregator could have any file read.
            return None
        path, home = self._siblings.find(entry.path, entry.inode), self._siblings.home(entry.path)
        return path if path is not None or home is None else self._siblings.find(home, entry.inode)

    def _has_its_name(self, entry: Entry) -> bool:
        """As far as can be seen."""
        try:
            return self._disk.inode(entry.path) == entry.inode
        except OSError:
            return True

    def _tells_gone(self, entry: Entry, now: float, reason: str) -> bool:
        """What was written to it behind its position cannot be had any more, unless all of it is in an archive.

        False: that is still to be seen.
        """
        if self._sources.recollecting:
            self._gone.add(entry.source_id)
            return True
        if self._archives.end_with(entry):
            self._sources.conclude(entry)
            return True
        if self._archives.looks_once_more(entry):
            return False
        if entry.source_id not in self._remembered:
            # Nor is it from now on: there may be any number of them.
            self._sources.lose(entry, reason)
            return True
        facts = FileFacts(entry.device, entry.inode, entry.position, 0)
        source = self._sources.make(entry.path, facts, entry.head, entry)
        self._sought.add(entry.source_id)
        self._departures.lost(self._follower(source, None, facts, now), reason)
        return True

    def _follow_nameless(self, entry: Entry, path: bytes, now: float) -> bool:
        """Whether the file is the one that is sought: it is read to its end, though no pattern matches its name.

        Raises:
            OSError: it cannot be opened or read now.
        """
        try:
            file = self._files.open(path)
        except FileNotFoundError:
            return False
        try:
            facts = file.facts()
            if facts is None or self._sources.follows((facts.device, facts.inode)) or not _is(entry, file, facts):
                file.close()
                return False
            source = self._sources.make(entry.path, facts, head_of(file), entry)
        except OSError:
            file.close()
            raise
        follower = self._follower(source, None, facts, now)
        # Perhaps a scan had found it by the name that it has lost since.
        self._missed.pop(follower.identity, None)
        self._files.keep(follower, file)
        self._finder.follow(follower.identity, None)
        self._sources.begin(follower)
        self._sought.add(entry.source_id)
        self._departures.add(follower, path)
        return True

    # Opening

    def _take(self, identity: Identity, path: bytes, file: File, now: float, waited: _Waiting | None) -> bool:
        """Whether the open file is kept."""
        facts = file.facts()
        if facts is None or (facts.device, facts.inode) != identity:
            # Replaced since the scan: the next one finds what is there now.
            self._missed[identity] = path, self._finder.scans, self._archives.are_of(path, done=True)
            self._finder.hurry()
            return False
        # The very objects that the scan has found: at ten thousand files, numbers take a megabyte.
        facts = facts._replace(device=identity[0], inode=identity[1])
        if self._archives.appeared(identity, path, file, skip=self._start_at_end and self._is_first(waited)):
            return False
        known = self._remembered.recognise(facts.inode, file, self._sources.taken)
        known = known or self._departures.come_back(facts.inode, file)
        if known is not None and not self._may_be(known, path):
            # Nor is anything known to be lost of that.
            self._sources.conclude(known)
            known = None
        entry = known
        if known is None or known.empty:
            # Another file may have the inode by now of what was empty.
            entry = self._copies.original(path, file)
            if entry is None and waited is not None and waited.contained is not None:
                source_id, size = waited.contained
                entry = self._copies.exceeded(source_id, file, size) if 0 < size == facts.size else None
            if entry is not None and (not self._finder.scanned or self._sources.is_coming(entry)):
                # The original may still be found by this first scan, or what was read of it is in flight.
                waiting = _Waiting(path, facts.size, self._scan_of(waited), file, until=now)
                waiting.contained = waited.contained if waited is not None else None
                self._wait(identity, path, waiting)
                return True
        if entry is None and self._is_held(identity, path, file, size=facts.size, now=now, waited=waited):
            return True
        entry = entry or known
        rewritten = entry is None and self._remembered.of(path, facts.inode) is not None
        if entry is None and self._start_at_end and self._is_first(waited):
            entry = self._sources.at_end(path, facts, file)
        source = self._sources.make(path, facts, head_of(file), entry)
        follower = self._follower(source, path, facts, now)
        follower.home = self._siblings.home_of(facts.inode, path)
        follower.nuls_at_head = rewritten
        self._files.keep(follower, file)
        self._finder.follow(identity, path)
        self._sources.begin(follower)
        return True

    def _may_be(self, known: Entry, path: bytes) -> bool:
        """Whether that can have this name now: of what was empty nothing else tells what was given its inode since."""
        if not known.empty:
            return True
        related = not {path, *originals(path)}.isdisjoint((known.path, *originals(known.path)))
        return related or self._has_its_name(known)

    def _follower(self, source: Source, path: bytes | None, facts: FileFacts, now: float) -> Follower:
        follower = Follower(
            source, path=path, size=facts.size, changed_ns=facts.changed_ns, now=now, rotate_wait=self._rotate_wait
        )
        follower.linked = facts.links > 1
        return follower

    def _try_again(self, identity: Identity, now: float) -> None:
        waited = self._wait_no_more(identity)
        self._open(identity, waited.path, now, waited)

    def _scan_of(self, waited: _Waiting | None) -> int:
        """How many scans there were before that which found it."""
        return waited.scan if waited is not None else self._finder.scans

    def _is_first(self, waited: _Waiting | None) -> bool:
        """Whether the first scan found it."""
        return not self._scan_of(waited)

    def _wait(self, identity: Identity, path: bytes, waiting: _Waiting) -> None:
        self._waiting[identity] = waiting
        self._copies_of = None
        self._finder.follow(identity, path)

    def _wait_no_more(self, identity: Identity) -> _Waiting:
        self._copies_of = None
        self._finder.forget(identity)
        return self._waiting.pop(identity)

    def _finds_again(self, identity: Identity, waiting: _Waiting) -> bool:
        """Whether a file that waits and has lost its name has another one near it, or may have: it waits on."""
        try:
            path = self._siblings.find(waiting.path, identity[1])
        except OSError:
            path = waiting.path
            self._finder.hurry()
        if path is None:
            return False
        waiting.path = path
        self._wait(identity, path, waiting)
        return True

    def _is_coming(self, path: bytes, file: File) -> bool:
        """Whether it is still to be seen how far its original was shipped: a copy is held open until then.

        That is in flight yet, has no name any more, or was truncated and is longer again.
        """
        try:
            entry, original = self._copies.original(path, file), self._copies.lookalike(path, file)
        except OSError:
            return False
        return (
            self._sources.is_coming(entry)
            if entry is not None
            else original is not None and (original.path is None or self._is_open(original))
        )

    def _follow_copy(self, path: bytes, file: File, now: float) -> None:
        """What was perhaps a copy was deleted: it is read to its end, unless all of it is in its original."""
        try:
            facts = file.facts()
            entry = self._copies.original(path, file)
            if facts is None or (entry is None and self._copies.is_contained(path, file, facts.size)):
                file.close()
                return
            source = self._sources.make(path, facts, head_of(file), entry)
        except OSError:
            file.close()
            return
        follower = self._follower(source, None, facts, now)
        self._files.keep(follower, file)
        self._sources.begin(follower, found=False)
        self._departures.add(follower, path)

    def _is_held(
        self, identity: Identity, path: bytes, file: File, *, size: int, now: float, waited: _Waiting | None
    ) -> bool:
        """Whether it may be a copy, of which the original is not truncated yet."""
        original = None if self._once else self._copies.lookalike(path, file)
        if original is None:
            if waited is None or waited.until is None or waited.parted:
                return False
            # Its original was truncated just now, perhaps, which is to be seen while this one waits: nothing is lost.
            self._wait(identity, path, replace(waited, path=path, size=size, file=file, parted=True))
            return True
        until = waited.until if waited is not None else None
        if waited is not None and waited.size != size and self._copies.is_begun(original, file, size):
            # It is still being copied. What grows otherwise is none, however long the two begin alike.
            until = None
        seen = original.path is not None and not self._sources.recollecting
        if until is not None and now >= until and seen and not self._is_open(original):
            return False
        until = now + self._rotate_wait if until is None else until
        contained = waited.contained if waited is not None else None
        if self._copies.is_beginning(original, file, size) and not self._copies.is_cut(original):
            contained = original.source.id, size
        self._wait(identity, path, _Waiting(path, size, self._scan_of(waited), file, until, contained))
        return True

    def _is_open(self, original: Follower) -> bool:
        """Whether it is not known yet how far it was shipped; or it was truncated, and is longer again than before.

        That is seen when it is read on. Of what is refused for good nothing is.
        """
        return (not original.settled or self._copies.is_cut(original)) and not self._sources.is_stopped(original)


def _is(entry: Entry, file: File, facts: FileFacts) -> bool:
    # A file that was empty when it was seen last cannot be told from any other.
    known = entry.head.length > 0 or entry.before.length > 0
    same = known and facts.inode == entry.inode
    return same and agrees(file, position=entry.position, head=entry.head, tail=entry.before)


def _words(error: OSError) -> str:
    return error.strerror or str(error)
