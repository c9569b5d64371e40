"""The entries of a block, a few at a time."""

from collections.abc import Iterator

from mega_collector.block import NEWLINE, Block
from mega_collector.entries import end_within

_MOST = 2 << 20
"""Bytes that may be added to one piece, at worst: where every entry is an empty line."""


def pieces(block: Block, added: int) -> Iterator[bytes]:
    """Whole entries, each with its newline, an unterminated one too.

    `added` bytes are to be added to each entry: the more, the smaller the pieces, so that what becomes of one stays
    bounded however short its entries are. A single entry is never divided.
    """
    data = bytes(block.data) + NEWLINE if block.unterminated else bytes(block.data)
    size = max(_MOST // added, 1)
    start = 0
    while start < len(data):
        end = end_within(data, start, size)
        yield data[start:end]
        start = end
