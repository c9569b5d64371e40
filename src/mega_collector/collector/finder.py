"""When to look at the directories, and what has changed there since the last look."""

import os
import stat
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import structlog

from mega_collector.collector.discovery import FileFacts, Scan
from mega_collector.collector.roster import Appeared, Identity, Renamed, Roster, is_hidden
from mega_collector.collector.watch import Events
from mega_collector.telemetry.printable import printable

_SCAN_INTERVAL = 30.0
"""Seconds between scans where inotify tells where to look."""

_SCAN_SHARE = 5
"""A scan is at least so many times its own duration after the last one: scanning must never take the machine."""

_log = structlog.get_logger(__name__)


class Discovery(Protocol):
    """What is there."""

    def scan(self) -> Scan:
        """Everything that matches."""
        ...

    def look(self, path: bytes) -> FileFacts | None:
        """The regular file of that name; None if there is none, or if it could not be looked at."""
        ...


class Watch(Protocol):
    """Tells where to look. See `mega_collector.collector.watch`."""

    enabled: bool
    failure: str | None

    @property
    def trusted(self) -> bool: ...
    def fileno(self) -> int: ...
    def update(self, directories: set[bytes], /) -> None: ...
    def read(self) -> Events: ...
    def close(self) -> None: ...


class Seen(NamedTuple):
    """A followed file, as it was found."""

    identity: Identity
    size: int
    mtime_ns: int


Change = Appeared | Renamed | Seen


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
        self._clock = clock
        self._wall_clock_ns = wall_clock_ns
        self._warned: dict[object, set[object]] = {}
        self._scan_at = self._not_before = 0.0
        self._trusted: bool | None = None
        self._unobservable: Collection[bytes] = ()
        self.scans = 0
        """How many there were."""

    @property
    def scanned(self) -> bool:
        """Whether there was a scan."""
        return self.scans > 0

    @property
    def doubtful(self) -> bool:
        """Whether the last scan missed a file that the one before had found: the next one tells."""
        return self._roster.doubtful

    def hidden(self, path: bytes) -> bool:
        """Whether the last scan could not look there: what is not seen may be there all the same."""
        return is_hidden(path, self._unobservable)

    def fileno(self) -> int:
        """Readable when there is something to look at before `due`; negative if nothing tells."""
        return self._watch.fileno()

    @property
    def due(self) -> float:
        """When to look next, even if nothing tells."""
        return self._scan_at

    def hurry(self) -> None:
        """Scan at the next look, or as soon as may be: what was found does not hold any more."""
        self._scan_at = min(self._scan_at, self._not_before)

    def look(self, now: float) -> Iterator[Change]:
        """What has changed."""
        events = self._watch.read()
        if events.rescan:
            self.hurry()
        if now >= self._scan_at:
            yield from self._scan(now)
        for path in events.changed:
            yield from self._look_at(path)

    def follow(self, identity: Identity, path: bytes | None) -> None:
        """The file is followed, by this name."""
        self._roster.follow(identity, path)
        if path is not None:
            self._warned.pop(path, None)

    def forget(self, identity: Identity) -> None:
        """The file is not followed any more."""
        self._roster.forget(identity)

    def warn(self, path: bytes, error: OSError, event: str) -> None:
        """Say once that something cannot be done with a file; again only after it was followed meanwhile."""
        self._warn_once((path, error.errno), event, path=printable(path), error=error.strerror or str(error))

    def close(self) -> None:
        self._watch.close()

    def _scan(self, now: float) -> Iterator[Change]:
        began = self._clock()
        scan = self._discovery.scan()
        self._leave_out_own(scan)
        self._complain(scan)
        self._unobservable = scan.unobservable
        # Watched before they are used: what changes from here on is told.
        self._watch.update(scan.directories)
        self._say_whether_watched()
        changes = self._roster.update(scan.files, scan.unobservable, self._wall_clock_ns())
        took = self._clock() - began
        interval = _SCAN_INTERVAL if self._watch.trusted else self._poll_interval
        self._not_before = now + took * (1 + _SCAN_SHARE)
        self._scan_at = max(now + interval, self._not_before)
        if self._roster.doubtful:
            self.hurry()
        for facts in scan.files.values():
            # Told before the changes: what appears now is looked at by its follower, later than by this scan.
            yield Seen((facts.device, facts.inode), facts.size, facts.mtime_ns)
        yield from changes
        self.scans += 1

    def _look_at(self, path: bytes) -> Iterator[Change]:
        """The watch tells that a file was written to, by one of its names."""
        facts = self._discovery.look(path)
        if facts is None:
            # Gone again, or hidden: a scan tells.
            return
        identity = facts.device, facts.inode
        if self._roster.follows(identity):
            yield Seen(identity, facts.size, facts.mtime_ns)
        elif identity in self._roster:
            self.hurry()

    def _leave_out_own(self, scan: Scan) -> None:
        own = set(_identities(self._own))
        for path in [path for path, facts in scan.files.items() if (facts.device, facts.inode) in own]:
            del scan.files[path]
            self._warn_once((path, "own"), "own_file_left_out", path=printable(path))

    def _complain(self, scan: Scan) -> None:
        for path, error in scan.unobservable.items():
            self.warn(path, error, "cannot_look")
        for path, what in scan.odd.items():
            self._warn_once((path, what), "not_followed", path=printable(path), reason=f"it is {what}")
        if not self.scanned and not scan.files:
            _log.warning("no_files", reason="no file matches yet; what appears is followed")

    def _say_whether_watched(self) -> None:
        if self._watch.trusted != self._trusted:
            self._trusted = self._watch.trusted
            if self._watch.failure is not None:
                tell = _log.warning if self._watch.enabled else _log.info
                tell("polling", reason=self._watch.failure, interval=self._poll_interval)

    def _warn_once(self, fact: tuple[object, object], event: str, **keys: object) -> None:
        said = self._warned.setdefault(fact[0], set())
        if fact[1] not in said:
            said.add(fact[1])
            _log.warning(event, **keys)


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
