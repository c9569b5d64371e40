"""What the collector itself remembers of its files: a ledger that was lost knows nothing of those that rest."""

from collections.abc import Iterable

from mega_collector.block import Source
from mega_collector.collector.state.checkpoint import Entry
from mega_collector.protocol import Record


def records_of(entries: Iterable[Entry], collector: str) -> list[Record]:
    """As records that say how far each file came, and nothing of what is before."""
    return [_record(entry, collector) for entry in entries if entry.recognises]


def _record(entry: Entry, collector: str) -> Record:
    return Record(
        source=Source(entry.source_id, entry.path, entry.device, entry.inode, entry.head, collector),
        first=entry.position,
        position=entry.position,
        entries=0,
        checksum=0,
        before=entry.before,
        finished=entry.ended,
        gone=False,
        updated_at=0,
    )
