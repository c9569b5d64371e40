"""What is asked of the ledger: through a connection of its own, which whoever commits does not wait for."""

import errno
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from mega_collector.aggregator.ledger_rows import decoded, sound
from mega_collector.block import Source
from mega_collector.emitter.protocol import OutputState
from mega_collector.errors import MegaCollectorError
from mega_collector.marker import Marker
from mega_collector.protocol import Holding, Holdings, Passage, Record

VERSION = 2

NAME = "ledger.sqlite3"

FINISHED, GONE = 1, 2

PAGE = 1000
"""Rows that are read or removed at a time: whoever commits, and whoever checkpoints, waits that long."""

REPLACE = ". Move it away: the collectors go on from their checkpoints, and only what was in flight may come twice"

UNREADABLE = ". Let this user read and write it, and its directory; move it away if it is no file"

_ADVICE = {
    sqlite3.SQLITE_NOTADB: REPLACE,
    sqlite3.SQLITE_CORRUPT: REPLACE,
    sqlite3.SQLITE_ERROR: REPLACE,  # a table or a column that is not there
    sqlite3.SQLITE_BUSY: ". End the program that has locked it",
    sqlite3.SQLITE_FULL: ". Free space there",
    sqlite3.SQLITE_IOERR: ". See whether its disk is full or failing",
    sqlite3.SQLITE_READONLY: ". Let this user write to it, and to its directory",
    sqlite3.SQLITE_CANTOPEN: UNREADABLE,
}
"""What to do, by the cause: https://www.sqlite.org/rescode.html."""

SENT = """
coalesce((
    SELECT iif(end = position AND reason = 'lost', start, position) FROM ranges
    WHERE source = id AND start < position ORDER BY start DESC LIMIT 1
), position) AS sent
"""
"""Up to where a source was sent: what is between that and its position was lost, and its marker is of what was sent."""

_FILE = "SELECT id, path, device, inode, head_length, head_digest"
_COLUMNS = f"""
{_FILE}, collector, first_position, position, entries, checksum,
    before_length, before_digest, finished, updated_at, {SENT}
FROM sources
"""
_RECORDS = f"{_COLUMNS} WHERE id > ?1 AND (?2 IS NULL OR collector = ?2) ORDER BY id LIMIT ?3"
_RECORD = f"{_COLUMNS} WHERE id = ?"
_HOLDING = f"{_FILE}, position, before_length, before_digest, {SENT} FROM sources"
_OF_COLLECTOR = f"""
{_HOLDING}
WHERE collector = ? AND finished = 0 AND (inode, device, id) > (?, ?, ?) ORDER BY inode, device, id LIMIT ?
"""
# In the order of the index by file: of others' sources none is looked at.
_ENDED_OF_COLLECTOR = """
INDEXED BY sources_by_file WHERE collector = ?1 AND finished <> 0
AND (?2 IS NULL OR (updated_at, id) < (SELECT updated_at, id FROM sources WHERE id = ?2))
ORDER BY updated_at DESC, id DESC LIMIT ?3
"""
_ENDED = f"{_HOLDING} {_ENDED_OF_COLLECTOR}"
# By the same index: the one by time has all collectors' in it.
_RANGES = "SELECT source, start, end, reason FROM ranges WHERE source BETWEEN ? AND ? ORDER BY source, start, end"

OUTPUTS = "SELECT path AS output, device, inode, length, before_length, before_digest FROM outputs"
HOLDERS = "SELECT id AS collector, holder, since FROM collectors"

_PATIENCE = 5.0
"""Seconds to wait while another process mends what a kill has left of the ledger."""


class LedgerError(MegaCollectorError):
    """The ledger could not be written or read: nothing is acknowledged. Trying again can help."""


class Holder(NamedTuple):
    """A collector's id, whose it is, and since when, in nanoseconds since the epoch."""

    collector: str
    holder: str
    since: int


