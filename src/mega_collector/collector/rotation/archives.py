"""Archives that the patterns match: which of them is gone through next, and what each waits for."""

import errno
from collections import OrderedDict
from dataclasses import replace

import structlog

from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.finding.finder import Finder
from mega_collector.collector.finding.roster import Identity
from mega_collector.collector.finding.rotated_names import plain
from mega_collector.collector.reading.file import File
from mega_collector.collector.reading.followed import Followed
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.gzip_file import MAGIC, Contents, State, is_archive, last_size, trailer_of
from mega_collector.collector.reading.open_files import OpenFiles, TooManyOpenFiles
from mega_collector.collector.recognition.ages import Ages
from mega_collector.collector.recognition.remembered import Remembered
from mega_collector.collector.recognition.resumption import new_id
from mega_collector.collector.rotation.known_archives import Archive, KnownArchives
from mega_collector.collector.rotation.shipped_archives import Fate, Held, Look, ShippedArchives
from mega_collector.collector.rotation.waiting import WaitingFiles
from mega_collector.collector.sending.shipper import Shipper
from mega_collector.collector.sources.endings import Endings
from mega_collector.collector.sources.losses import Losses
from mega_collector.collector.sources.sources import Sources
from mega_collector.collector.state.checkpoint import Entry
from mega_collector.marker import Marker
from mega_collector.telemetry.printable import printable

