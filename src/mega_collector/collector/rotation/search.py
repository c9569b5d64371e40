"""Looks for the files that are remembered, and that no scan has found."""

from collections.abc import Iterable

import structlog

from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.finding.finder import Finder
from mega_collector.collector.finding.rotated_names import originals
from mega_collector.collector.reading.crowd import Crowd
from mega_collector.collector.reading.file import File, Filesystem
from mega_collector.collector.reading.open_files import OpenFiles, TooManyOpenFiles
from mega_collector.collector.reading.siblings import Siblings
from mega_collector.collector.recognition.identity import agrees, head_of
from mega_collector.collector.recognition.remembered import Remembered
from mega_collector.collector.rotation.archives import Archives
from mega_collector.collector.rotation.departures import Departures
from mega_collector.collector.sources.endings import Endings
from mega_collector.collector.sources.recollected import Recollected
from mega_collector.collector.sources.sources import Sources
from mega_collector.collector.state.checkpoint import Entry
from mega_collector.telemetry.printable import printable

_log = structlog.get_logger(__name__)

MISSES = 2
"""Scans in a row: one that runs beside a rename may see a file under neither name. The one that has found it is counted
only when all of it is told, and is none of them."""


class Search:
    """Finds them under a name that no pattern matches, or tells what became of them."""

    def __init__(
        self,
        *,
        finder: Finder,
        files: OpenFiles,
        disk: Filesystem,
        siblings: Siblings,
        remembered: Remembered,
        sources: Sources,
        endings: Endings,
        recollected: Recollected,
        archives: Archives,
        departures: Departures,
        crowd: Crowd,
    ) -> None:
        self._finder = finder
        self._files = files
        self._disk = disk
        self._siblings = siblings
        self._remembered = remembered
        self._sources = sources
        self._endings = endings
        self._recollected = recollected
        self._archives = archives
        self._departures = departures
        self._crowd = crowd
        self.pending = True
        """Whether it is still to be seen what became of one that is remembered."""
        self._doubted: dict[bytes, tuple[bool, int]] = {}
        """Those whose file was not found, and how many scans there were: the next may find it. And whether something
        had its name and inode."""
        self._sought: set[bytes] = set()
        """Those whose fate is known: they may be remembered on, to be recognised."""
        self._theirs: set[bytes] = set()
        """What was recollected while another process was connected, whose it may be."""
        self._gone: set[bytes] = set()
        """Those that were not found before all was recollected: a copy or an archive may turn out to be theirs."""
        self._looked_for: set[bytes] = set()
        """Those of which all is known that there is to know, until all are that are sought now: a doubt of one must not
        begin anew while there is one of another."""
        self._told: set[bytes] = set()
        """Those of which it was said that nobody can look for them now."""

    @property
    def doubtful(self) -> bool:
        """Whether it is still to be seen if what was not found is gone."""
        return bool(self._doubted)

    def wanted(self, entries: Iterable[Entry]) -> list[Entry]:
        """Of what the aggregator remembers, what is of files that are wanted here, and more than is known of them.

        Or whoever is the aggregator could have any file read.
        """
        return [each for each in entries if self._finder.matches(each.path) and self._recollected.is_news(each)]

    def recollect(self, entries: Iterable[Entry], *, others: bool) -> None:
        """The aggregator has told what it remembers: all that is not found is to be sought once more.

        `others`: what has not ended of it may be another process's, and is not sought.
        """
        for entry in self.wanted(entries):
            # More is known: what was found may not be it after all.
            self._sought.discard(entry.source_id)
            if self._recollected.recollect(entry) and others and not entry.ended:
                self._theirs.add(entry.source_id)
        self._gone.clear()
        self.begin_anew()

    def begin_anew(self) -> None:
        """Something remembered is to be sought, again if it had its name when it was before."""
        self._looked_for.clear()
        self.pending = True

    def poll(self, now: float) -> None:
        """After the first scan: what became of the files that are remembered and were not found.

        As long as this is `pending`: not all of them could be looked at, or some may only have been missed.
        """
        known = self._sought | self._theirs | self._gone | self._looked_for
        unknown = (each for each in self._remembered if each.source_id not in known)
        sought = [each for each in unknown if not self._endings.is_over(each.source_id)]
        left = self._seek(sought, now)
        if left:
            self._looked_for.update({each.source_id for each in sought} - {each.source_id for each in left})
        else:
            self._looked_for.clear()
        self.pending = bool(left)

    def seek_strangers(self, strangers: Iterable[Entry], now: float) -> list[Entry]:
        """Likewise of those that only the aggregator remembers; those for which it is to be called again."""
        # Its file may have been found since the aggregator was asked, or told as gone: then it is no stranger any more.
        unknown = self._recollected.unknown(strangers)
        return self._seek([each for each in unknown if each.source_id not in self._sought], now)

    def follow_original(self, path: bytes, now: float) -> None:
        """What is remembered, and may be the original of a copy of that name, is followed if it lies near.

        By a name that no pattern finds, that is: until it is sought, nobody sees whether the copy begins as it does.

        Raises:
            TooManyOpenFiles: it cannot be opened now.
        """
        for entry in [each for name in originals(path) for each in self._remembered.named(name)]:
            if entry.ended or entry.source_id in self._sought or entry.source_id in self._theirs:
                continue
            if self._endings.is_over(entry.source_id) or self.is_called(entry.path, entry.inode):
                continue
            try:
                near = self._beside(entry)
                # With a name that a pattern finds, too, it is followed by that.
                if near is not None and not (self._finder.matches(near) or self._finder.finds(entry.inode)):
                    self._follow_nameless(entry, near, now)
            except TooManyOpenFiles:
                raise
            except OSError:
                # What it holds nobody knows: the copy need not wait for that.
                continue

    def is_called(self, path: bytes, inode: int) -> bool:
        """Whether that file is called so now, as far as can be seen."""
        try:
            return self._disk.inode(path) == inode
        except OSError:
            return True

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
        found_out = True
        try:
            if not entry.ended:
                found_out = self._is_found_or_gone(entry, now, doubted)
            elif entry.unconfirmed:
                # Whether it was to be passed over is still to be seen.
                self._gone.add(entry.source_id)
            elif entry.trailer.length and not self._archives.know(entry):
                self._endings.conclude(entry)
        except TooManyOpenFiles as error:
            self._crowd.warn(error)
            return False
        except OSError as error:
            if entry.source_id not in self._told:
                self._told.add(entry.source_id)
                _log.warning("cannot_look", path=printable(entry.path), error=error.strerror or str(error))
            return False
        self._told.discard(entry.source_id)
        return found_out

    def _is_found_or_gone(self, entry: Entry, now: float, doubted: tuple[bool, int] | None) -> bool:
        named = self.is_called(entry.path, entry.inode)
        path = None if named else self._beside(entry)
        if path is not None and self._follow_nameless(entry, path, now):
            return True
        since = doubted[1] if doubted is not None and doubted[0] == named else self._finder.scans
        if self._finder.scans - since < MISSES:
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

    def _tells_gone(self, entry: Entry, now: float, reason: str) -> bool:
        """What was written to it behind its position cannot be had any more, unless all of it is in an archive.

        False: that is still to be seen.
        """
        if self._sources.recollecting:
            self._gone.add(entry.source_id)
            return True
        if self._archives.end_with(entry):
            self._endings.conclude(entry)
            return True
        if self._archives.looks_once_more(entry):
            return False
        if entry.source_id not in self._remembered:
            # Nor is it from now on: there may be any number of them.
            self._endings.lose(entry, reason)
            return True
        facts = FileFacts(entry.device, entry.inode, entry.position, 0)
        source = self._sources.make(entry.path, facts, entry.head, entry)
        self._sought.add(entry.source_id)
        self._departures.lost(self._sources.follower(source, None, facts, now), reason)
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
        follower = self._sources.follower(source, None, facts, now)
        self._files.keep(follower, file)
        self._finder.follow(follower.identity, None)
        self._sources.begin(follower)
        self._sought.add(entry.source_id)
        self._departures.add(follower, path)
        return True


def _is(entry: Entry, file: File, facts: FileFacts) -> bool:
    # A file that was empty when it was seen last cannot be told from any other.
    known = entry.head.length > 0 or entry.before.length > 0
    same = known and facts.inode == entry.inode
    return same and agrees(file, position=entry.position, head=entry.head, tail=entry.before)
