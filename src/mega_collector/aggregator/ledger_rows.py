"""What is read of the ledger makes sense, or the ledger is damaged: SQLite takes any value in any column.

What the halves would not say to each other makes none: whoever is told so could not go on.

https://www.sqlite.org/flexibletyping.html
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from mega_collector.marker import HEAD_SIZE
from mega_collector.wire.limits import MAX_NAME, MAX_PATH, MAX_SOURCE_ID

_LONGEST_DIGEST = 64
_LARGEST = (1 << 64) - 1

_MOST_ENTRIES = 1 << 62
"""What comes is added: beyond its integers SQLite makes a fraction of the sum."""


def sound(cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
    """The rows, in which each value is such as its column's name says. Read them within `decoded`.

    Raises:
        sqlite3.DatabaseError: one is not.
    """
    columns = [(name, _KINDS.get(name, _is_number)) for name, *_ in cursor.description]
    # Closed, or the connection would go on to see the ledger as it is now.
    with closing(cursor):
        for row in cursor:
            left: object = None
            for (name, fits), value in zip(columns, row, strict=True):
                if not fits(value, left):
                    raise damaged(f"{value!r:.40} is no {name}")
                left = value
            yield row


@contextmanager
def decoded() -> Iterator[None]:
    """Say of bytes that are no text what it is: Python's module stumbles over them, in a value and in what SQLite says.

    Raises:
        sqlite3.DatabaseError: there are such bytes.
    """
    try:
        yield
    except (UnicodeDecodeError, sqlite3.OperationalError) as error:
        if isinstance(error, UnicodeDecodeError) or str(error).startswith("Could not decode"):
            raise damaged("a text is not UTF-8") from error
        raise


def damaged(how: str) -> sqlite3.DatabaseError:
    """As SQLite says it of what it looks at itself."""
    error = sqlite3.DatabaseError(f"it is damaged ({how})")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _is_number(value: object, _: object) -> bool:
    return isinstance(value, int) and value >= 0


def _is_entries(value: object, _: object) -> bool:
    return isinstance(value, int) and 0 <= value <= _MOST_ENTRIES


def _is_end(value: object, begin: object) -> bool:
    """Not before what it is the end of, where that is read too."""
    return isinstance(value, int) and value >= (begin if isinstance(begin, int) else 0)


def _is_length(value: object, _: object) -> bool:
    return isinstance(value, int) and 0 <= value <= HEAD_SIZE


def _is_digest(value: object, length: object) -> bool:
    """As of a marker: of nothing if there is nothing that it could be of."""
    return isinstance(value, bytes) and len(value) <= _LONGEST_DIGEST and bool(value) == bool(length)


def _is_checksum(value: object, _: object) -> bool:
    return isinstance(value, int) and value >> 32 == 0


def _is_identity(value: object, _: object) -> bool:
    """An unsigned 64 bit number, as text."""
    return isinstance(value, str) and len(value) <= len(str(_LARGEST)) and value.isdecimal() and int(value) <= _LARGEST


def _is_text(value: object, _: object) -> bool:
    return isinstance(value, str)


def _is_reason(value: object, _: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_NAME


def _is_path(value: object, _: object) -> bool:
    return isinstance(value, bytes) and len(value) <= MAX_PATH


def _is_output(value: object, _: object) -> bool:
    """A path that can be opened."""
    return isinstance(value, str) and bool(value) and "\0" not in value


def _is_id(value: object, _: object) -> bool:
    return isinstance(value, bytes) and 1 <= len(value) <= MAX_SOURCE_ID


_KINDS: dict[str, Callable[[object, object], bool]] = {
    "id": _is_id,
    "source": _is_id,
    "path": _is_path,
    "position": _is_end,
    "end": _is_end,
    "entries": _is_entries,
    "collector": _is_text,
    "holder": _is_text,
    "output": _is_output,
    "reason": _is_reason,
    "device": _is_identity,
    "inode": _is_identity,
    "head_length": _is_length,
    "before_length": _is_length,
    "head_digest": _is_digest,
    "before_digest": _is_digest,
    "checksum": _is_checksum,
}
"""Whether a value can be what its column's name says, given what stands on its left; all others are numbers."""
