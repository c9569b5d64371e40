"""When to look at the directories, and what has changed there since the last look."""

import math
import os
import stat
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

import structlog

from mega_collector.collector.finding.discovery import FileFacts, NotAlone, Scan
from mega_collector.collector.finding.outputs import Outputs
from mega_collector.collector.finding.roster import Appeared, Identity, Renamed, Roster, is_hidden
from mega_collector.collector.finding.rotated_names import uncopied
from mega_collector.collector.finding.watch import Events
from mega_collector.telemetry.printable import printable

_SCAN_INTERVAL = 30.0
"""Seconds between scans where inotify tells where to look."""

_SCAN_SHARE = 5
"""A scan is at least so many times its own duration after the last one: scanning must never take the machine."""

_IDLE_SHARE = 50
"""The same, where nothing asks for the scan and the watch tells what happens."""

_SETTLING = 0.02
"""Seconds in which the second half of a rename is told: the kernel does it at once."""

_HIDDEN = "cannot_look"
_OWN = "own"

_log = structlog.get_logger(__name__)


class Discovery(Protocol):
    """What is there."""

    def scan(self) -> Scan:
        """Everything that matches. Until that is `finished`, it is to be called again, and gives the same and more."""
        ...

    def matches(self, path: bytes) -> bool:
        """Whether a file of that path, were it there, would be found."""
        ...

    def look(self, path: bytes) -> FileFacts | None:
        """The regular file of that very name; None if nothing has that name.

        Raises:
            NotAlone: only a scan can tell what it is.
        """
        ...


class Watch(Protocol):
    """Tells where to look. See `mega_collector.collector.finding.watch`."""

    enabled: bool
    failure: str | None

    @property
    def trusted(self) -> bool: ...
    def fileno(self) -> int: ...
    def update(self, directories: set[bytes], /) -> None: ...
    def read(self) -> Events: ...
    def close(self) -> None: ...


Change = Appeared | Renamed | FileFacts
"""`FileFacts`: a followed file, as it was found."""


