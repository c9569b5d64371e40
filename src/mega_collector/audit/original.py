"""An archive of a file that is still there, and goes on: no record ends where it does, but the file tells."""

from collections.abc import Iterable
from contextlib import closing

from mega_collector.audit.comparison import PIECE, is_of
from mega_collector.audit.row import Row
from mega_collector.audit.sums import passages
from mega_collector.collector.reading.file import File, Filesystem
from mega_collector.entries import newlines
from mega_collector.protocol import Record


def compare_with_original(
    path: bytes, size: int, file: File, records: Iterable[Record], disk: Filesystem
) -> Row | None:
    """What there is to say of a file of that size whose bytes another one begins with, that one of these records is of.

    None if there is none. Whether the other one differs from what was committed is said where it is looked at itself.
    """
    for record in records:
        if record.position <= size:
            continue
        try:
            entries = _entries_if_begun_with(file, size, record, disk)
        except OSError:
            continue
        if entries is not None:
            told = tuple(each for each in passages([record]) if each.end <= size)
            return Row(path, size, size, entries, unknown_before=min(record.first, size), passages=told)
    return None


def _entries_if_begun_with(file: File, size: int, record: Record, disk: Filesystem) -> int | None:
    """How many entries a file has that the file of a record begins with; None if that is not so.

    Raises:
        OSError: one of them cannot be read.
    """
    with closing(disk.open(record.source.path)) as original:
        facts = original.facts()
        if facts is None or facts.inode != record.source.inode or not is_of(record, facts, original):
            return None
        entries = 0
        for at in range(0, size, PIECE):
            data = file.read(min(PIECE, size - at), at)
            if data != original.read(len(data), at):
                return None
            entries += newlines(data)
        return entries