class LedgerReader:
    """Safe to use from several threads. Whatever asks raises `LedgerError` if the ledger cannot be read."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._lock = threading.Lock()
        self._unread: tuple[str, tuple[object, ...]] | None = None
        """The last query that could not be answered, with its values."""
        self.read_error: str | None = None
        """Why it could not be, until `read_again` finds that it can."""

    @classmethod
    def at(cls, directory: Path) -> "LedgerReader":
        """Read the ledger of a state directory beside whoever uses it, or of nobody: nothing of it is changed or held.

        Raises:
            LedgerError: there is none, or it cannot be read, or is of another version.
        """
        path = directory / NAME
        try:
            connection = sqlite3.connect(_read_only(path), uri=True, check_same_thread=False, timeout=_PATIENCE)
        except FileNotFoundError:
            raise LedgerError(f"there is no ledger in {directory}: name the state directory of an aggregator") from None
        except OSError as error:
            raise LedgerError(f"the ledger {path} cannot be read: {error.strerror}") from error
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {path} cannot be read: {in_words(error)}") from error
        reader = cls(path, connection)
        try:
            reader._require_version()
        except LedgerError:
            reader.close()
            raise
        return reader

    def read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            with self._lock, decoded():
                return list(sound(self._connection.execute(query, values)))
        except sqlite3.Error as error:
            told = f"the ledger {self._path} cannot be read: {in_words(error)}"
            self._unread, self.read_error = (query, values), told
            raise LedgerError(told) from error

    def read_again(self) -> bool:
        """Ask again what could not be answered: whether it can be by now. Not, if there was no such thing."""
        unread = self._unread
        if unread is None:
            return False
        try:
            self.read(unread[0], *unread[1])
        except LedgerError:
            return False
        if self._unread is not unread:
            return False  # another was not answered meanwhile
        self._unread = self.read_error = None
        return True

    def records(self, collector: str | None = None) -> Iterator[Record]:
        """Everything that is known of the sources of a collector, or of all of them, in the order of their ids."""
        last = b""
        while rows := self.read(_RECORDS, last, collector, PAGE):
            last = rows[-1][0]
            yield from self._whole(rows)

    def record(self, source_id: bytes) -> Record | None:
        """Everything that is known of a source."""
        return next(self._whole(self.read(_RECORD, source_id)), None)

    def holdings(self, collector: str, after: Source | None, most: int) -> Holdings:
        """So many of a collector's sources that have not ended, in an order of their own behind `after`."""
        place = ("", "", b"") if after is None else (str(after.inode), str(after.device), after.id)
        rows = self.read(_OF_COLLECTOR, collector, *place, most)
        return _page([_holding(collector, row) for row in rows], most)

    def ended(self, collector: str, after: Source | None, most: int) -> Holdings:
        """So many of a collector's sources that have ended, or are gone, the latest first, behind `after`."""
        rows = self.read(_ENDED, collector, None if after is None else after.id, most)
        return _page([_holding(collector, row) for row in rows], most)

    def outputs(self) -> list[OutputState]:
        """Every output file as the last commit left it."""
        return self._outputs(f"{OUTPUTS} ORDER BY path")

    def output(self, path: str) -> OutputState | None:
        """One of them."""
        return next(iter(self._outputs(f"{OUTPUTS} WHERE path = ?", path)), None)

    def holders(self) -> list[Holder]:
        """Whose the collectors' ids are, where that is known."""
        return [Holder(*row) for row in self.read(f"{HOLDERS} ORDER BY id")]

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _outputs(self, query: str, *values: object) -> list[OutputState]:
        rows = self.read(query, *values)
        return [OutputState(row[0], int(row[1]), int(row[2]), row[3], Marker(row[4], row[5])) for row in rows]

    def _require_version(self) -> None:
        ((version,),) = self.read("PRAGMA user_version")
        if version != VERSION:
            advice = (
                "use the newer one" if version > VERSION else "start the aggregator once, which brings it up to date"
            )
            raise LedgerError(
                f"the ledger {self._path} is of version {version}, and this mega-collector knows {VERSION}: {advice}"
            )

    def _whole(self, rows: list[tuple[Any, ...]]) -> Iterator[Record]:
        """Sources in the order of their ids, with their ranges."""
        ranges: dict[bytes, list[Passage]] = {}
        if rows:
            for source_id, *passage in self.read(_RANGES, rows[0][0], rows[-1][0]):
                ranges.setdefault(source_id, []).append(Passage(*passage))
        return (_record(row, tuple(ranges.get(row[0], ()))) for row in rows)


def in_words(error: sqlite3.Error) -> str:
    """What it is, and what to do about it where that is known: one line, also where a piece of the schema is told."""
    # The low byte: the rest says more closely what failed.
    advice = _ADVICE.get(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF, "")
    return " ".join(str(error).split()) + advice


def require_files(path: Path) -> None:
    """Look whether a ledger, if it is there, and what SQLite has beside it are files: a pipe would be waited for.

    Raises:
        OSError: they are something else, or cannot be looked at.
    """
    for suffix in ("", "-wal", "-shm", "-journal"):
        name = path.with_name(path.name + suffix)
        try:
            regular = stat.S_ISREG(name.stat().st_mode)
        except FileNotFoundError:
            regular = not name.is_symlink()
        if not regular:
            raise OSError(errno.EINVAL, f"{name.name} is no file")


def _page(held: list[Holding], most: int) -> Holdings:
    return Holdings(tuple(held), held[-1].source if len(held) == most else None)


def _holding(collector: str, row: tuple[Any, ...]) -> Holding:
    source = Source(row[0], row[1], int(row[2]), int(row[3]), Marker(row[4], row[5]), collector)
    return Holding(source, row[9], Marker(row[7], row[8]))


def _record(row: tuple[Any, ...], ranges: tuple[Passage, ...]) -> Record:
    return Record(
        source=Source(row[0], row[1], int(row[2]), int(row[3]), Marker(row[4], row[5]), row[6]),
        first=row[7],
        position=row[8],
        entries=row[9],
        checksum=row[10],
        before=Marker(row[11], row[12]) if row[15] == row[8] else Marker(),
        finished=row[13] == FINISHED,
        gone=row[13] == GONE,
        updated_at=row[14],
        ranges=ranges,
    )


def _read_only(path: Path) -> str:
    """The ledger as SQLite opens it without writing: https://www.sqlite.org/wal.html#read_only_databases.

    Where no log has been left beside it, nobody is using it: then not even the log's index need be made.

    Raises:
        OSError: it is not there, no file, or cannot be looked at.
    """
    require_files(path)
    path.stat()
    log = path.with_name(f"{path.name}-wal")
    unused = not log.exists() or not log.stat().st_size
    return f"file:{quote(os.fsencode(path.absolute()))}?mode=ro{'&immutable=1' if unused else ''}"
