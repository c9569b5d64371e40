"""Entries behind their host and path: `host path: line`."""

from collections.abc import Iterator

from mega_collector.block import NEWLINE, Block
from mega_collector.emitter.pieces import pieces
from mega_collector.telemetry.printable import text


def prefixed_lines(block: Block) -> Iterator[bytes]:
    """The entries as they were, each behind `host path: `, in which nothing can end the line."""
    prefix = f"{text(block.source.host)} {text(block.source.name)}: ".encode()
    between = NEWLINE + prefix
    for piece in pieces(block, len(prefix)):
        yield prefix + piece[:-1].replace(NEWLINE, between) + NEWLINE
