"""One file, held against what is committed."""

from collections.abc import Iterable, Sequence

from mega_collector.audit.row import Row
from mega_collector.audit.sums import Sum, passages, together
from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.reading.file import File
from mega_collector.collector.recognition.identity import agrees, before
from mega_collector.protocol import Record

PIECE = 1 << 20
"""Bytes that are read at once."""

_LONGEST_LINE = 16 << 20
"""Bytes in which a line that is not finished is looked for: a longer one is shipped in pieces."""


def is_of(record: Record, facts: FileFacts, file: File) -> bool:
    """Whether a record is of this very file, which has its inode.

    The device's number may have changed over a reboot: then only bytes tell. Otherwise nothing may contradict it: a
    ledger that was lost knows of no bytes.

    Raises:
        OSError: the file cannot be read.
    """
    source = record.source
    if not 0 < record.position <= facts.size:
        return False
    if record.finished or source.device != facts.device:
        return _agrees(record, file)
    fits = record.before.matches_tail(before(file, record.position))
    return fits and source.head.matches_head(file.read(source.head.length, 0))


def is_copied(record: Record, file: File) -> bool:
    """Whether another file holds all that is committed of a record, as far as its markers tell.

    Raises:
        OSError: the file cannot be read.
    """
    return record.position > 0 and _agrees(record, file)


def _agrees(record: Record, file: File) -> bool:
    return agrees(file, position=record.position, head=record.source.head, tail=record.before)


def with_earlier(first: Record, others: Sequence[Record]) -> tuple[Record, ...]:
    """A record, and those of what came before it: an archive or a copy goes on where its original ended."""
    found = [first]
    while found[-1].first > 0:
        start = found[-1].first
        earlier = [each for each in others if each.first < start <= each.position]
        if not earlier:
            break
        found.append(min(earlier, key=lambda each: each.first))
    return tuple(found)


def compare(path: bytes, size: int, file: File, records: Sequence[Record]) -> Row:
    """What there is to say of a file of that size that these records are of, the one that goes furthest first.

    Raises:
        OSError: the file cannot be read.
    """
    committed = records[0].position if records else 0
    sums = [Sum(record) for record in records]
    _read(file, sums)
    return Row(
        path,
        size,
        committed,
        entries=sum(record.entries for record in records),
        differs=not all(each.agrees for each in sums),
        behind=max(size - committed, 0),
        waiting_for=_why_behind(file, committed, size),
        unknown_before=records[-1].first if records else 0,
        passages=tuple(sorted(passages(records), key=lambda each: each.start)),
    )


def _read(file: File, sums: Iterable[Sum]) -> None:
    sums = list(sums)
    for start, end in together(sums):
        at = start
        while at < end and (data := file.read(min(PIECE, end - at), at)):
            for each in sums:
                each.add(at, data)
            at += len(data)


def _why_behind(file: File, position: int, size: int) -> str:
    if position >= size:
        return ""
    at, end, blank = position, min(size, position + _LONGEST_LINE), True
    while (begin := file.data(at)) is not None and begin < end:
        data = file.read(min(PIECE, file.hole(begin) - begin, end - begin), begin)
        if not data or b"\n" in data:
            return ""
        blank = blank and not data.strip(b"\0")
        at = begin + len(data)
    if blank:
        return "a hole, which may be written to"
    return "a line without its end" if end == size else ""
