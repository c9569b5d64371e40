"""All files that the patterns match, and what became of those that are gone."""

import errno
import os
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mega_collector.audit.examination import Examined, Examiner
from mega_collector.audit.gone import Gone, gone
from mega_collector.audit.row import Row
from mega_collector.block import Source
from mega_collector.collector.finding.discovery import Discovery, FileFacts, Patterns, absolute
from mega_collector.collector.reading.file import Disk
from mega_collector.marker import Marker
from mega_collector.protocol import Record

_TRIES = 3
"""Times that is looked for what was renamed between two looks."""

Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Survey:
    """What an audit found."""

    rows: tuple[Row, ...]
    gone: Gone
    known: bool = True
    """Whether the aggregator or this machine knows of the collector."""

    @property
    def sound(self) -> bool:
        """Whether everything can be read, nothing differs, and nothing is lost."""
        return self.known and self.gone.sound and all(row.sound for row in self.rows)

    @property
    def differs(self) -> bool:
        return any(row.differs for row in self.rows)


class Surveyor:
    """Looks at each file once, by whatever names it has; at none that lies in `own`, which is the collector's state.

    `remembered` is what the collector's checkpoint has, of which the ledger may know nothing. `own_among` tells which
    of some files the aggregator writes, by their ids. Where one of the `named` paths is no file, or one of the patterns
    that were `asked` for matches none, that is told: a mistyped name must not look as if all were well. Nor must the id
    of a collector of which nobody knows: `known` says whether it is this machine's.
    """

    def __init__(
        self,
        discovery: Discovery,
        *,
        own: Path,
        remembered: Sequence[Record] = (),
        named: Sequence[bytes] = (),
        asked: Sequence[bytes] = (),
        known: bool = True,
        own_among: Callable[[Sequence[Source]], Container[bytes]] = lambda _: (),
    ) -> None:
        self._discovery = discovery
        self._named = [absolute(path) for path in named]
        self._asked = Patterns(asked)
        self._known = known
        self._remembered = remembered
        self._own = own
        self._own_among = own_among
        self._disk = Disk()
        self._examined: dict[Identity, Examined] = {}
        self._failed: dict[bytes, Row] = {}
        self._found: set[bytes] = set()
        """All names of files."""
        self._unread: set[int] = set()
        """Inodes of files that are there and cannot be read."""

    def look(self, records: Sequence[Record]) -> Survey:
        """Hold every file against these records."""
        known = {record.source.id for record in records}
        unknown = [record for record in self._remembered if record.source.id not in known]
        examiner = Examiner(self._disk, records, unknown)
        tries = 1
        while self._scan(examiner) and tries < _TRIES:
            tries += 1
        return self._survey(records)

    def look_again(self, records: Sequence[Record], differing: Iterable[Row]) -> Survey:
        """Hold those that differed against what is committed by now: they may have been written anew meanwhile."""
        paths = {row.path for row in differing if row.differs}
        self._examined = {key: each for key, each in self._examined.items() if each.row.path not in paths}
        return self.look(records)

    def _scan(self, examiner: Examiner) -> bool:
        """Whether something was renamed meanwhile, and may have been missed."""
        scan = self._discovery.scan()
        own = set(_identities(self._own))
        missed = False
        self._found.update(scan.files)
        for path, error in scan.unobservable.items():
            self._failed[path] = Row(path, error=error.strerror or str(error))
        for path in self._named:
            if path in scan.odd:
                self._failed[path] = Row(path, error=f"it is {scan.odd[path]}")
            elif path not in scan.files and path not in scan.unobservable:
                self._failed[path] = Row(path, error=os.strerror(errno.ENOENT))
        for path, facts in sorted(scan.files.items()):
            identity = facts.device, facts.inode
            if identity not in self._examined and identity not in own and path not in self._failed:
                missed = not self._take(path, facts, examiner) or missed
        return missed

    def _take(self, path: bytes, facts: FileFacts, examiner: Examiner) -> bool:
        """Whether it was the file that the scan has found."""
        try:
            examined = examiner.examine(path)
        except OSError as error:
            self._failed[path] = Row(path, facts.size, error=error.strerror or str(error))
            self._unread.add(facts.inode)
            return True
        if examined is None:
            return False
        identity = examined.facts.device, examined.facts.inode
        self._examined[identity] = examined
        return identity == (facts.device, facts.inode)

    def _survey(self, records: Sequence[Record]) -> Survey:
        self._recognise_own()
        claimed = {record.source.id for examined in self._examined.values() for record in examined.records}
        strangers = _strangers(records, claimed)
        rows = [*self._failed.values(), *self._unmatched(records)]
        for examined in self._examined.values():
            is_unknown = not (examined.records or examined.row.own)
            stranger = strangers.get(examined.facts[:2]) if is_unknown else None
            if stranger is not None and _replaces(examined, stranger):
                claimed.add(stranger.source.id)
                rows.append(_differing(examined.row, stranger))
            else:
                rows.append(examined.row)
        ours = [each for each in records if self._discovery.matches(each.source.path)]
        claimed.update(each.source.id for each in ours if each.source.inode in self._unread)
        known = self._known or bool(records)
        return Survey(tuple(sorted(rows, key=lambda row: row.path)), gone(ours, claimed), known)

    def _unmatched(self, records: Iterable[Record]) -> Iterator[Row]:
        """What was asked for, and is neither here nor known to the aggregator."""
        paths = [*self._found, *self._failed, *(record.source.path for record in records)]
        for pattern in self._asked.without_match(paths):
            yield Row(absolute(pattern), error="no file matches it, and the aggregator knows of none that did")

    def _recognise_own(self) -> None:
        """Ask of the files that nothing is known of, and that hold something, whether the aggregator writes them."""
        unknown = {
            b"%d" % number: identity
            for number, (identity, examined) in enumerate(self._examined.items())
            if not examined.records and examined.row.behind
        }
        if not unknown:
            return
        files = {each: self._examined[identity] for each, identity in unknown.items()}
        own = self._own_among([Source(each, it.row.path, *unknown[each], Marker()) for each, it in files.items()])
        for each, examined in files.items():
            if each in own:
                row = Row(examined.row.path, examined.facts.size, own=True)
                self._examined[unknown[each]] = replace(examined, row=row)


def _strangers(records: Iterable[Record], claimed: set[bytes]) -> dict[Identity, Record]:
    """By device and inode, what should still be of the file there, and what no file has: the latest of each."""
    unclaimed = [each for each in records if not (each.finished or each.gone or each.source.id in claimed)]
    unclaimed.sort(key=lambda each: each.updated_at)
    return {(each.source.device, each.source.inode): each for each in unclaimed}


def _replaces(examined: Examined, stranger: Record) -> bool:
    """Whether the file has other bytes in the place of what was committed of it, and not just fewer: those are new."""
    return examined.row.path == stranger.source.path and 0 < stranger.position <= examined.row.size


def _differing(row: Row, stranger: Record) -> Row:
    position = stranger.position
    behind = row.size - position
    return replace(row, committed=position, entries=stranger.entries, differs=True, behind=behind, waiting_for="")


def _identities(directory: Path) -> Iterator[Identity]:
    """Of the files in a directory, if it is there."""
    try:
        for path in directory.iterdir():
            facts = path.lstat()
            yield facts.st_dev, facts.st_ino
    except OSError:
        return
