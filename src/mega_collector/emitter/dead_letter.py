r"""A discarded batch as a file: format 1.

    mega-collector dead letter 1 HEADER_SIZE DIGEST\n
    {"entries": ..., "size": ..., "sources": [...], "blocks": [...]}\n
    the data of the blocks, one after the other, byte for byte

HEADER_SIZE counts the second line with its newline; DIGEST is the BLAKE2b (16 bytes) of all else. Bytes that need not
be text (ids, paths, digests) are in hexadecimal; `name` is the path for people. A block is [source's index, start,
size, entries, unterminated, nanoseconds since the epoch at which it was taken in].
"""

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from mega_collector.batch import Batch
from mega_collector.block import Block, Source
from mega_collector.digest import blake2b
from mega_collector.errors import MegaCollectorError
from mega_collector.marker import Marker

_TITLE = b"mega-collector dead letter"
_FORMAT = b"1"
_DIGEST_SIZE = 16

_LONGEST_LINE = 1 << 10
"""Bytes of the first line, at the very most."""


def encode(batch: Batch) -> list[bytes | memoryview]:
    """What the file holds, in pieces: the data is not copied."""
    header = orjson.dumps(_header(batch)) + b"\n"
    pieces: list[bytes | memoryview] = [header, *(block.data for block in batch.blocks)]
    first = b"%b %b %d " % (_TITLE, _FORMAT, len(header))
    return [first + _digest([first, *pieces]) + b"\n", *pieces]


def read(path: Path) -> Batch:
    """A batch as it was discarded.

    Raises:
        MegaCollectorError: the file is not whole, or of another format.
        OSError: it cannot be read.
    """
    try:
        return decode(content(path))
    except ValueError as error:
        raise MegaCollectorError(f"{path}: {error}") from error


def content(path: Path) -> bytes:
    """All that a file holds which may be a dead letter.

    Raises:
        OSError: it cannot be read, or is no file.
    """
    with closing(_opened(path)) as file:
        return file.read()


def source_ids(path: Path) -> list[bytes]:
    """The sources of a dead letter, by its header alone: of the rest, that may be long, nothing is read or checked.

    Raises:
        ValueError: it is damaged, or of another format.
        OSError: it cannot be read.
    """
    with closing(_opened(path)) as file:
        size = _header_size(file.readline(_LONGEST_LINE).rstrip(b"\n"))
        try:
            return [bytes.fromhex(fields["id"]) for fields in orjson.loads(file.read(size))["sources"]]
        except (LookupError, TypeError) as error:
            raise ValueError("this dead letter makes no sense") from error


def decode(letter: bytes) -> Batch:
    """Read what `encode` made.

    Raises:
        ValueError: it is not whole, or of another format; the text says which.
    """
    first = letter[: letter.find(b"\n") + 1].rstrip(b"\n")
    rest = memoryview(letter)[len(first) + 1 :]
    size = _header_size(first)
    start, _, digest = first.rpartition(b" ")
    if digest != _digest([start + b" ", rest]):
        raise ValueError("this dead letter is damaged: its digest does not match")
    try:
        return _batch(orjson.loads(rest[:size]), rest[size:])
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise ValueError("this dead letter makes no sense, although its digest matches") from error


def _opened(path: Path) -> BinaryIO:
    """Whoever opens a pipe waits, unless told not to."""
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115 - the caller does
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is no file")
    return file


def _header_size(first: bytes) -> int:
    """By the first line."""
    if not first.startswith(_TITLE + b" "):
        raise ValueError("this is no dead letter")
    version, *rest = first[len(_TITLE) + 1 :].split(b" ")
    if version != _FORMAT:
        raise ValueError(f"format {version.decode(errors='replace')} is not known here: a newer release wrote it")
    if not rest or not rest[0].isdigit():
        raise ValueError("this dead letter is damaged: it does not say how long its header is")
    return int(rest[0])


def _digest(pieces: Sequence[bytes | memoryview]) -> bytes:
    digest = blake2b(digest_size=_DIGEST_SIZE)
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest().encode()


def _header(batch: Batch) -> dict[str, Any]:
    sources = {block.source.id: block.source for block in batch.blocks}
    index = {source_id: number for number, source_id in enumerate(sources)}
    return {
        "entries": batch.entries,
        "size": batch.size,
        "sources": [_source_header(source) for source in sources.values()],
        "blocks": [
            [index[b.source.id], b.start, len(b.data), b.entries, b.unterminated, b.received] for b in batch.blocks
        ],
    }


def _source_header(source: Source) -> dict[str, Any]:
    return {
        "id": source.id.hex(),
        "name": source.name,
        "path": source.path.hex(),
        "device": source.device,
        "inode": source.inode,
        "head": [source.head.length, source.head.digest.hex()],
        "collector": source.collector,
        "host": source.host,
        "tags": dict(source.tags),
    }


def _batch(header: dict[str, Any], data: memoryview) -> Batch:
    sources = [_source(fields) for fields in header["sources"]]
    return Batch(tuple(_blocks(header["blocks"], sources, data)), header["entries"], header["size"])


def _blocks(fields: Sequence[Sequence[int]], sources: Sequence[Source], data: memoryview) -> list[Block]:
    blocks = []
    offset = 0
    if sum(size for _, _, size, _, _, _ in fields) != len(data):
        raise ValueError("the sizes of its blocks are not that of its data")
    for source, start, size, entries, unterminated, received in fields:
        _require_numbers(source, start, size, entries, received)
        piece = data[offset : offset + size]
        blocks.append(Block(sources[source], start, piece, entries, bool(unterminated), received))
        offset += size
    return blocks


def _source(fields: dict[str, Any]) -> Source:
    length, digest = fields["head"]
    _require_numbers(fields["device"], fields["inode"], length)
    _require_texts(fields["collector"], fields["host"], *fields["tags"].keys(), *fields["tags"].values())
    return Source(
        id=bytes.fromhex(fields["id"]),
        path=bytes.fromhex(fields["path"]),
        device=fields["device"],
        inode=fields["inode"],
        head=Marker(length, bytes.fromhex(digest)),
        collector=fields["collector"],
        host=fields["host"],
        tags=fields["tags"],
    )


def _require_numbers(*values: object) -> None:
    if not all(type(each) is int and each >= 0 for each in values):
        raise TypeError


def _require_texts(*values: object) -> None:
    if not all(isinstance(each, str) for each in values):
        raise TypeError