_log = structlog.get_logger(__name__)


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
        ages: Ages,
        remembered: Remembered,
        shipper: Shipper,
        sources: Sources,
        endings: Endings,
        losses: Losses,
        waiting: WaitingFiles,
        rotate_wait: float,
    ) -> None:
        self._finder = finder
        self._files = files
        self._remembered = remembered
        self._shipper = shipper
        self._sources = sources
        self._endings = endings
        self._losses = losses
        self._waiting = waiting
        self._archives = KnownArchives()
        self._queue: OrderedDict[Archive, None] = OrderedDict()
        """Those that are to be gone through, in their order: after a rotation, all that were renamed."""
        self._held: list[Held] = []
        self._delayed: list[Archive] = []
        """Those that wait: for a descriptor, for the copy of which they are made, or for what is in flight."""
        self._unreadable: dict[Archive, None] = {}
        """Those that nobody can open or read at present: nothing waits for them."""
        self._look: Look | None = None
        self._shipped = ShippedArchives(
            finder=finder,
            followed=followed,
            files=files,
            ages=ages,
            remembered=remembered,
            shipper=shipper,
            sources=sources,
            endings=endings,
            waiting=waiting,
            rotate_wait=rotate_wait,
        )

    def __contains__(self, identity: object) -> bool:
        return identity in self._archives

    @property
    def pending(self) -> bool:
        """Whether there is an archive to go through now."""
        begins = bool(self._queue) and not self._shipped.pending and not self._finder.doubtful
        return self._look is not None or (begins and not self._sources.recollecting)

    @property
    def undecided(self) -> bool:
        """Whether what is in an archive may still turn out to belong to a file that is gone."""
        return self._look is not None or bool(self._queue)

    @property
    def busy(self) -> bool:
        """Whether something of those that are whole is still to be shipped, but for what is refused for good."""
        held = any(not self._shipper.stopped(each.follower.source) for each in self._held)
        return self.undecided or held or bool(self._delayed) or self._shipped.pending

    @property
    def unreadable(self) -> bool:
        """Whether there is one that nobody can open or read at present."""
        return bool(self._unreadable)

    def know(self, entry: Entry) -> bool:
        """Whether the archive of which this is remembered is there."""
        return self._archives.know(entry)

    def end_with(self, entry: Entry) -> bool:
        """Whether one that is done ends with what was shipped of that: then there was no more of it."""
        return self._archives.end_with(entry)

    def are_of(self, path: bytes, *, done: bool = False) -> bool:
        """Whether there is one that was made of a file of that name. `done`: and nothing of it is left to ship."""
        return self._archives.are_of(path, done=done)

    def is_known(self, facts: FileFacts) -> bool:
        """Whether it was gone through and is as it was then, whole or not, or is shipped now."""
        archive = self._archives.get((facts.device, facts.inode))
        if archive is None:
            return False
        return archive.tried == (facts.size, facts.changed_ns) or archive in self._shipped

    def looks_once_more(self, entry: Entry) -> bool:
        """Whether one that is done may end with what was shipped of that: gone through once more, it will tell."""
        archive = self._archives.may_end_with(entry)
        if archive is None:
            return False
        archive.asked.add(entry.source_id)
        archive.looked = (0, 0)
        self._look_anew(archive)
        return True

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
        archive = Archive(identity, path, looked, skip)
        self._archives.add(archive)
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
            entry = archive.entry_of(nothing, new_id())
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
        self._archives.remove(archive)
        self._finder.forget(identity)
        if archive.entry is not None:
            # As that of any other source: moved to another filesystem, it has another inode there.
            self._endings.conclude(archive.entry, recognisable=True)
        coming = self._queue, self._delayed, self._unreadable
        waits = archive.tried is not None or any(archive in each for each in coming)
        if archive.entry is None and waits and not archive.skip and not self._shipped.know_origin(archive):
            source = self._sources.make(archive.path, FileFacts(*identity, 0, 0), Marker(), None)
            self._losses.end(source, 0, None, "the archive was deleted before it could be read")

    def skip_none(self) -> None:
        """None is passed over after all: it was to be seen first whether anything was shipped before."""
        for archive in self._archives:
            archive.skip = False

    # Going through them

    def poll(self) -> None:
        """What is done at every interval."""
        held, self._held = self._held, []
        for each in held:
            if self._shipped.is_to_wait(each):
                self._held.append(each)
            elif self._shipped.is_shipped(each):
                self._shipped.recognise(each.archive, each.contents, each.follower.source.path)
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

    def _is_behind(self, archive: Archive) -> bool:
        entry = archive.behind
        return entry is not None and (self._sources.is_coming(entry) or self._waiting.holds(entry))

    def look_again(self, follower: Follower, error: OSError | None = None) -> bool:
        """It was written anew while it was shipped; or cannot be read, and what is open of it may be stale.

        False: it is no archive's, or that is gone, and what is open of it may be read later.
        """
        archive = self._shipped.of(follower)
        lasts = error is None or error.errno in {errno.EBADMSG, errno.ESTALE}
        if archive is None or (archive.gone and not lasts):
            return False
        if error is not None and error.errno != errno.EBADMSG:
            # Else it was whole when it was gone through: it is seen now what it is.
            self._tell(archive, "cannot_read", error)
        self._shipped.leave(follower)
        self._endings.end(follower, lost="the archive was deleted before it was read" if archive.gone else None)
        if error is None or error.errno == errno.EBADMSG:
            self._look_anew(archive)
        else:
            self._unreadable[archive] = None
        return True

    def try_again(self) -> None:
        """Those that could not be read, at every interval: what was to be seen to before them is."""
        for archive in list(self._unreadable):
            self._look_anew(archive)

    def _look_anew(self, archive: Archive) -> None:
        archive.tried = None
        self._unreadable.pop(archive, None)
        if not archive.gone:
            self._queue[archive] = None

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
                self._take(look, self._shipped.decide(look, now))
            case State.READING:
                pass

    def _take(self, look: Look, fate: Fate | Held) -> None:
        match fate:
            case Fate.SHIPPED:
                return
            case Fate.PASSED_OVER:
                self._pass_over(look.archive, look.file)
                return
            case Fate.BEHIND:
                self._delayed.append(look.archive)
            case Held():
                self._held.append(fate)
            case Fate.DONE:
                pass
        look.file.close()

    def finish(self, now: float) -> None:
        """Be done with what is shipped by now."""
        self._shipped.finish(now)

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
        self._look = self._shipped.look(archive, file, facts)

    def _let_go(self, archive: Archive, *, moved: bool) -> None:
        """Another file has its name, so that it has `moved`, or its inode: the next scan finds what is there."""
        self._archives.remove(archive)
        self._finder.forget(archive.identity)
        self._finder.hurry()
        if not moved and archive.entry is not None:
            self._endings.conclude(archive.entry, recognisable=True)

    def _postpone(self, archive: Archive, error: OSError, event: str = "cannot_read") -> None:
        """It is looked at again at the next poll; or when it is seen next, if it has not that name any more."""
        if isinstance(error, FileNotFoundError):
            archive.tried = (-1, -1)
            self._finder.hurry()
        else:
            self._unreadable[archive] = None
            self._tell(archive, event, error)

    def _wait(self, look: Look, event: str, error: OSError | None) -> None:
        archive = look.archive
        self._leave(look)
        archive.tried = look.facts.size, look.facts.changed_ns
        if archive.seen not in {None, archive.tried}:
            # It has changed since it was opened.
            self._look_anew(archive)
        self._tell(archive, event, error)

    def _leave(self, look: Look) -> None:
        """It cannot be gone through to its end now."""
        look.archive.head, self._look = look.inspection.head, None
        look.file.close()

    def _tell(self, archive: Archive, event: str, error: OSError | None) -> None:
        """Once, until all of it could be read."""
        if event in archive.told:
            return
        archive.told.add(event)
        if error is not None:
            _log.warning(event, path=printable(archive.path), error=error.strerror or str(error))
        else:
            _log.info(event, path=printable(archive.path), reason="it is not whole yet")

    def _pass_over(self, archive: Archive, file: File) -> None:
        try:
            trailer = trailer_of(file)
        except OSError as error:
            self._postpone(archive, error)
        else:
            if not archive.gone:
                known = self._known(archive.identity, trailer)
                source_id = new_id() if known is None else known.source_id
                self._shipped.remember(archive, archive.entry_of(Contents(0, Marker(), Marker(), trailer), source_id))
        finally:
            file.close()
