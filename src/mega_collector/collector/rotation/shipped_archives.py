"""What of an archive was shipped already, as the file that it was made of: the rest of it is shipped."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial

import structlog

from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.finding.finder import Finder
from mega_collector.collector.finding.rotated_names import is_named_after, originals, plain
from mega_collector.collector.reading.file import File
from mega_collector.collector.reading.followed import Followed
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.gzip_file import Contents, GzipFile, Inspection
from mega_collector.collector.reading.open_files import OpenFiles
from mega_collector.collector.recognition.ages import Ages
from mega_collector.collector.recognition.remembered import Remembered, entry_of
from mega_collector.collector.recognition.resumption import new_id
from mega_collector.collector.rotation.known_archives import Archive
from mega_collector.collector.rotation.origins import Origins, is_own
from mega_collector.collector.rotation.waiting import WaitingFiles
from mega_collector.collector.sending.shipper import Shipper
from mega_collector.collector.sources.endings import Endings
from mega_collector.collector.sources.sources import Sources
from mega_collector.collector.state.checkpoint import Entry
from mega_collector.telemetry.printable import printable

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """The archive that is gone through now."""

    archive: Archive
    file: File
    facts: FileFacts
    inspection: Inspection
    candidates: list[Entry]
    """What may be in it, as it was when its first bytes were seen."""


@dataclass(frozen=True, slots=True)
class Held:
    """An archive that waits until its original's follower, which was at `position`, has shipped `needed` bytes."""

    archive: Archive
    follower: Follower
    position: int
    needed: int
    contents: Contents
    seen: tuple[int, int]
    """Size and time of change when it was gone through."""


class Fate(Enum):
    """What becomes of an archive that is whole."""

    SHIPPED = auto()
    """What is left of it is shipped now, from its file, which stays open."""
    DONE = auto()
    """Nothing of it is left to ship."""
    PASSED_OVER = auto()
    """Nothing of it was shipped, and nothing is to be."""
    BEHIND = auto()
    """Something goes on in it, or in a copy, of which it is still to be seen how far it came."""


