"""Entries as JSON objects, one a line.

    {"message":"...","path":"...","host":"...","tags":{"host":"..."},"time":"2026-11-28T05:50:00.123456Z"}

Only `message` differs from line to line, so that a piece of a block is encoded as one string and its newlines are then
replaced by all the rest. In that string they are no longer found: a newline becomes a backslash and an n, and so does
a backslash before an n. Before it is encoded they are therefore replaced by a character that JSON leaves as it is.
"""

import time
from collections.abc import Iterator
from functools import lru_cache

import orjson

from mega_collector.block import Block
from mega_collector.emitter.pieces import pieces

_HEAD = b'{"message":'
_REPLACED = b',"replaced":true}\n'

# RFC 8259, section 7: of ASCII only the quote, the backslash and what is below the space need to be escaped.
_STAND_IN, _STAND_IN_BYTE = "\x7f", b"\x7f"

_REPLACEMENT = "\ufffd"


def json_lines(block: Block) -> Iterator[bytes]:
    """One object for each entry, whatever its bytes.

    `message` is the entry without its newline. What of it is no UTF-8 stands as U+FFFD, and `"replaced":true` says so.
    """
    tail = _tail(block)
    for piece in pieces(block, len(_HEAD) + len(tail)):
        yield _objects(piece[:-1], tail)


def _tail(block: Block) -> bytes:
    """All that is behind the message."""
    source = block.source
    rest = {"path": source.name, "host": source.host, "tags": dict(source.tags), "time": _rfc3339(block.received)}
    return b"," + orjson.dumps(rest)[1:] + b"\n"


@lru_cache(maxsize=16)
def _rfc3339(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest // 1000:06}Z"


def _objects(lines: bytes, tail: bytes) -> bytes:
    try:
        text = lines.decode()
    except UnicodeDecodeError:
        return b"".join([_object(line, tail) for line in lines.split(b"\n")])
    if _STAND_IN in text:
        return _objects_of_list(text.split("\n"), tail)
    between = b'"' + tail + _HEAD + b'"'
    return _HEAD + orjson.dumps(text.replace("\n", _STAND_IN)).replace(_STAND_IN_BYTE, between) + tail


def _objects_of_list(lines: list[str], tail: bytes) -> bytes:
    """Each on a line of its own, indented: in a string of JSON no newline stands. Takes three times as long."""
    indented = orjson.dumps(lines, option=orjson.OPT_INDENT_2)
    return _HEAD + indented[len("[\n  ") : -len("\n]")].replace(b",\n  ", tail + _HEAD) + tail


def _object(line: bytes, tail: bytes) -> bytes:
    message = line.decode(errors="replace")
    # It may have held the replacement itself.
    replaced = _REPLACEMENT in message and message.encode() != line
    return _HEAD + orjson.dumps(message) + (tail.removesuffix(b"}\n") + _REPLACED if replaced else tail)
