"""One file: opened, recognised, and compared."""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass

from mega_collector.audit.candidates import Candidates
from mega_collector.audit.comparison import chain, compare, is_copied, is_of
from mega_collector.audit.row import Row
from mega_collector.collector.archives import is_archive
from mega_collector.collector.discovery import FileFacts
from mega_collector.collector.file import File, Filesystem
from mega_collector.collector.gzip_file import Contents, GzipFile, Inspection, State
from mega_collector.collector.rotated_names import is_plausible
from mega_collector.protocol import Record


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found of a file that is there; `records` are those that are of it."""

    row: Row
    facts: FileFacts
    records: tuple[Record, ...] = ()


def examine(path: bytes, disk: Filesystem, candidates: Candidates) -> Examined | None:
    """Open a file, find out which records are of it, and compare; None if there is no file of that name any more.

    Raises:
        OSError: it cannot be read.
    """
    try:
        file = disk.open(path)
    except FileNotFoundError:
        return None
    with closing(file):
        facts = file.facts()
        if facts is None:
            return None
        if is_archive(path, file):
            return _archive(path, facts, file, candidates)
        return _compared(path, facts, file, candidates, lambda: candidates.of_copy(path))


def _compared(
    path: bytes, facts: FileFacts, file: File, candidates: Candidates, similar: Callable[[], Iterable[Record]]
) -> Examined:
    records = _records_of(facts, file, candidates, similar)
    return Examined(compare(path, facts.size, file, records), facts, records)


def _records_of(
    facts: FileFacts, file: File, candidates: Candidates, similar: Callable[[], Iterable[Record]]
) -> tuple[Record, ...]:
    """Of the generations of the very file the latest; else what it is a copy of; with what came before that."""
    own = [record for record in candidates.of_inode(facts.inode) if is_of(record, facts, file)]
    latest = max(own, key=lambda record: record.updated_at, default=None)
    if latest is not None and not latest.first:
        return (latest,)
    alike = [record for record in similar() if is_copied(record, file)]
    latest = latest or max(alike, key=lambda record: record.position, default=None)
    return () if latest is None else chain(latest, [*own, *alike])


def _archive(path: bytes, facts: FileFacts, file: File, candidates: Candidates) -> Examined:
    """As what it holds."""
    alike: list[Record] = []

    def positions(head: bytes) -> list[int]:
        alike.extend(candidates.of_archive(path, head))
        alike.extend(candidates.of_inode(facts.inode))
        return [record.position for record in alike if record.position]

    inspection = Inspection(file, positions)
    while (state := inspection.step()) is State.READING:
        pass
    contents = inspection.contents
    if state is not State.WHOLE or contents is None:
        row = Row(path, facts.size, behind=facts.size, waiting_for="an archive that is not whole yet")
        return Examined(row, facts)
    held = GzipFile(file, size=contents.size, resume=inspection.streams)
    plausible = [record for record in alike if _is_plausible(record, path, contents)]
    return _compared(path, facts._replace(size=contents.size), held, candidates, lambda: plausible)


def _is_plausible(record: Record, path: bytes, contents: Contents) -> bool:
    source = record.source
    return is_plausible(record.position, source.head, source.path, of=path, size=contents.size)
