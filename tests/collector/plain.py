"""What a file must become, found line by line: the reference for cutting and reading."""

import re
from itertools import accumulate

from mega_collector.block import NEWLINE, Block


def plain_entries(data: bytes, *, max_line: int, final: bool) -> list[tuple[int, bytes]]:
    """The position and the bytes of each entry; a line longer than `max_line` is one in pieces of that size."""
    entries = []
    start = 0
    for line in data.split(NEWLINE)[:-1]:
        entries += _pieces(start, line + NEWLINE, max_line)
        start += len(line) + 1
    pieces = _pieces(start, data[start:], max_line)
    return entries + (pieces if final else pieces[:-1])


def _pieces(start: int, line: bytes, max_line: int) -> list[tuple[int, bytes]]:
    pieces = []
    while len(line.removesuffix(NEWLINE)) > max_line:
        pieces.append((start, line[:max_line]))
        start, line = start + max_line, line[max_line:]
    return [*pieces, (start, line)] if line else pieces


def entries_in(blocks: list[Block]) -> list[tuple[int, bytes]]:
    """The position and the bytes of each entry of blocks, whose own account of themselves is checked."""
    entries: list[tuple[int, bytes]] = []
    for block in blocks:
        lines = re.findall(rb"[^\n]*\n|[^\n]+", bytes(block.data))
        assert len(lines) == block.entries
        assert block.unterminated is not lines[-1].endswith(NEWLINE)
        starts = accumulate((len(line) for line in lines), initial=block.start)
        entries += zip(starts, lines, strict=False)
    return entries
