"""Files that appear: they are opened, and followed from now on."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace

from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.finding.finder import Finder
from mega_collector.collector.finding.roster import Facts, Identity
from mega_collector.collector.finding.rotated_names import is_moved, originals
from mega_collector.collector.reading.crowd import Crowd
from mega_collector.collector.reading.file import File
from mega_collector.collector.reading.lag import Hold, Seen
from mega_collector.collector.reading.open_files import OpenFiles, TooManyOpenFiles
from mega_collector.collector.reading.siblings import Siblings
from mega_collector.collector.recognition.copies import Copies
from mega_collector.collector.recognition.identity import head_of
from mega_collector.collector.recognition.remembered import Remembered
from mega_collector.collector.rotation.archives import Archives
from mega_collector.collector.rotation.departures import Departures
from mega_collector.collector.rotation.held_copies import HeldCopies, as_begun
from mega_collector.collector.rotation.missed import Missed
from mega_collector.collector.rotation.search import Search
from mega_collector.collector.rotation.waiting import Waiting, WaitingFiles
from mega_collector.collector.sources.endings import Endings
from mega_collector.collector.sources.recollected import Recollected
from mega_collector.collector.sources.sources import Sources
from mega_collector.collector.sources.starts_at_end import StartsAtEnd
from mega_collector.collector.state.checkpoint import Entry
from mega_collector.marker import Marker


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
        endings: Endings,
        recollected: Recollected,
        starts_at_end: StartsAtEnd,
        archives: Archives,
        copies: Copies,
        departures: Departures,
        search: Search,
        waiting: WaitingFiles,
        crowd: Crowd,
        held_copies: HeldCopies,
        missed: Missed,
        start_at_end: bool,
        once: bool,
    ) -> None:
        self._finder = finder
        self._files = files
        self._siblings = siblings
        self._remembered = remembered
        self._sources = sources
        self._endings = endings
        self._recollected = recollected
        self._starts_at_end = starts_at_end
        self._archives = archives
        self._copies = copies
        self._departures = departures
        self._search = search
        self._waiting = waiting
        self._crowd = crowd
        self._held_copies = held_copies
        self._missed = missed
        self._start_at_end = start_at_end
        self._once = once
        self._failing: dict[Identity, tuple[bytes, str]] = {}
        """Files that could not be opened or read, and why."""

    # What the finder tells

    def appeared(self, identity: Identity, path: bytes, facts: Facts | None, now: float) -> None:
        """A file is found that is not followed; as what it was seen, if that is known."""
        seen = Waiting(path, 0, self._finder.scans, now)
        if facts is not None:
            seen.size, seen.changed_ns = facts.size, facts.changed_ns
        if self._has_left(identity, seen, path):
            self._missed.note_unread(identity, seen)
            seen.size, seen.changed_ns = 0, 0
        self._open(identity, seen, now, new=True)

    def take_over(self, identity: Identity, path: bytes, file: File, now: float) -> None:
        """A file that was followed, and is open, is judged anew."""
        self._open(identity, Waiting(path, 0, self._finder.scans or 1, now, file=file), now)

    def _open(self, identity: Identity, found: Waiting, now: float, *, new: bool = False) -> None:
        """`new`: it was just found, and has not waited."""
        path = found.path
        self._missed.found(identity, path)
        self._failing.pop(identity, None)
        try:
            file = found.file if found.file is not None else self._files.open(path)
        except TooManyOpenFiles as error:
            self._wait_for_room(identity, found, error, new=new)
            return
        except FileNotFoundError:
            self._missed.note(identity, found, new=new)
            return
        except OSError as error:
            self._failing[identity] = path, _words(error)
            self._finder.warn(path, error, "cannot_open")
            return
        try:
            if not _is(identity, file.facts()):
                # Replaced since the scan: the next one finds what is there now.
                self._missed.note(identity, found, new=new)
                kept = False
            else:
                if not new and found.file is None and self._is_another(identity, path, file, found):
                    self._missed.note_unread(identity, found)
                    found, new = Waiting(path, 0, self._finder.scans, now), True
                kept = self._take(identity, path, file, now, None if new else found)
        except TooManyOpenFiles as error:
            # What it is to be compared with cannot be opened.
            kept = not new and found.until is not None and found.file is file
            self._wait_for_room(identity, found, error, new=new)
        except OSError as error:
            self._failing[identity] = path, _words(error)
            self._finder.warn(path, error, "cannot_read")
            kept = False
        if not kept:
            file.close()

    def _wait_for_room(self, identity: Identity, found: Waiting, error: TooManyOpenFiles, *, new: bool) -> None:
        if new:
            self._glance(identity, found)
        elif found.until is None:
            found = replace(found, file=None, contained=None, parted=False)
        self._waiting.add(identity, found.path, found)
        self._crowd.warn(error)

    def _glance(self, identity: Identity, waiting: Waiting) -> None:
        """Note its size and how it begins, if that can be seen.

        Of what is deleted before it could be opened, so much is lost, if no copy has it.
        """
        waiting.head = Marker()
        with suppress(OSError), self._files.looking(waiting.path) as file:
            facts = file.facts()
            if facts is not None and (facts.device, facts.inode) == identity:
                waiting.head = head_of(file)
                waiting.size, waiting.changed_ns = facts.size, facts.changed_ns

    def seen(self, identity: Identity, size: int, changed_ns: int, now: float) -> None:
        """A file that waits has this size and time of change now."""
        waiting = self._waiting[identity]
        if changed_ns != waiting.changed_ns and waiting.file is None:
            another = self._has_left(identity, waiting, waiting.path)
            if another:
                self._replace(identity, waiting, waiting.path, now)
            if another is not False:
                # Or it is called otherwise, or what has its inode is: that is told next.
                return
        if size != waiting.size and waiting.until is not None:
            # It is still being copied, or tells by what was written that it is no copy.
            self._try_again(identity, now)
            return
        if size < waiting.size or (size and not waiting.head.length):
            # Truncated, or another by now; or it was empty.
            self._glance(identity, waiting)
        waiting.size, waiting.changed_ns = size, changed_ns

    def renamed(self, identity: Identity, name: bytes | None, now: float) -> None:
        """A file that waits to be opened has another name now, or none."""
        waiting = self._waiting[identity]
        if name is not None:
            another = self._has_left(identity, waiting, name)
            if another is None:
                # Renamed again: whose name it was, the next scan tells.
                self._finder.hurry()
                return
            if another or self._begins_otherwise(identity, waiting, name):
                self._replace(identity, waiting, name, now)
                return
            if waiting.file is None and waiting.until is None and not is_moved(waiting.path, name):
                # Another file has its inode by now, perhaps.
                waiting.scan, waiting.found_at = self._finder.scans, now
            self._waiting.add(identity, name, waiting)
            return
        if self._missed.finds_again(identity, waiting):
            return
        if waiting.file is not None and self._held_copies.is_coming(waiting.path, waiting.file):
            self._waiting.add(identity, waiting.path, waiting)
            return
        self._waiting.remove(identity)
        if waiting.file is not None:
            self._held_copies.follow(waiting.path, waiting.file, now)
            return
        self._missed.lose(identity, waiting, now)

    def _replace(self, identity: Identity, waiting: Waiting, path: bytes, now: float) -> None:
        """Another file has the inode of one that waited, which is gone: as if it had just appeared."""
        self._missed.note_unread(identity, waiting)
        self._waiting.remove(identity)
        self.appeared(identity, path, None, now)

    def _has_left(self, identity: Identity, waiting: Waiting, path: bytes) -> bool | None:
        """Whether what is called so was made after the file that waits was seen last: it has left its inode to that.

        None: what is called so has not that inode.
        """
        return waiting.file is None and self._siblings.is_another(path, identity[1], waiting.changed_ns)

    def _begins_otherwise(self, identity: Identity, waiting: Waiting, path: bytes) -> bool:
        """Whether what has the inode of a file that waits for a descriptor is another, now that it has this name."""
        if waiting.file is not None or waiting.until is not None:
            return False
        try:
            with self._files.looking(path) as file:
                return self._is_another(identity, path, file, waiting)
        except OSError:
            return False

    def _is_another(self, identity: Identity, path: bytes, file: File, waiting: Waiting) -> bool:
        """Whether the open file is another than waited, but has its inode.

        Raises:
            OSError: it cannot be read.
        """
        if not _is(identity, file.facts()):
            return False
        if self._has_left(identity, waiting, path):
            return True
        return waiting.until is None and not waiting.head.matches_head(file.read(waiting.head.length, 0))

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
            self.appeared(identity, path, None, now)
        self._crowd.poll(lasts=self._waiting.crowded)
        for identity in self._waiting:
            self._try_again(identity, now)
            if self._crowd.met:
                return

    def lacks_original(self, path: bytes, identity: Identity) -> bool:
        """Whether what may be its original, if it is a copy, was found and could not be opened yet, or is told of next.

        Nobody has seen then how that begins. While it waits it may have got a name that no pattern finds.
        """
        found = {each for name in originals(path) for each in (self._finder.found(name), self._waiting.named(name))}
        return not self._once and any(self._is_to_be_opened(each) for each in found - {identity} if each is not None)

    def _is_to_be_opened(self, identity: Identity) -> bool:
        waiting = self._waiting.get(identity)
        if waiting is not None:
            return waiting.until is None
        known = self._sources.follows(identity) or identity in self._archives or identity in self._failing
        return not (known or self._finder.passes_over(identity))

    def reconsider(self, now: float, *, known: bool) -> None:
        """More is remembered now: what was found before is recognised, and may begin.

        `known`: the aggregator knows some of it. Then this is no first start, though the state is lost: all is shipped.
        """
        failed = self._recollected.reconsider()
        if known:
            self._start_at_end = False
            self._archives.skip_none()
            self._starts_at_end.begin_none_at_end(waiting=self._waiting, archives=self._archives)
        else:
            self._starts_at_end.begin_at_end(waiting=self._waiting)
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
        assert facts is not None
        # The very objects that the scan has found: at ten thousand files, numbers take a megabyte.
        facts = facts._replace(device=identity[0], inode=identity[1])
        if self._archives.appeared(identity, path, file, skip=self._start_at_end and self._is_first(waited)):
            return False
        known = self._remembered.recognise(facts.inode, file, self._sources.taken)
        known = known or self._departures.come_back(facts.inode, file)
        if known is not None and not self._may_be(known, path):
            # Nor is anything known to be lost of that.
            self._endings.conclude(known)
            known = None
        known, end = as_begun(known)
        entry = known
        if known is None or known.empty:
            # Another file may have the inode by now of what was empty.
            entry = self._copies.original(path, file)
            if entry is end:
                entry = None
            if entry is None and waited is not None and waited.contained is not None:
                source_id, size = waited.contained
                entry = self._copies.exceeded(source_id, file, size) if 0 < size == facts.size else None
            if entry is not None and self._held_copies.is_undecided(entry):
                self._held_copies.wait_for(identity, path, file, entry, size=facts.size, now=now, waited=waited)
                return True
        if self._start_at_end and self._is_first(waited) and entry is None and known is None and end is None:
            end = self._starts_at_end.note_end(path, facts, file)
        if entry is None:
            if not self._once:
                self._search.follow_original(path, now)
            lacks = self.lacks_original(path, identity)
            if self._held_copies.is_held(
                identity, path, file, size=facts.size, now=now, waited=waited, lacks_original=lacks
            ):
                return True
        if entry is not None and end is not None:
            self._starts_at_end.forget(end)
        entry = entry or known or (end and self._starts_at_end.begin_at(end))
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

    def _may_be(self, known: Entry, path: bytes) -> bool:
        """Whether that can have this name now: of what was empty nothing else tells what was given its inode since."""
        if not known.empty:
            return True
        related = not {path, *originals(path)}.isdisjoint((known.path, *originals(known.path)))
        return related or self._search.is_called(known.path, known.inode)

    def _try_again(self, identity: Identity, now: float) -> None:
        waited = self._waiting.take(identity)
        self._open(identity, waited, now)
        if not (identity in self._waiting or identity in self._archives or self._sources.follows(identity)):
            self._finder.forget(identity)

    def _is_first(self, waited: Waiting | None) -> bool:
        """Whether the first scan found it."""
        return not (waited.scan if waited is not None else self._finder.scans)


def _is(identity: Identity, facts: FileFacts | None) -> bool:
    return facts is not None and (facts.device, facts.inode) == identity


def _words(error: OSError) -> str:
    return error.strerror or str(error)