class ShippedArchives:
    """Decides of archives that were gone through what of them is left to ship, and has that shipped."""

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
        waiting: WaitingFiles,
        rotate_wait: float,
    ) -> None:
        self._finder = finder
        self._followed = followed
        self._files = files
        self._remembered = remembered
        self._shipper = shipper
        self._sources = sources
        self._endings = endings
        self._waiting = waiting
        self._rotate_wait = rotate_wait
        self._shipped: dict[Follower, tuple[Archive, Contents]] = {}
        self._origins = Origins(
            followed=followed,
            files=files,
            ages=ages,
            remembered=remembered,
            sources=sources,
            shipped=self._shipped,
        )

    def __contains__(self, archive: object) -> bool:
        """Whether something of it is shipped now."""
        return any(each is archive for each, _ in self._shipped.values())

    @property
    def pending(self) -> bool:
        """Whether one is shipped now: what the aggregator refuses for good holds up no other."""
        return not all(self._shipper.stopped(each.source) for each in self._shipped)

    def of(self, follower: Follower) -> Archive | None:
        """The archive that is shipped by that follower, if one is."""
        archive, _ = self._shipped.get(follower, (None, None))
        return archive

    def leave(self, follower: Follower) -> None:
        """No more of it comes from the archive."""
        del self._shipped[follower]

    def look(self, archive: Archive, file: File, facts: FileFacts) -> Look:
        """The archive, open, is to be gone through."""
        candidates: list[Entry] = []
        return Look(archive, file, facts, Inspection(file, partial(self._positions, archive, candidates)), candidates)

    def _positions(self, archive: Archive, candidates: list[Entry], head: bytes) -> Collection[int]:
        candidates += self._origins.candidates(archive.path, head)
        return {entry.position for entry in candidates}

    def know_origin(self, archive: Archive) -> bool:
        """Whether one that never became whole begins as the file of which it was made: its maker gave that up."""
        return self._origins.know(archive.path, archive.head)

    def finish(self, now: float) -> None:
        """Be done with what is shipped by now."""
        for follower in list(self._shipped):
            source = follower.source
            # Of what is refused for good nothing is in flight, and nothing was shipped.
            done = self._shipper.acknowledged(source) and not self._shipper.stopped(source)
            if done and follower.finished(now):
                self._finish(follower)

    def is_to_wait(self, held: Held) -> bool:
        """Whether its original's follower may still ship all of it."""
        follower = held.follower
        if held.archive.gone or follower.vanished or self._followed.of(follower.source.id) is not follower:
            return False
        if self._acknowledged(follower) >= held.needed:
            return False
        if follower.settled and follower.path is not None and follower.size < held.needed:
            # It is there, and does not hold as much: the archive was made of another file that had its name.
            return False
        return follower.path is None or follower.position == held.position

    def is_shipped(self, held: Held) -> bool:
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

    def decide(self, look: Look, now: float) -> Fate | Held:
        """What becomes of it, or what it waits for."""
        archive, contents = look.archive, look.inspection.contents
        assert contents is not None
        holder = self._origins.holder(archive.path, contents, look.facts)
        if holder is not None and self._acknowledged(holder) >= contents.size:
            self.recognise(archive, contents, holder.source.path)
            return Fate.DONE
        inode = archive.identity[1]
        original = self._origins.original(
            look.candidates, look.inspection.tails, path=archive.path, inode=inode, contents=contents
        )
        if archive.skip and original is None and holder is None:
            return Fate.PASSED_OVER
        archive.behind = self._goes_on_first(archive, contents, original)
        if archive.behind is not None:
            return Fate.BEHIND
        position = original.position if original is not None else 0
        if original is None:
            head, size = look.inspection.head, contents.size
            follower = self._origins.follower_of(archive.path, head, size, look.facts)
        else:
            follower = self._followed.of(original.source_id)
        if follower is None or follower.vanished:
            # Nothing is missing where a file holds all of it.
            follower = holder or follower
        if follower is not None and not follower.vanished:
            seen = look.facts.size, look.facts.changed_ns
            return Held(archive, follower, follower.position, contents.size, contents, seen)
        if position == contents.size and follower is None:
            self.recognise(archive, contents, None if original is None else original.path)
            outdated = self._origins.outdated(
                look.candidates, look.inspection.tails, path=archive.path, inode=inode, contents=contents
            )
            if original is not None and not (original.ended or is_own(original, inode, contents)):
                outdated = [original, *(each for each in outdated if each is not original)]
            # The file vanished while nobody looked; all of it was shipped.
            for each in outdated:
                self._endings.conclude(each)
            return Fate.DONE
        self._ship(look, contents, original, follower, now)
        return Fate.SHIPPED

    def _goes_on_first(self, archive: Archive, contents: Contents, original: Entry | None) -> Entry | None:
        """The original, if what was shipped of it is not known yet, or it has ended, or will, and goes on in a copy.

        Where nothing was shipped, all that is in the archive, if that is in a copy, too.
        """
        if original is None:
            whole = archive.entry_of(contents, new_id())
            copied = (replace(whole, path=name) for name in originals(plain(archive.path)))
            return next(filter(self._waiting.holds, copied), None)
        follower = self._followed.of(original.source_id)
        over = original.ended or (follower is not None and follower.vanished)
        return original if self._sources.is_coming(original) or (over and self._waiting.holds(original)) else None

    def _ship(
        self, look: Look, contents: Contents, original: Entry | None, follower: Follower | None, now: float
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
            self.remember(archive, archive.entry_of(contents, source.id))
        else:
            self._shipper.end(source)
            self._stand(archive, contents)

    def recognise(self, archive: Archive, contents: Contents, of: bytes | None) -> None:
        """All of it was shipped already, as the file of that name, or as itself."""
        _log.info("archive_recognised", path=printable(archive.path), of=None if of is None else printable(of))
        if not contents.size:
            self._recognise_empty(archive)
        self._stand(archive, contents)

    def _recognise_empty(self, archive: Archive) -> None:
        """If nothing more comes of what is gone and was empty, the next process is to know that nothing was lost."""
        for follower in self._followed:
            gone = follower.path is None and follower.settled and not follower.size
            if gone and is_named_after(archive.path, follower.source.path):
                self._shipper.note(entry_of(follower, inode=0, ended=True))
                return

    def _stand(self, archive: Archive, contents: Contents) -> None:
        """All of it was shipped as another source: so that the ledger knows its file too, it has one of its own."""
        if archive.gone:
            return
        known = archive.entry
        if known is None or (known.position, known.before) != (contents.size, contents.before):
            inode = archive.identity[1]
            own = (each for each in self._remembered.standing(inode) if is_own(each, inode, contents))
            known = next(own, None)
        entry = archive.entry_of(contents, new_id() if known is None else known.source_id)
        self.remember(archive, entry)
        if known is None:
            self._endings.stand(entry)

    def remember(self, archive: Archive, entry: Entry) -> None:
        """That nothing of it is left to ship, for as long as it is there."""
        if archive.entry is not None and archive.entry.source_id != entry.source_id:
            self._endings.conclude(archive.entry)
        archive.told.clear()
        archive.entry = entry
        self._remembered.end(entry)
        self._shipper.changed()
