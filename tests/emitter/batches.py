"""Batches to emit, and the bytes that they must become."""

from collections.abc import Sequence

from mega_collector.batch import Batch
from mega_collector.block import Block, Source
from mega_collector.marker import Marker


def make_source(name: str = "a.log") -> Source:
    return Source(id=name.encode(), path=b"/logs/" + name.encode(), device=1, inode=2, head=Marker())


SOURCE = make_source()


def make_batch(*data: bytes, source: Source = SOURCE, start: int = 0) -> Batch:
    """One block for each piece of data, one after the other in the source."""
    blocks = []
    for piece in data:
        unterminated = not piece.endswith(b"\n")
        blocks.append(Block(source, start, piece, piece.count(b"\n") + unterminated, unterminated))
        start += len(piece)
    return Batch(tuple(blocks), sum(block.entries for block in blocks), sum(map(len, data)))


def written(batches: Sequence[Batch]) -> bytes:
    """What the destination must hold after these batches: each entry with its newline."""
    return b"".join(bytes(block.data) + b"\n" * block.unterminated for batch in batches for block in batch.blocks)
