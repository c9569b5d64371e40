"""Entries of a checkpoint, as tests need them."""

from mega_collector.collector.state.record import Entry
from mega_collector.marker import Marker


def make_entry(number: int, position: int = 0) -> Entry:
    return Entry(
        source_id=number.to_bytes(16, "big"),
        path=b"/logs/%d \xff\n\x00.log" % number,
        device=2**64 - 1,
        inode=2**63 + number,
        head=Marker.of(b"head of %d" % number),
        position=position,
        before=Marker.of(b"before %d" % position if position else b""),
    )
