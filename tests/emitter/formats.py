"""What batches must become in each format, found one line at a time."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import orjson

from mega_collector.batch import Batch
from mega_collector.block import NEWLINE, Block
from mega_collector.emitter.configuration import Format


def in_format(form: Format, batches: Sequence[Batch]) -> bytes:
    """All that the destination must hold after these batches."""
    return b"".join(map(bytes, (batch_in(form, batch) for batch in batches)))


def batch_in(form: Format, batch: Batch) -> bytes:
    return b"".join(_line(form, block, line) for block in batch.blocks for line in lines(block))


def lines(block: Block) -> Iterator[bytes]:
    """Its entries without their newlines."""
    found = bytes(block.data).split(NEWLINE)
    yield from found if block.unterminated else found[:-1]


def _line(form: Format, block: Block, line: bytes) -> bytes:
    source = block.source
    match form:
        case Format.RAW:
            return line + NEWLINE
        case Format.PREFIX:
            return f"{source.host} {source.name}: ".encode() + line + NEWLINE
        case Format.JSON:
            return _object(block, line) + NEWLINE


def _object(block: Block, line: bytes) -> bytes:
    source = block.source
    try:
        message, replaced = line.decode(), False
    except UnicodeDecodeError:
        message, replaced = line.decode(errors="replace"), True
    when = datetime.fromtimestamp(block.received // 1_000_000_000, UTC)
    time = f"{when:%Y-%m-%dT%H:%M:%S}.{block.received % 1_000_000_000 // 1000:06}Z"
    found = {"message": message, "path": source.name, "host": source.host, "tags": dict(source.tags), "time": time}
    return orjson.dumps(found | ({"replaced": True} if replaced else {}))
