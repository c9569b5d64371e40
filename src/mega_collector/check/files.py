"""Which files a collector would follow now, which it leaves out, and which it may not read."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from mega_collector.check.beginning import Beginnings
from mega_collector.check.finding import Finding
from mega_collector.check.leave import forbidden, shown
from mega_collector.check.nothing import why_nothing
from mega_collector.collector.finding.discovery import Discovery, FileFacts, Scan, absolute
from mega_collector.settings import CollectorSettings

_MOST = 20
"""Files of a pattern and a kind that are shown."""

Tell = Callable[[bytes, FileFacts], Finding]


class Files:
    """What the patterns match. A pattern is scanned once; of each file its beginning is looked up when it is shown."""

    def __init__(self, settings: CollectorSettings, beginnings: Beginnings) -> None:
        self._settings = settings
        self._beginnings = beginnings
        self._own = _identities_in(settings.state_directory)
        self._everything = Discovery(settings.paths, settings.exclude)
        self._scans = {absolute(pattern): Discovery([pattern]).scan() for pattern in settings.paths}
        found = {path: facts for scan in self._scans.values() for path, facts in scan.files.items()}
        self._followed = {
            path for path, facts in found.items() if self._everything.matches(path) and not self._is_own(facts)
        }

    @property
    def count(self) -> int:
        """How many would be followed, but for those that are too old or may not be read."""
        return len(self._followed)

    @property
    def path_bytes(self) -> int:
        """What their paths take, together."""
        return sum(map(len, self._followed))

    def __iter__(self) -> Iterator[Finding]:
        """The patterns, one after the other, with what each matches."""
        yield Finding(True, f"files: {self.count} matched now", facts={"files": self.count})
        for pattern, scan in self._scans.items():
            yield from self._of(pattern, scan)

    def _of(self, pattern: bytes, scan: Scan) -> Iterator[Finding]:
        name = shown(pattern)
        if not scan.files:
            why = "" if scan.odd or scan.unobservable else f": {why_nothing(pattern)}"
            yield Finding(True, f"pattern: {name} matches no file now{why}", look=True, facts=_named(pattern))
        else:
            yield Finding(True, f"pattern: {name} matches {len(scan.files)}", facts=_named(pattern))
        kinds: dict[Tell, dict[bytes, FileFacts]] = {
            self._unreadable: {}, self._readable: {}, _old: {}, _excluded: {}, _own: {}
        }  # fmt: skip
        for path in sorted(scan.files):
            kinds[self._kind(path, scan.files[path])][path] = scan.files[path]
        yield from _hidden(scan)
        for tell, files in kinds.items():
            yield from _some(files, tell)
        odd = sorted(scan.odd.items())
        yield from (Finding(True, f"passed over: {shown(path)}: {what}", look=True) for path, what in odd[:_MOST])
        yield from _more(len(odd))

    def _kind(self, path: bytes, facts: FileFacts) -> Tell:
        if self._is_own(facts):
            return _own
        if path not in self._followed:
            return _excluded
        older, age = self._settings.ignore_older, time.time() - facts.mtime_ns / 1e9
        if older is not None and age > older and not self._beginnings.knows(facts.inode):
            return _old
        return self._readable if os.access(path, os.R_OK, effective_ids=True) else self._unreadable

    def _is_own(self, facts: FileFacts) -> bool:
        return (facts.device, facts.inode) in self._own

    def _readable(self, path: bytes, facts: FileFacts) -> Finding:
        try:
            kind, words, position = self._beginnings.of(path, facts)
        except OSError as error:
            return _told(path, facts, "unreadable", f"cannot be read: {error.strerror}", ok=False)
        return _told(path, facts, kind, f"{facts.size} bytes, {words}", position=position)

    def _unreadable(self, path: bytes, facts: FileFacts) -> Finding:
        return _told(path, facts, "unreadable", f"no permission: {forbidden(path) or 'it may not be read'}", ok=False)


def _identities_in(directory: Path) -> set[tuple[int, int]]:
    """Of what lies there: it is left out under whatever name."""
    found: set[tuple[int, int]] = set()
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(OSError):  # a link to nothing
                facts = entry.stat()
                found.add((facts.st_dev, facts.st_ino))
    return found


def _old(path: bytes, facts: FileFacts) -> Finding:
    hours = (time.time() - facts.mtime_ns / 1e9) / 3600
    why = f"passed over as too old: untouched for {hours:.0f} h (COLLECTOR_IGNORE_OLDER), until it grows"
    return _told(path, facts, "too old", why)


def _excluded(path: bytes, facts: FileFacts) -> Finding:
    return _told(path, facts, "excluded", "left out by COLLECTOR_EXCLUDE")


def _own(path: bytes, facts: FileFacts) -> Finding:
    return _told(path, facts, "own", "left out as the collector's own")


def _told(
    path: bytes, facts: FileFacts, kind: str, words: str, *, ok: bool = True, position: int | None = None
) -> Finding:
    known = {**_named(path), "size": facts.size, "from": kind, "position": position}
    left_out = kind in {"too old", "excluded", "own"}
    return Finding(ok, f"file: {shown(path)}: {words}", look=left_out, facts=known)


def _named(path: bytes) -> Mapping[str, str]:
    return {"path": shown(path)}


def _some(files: Mapping[bytes, FileFacts], tell: Tell) -> Iterator[Finding]:
    shown_ones = [tell(path, facts) for path, facts in list(files.items())[:_MOST]]
    yield from shown_ones
    yield from _more(len(files), ok=all(each.ok for each in shown_ones))


def _hidden(scan: Scan) -> Iterator[Finding]:
    hidden = sorted(scan.unobservable.items())
    for path, error in hidden[:_MOST]:
        why = forbidden(path) or error.strerror
        yield Finding(False, f"file: {shown(path)} cannot be looked at: {why}", facts=_named(path))
    yield from _more(len(hidden), ok=False)


def _more(count: int, *, ok: bool = True) -> Iterator[Finding]:
    if count > _MOST:
        yield Finding(ok, f"and {count - _MOST} more", facts={"more": count - _MOST})
