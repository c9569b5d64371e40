"""Archives that the patterns match: what of them was shipped already, as the file that they were made of."""

import errno
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import partial

import structlog

from mega_collector.collector.checkpoint import Entry
from mega_collector.collector.discovery import FileFacts
from mega_collector.collector.file import File
from mega_collector.collector.finder import Finder
from mega_collector.collector.followed import Followed
from mega_collector.collector.follower import Follower
from mega_collector.collector.gzip_file import (
    MAGIC,
    Contents,
    GzipFile,
    Inspection,
    State,
    is_archive,
    last_size,
    trailer_of,
)
from mega_collector.collector.losses import Losses
from mega_collector.collector.open_files import OpenFiles, TooManyOpenFiles
from mega_collector.collector.origins import Origins, is_own
from mega_collector.collector.remembered import Remembered, entry_of
from mega_collector.collector.resumption import new_id
from mega_collector.collector.roster import Identity
from mega_collector.collector.rotated_names import is_named_after, originals, plain
from mega_collector.collector.shipper import Shipper
from mega_collector.collector.sources import Sources
from mega_collector.collector.waiting import WaitingFiles
from mega_collector.marker import HEAD_SIZE, Marker
from mega_collector.telemetry.printable import printable

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Archive:
    """An archive that is there, by one of its names."""

    identity: Identity
    path: bytes
    looked: tuple[int, int]
    """Size and time of change when it was gone through."""
    skip: bool
    """Whether it is passed over, unless it holds what is left of something that was shipped."""
    fresh: bool = False
    """Whether nothing was known of it when it was found: by a process before, it was not."""
    blank: bool = False
    """Whether it held nothing when it was found."""
    gone: bool = False
    seen: tuple[int, int] | None = None
    """Size and time of change when it was seen last."""
    tried: tuple[int, int] | None = None
    """The same when it was found not to be whole: it waits for others."""
    head: bytes | None = None
    """The first bytes of what it held then; None: it was never gone through."""
    told: set[str] = field(default_factory=set)
    """What was said of it."""
    entry: Entry | None = None
    """What is remembered of it, once nothing of it is left to ship."""
    behind: Entry | None = None
    """What goes on in it as soon as all that was read of that is acknowledged."""
    asked: set[bytes] = field(default_factory=set)
    """The sources for which it was gone through once more."""


@dataclass(frozen=True, slots=True)
class _Look:
    """The archive that is gone through now."""

    archive: _Archive
    file: File
    facts: FileFacts
    inspection: Inspection
    candidates: list[Entry]
    """What may be in it, as it was when its first bytes were seen."""


@dataclass(frozen=True, slots=True)
class _Held:
    """An archive that waits until its original's follower, which was at `position`, has shipped `needed` bytes."""

    archive: _Archive
    follower: Follower
    position: int
    needed: int
    contents: Contents
    seen: tuple[int, int]
    """Size and time of change when it was gone through."""


