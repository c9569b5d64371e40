"""Blocks and sources to work on."""

from mega_collector.block import NEWLINE, Block, Source
from mega_collector.marker import Marker


def make_source(name: str = "a", *, collector: str = "", inode: int = 2) -> Source:
    path = f"/logs/{name}.log".encode()
    return Source(id=name.encode(), path=path, device=1, inode=inode, head=Marker(), collector=collector)


SOURCE = make_source()


def make_block(data: bytes, start: int = 0, source: Source = SOURCE) -> Block:
    """All of `data` as one block, whose last entry is as it is: with a newline or without."""
    unterminated = not data.endswith(NEWLINE)
    return Block(source, start, data, data.count(NEWLINE) + unterminated, unterminated)


def entries_of(blocks: list[Block] | tuple[Block, ...]) -> list[bytes]:
    """Each entry as a destination writes it, newline and all, found one line at a time."""
    entries = []
    for block in blocks:
        lines = bytes(block.data).split(NEWLINE)
        last = lines.pop()
        assert bool(last) == block.unterminated
        assert len(lines) + block.unterminated == block.entries
        entries += [line + NEWLINE for line in lines] + [last + NEWLINE] * block.unterminated
    return entries
