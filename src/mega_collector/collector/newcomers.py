"""Files that appear: they are opened, and followed from now on."""

import math
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import partial

from mega_collector.collector.archives import Archives
from mega_collector.collector.checkpoint import Entry
from mega_collector.collector.copies import Copies
from mega_collector.collector.crowd import Crowd
from mega_collector.collector.departures import Departures
from mega_collector.collector.discovery import FileFacts
from mega_collector.collector.file import File
from mega_collector.collector.finder import Finder
from mega_collector.collector.follower import Follower
from mega_collector.collector.identity import head_of
from mega_collector.collector.lag import Hold, Seen
from mega_collector.collector.losses import Losses
from mega_collector.collector.open_files import OpenFiles, TooManyOpenFiles
from mega_collector.collector.remembered import Remembered, entry_of
from mega_collector.collector.roster import Identity
from mega_collector.collector.rotated_names import is_moved, originals
from mega_collector.collector.search import MISSES, Search
from mega_collector.collector.siblings import Siblings
from mega_collector.collector.sources import Sources
from mega_collector.collector.waiting import Waiting, WaitingFiles
from mega_collector.marker import Marker

_UNOPENED = "it was deleted before it could be opened"


class Newcomers:
    """Opens what appears and begins to follow it."""

    def __init__(
        self,
        *,
        finder: Finder,
        files: OpenFiles,
        siblings: Siblings,
        remembered: Remembered,
        sources: Sources,
        archives: Archives,
        copies: Copies,
        departures: Departures,
        losses: Losses,
        search: Search,
        waiting: WaitingFiles,
        crowd: Crowd,
        rotate_wait: float,
        start_at_end: bool,
        once: bool,
    ) -> None:
        self._finder = finder
        self._files = files
        self._siblings = siblings
        self._remembered = remembered
        self._sources = sources
        self._archives = archives
        self._copies = copies
        self._departures = departures
        self._losses = losses
        self._search = search
        self._waiting = waiting
        self._crowd = crowd
        self._rotate_wait = rotate_wait
        self._start_at_end = start_at_end
        self._once = once
        departures.lies_copy_of = self._lies_copy_of
        self._failing: dict[Identity, tuple[bytes, str]] = {}
        """Files that could not be opened or read, and why."""
        self._missed: dict[Identity, tuple[bytes, int, bool]] = {}
        """Files that were gone when they were to be opened, and how many scans there were: the next may find them. And
        whether an archive of that name was done already, which is of another file then."""
        self._unread: list[tuple[Identity, Waiting, int]] = []
        """Files that were deleted while they waited, of which another has the inode, and how many scans there were."""

    @property
    def doubtful(self) -> bool:
        """Whether it is still to be seen if what was not found is gone."""
        return bool(self._missed or self._unread)

    # What the finder tells

    def appeared(self, identity: Identity, path: bytes, now: float) -> None:
        """A file is found that is not followed."""
        self._open(identity, path, now, None)

    def take_over(self, identity: Identity, path: bytes, file: File, now: float) -> None:
        """A file that was followed, and is open, is judged anew."""
        self._open(identity, path, now, Waiting(path, 0, self._finder.scans or 1, now, file=file))

    def _open(self, identity: Identity, path: bytes, now: float, waited: Waiting | None) -> None:
        self._missed.pop(identity, None)
        self._failing.pop(identity, None)
        try:
            file = waited.file if waited is not None and waited.file is not None else self._files.open(path)
        except TooManyOpenFiles as error:
            self._wait_for_room(identity, path, now, waited, error)
            return
        except FileNotFoundError:
            self._miss(identity, path, waited)
            return
        except OSError as error:
            self._failing[identity] = path, _words(error)
            self._finder.warn(path, error, "cannot_open")
            return
        try:
            kept = self._take(identity, path, file, now, waited)
        except TooManyOpenFiles as error:
            # What it is to be compared with cannot be opened.
            kept = waited is not None and waited.until is not None and waited.file is file
            self._wait_for_room(identity, path, now, waited, error)
        except OSError as error:
            self._failing[identity] = path, _words(error)
            self._finder.warn(path, error, "cannot_read")
            kept = False
        if not kept:
            file.close()

    def _miss(self, identity: Identity, path: bytes, waited: Waiting | None) -> None:
        """It is not there now, or another has its name."""
        if waited is not None and self._finds_again(identity, waited):
            return
        if waited is not None and self._lies_on(identity, waited) and not self._is_standing(identity):
            return
        self._finder.hurry()
        self._missed[identity] = path, self._finder.scans, self._archives.are_of(path, done=True)

    def _wait_for_room(
        self, identity: Identity, path: bytes, now: float, waited: Waiting | None, error: TooManyOpenFiles
    ) -> None:
        if waited is None or waited.until is None:
            size, head = (waited.size, waited.head) if waited is not None else self._glance(identity, path)
            waited = self._waits(path, size, now, waited, head=head)
        self._waiting.add(identity, path, waited)
        self._crowd.warn(error)

    def _glance(self, identity: Identity, path: bytes) -> tuple[int, Marker]:
        """Its size and how it begins, if that can be seen.

        Of what is deleted before it could be opened, so much is lost, if no copy has it.
        """
        try:
            with self._files.looking(path) as file:
                facts = file.facts()
                if facts is not None and (facts.device, facts.inode) == identity:
                    return facts.size, head_of(file)
        except OSError:
            pass
        return 0, Marker()

    def seen(self, identity: Identity, size: int, now: float) -> None:
        """A file that waits has this size now."""
        waiting = self._waiting[identity]
        if size != waiting.size and waiting.until is not None:
            # It is still being copied, or tells by what was written that it is no copy.
            self._try_again(identity, now)
            return
        if size < waiting.size:
            # Truncated, or another by now.
            _, waiting.head = self._glance(identity, waiting.path)
        waiting.size = size

    def renamed(self, identity: Identity, name: bytes | None, now: float) -> None:
        """A file that waits to be opened has another name now, or none."""
        waiting = self._waiting[identity]
        if name is not None:
            if waiting.file is None and waiting.until is None:
                another = self._is_another(waiting, identity, name)
                if another:
                    self._note_unread(identity, waiting)
                    waiting.size, waiting.head = self._glance(identity, name)
                if another or not is_moved(waiting.path, name):
                    # Another file has its inode by now.
                    waiting.scan, waiting.found_at = self._finder.scans, now
            waiting.path = name
            self._waiting.add(identity, name, waiting)
            return
        if self._finds_again(identity, waiting):
            return
        if waiting.file is not None and self._is_coming(waiting.path, waiting.file):
            self._waiting.add(identity, waiting.path, waiting)
            return
        self._waiting.remove(identity)
        if waiting.file is not None:
            self._follow_copy(waiting.path, waiting.file, now)
            return
        if self._lies_on(identity, waiting):
            return
        device, inode = identity
        facts = FileFacts(device, inode, waiting.size, 0)
        entry = self._remembered.of(waiting.path, inode)
        source = self._sources.make(waiting.path, facts, Marker(), entry)
        follower = self._sources.follower(source, None, facts, now)
        self._departures.lost(follower, _UNOPENED)

    def _is_another(self, waiting: Waiting, identity: Identity, name: bytes) -> bool:
        """Whether what has the inode of a file that waits begins otherwise, now that it has this name."""
        try:
            with self._files.looking(name) as file:
                facts = file.facts()
                if facts is None or (facts.device, facts.inode) != identity:
                    return False
                return not _begins_so(file, waiting)
        except OSError:
            return False

    def _note_unread(self, identity: Identity, waiting: Waiting) -> None:
        """Another has the inode of what waited, which was deleted: if no copy has it, it is lost.

        That is seen when the rotation is over, amid which it shows. If something of it is remembered, that is known
        when its source is settled.
        """
        known = self._is_standing(identity) or self._remembered.of(waiting.path, identity[1]) is not None
        had = waiting.contained is not None and self._copies.is_had(*waiting.contained)
        if waiting.size and not (known or had):
            self._unread.append((identity, replace(waiting), self._finder.scans))
            self._finder.hurry()

    def _tell_unread(self) -> None:
        for identity, waiting, scans in self._unread:
            if self._finder.scans - scans <= MISSES:
                self._finder.hurry()
            elif not self._has_copy(waiting.path, waiting.entry(identity), waiting.size):
                source = self._sources.make(waiting.path, FileFacts(*identity, waiting.size, 0), Marker(), None)
                self._losses.end(source, 0, waiting.size, _UNOPENED)
        self._unread = [each for each in self._unread if self._finder.scans - each[2] <= MISSES]

    def _has_copy(self, path: bytes, entry: Entry, size: int) -> bool:
        """Whether one is there that begins so, shipped already or not."""
        if self._waiting.hold_copy(path, entry, size):
            return True
        return self._copies.lies_near(path, entry, size, since=-math.inf, older=None)

    def leave_out(self, outputs: Collection[Identity]) -> None:
        """The aggregator writes to these files: they are not to be followed."""
        for identity in outputs:
            self._failing.pop(identity, None)
            if identity in self._waiting:
                waiting = self._waiting.remove(identity)
                if waiting.file is not None:
                    waiting.file.close()

    def poll(self, now: float) -> None:
        """Open what waits: other files may have been closed since, the original of a copy truncated, a mode changed."""
        for identity, (path, _) in list(self._failing.items()):
            self.appeared(identity, path, now)
        self._crowd.poll(lasts=self._waiting.crowded)
        for identity in self._waiting:
            self._try_again(identity, now)
            if self._crowd.met:
                return

    def holds_copy_of(self, follower: Follower) -> bool:
        """Whether a file waits that may be a copy of one that was truncated, or lies there, and is found next."""
        if not follower.shrunk_by:
            return False
        entry, size = self._sources.expected(follower) or entry_of(follower), follower.position + follower.shrunk_by
        if self._lies_copy(follower, entry, size) or self._waiting.hold_copy(follower.source.path, entry, size):
            return True
        return entry.position > 0 and self._was_cut_twice(follower, entry, size)

    def _was_cut_twice(self, follower: Follower, entry: Entry, size: int) -> bool:
        """Whether there is a copy that ends before what was seen: that was written when the file had been truncated.

        Then it is told as lost, though another copy may have it; of what was read, nothing is.
        """
        path, position = follower.source.path, entry.position
        if not (self._lies_copy(follower, entry, position) or self._waiting.hold_copy(path, entry, position)):
            return False
        source = self._sources.make(path, FileFacts(*follower.identity, size, 0), Marker(), None)
        self._losses.end(source, 0, size, "the file was truncated before it was read")
        return True

    def _lies_copy(self, follower: Follower, entry: Entry, size: int) -> bool:
        path, since = follower.source.path, follower.begun_at
        return self._copies.lies_near(path, entry, size, since=since, older=self._is_known)

    def _lies_copy_of(self, follower: Follower) -> bool:
        """Whether a copy was found since, or lies there, of what is gone: then what was not read of that is in it."""
        entry, path = self._sources.expected(follower) or entry_of(follower), follower.source.path
        since = follower.begun_at
        if self._waiting.hold_copy(path, entry, follower.size, since=since):
            return True
        older = partial(self._is_older, since, follower.size)
        return self._copies.lies_near(path, entry, follower.size, since=since, older=older)

    def _is_known(self, _path: bytes, facts: FileFacts) -> bool:
        """Whether that was there before, and is not what was just made of another file."""
        identity = facts.device, facts.inode
        return self._finder.passes_over(identity) or self._archives.is_known(facts)

    def _is_older(self, since: float, size: int, path: bytes, facts: FileFacts) -> bool:
        """Likewise, or whether that waits and was found no later, and is no other with its inode.

        What has just that size is no older: it may have the inode of what was found before, or be found beside that.
        """
        waiting = self._waiting.get((facts.device, facts.inode))
        if waiting is not None and waiting.found_at <= since and is_moved(waiting.path, path):
            return not 0 < facts.size == size
        return self._is_known(path, facts)

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

    def is_original_next(self, follower: Follower) -> bool:
        """Whether what may be its original, if it is a copy now, was found by this very look, and is told of next."""
        if self._once or follower.path is None:
            return False
        found = {each for each in map(self._finder.found, originals(follower.path)) if each is not None}
        return any(self._is_next(each) for each in found - {follower.identity})

    def _is_next(self, identity: Identity) -> bool:
        known = self._sources.follows(identity) or identity in self._archives or identity in self._waiting
        return not (known or identity in self._failing or self._finder.passes_over(identity))

    def tell_missed(self) -> None:
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

    def reconsider(self, now: float, *, known: bool) -> None:
        """More is remembered now: what was found before is recognised, and may begin.

        `known`: the aggregator knows some of it. Then this is no first start, though the state is lost: all is shipped.
        """
        failed = self._sources.reconsider()
        if known:
            self._start_at_end = False
            self._archives.skip_none()
            self._sources.begin_none_at_end(waiting=self._waiting, archives=self._archives)
        else:
            self._sources.begin_at_end(waiting=self._waiting)
        for follower, error in failed.items():
            if follower.path is not None and self._sources.expected(follower) is None:
                # It is found anew, when it can be read.
                self._failing[follower.identity] = follower.path, _words(error)
                self._departures.let_go(follower)
        self._sources.ask_again()
        self.poll(now)

    def behind(self) -> Iterator[Seen]:
        """What cannot be opened at present. Of how many bytes it has nothing is said where nobody could look."""
        for identity, (path, why) in self._failing.items():
            yield Seen(identity, path, 0, 0, Hold.UNREADABLE, why)
        yield from self._waiting.behind()

    # Opening

    def _take(self, identity: Identity, path: bytes, file: File, now: float, waited: Waiting | None) -> bool:
        """Whether the open file is kept."""
        facts = file.facts()
        if facts is None or (facts.device, facts.inode) != identity:
            # Replaced since the scan: the next one finds what is there now.
            self._miss(identity, path, waited)
            return False
        # The very objects that the scan has found: at ten thousand files, numbers take a megabyte.
        facts = facts._replace(device=identity[0], inode=identity[1])
        if waited is not None and waited.until is None and not _begins_so(file, waited):
            self._note_unread(identity, waited)
            waited = replace(waited, scan=self._finder.scans, found_at=now, size=facts.size, head=head_of(file))
        if self._archives.appeared(identity, path, file, skip=self._start_at_end and self._is_first(waited)):
            return False
        known = self._remembered.recognise(facts.inode, file, self._sources.taken)
        known = known or self._departures.come_back(facts.inode, file)
        if known is not None and not self._may_be(known, path):
            # Nor is anything known to be lost of that.
            self._sources.conclude(known)
            known = None
        known, end = _as_begun(known)
        entry = known
        if known is None or known.empty:
            # Another file may have the inode by now of what was empty.
            entry = self._copies.original(path, file)
            if entry is end:
                entry = None
            if entry is None and waited is not None and waited.contained is not None:
                source_id, size = waited.contained
                entry = self._copies.exceeded(source_id, file, size) if 0 < size == facts.size else None
            if entry is not None and self._is_undecided(entry):
                waiting = self._waits(path, facts.size, now, waited, file=file, until=now)
                if facts.size <= entry.position:
                    waiting.contained = entry.source_id, facts.size
                elif waited is not None:
                    waiting.contained = waited.contained
                self._waiting.add(identity, path, waiting)
                return True
        if self._start_at_end and self._is_first(waited) and entry is None and known is None and end is None:
            end = self._sources.note_end(path, facts, file)
        if entry is None and self._is_held(identity, path, file, size=facts.size, now=now, waited=waited):
            return True
        if entry is not None and end is not None:
            self._sources.forget(end)
        entry = entry or known or (end and self._sources.begin_at(end))
        rewritten = entry is None and self._remembered.of(path, facts.inode) is not None
        source = self._sources.make(path, facts, head_of(file), entry)
        follower = self._sources.follower(source, path, facts, now)
        follower.begun_at = now if waited is None else waited.found_at
        follower.home = self._siblings.home_of(facts.inode, path)
        follower.nuls_at_head = rewritten
        self._files.keep(follower, file)
        self._finder.follow(identity, path)
        self._sources.begin(follower)
        return True

    def _is_undecided(self, original: Entry) -> bool:
        """Whether the original may still be found by this first scan, waits itself, or is in flight as far as read."""
        found = None if original.ended else self._waiting.get((original.device, original.inode))
        waits = found is not None and found.until is None
        return not self._finder.scanned or waits or self._sources.is_coming(original)

    def _may_be(self, known: Entry, path: bytes) -> bool:
        """Whether that can have this name now: of what was empty nothing else tells what was given its inode since."""
        if not known.empty:
            return True
        related = not {path, *originals(path)}.isdisjoint((known.path, *originals(known.path)))
        return related or self._search.is_called(known.path, known.inode)

    def _try_again(self, identity: Identity, now: float) -> None:
        waited = self._waiting.take(identity)
        self._open(identity, waited.path, now, waited)
        if not (identity in self._waiting or identity in self._archives or self._sources.follows(identity)):
            self._finder.forget(identity)

    def _waits(
        self,
        path: bytes,
        size: int,
        now: float,
        waited: Waiting | None,
        *,
        head: Marker | None = None,
        file: File | None = None,
        until: float | None = None,
    ) -> Waiting:
        """As what it waits from now on, found when it was first."""
        found_at = now if waited is None else waited.found_at
        head = head or (Marker() if waited is None else waited.head)
        return Waiting(path, size, self._scan_of(waited), found_at, head, file, until)

    def _scan_of(self, waited: Waiting | None) -> int:
        """How many scans there were before that which found it."""
        return waited.scan if waited is not None else self._finder.scans

    def _is_first(self, waited: Waiting | None) -> bool:
        """Whether the first scan found it."""
        return not self._scan_of(waited)

    def _finds_again(self, identity: Identity, waiting: Waiting) -> bool:
        """Whether a file that waits and has lost its name has another one near it, or may have: it waits on."""
        try:
            path = self._siblings.find(waiting.path, identity[1])
        except OSError:
            path = waiting.path
            self._finder.hurry()
        if path is None:
            return False
        waiting.path = path
        self._waiting.add(identity, path, waiting)
        return True

    def _is_standing(self, identity: Identity) -> bool:
        """Whether something of it is remembered that has not ended."""
        return any(not self._sources.is_over(each.source_id) for each in self._remembered.standing(identity[1]))

    def _lies_on(self, identity: Identity, waiting: Waiting) -> bool:
        """Whether nothing is lost of what was deleted while it was closed: of a copy, or of what has one beside it."""
        if waiting.contained is not None and self._copies.is_had(*waiting.contained):
            self._forget_end(self._remembered.of(waiting.path, identity[1]))
            return True
        entry, since = self._remembered.of(waiting.path, identity[1]), waiting.found_at
        if entry is None and waiting.head.length:
            entry = waiting.entry(identity)
        older = partial(self._is_older, since, waiting.size)
        return self._copies.lies_near(waiting.path, entry, waiting.size, since=since, older=older)

    def _is_coming(self, path: bytes, file: File) -> bool:
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

    def _follow_copy(self, path: bytes, file: File, now: float) -> None:
        """What was perhaps a copy was deleted: it is read to its end, unless all of it is in its original."""
        try:
            facts = file.facts()
            entry = self._copies.original(path, file)
            if facts is None:
                file.close()
                return
            _, end = _as_begun(self._remembered.recognise(facts.inode, file, self._sources.taken))
            if entry is None and self._copies.is_contained(path, file, facts.size):
                self._forget_end(end)
                file.close()
                return
            if entry is not None and entry is not end:
                self._forget_end(end)
            entry = entry or (end and self._sources.begin_at(end))
            source = self._sources.make(path, facts, head_of(file), entry)
        except OSError:
            file.close()
            return
        follower = self._sources.follower(source, None, facts, now)
        self._files.keep(follower, file)
        self._sources.begin(follower, found=False)
        self._departures.add(follower, path)

    def _forget_end(self, end: Entry | None) -> None:
        """A copy is gone, and was one: it does not matter where it was to begin if it was none."""
        if end is not None and end.unconfirmed:
            self._sources.forget(end)

    def _is_held(
        self, identity: Identity, path: bytes, file: File, *, size: int, now: float, waited: Waiting | None
    ) -> bool:
        """Whether it may be a copy, of which the original is not truncated yet."""
        original = None if self._once else self._copies.lookalike(path, file)
        if original is None and not self._once and self._may_lack_original(path):
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
            self._sources.end(original)
            self._departures.let_go(original)
        until = now + self._rotate_wait if until is None else until
        contained = waited.contained if waited is not None else None
        if self._copies.is_beginning(original, file, size) and not self._copies.is_cut(original):
            contained = original.source.id, size
        waiting = self._waits(path, size, now, waited, file=file, until=until)
        waiting.contained = contained
        self._waiting.add(identity, path, waiting)
        return True

    def _is_copied_now(self, original: Follower, file: File, size: int, waited: Waiting) -> bool:
        """Whether it is still being copied, or was just now, with the inode of what waited and was closed.

        What grows otherwise is no copy, however long the two begin alike.
        """
        begun = self._copies.is_begun(original, file, size)
        return begun or (waited.file is None and self._copies.is_beginning(original, file, size))

    def _may_lack_original(self, path: bytes) -> bool:
        """Whether what may be its original waits for a descriptor: nobody has seen yet how that begins."""
        found = (identity for identity in map(self._finder.found, originals(path)) if identity is not None)
        waiting = (each for each in map(self._waiting.get, found) if each is not None)
        return any(each.until is None for each in waiting)

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


def _as_begun(known: Entry | None) -> tuple[Entry | None, Entry | None]:
    """What was shipped of it; or that it is to begin at its end, if this turns out to be no copy."""
    return (known, None) if known is None or not known.unconfirmed else (None, known)


def _begins_so(file: File, waiting: Waiting) -> bool:
    """Whether it begins as what waited did when it was found.

    Raises:
        OSError: it cannot be read.
    """
    return waiting.head.matches_head(file.read(waiting.head.length, 0))


def _words(error: OSError) -> str:
    return error.strerror or str(error)