class Archives:
    """Goes through one archive after the other, and has shipped what of it was not shipped before.

    An archive is recognised by what it holds: by its head, and by the bytes before the position up to which a source
    was shipped. It waits while it is not whole, and while the file that it was made of is still followed.
    """

    def __init__(
        self,
        *,
        finder: Finder,
        followed: Followed,
        files: OpenFiles,
        remembered: Remembered,
        shipper: Shipper,
        sources: Sources,
        losses: Losses,
        waiting: WaitingFiles,
        rotate_wait: float,
    ) -> None:
        self._finder = finder
        self._followed = followed
        self._files = files
        self._remembered = remembered
        self._shipper = shipper
        self._sources = sources
        self._losses = losses
        self._waiting = waiting
        self._rotate_wait = rotate_wait
        self._archives: dict[Identity, _Archive] = {}
        self._queue: OrderedDict[_Archive, None] = OrderedDict()
        """Those that are to be gone through, in their order: after a rotation, all that were renamed."""
        self._held: list[_Held] = []
        self._delayed: list[_Archive] = []
        """Those that wait: for a descriptor, for the copy of which they are made, or for what is in flight."""
        self._unreadable: dict[_Archive, None] = {}
        """Those that nobody can open or read at present: nothing waits for them."""
        self._look: _Look | None = None
        self._shipped: dict[Follower, tuple[_Archive, Contents]] = {}
        self._origins = Origins(
            followed=followed, files=files, remembered=remembered, sources=sources, shipped=self._shipped
        )

    def __contains__(self, identity: object) -> bool:
        return identity in self._archives

    @property
    def pending(self) -> bool:
        """Whether there is an archive to go through now."""
        begins = bool(self._queue) and not self._ships and not self._finder.doubtful
        return self._look is not None or (begins and not self._sources.recollecting)

    @property
    def undecided(self) -> bool:
        """Whether what is in an archive may still turn out to belong to a file that is gone."""
        return self._look is not None or bool(self._queue)

    @property
    def busy(self) -> bool:
        """Whether something of those that are whole is still to be shipped, but for what is refused for good."""
        held = any(not self._shipper.stopped(each.follower.source) for each in self._held)
        return self.undecided or held or bool(self._delayed) or self._ships

    @property
    def unreadable(self) -> bool:
        """Whether there is one that nobody can open or read at present."""
        return bool(self._unreadable)

    @property
    def _ships(self) -> bool:
        """Whether one is shipped now: what the aggregator refuses for good holds up no other."""
        return not all(self._shipper.stopped(each.source) for each in self._shipped)

    def know(self, entry: Entry) -> bool:
        """Whether the archive of which this is remembered is there."""
        return any(archive.entry is entry for archive in self._archives.values())

    def end_with(self, entry: Entry) -> bool:
        """Whether one that is done ends with what was shipped of that: then there was no more of it.

        Where nothing was, it holds what that began with, or begins so, with a whole head or that name; and where that
        was empty, holds nothing and has its name, or was made since it was seen last, and is named after it. (Of one
        that was passed over nothing is known.)
        """
        for archive in self._archives.values():
            end = archive.entry
            if end is None or archive.skip:
                continue
            named = plain(archive.path) == entry.path
            if entry.position:
                # Where lines end alike only the head tells, if of both so much of it is known.
                alike = end.head == entry.head or end.head.length != entry.head.length
                found = alike and (end.position, end.before) == (entry.position, entry.before)
            elif entry.head.length:
                sure = named or entry.head.length in {end.position, HEAD_SIZE}
                found = end.head == entry.head and sure
            else:
                found = not end.position and (
                    (archive.fresh and is_named_after(archive.path, entry.path)) or (archive.blank and named)
                )
            if found:
                return True
        return False

    def are_of(self, path: bytes, *, done: bool = False) -> bool:
        """Whether there is one that was made of a file of that name. `done`: and nothing of it is left to ship."""
        return any(plain(each.path) == path and (each.entry or not done) for each in self._archives.values())

    def is_known(self, facts: FileFacts) -> bool:
        """Whether it was gone through and is as it was then, whole or not, or is shipped now."""
        archive = self._archives.get((facts.device, facts.inode))
        if archive is None:
            return False
        tried = archive.tried == (facts.size, facts.changed_ns)
        return tried or any(each is archive for each, _ in self._shipped.values())

    def looks_once_more(self, entry: Entry) -> bool:
        """Whether one that is done may end with what was shipped of that: then it is gone through once more, and tells.

        What is known of the bytes at the ends is of so many here, and so many there.
        """
        for archive in self._archives.values():
            end = archive.entry
            if end is None or end.position != entry.position or entry.source_id in archive.asked:
                continue
            if 0 < entry.before.length < end.before.length:
                archive.asked.add(entry.source_id)
                archive.looked = (0, 0)
                self._look_anew(archive)
                return True
        return False

    # What the finder tells

    def appeared(self, identity: Identity, path: bytes, file: File, *, skip: bool) -> bool:
        """Whether the file that has appeared is an archive; then it is looked after here.

        `skip`: it is passed over, unless it holds what is left of something that was shipped.

        Raises:
            OSError: it cannot be read.
        """
        if not is_archive(path, file):
            return False
        trailer, facts = trailer_of(file), file.facts()
        looked = (0, 0) if facts is None else (facts.size, facts.changed_ns)
        archive = self._archives[identity] = _Archive(identity, path, looked, skip)
        archive.blank = not last_size(file)
        known = self._known(identity, trailer)
        self._finder.follow(identity, path)
        if known is not None and not known.unconfirmed:
            archive.entry = known
            return True
        archive.fresh = known is None
        archive.skip = skip or known is not None
        self._queue[archive] = None
        if archive.skip and known is None and trailer.length:
            # Whether this process comes to it or not, the next one passes it over, too.
            nothing = Contents(0, Marker(), Marker(), trailer)
            entry = _entry(archive, nothing, new_id())
            self._remembered.end(replace(entry, unconfirmed=self._sources.recollecting))
            self._shipper.changed()
        return True

    def _known(self, identity: Identity, trailer: Marker) -> Entry | None:
        """What is remembered of an archive that ends so."""
        return next((each for each in self._remembered.archives(identity[1]) if each.trailer == trailer), None)

    def seen(self, identity: Identity, size: int, changed_ns: int) -> None:
        """It has this size and time of change now."""
        archive = self._archives[identity]
        archive.seen = size, changed_ns
        if archive.tried not in {None, archive.seen} or (archive.entry is not None and archive.seen != archive.looked):
            self._look_anew(archive)

    def renamed(self, identity: Identity, name: bytes | None) -> None:
        """It goes by another name now, or by none."""
        archive = self._archives[identity]
        if name is not None:
            archive.path = name
            self._finder.follow(identity, name)
            return
        archive.gone = True
        del self._archives[identity]
        self._finder.forget(identity)
        if archive.entry is not None:
            # As that of any other source: moved to another filesystem, it has another inode there.
            self._sources.conclude(archive.entry, recognisable=True)
        coming = self._queue, self._delayed, self._unreadable
        waits = archive.tried is not None or any(archive in each for each in coming)
        if archive.entry is None and waits and not archive.skip and not self._origins.know(archive.path, archive.head):
            source = self._sources.make(archive.path, FileFacts(*identity, 0, 0), Marker(), None)
            self._losses.end(source, 0, None, "the archive was deleted before it could be read")

    def skip_none(self) -> None:
        """None is passed over after all: it was to be seen first whether anything was shipped before."""
        for archive in self._archives.values():
            archive.skip = False

    # Going through them

    def poll(self) -> None:
        """What is done at every interval."""
        held, self._held = self._held, []
        for each in held:
            if self._is_to_wait(each):
                self._held.append(each)
            elif self._is_shipped(each):
                self._recognise(each.archive, each.contents, each.follower.source.path)
            else:
                self._look_anew(each.archive)
        copies, delayed, self._delayed = self._waiting.copies, self._delayed, []
        for archive in delayed:
            if not archive.gone and (plain(archive.path) in copies or self._is_behind(archive)):
                # Not in the queue: what has vanished waits for that, and the copy for what has vanished.
                self._delayed.append(archive)
                continue
            archive.behind = None
            self._look_anew(archive)

    def _is_behind(self, archive: _Archive) -> bool:
        entry = archive.behind
        return entry is not None and (self._sources.is_coming(entry) or self._waiting.holds(entry))

    def look_again(self, follower: Follower, error: OSError | None = None) -> bool:
        """It was written anew while it was shipped; or cannot be read, and what is open of it may be stale.

        False: it is no archive's, or that is gone, and what is open of it may be read later.
        """
        archive, _ = self._shipped.get(follower, (None, None))
        lasts = error is None or error.errno in {errno.EBADMSG, errno.ESTALE}
        if archive is None or (archive.gone and not lasts):
            return False
        if error is not None and error.errno != errno.EBADMSG:
            # Else it was whole when it was gone through: it is seen now what it is.
            self._tell(archive, "cannot_read", error)
        del self._shipped[follower]
        self._sources.end(follower, lost="the archive was deleted before it was read" if archive.gone else None)
        if error is None or error.errno == errno.EBADMSG:
            self._look_anew(archive)
        else:
            self._unreadable[archive] = None
        return True

    def try_again(self) -> None:
        """Those that could not be read, at every interval: what was to be seen to before them is."""
        for archive in list(self._unreadable):
            self._look_anew(archive)

    def _look_anew(self, archive: _Archive) -> None:
        archive.tried = None
        self._unreadable.pop(archive, None)
        if not archive.gone:
            self._queue[archive] = None

    def finish(self, now: float) -> None:
        """Be done with what is shipped by now."""
        for follower in list(self._shipped):
            source = follower.source
            # Of what is refused for good nothing is in flight, and nothing was shipped.
            done = self._shipper.acknowledged(source) and not self._shipper.stopped(source)
            if done and follower.finished(now):
                self._finish(follower)

    def step(self, now: float) -> None:
        """Go on with one of them, for a few milliseconds."""
        if self._look is None:
            self._begin()
            return
        look = self._look
        try:
            state = look.inspection.step()
        except OSError as error:
            if error.errno == errno.EBADMSG:
                self._wait(look, "archive_damaged", error)
            else:
                self._leave(look)
                self._postpone(look.archive, error)
            return
        match state:
            case State.UNFINISHED:
                self._wait(look, "archive_waits", None)
            case State.WHOLE:
                self._look = None
                if not self._decide(look, now):
                    look.file.close()
            case State.READING:
                pass

    def close(self) -> None:
        if self._look is not None:
            self._look.file.close()

    def _begin(self) -> None:
        archive, _ = self._queue.popitem(last=False)
        if archive.gone:
            return
        if plain(archive.path) in self._waiting.copies:
            self._delayed.append(archive)
            return
        try:
            file = self._files.open(archive.path)
        except TooManyOpenFiles:
            self._delayed.append(archive)
            return
        except OSError as error:
            self._postpone(archive, error, "cannot_open")
            return
        try:
            facts, begin, trailer = file.facts(), file.read(len(MAGIC), 0), trailer_of(file)
        except OSError as error:
            file.close()
            self._postpone(archive, error)
            return
        moved = facts is None or (facts.device, facts.inode) != archive.identity
        if facts is None or moved or not MAGIC.startswith(begin):
            file.close()
            self._let_go(archive, moved=moved)
            return
        size, archive.looked = archive.looked[0], (facts.size, facts.changed_ns)
        if archive.entry is not None and (size, archive.entry.trailer) == (facts.size, trailer):
            # It was only renamed.
            file.close()
            return
        if archive.skip and all(each.trailer.length for each in self._remembered):
            # Nothing was ever shipped: it need not be gone through.
            self._pass_over(archive, file)
            return
        candidates: list[Entry] = []
        self._look = _Look(archive, file, facts, Inspection(file, partial(self._positions, candidates)), candidates)

    def _let_go(self, archive: _Archive, *, moved: bool) -> None:
        """Another file has its name, so that it has `moved`, or its inode: the next scan finds what is there."""
        archive.gone = True
        del self._archives[archive.identity]
        self._finder.forget(archive.identity)
        self._finder.hurry()
        if not moved and archive.entry is not None:
            self._sources.conclude(archive.entry, recognisable=True)

    def _postpone(self, archive: _Archive, error: OSError, event: str = "cannot_read") -> None:
        """It is looked at again at the next poll; or when it is seen next, if it has not that name any more."""
        if isinstance(error, FileNotFoundError):
            archive.tried = (-1, -1)
            self._finder.hurry()
        else:
            self._unreadable[archive] = None
            self._tell(archive, event, error)

    def _wait(self, look: _Look, event: str, error: OSError | None) -> None:
        archive = look.archive
        self._leave(look)
        archive.tried = look.facts.size, look.facts.changed_ns
        if archive.seen not in {None, archive.tried}:
            # It has changed since it was opened.
            self._look_anew(archive)
        self._tell(archive, event, error)

    def _leave(self, look: _Look) -> None:
        """It cannot be gone through to its end now."""
        look.archive.head, self._look = look.inspection.head, None
        look.file.close()

    def _tell(self, archive: _Archive, event: str, error: OSError | None) -> None:
        """Once, until all of it could be read."""
        if event in archive.told:
            return
        archive.told.add(event)
        if error is not None:
            _log.warning(event, path=printable(archive.path), error=error.strerror or str(error))
        else:
            _log.info(event, path=printable(archive.path), reason="it is not whole yet")

    def _is_to_wait(self, held: _Held) -> bool:
        follower = held.follower
        if held.archive.gone or follower.vanished or self._followed.of(follower.source.id) is not follower:
            return False
        if self._acknowledged(follower) >= held.needed:
            return False
        if follower.settled and follower.path is not None and follower.size < held.needed:
            # It is there, and does not hold as much: the archive was made of another file that had its name.
            return False
        return follower.path is None or follower.position == held.position

    def _is_shipped(self, held: _Held) -> bool:
        """Whether all of it was shipped, as the follower for which it waited tells: that may be gone before long.

        What is remembered of it then, if it was written to further, says nothing of the archive.
        """
        archive, follower = held.archive, held.follower
        return (
            not archive.gone
            and archive.seen in {None, held.seen}
            and self._followed.of(follower.source.id) is follower
            and self._acknowledged(follower) >= held.needed
            and self._origins.begins_with(follower, held.contents)
        )

    def _acknowledged(self, follower: Follower) -> int:
        entry = self._shipper.noted(follower.source)
        return entry.position if follower.settled and entry is not None else 0

    def _positions(self, candidates: list[Entry], head: bytes) -> Collection[int]:
        candidates += [entry for entry in self._origins.candidates() if entry.head.matches_head(head)]
        return {entry.position for entry in candidates}

    # What was shipped of it before

    def _decide(self, look: _Look, now: float) -> bool:
        """Whether something of it is left to ship."""
        archive, contents = look.archive, look.inspection.contents
        assert contents is not None
        holder = self._origins.holder(archive.path, contents)
        if holder is not None and self._acknowledged(holder) >= contents.size:
            self._recognise(archive, contents, holder.source.path)
            return False
        inode = archive.identity[1]
        original = self._origins.original(
            look.candidates, look.inspection.tails, path=archive.path, inode=inode, contents=contents
        )
        if archive.skip and original is None and holder is None:
            self._pass_over(archive, look.file)
            return True
        archive.behind = self._goes_on_first(archive, contents, original)
        if archive.behind is not None:
            self._delayed.append(archive)
            return False
        position = original.position if original is not None else 0
        if original is None:
            follower = self._origins.follower_of(archive.path, look.inspection.head, contents.size)
        else:
            follower = self._followed.of(original.source_id)
        if follower is None or follower.vanished:
            # Nothing is missing where a file holds all of it.
            follower = holder or follower
        if follower is not None and not follower.vanished:
            seen = look.facts.size, look.facts.changed_ns
            self._held.append(_Held(archive, follower, follower.position, contents.size, contents, seen))
            return False
        if position == contents.size and follower is None:
            self._recognise(archive, contents, None if original is None else original.path)
            outdated = self._origins.outdated(
                look.candidates, look.inspection.tails, path=archive.path, inode=inode, contents=contents
            )
            if original is not None and not (original.ended or is_own(original, inode, contents)):
                outdated = [original, *(each for each in outdated if each is not original)]
            # The file vanished while nobody looked; all of it was shipped.
            for each in outdated:
                self._sources.conclude(each)
            return False
        self._ship(look, contents, original, follower, now)
        return True

    def _goes_on_first(self, archive: _Archive, contents: Contents, original: Entry | None) -> Entry | None:
        """The original, if what was shipped of it is not known yet, or it has ended, or will, and goes on in a copy.

        Where nothing was shipped, all that is in the archive, if that is in a copy, too.
        """
        if original is None:
            whole = _entry(archive, contents, new_id())
            copied = (replace(whole, path=name) for name in originals(plain(archive.path)))
            return next(filter(self._waiting.holds, copied), None)
        follower = self._followed.of(original.source_id)
        over = original.ended or (follower is not None and follower.vanished)
        return original if self._sources.is_coming(original) or (over and self._waiting.holds(original)) else None

    def _ship(
        self, look: _Look, contents: Contents, original: Entry | None, follower: Follower | None, now: float
    ) -> None:
        archive = look.archive
        file = GzipFile(look.file, size=contents.size, resume=look.inspection.streams)
        if follower is not None:
            # What could not be read of it any more is here.
            if self._sources.is_found(follower):
                self._finder.forget(follower.identity)
            follower.come_back(archive.path, contents.size)
        else:
            source = self._sources.make(archive.path, look.facts, contents.head, original)
            follower = Follower(
                source,
                path=archive.path,
                size=contents.size,
                changed_ns=look.facts.changed_ns,
                now=now,
                rotate_wait=self._rotate_wait,
                complete=True,
            )
        self._shipped[follower] = archive, contents
        self._files.keep(follower, file)
        self._sources.begin(follower, found=False)

    def _finish(self, follower: Follower) -> None:
        archive, contents = self._shipped.pop(follower)
        source = follower.source
        _log.info("file_retired", path=source.name, position=follower.position)
        self._sources.remove(follower)
        self._files.close(follower)
        if (source.device, source.inode) == archive.identity and not archive.gone:
            # Its source does not end before it is gone.
            self._shipper.leave(source)
            self._remember(archive, _entry(archive, contents, source.id))
        else:
            self._shipper.end(source)
            self._stand(archive, contents)

    def _recognise(self, archive: _Archive, contents: Contents, of: bytes | None) -> None:
        _log.info("archive_recognised", path=printable(archive.path), of=None if of is None else printable(of))
        if not contents.size:
            self._recognise_empty(archive)
        self._stand(archive, contents)

    def _recognise_empty(self, archive: _Archive) -> None:
        """If nothing more comes of what is gone and was empty, the next process is to know that nothing was lost."""
        for follower in self._followed:
            gone = follower.path is None and follower.settled and not follower.size
            if gone and is_named_after(archive.path, follower.source.path):
                self._shipper.note(entry_of(follower, inode=0, ended=True))
                return

    def _pass_over(self, archive: _Archive, file: File) -> None:
        try:
            trailer = trailer_of(file)
        except OSError as error:
            self._postpone(archive, error)
        else:
            if not archive.gone:
                known = self._known(archive.identity, trailer)
                source_id = new_id() if known is None else known.source_id
                self._remember(archive, _entry(archive, Contents(0, Marker(), Marker(), trailer), source_id))
        finally:
            file.close()

    def _stand(self, archive: _Archive, contents: Contents) -> None:
        """All of it was shipped as another source: so that the ledger knows its file too, it has one of its own."""
        if archive.gone:
            return
        known = archive.entry
        if known is None or (known.position, known.before) != (contents.size, contents.before):
            own = (each for each in self._remembered if is_own(each, archive.identity[1], contents))
            known = next(own, None)
        entry = _entry(archive, contents, new_id() if known is None else known.source_id)
        self._remember(archive, entry)
        if known is None:
            self._sources.stand(entry)

    def _remember(self, archive: _Archive, entry: Entry) -> None:
        """That nothing of it is left to ship, for as long as it is there."""
        if archive.entry is not None and archive.entry.source_id != entry.source_id:
            self._sources.conclude(archive.entry)
        archive.told.clear()
        archive.entry = entry
        self._remembered.end(entry)
        self._shipper.changed()


def _entry(archive: _Archive, contents: Contents, source_id: bytes) -> Entry:
    """As which source it is remembered, once it is done."""
    return Entry(
        source_id=source_id,
        path=archive.path,
        device=archive.identity[0],
        inode=archive.identity[1],
        head=contents.head,
        position=contents.size,
        before=contents.before,
        ended=True,
        trailer=contents.trailer,
    )