class Finder:
    """Scans, and in between looks at what the watch tells of. A scan is the truth; the watch only says where to look.

    Files in `own` (files, or directories and what lies directly in them) are left out, with a warning: the program's
    state, its log, its output. Shipping them would feed on itself.
    """

    def __init__(
        self,
        *,
        discovery: Discovery,
        watch: Watch,
        roster: Roster,
        poll_interval: float,
        own: Sequence[Path] = (),
        clock: Callable[[], float] = time.monotonic,
        wall_clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._discovery = discovery
        self._watch = watch
        self._roster = roster
        self._poll_interval = poll_interval
        self._own = own
        self._outputs = Outputs()
        self._clock = clock
        self._wall_clock_ns = wall_clock_ns
        self._warned: dict[bytes, set[object]] = {}
        """What was said of each name, so that it is said once."""
        self._scan_at = self._not_before = self._seldom = 0.0
        self._settle_at = math.inf
        self._last = Scan()
        self._took = 0.0
        self._told = 0
        """How many files of the scan that runs were told already."""
        self._scanning = self._again = self._astray = False
        self._named: set[bytes] = set()
        """What was told while a scan runs, and what it may have seen as it was before."""
        self._trusted: bool | None = None
        self.told = False
        """Whether the watch had something to tell at the last look, and told all of it."""
        self.stirred = False
        """Whether that was of names that came, went or moved: whatever they are."""
        self.scans = 0
        """How many there were."""

    @property
    def scanned(self) -> bool:
        """Whether there was a scan."""
        return self.scans > 0

    @property
    def doubtful(self) -> bool:
        """Whether the last look missed a file that was there before: the next one tells."""
        return self._roster.doubtful or self._roster.unsettled

    def hidden(self, path: bytes) -> bool:
        """Whether the last scan could not look there: what is not seen may be there all the same."""
        return is_hidden(path, self._last.unobservable)

    def matches(self, path: bytes) -> bool:
        """Whether a file of that path, were it there, would be found."""
        return self._discovery.matches(path)

    def passes_over(self, identity: Identity) -> bool:
        """Whether that file was found, and is too old to be followed."""
        return identity in self._roster and not self._roster.follows(identity)

    @property
    def hidden_paths(self) -> Mapping[bytes, OSError]:
        """What the last scan could not look at. From any thread."""
        return self._last.unobservable

    @property
    def passed_over(self) -> int:
        """How many files the last scan found that are not to be followed. From any thread."""
        return self._last.passed_over

    def found(self, path: bytes) -> Identity | None:
        """The file that was last found by that name."""
        return self._roster.found(path)

    def finds(self, inode: int) -> bool:
        """Whether a file with that inode was last found by some name."""
        return self._roster.finds(inode)

    def names(self) -> Sequence[bytes]:
        """By which files were found that are not passed over. From any thread."""
        return self._roster.names

    def fileno(self) -> int:
        """Readable when there is something to look at before `due`; negative while nothing tells."""
        return self._watch.fileno()

    @property
    def due(self) -> float:
        """When to look next, even if nothing tells."""
        return min(self._scan_at, self._settle_at)

    def leave_out(self, outputs: Collection[Identity]) -> None:
        """The aggregator writes to these files: they are as `own`, by whatever name."""
        self._outputs.name(outputs)
        self.hurry()

    def hurry(self) -> None:
        """Scan at the next look, or as soon as may be: what was found does not hold any more."""
        self._again = self._scanning
        self._scan_at = min(self._scan_at, self._not_before)

    def look(self, now: float) -> Iterator[Change]:
        """What has changed."""
        events = self._watch.read()
        self.stirred = events.rescan or bool(events.named)
        self.told = (self.stirred or bool(events.changed)) and not events.more
        if events.rescan:
            self.hurry()
        if now >= self._scan_at:
            yield from self._scan(now)
        # The facts are those of now: it does not matter whether the scan has seen what is told here. What was written
        # comes first: that a file was truncated tells what its copy is, which has just got its name.
        yield from self._look_at(events.changed - events.named)
        yield from self._look_at_names(events.named)
        if self._scanning:
            self._named |= events.named
        if not events.more:
            yield from self._settle(now)

    def follow(self, identity: Identity, path: bytes | None) -> None:
        """The file is followed, by this name."""
        self._roster.follow(identity, path)
        if path is not None:
            self._warned.pop(path, None)

    def forget(self, identity: Identity) -> None:
        """The file is not followed any more."""
        self._roster.forget(identity)

    def warn(self, path: bytes, error: OSError, event: str) -> None:
        """Say once that a file cannot be followed; again only after it was followed or gone meanwhile."""
        self._warn_once(path, (error.errno, event), event, path=printable(path), error=error.strerror or str(error))

    def close(self) -> None:
        self._watch.close()

    def _scan(self, now: float) -> Iterator[Change]:
        began = self._clock()
        scan = self._discovery.scan()
        # Told at once, before anything is read: later, these sizes could look like truncations.
        fresh = list(islice(scan.files.values(), self._told, None))
        self._told += len(fresh)
        self._took += self._clock() - began
        self._scanning = not scan.finished
        self._scan_at = now
        changes = [] if self._scanning else self._finish(scan, now)
        yield from _in_order(changes, fresh)
        if scan.finished:
            self.scans += 1
            named, self._named = self._named, set()
            yield from self._look_at_names(named)

    def _finish(self, scan: Scan, now: float) -> list[Appeared | Renamed]:
        """All is looked at."""
        began = self._clock()
        own = self._own_among(scan.files)
        if not scan.unobservable:
            self._outputs.forget_missing(scan.files)
        for path in own:
            del scan.files[path]
        self._complain(scan)
        # Watched before they are used: what changes from here on is told.
        self._watch.update(scan.directories)
        self._say_whether_watched()
        changes = self._roster.update(scan.files, scan.unobservable, self._wall_clock_ns())
        took, again = self._took + self._clock() - began, self._again
        self._took, self._told, self._again = 0.0, 0, False
        # Of what could not be looked at nothing may tell when it can, unless it only may not be opened.
        often = not self._watch.trusted or bool(scan.unobservable.keys() - scan.sealed)
        idle = took * _IDLE_SHARE
        interval = self._poll_interval if often else max(_SCAN_INTERVAL, idle)
        self._not_before = now + took * (1 + _SCAN_SHARE)
        self._scan_at = max(now + interval, self._not_before)
        self._seldom = now + max(self._poll_interval, idle)
        self._settle_at = math.inf
        if self._astray:
            self._astray = False
            self._scan_at = min(self._scan_at, self._seldom)
        if self._roster.doubtful or again:
            self.hurry()
        scan.passed_over += len(own)
        # The roster knows the files from now on.
        scan.files.clear()
        self._last = scan
        return changes

    def _look_at(self, paths: Iterable[bytes]) -> Iterator[Change]:
        """The watch tells that these files were written to, each by one of its names."""
        for path in paths:
            if not self._roster.knows(path) and not self._may_concern(path):
                continue
            try:
                facts = self._discovery.look(path)
            except NotAlone:
                # Hidden: a scan tells.
                continue
            if facts is None:
                self._look_for_other_name()
                continue
            identity = facts.device, facts.inode
            if self._roster.follows(identity):
                yield facts
            elif identity in self._roster:
                yield from self._look_at_names([path])

    def _look_for_other_name(self) -> None:
        """What was written to has not that name any more, by which it goes on to be told: a scan finds it by another.

        It was linked to that, and unlinked. Mostly it is just gone: that must not take more than scans do anyhow.
        """
        self._astray |= self._scanning
        self._scan_at = min(self._scan_at, self._seldom)

    def _may_concern(self, path: bytes) -> bool:
        """Whether a name that no scan has found can be that of a file we want: a busy one may lie beside ours."""
        wanted = self._last.listed.get(_directory(path))
        return wanted is None or wanted.file(path) or self._last.hangs_on(path)

    def _look_at_names(self, paths: Iterable[bytes]) -> Iterator[Change]:
        """The watch tells that these names came, went, moved, or may be readable from now on."""
        found: dict[bytes, FileFacts | None] = {}
        for path in paths:
            wanted = self._last.listed.get(_directory(path))
            if wanted is None or self._last.hangs_on(path):
                self.hurry()
            elif (follow := wanted.file(path)) or wanted.way(path):
                try:
                    facts = self._discovery.look(path)
                except NotAlone:
                    self.hurry()
                else:
                    if follow:
                        found[path] = facts
        if found:
            yield from self._amend(found)

    def _settle(self, now: float) -> Iterator[Change]:
        """A rename is told in two halves, one right behind the other: without the second, the file has no name."""
        if not self._roster.unsettled:
            self._settle_at = math.inf
        elif self._settle_at == math.inf:
            self._settle_at = now + _SETTLING
        elif now >= self._settle_at:
            self._settle_at = math.inf
            yield from self._roster.settle()

    def _amend(self, found: dict[bytes, FileFacts | None]) -> Iterator[Change]:
        """Some names were looked at."""
        for path in self._own_among(found):
            found[path] = None
        changes = self._roster.amend(found, self._wall_clock_ns())
        yield from _in_order(changes, (facts for facts in found.values() if facts is not None))

    def _own_among(self, files: Mapping[bytes, FileFacts | None]) -> set[bytes]:
        """The names that are this program's own files'."""
        own = set(_identities(self._own)) if any(files.values()) else set()
        paths = {path for path, facts in files.items() if facts is not None and (facts.device, facts.inode) in own}
        paths.update(self._outputs.among(files))
        for path in paths:
            self._warn_once(path, _OWN, "own_file_left_out", path=printable(path))
        return paths

    def _complain(self, scan: Scan) -> None:
        self._forget_what_ended(scan)
        for path, error in scan.unobservable.items():
            self.warn(path, error, _HIDDEN)
        for path, what in scan.odd.items():
            self._warn_once(path, what, "not_followed", path=printable(path), reason=f"it is {what}")
        if not self.scanned and not scan.files and not scan.passed_over:
            _log.warning("no_files", reason="no file matches yet; what appears is followed")

    def _forget_what_ended(self, scan: Scan) -> None:
        """What does not hold any more may be told again, should it come back."""
        holds: dict[bytes, object] = {path: (error.errno, _HIDDEN) for path, error in scan.unobservable.items()}
        holds.update(scan.odd)
        for path, said in list(self._warned.items()):
            there = path in scan.files or path in scan.unobservable
            kept = {fact for fact in said if fact in (_OWN, holds.get(path)) or (there and _is_of_opening(fact))}
            if kept:
                self._warned[path] = kept
            else:
                del self._warned[path]

    def _say_whether_watched(self) -> None:
        before, self._trusted = self._trusted, self._watch.trusted
        if self._trusted == before:
            return
        if self._watch.failure is not None:
            tell = _log.warning if self._watch.enabled else _log.info
            tell("polling", reason=self._watch.failure, interval=self._poll_interval)
        elif before is not None:
            _log.info("watching")

    def _warn_once(self, name: bytes, fact: object, event: str, **keys: object) -> None:
        said = self._warned.setdefault(name, set())
        if fact not in said:
            said.add(fact)
            _log.warning(event, **keys)


def _is_of_opening(fact: object) -> bool:
    """Whether it was said by who opens and reads the files: a scan cannot tell that it has ended."""
    return isinstance(fact, tuple) and fact[1] != _HIDDEN


def _directory(path: bytes) -> bytes:
    return path[: path.rindex(b"/")] or b"/"


def _in_order(changes: Sequence[Appeared | Renamed], seen: Iterable[FileFacts]) -> Iterator[Change]:
    """What goes by another name now is opened by that, if its size asks for a look at its bytes.

    What may be a copy comes behind its original, whose name is shorter: directories tell their names in any order.
    """
    yield from (change for change in changes if isinstance(change, Renamed))
    yield from seen
    appeared = (change for change in changes if isinstance(change, Appeared))
    yield from sorted(appeared, key=lambda change: len(uncopied(change.path)))


def _identities(own: Sequence[Path]) -> Iterator[Identity]:
    """Of the program's own files, as they are now; and of what its standard output and error are sent to."""
    for path in own:
        try:
            if path.is_dir():
                yield from (_identity(each.stat()) for each in path.iterdir())
            else:
                yield _identity(path.stat())
        except OSError:
            # Not there yet, or gone between two calls: the next scan sees it.
            continue
    for descriptor in (1, 2):
        try:
            facts = os.fstat(descriptor)
        except OSError:
            continue
        if stat.S_ISREG(facts.st_mode):
            yield _identity(facts)


def _identity(facts: os.stat_result) -> Identity:
    return facts.st_dev, facts.st_ino
