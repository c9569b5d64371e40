"""What a checkpoint consists of: one fact a line, in JSON, behind its checksum."""

import zlib
from dataclasses import dataclass
from typing import Any

import orjson

from mega_collector.marker import Marker

VERSION = 1

_NOTHING = Marker()

_FORMAT = "mega-collector checkpoint"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is acknowledged of a source, and what recognises its file."""

    source_id: bytes
    path: bytes
    device: int
    inode: int
    head: Marker
    position: int
    before: Marker
    ended: bool = False
    """Nothing more will come of it: it is kept to recognise the file where it is found again, compressed perhaps."""
    trailer: Marker = _NOTHING
    """Of an archive: the marker of the last bytes of its compressed form."""
    untold: bool = False
    """Whether the aggregator may not have heard yet that it has ended."""
    unconfirmed: bool = False
    """Whether it was begun at the end of its file, and the aggregator has not said yet if it knows any file."""

    @property
    def recognises(self) -> bool:
        """Whether it tells its file from others: else it is kept until its end is told, and no longer."""
        return not self.ended or self.before.length > 0 or self.trailer.length > 0

    @property
    def marked(self) -> bool:
        """Whether the bytes before its position tell its file from others: of what was passed over none are known."""
        return not self.position or self.before.length > 0

    @property
    def empty(self) -> bool:
        """Whether its file was empty, as far as is known: any other agrees with that."""
        return not (self.position or self.head.length)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A source is not followed any more."""

    source_id: bytes


@dataclass(frozen=True, slots=True)
class Edge:
    """The first line of a checkpoint, or the last (`end`): without both, some of it is missing."""

    collector_id: str
    end: bool
    version: int = VERSION
    first: bool = False
    """In the first line: whether the first start has not seen yet all that was there."""


Record = Entry | Forgotten | Edge


def encode(record: Record) -> bytes:
    """The line of a record, with its newline."""
    body = orjson.dumps(_fields(record))
    return b"%08x %b\n" % (zlib.crc32(body), body)


def decode(line: bytes) -> Record:
    """The record of a line. Of a version that is newer than `VERSION`, only the `Edge` can be told.

    Raises:
        ValueError: the line is damaged, or was never one of a checkpoint.
    """
    body = line[9:-1]
    if line[:9] != b"%08x " % zlib.crc32(body) or line[-1:] != b"\n":
        raise ValueError("the checksum is wrong")
    fields = orjson.loads(body)
    try:
        return _record(fields)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError("it is no record of a checkpoint") from error


def _fields(record: Record) -> dict[str, Any]:
    match record:
        case Entry():
            fields = {
                "source": record.source_id.hex(),
                "path": record.path.decode("latin-1"),
                "device": record.device,
                "inode": record.inode,
                "head": [record.head.length, record.head.digest.hex()],
                "position": record.position,
                "before": [record.before.length, record.before.digest.hex()],
            }
            # Seldom there, and then only for files that are at rest.
            if record.ended:
                fields["ended"] = True
            if record.trailer.length:
                fields["trailer"] = [record.trailer.length, record.trailer.digest.hex()]
            if record.untold:
                fields["untold"] = True
            if record.unconfirmed:
                fields["unconfirmed"] = True
            return fields
        case Forgotten(source_id):
            return {"forgotten": source_id.hex()}
        case Edge(collector_id, end, version, first):
            fields = {"format": _FORMAT, "version": version, "collector": collector_id, "end": end}
            return fields | ({"first": True} if first else {})


def _record(fields: dict[str, Any]) -> Record:
    if "source" in fields:
        return _entry(fields)
    if "forgotten" in fields:
        return Forgotten(bytes.fromhex(fields["forgotten"]))
    if fields["format"] != _FORMAT:
        raise ValueError("it is of something else")
    collector_id, end, first = str(fields.get("collector", "")), bool(fields.get("end")), bool(fields.get("first"))
    return Edge(collector_id, end, int(fields["version"]), first)


def _entry(fields: dict[str, Any]) -> Entry:
    return Entry(
        bytes.fromhex(fields["source"]),
        fields["path"].encode("latin-1"),
        fields["device"],
        fields["inode"],
        _marker(fields["head"]),
        fields["position"],
        _marker(fields["before"]),
        bool(fields.get("ended")),
        _marker(fields["trailer"]) if "trailer" in fields else _NOTHING,
        bool(fields.get("untold")),
        bool(fields.get("unconfirmed")),
    )


def _marker(fields: list[Any]) -> Marker:
    return Marker(fields[0], bytes.fromhex(fields[1]))
