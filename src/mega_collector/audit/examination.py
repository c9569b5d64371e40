"""One file: opened, recognised, and compared."""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from itertools import chain

from mega_collector.audit.candidates import Candidates
from mega_collector.audit.comparison import compare, is_copied, is_of, with_earlier
from mega_collector.audit.original import compare_with_original
from mega_collector.audit.row import Row
from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.finding.rotated_names import is_named_after, is_plausible
from mega_collector.collector.reading.file import File, Filesystem
from mega_collector.collector.reading.gzip_file import GzipFile, Inspection, State, is_archive
from mega_collector.protocol import Record

Similar = Callable[[Candidates], Iterable[Record]]
"""Those of records that another file may hold too."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found of a file that is there; `records` are those that are of it."""

    row: Row
    facts: FileFacts
    records: tuple[Record, ...] = ()


class Examiner:
    """Finds out of open files which records are of them: those of the ledger, else what the checkpoint remembers."""

    def __init__(self, disk: Filesystem, records: Iterable[Record], remembered: Iterable[Record]) -> None:
        self._disk = disk
        self._ledger, self._checkpoint = Candidates(records), Candidates(remembered)

    def examine(self, path: bytes) -> Examined | None:
        """Open a file and compare; None if there is no file of that name any more.

        Raises:
            OSError: it cannot be read.
        """
        try:
            file = self._disk.open(path)
        except FileNotFoundError:
            return None
        with closing(file):
            facts = file.facts()
            if facts is None:
                return None
            if is_archive(path, file):
                return self._archive(path, facts, file)
            return self._compared(path, facts, file, lambda candidates: candidates.of_copy(path))

    def _archive(self, path: bytes, facts: FileFacts, file: File) -> Examined:
        """As what it holds."""
        heads: list[bytes] = []

        def positions(head: bytes) -> set[int]:
            heads.append(head)
            both = self._ledger, self._checkpoint
            found = (chain(each.of_archive(path, head), each.of_inode(facts.inode)) for each in both)
            return {record.position for each in found for record in each if record.position}

        inspection = Inspection(file, positions)
        while (state := inspection.step()) is State.READING:
            pass
        contents = inspection.contents
        if state is not State.WHOLE or contents is None:
            row = Row(path, facts.size, behind=facts.size, waiting_for="an archive that is not whole yet")
            return Examined(row, facts)
        size = contents.size
        held = GzipFile(file, size=size, resume=inspection.streams)

        def plausible(candidates: Candidates) -> Iterable[Record]:
            return (each for each in candidates.of_archive(path, heads[0]) if _is_plausible(each, path, size))

        def original() -> Row | None:
            alike = self._ledger.of_archive(path, heads[0])
            named = (each for each in alike if is_named_after(path, each.source.path))
            return compare_with_original(path, size, held, named, self._disk)

        return self._compared(path, facts._replace(size=size), held, plausible, original)

    def _compared(
        self,
        path: bytes,
        facts: FileFacts,
        file: File,
        similar: Similar,
        original: Callable[[], Row | None] = lambda: None,
    ) -> Examined:
        records = _records_of(facts, file, self._ledger, similar)
        begun = bool(records) and not records[-1].first
        if not begun and (row := original()) is not None:
            return Examined(row, facts, records)
        records = records or _records_of(facts, file, self._checkpoint, similar)
        return Examined(compare(path, facts.size, file, records), facts, records)


def _records_of(facts: FileFacts, file: File, candidates: Candidates, similar: Similar) -> tuple[Record, ...]:
    """Of the generations of the very file the latest; else what it is a copy of; with what came before that."""
    own = [record for record in candidates.of_inode(facts.inode) if is_of(record, facts, file)]
    latest = max(own, key=lambda record: record.updated_at, default=None)
    if latest is not None and not latest.first:
        return (latest,)
    alike = [record for record in similar(candidates) if is_copied(record, file)]
    latest = latest or max(alike, key=lambda record: record.position, default=None)
    return () if latest is None else with_earlier(latest, [*own, *alike])


def _is_plausible(record: Record, path: bytes, size: int) -> bool:
    source = record.source
    return is_plausible(record.position, source.head, source.path, of=path, size=size)
