"""The aggregator's durable note of what is committed: SQLite in the state directory."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mega_collector.block import Source
from mega_collector.emitter.protocol import OutputState
from mega_collector.errors import MegaCollectorError, StartError
from mega_collector.marker import Marker
from mega_collector.protocol import Known
from mega_collector.state_lock import InUse, StateLock

VERSION = 1

_NAME = "ledger.sqlite3"
_HOLDER = "aggregator"

_SCHEMA = """
CREATE TABLE sources (
    id BLOB PRIMARY KEY,
    collector TEXT NOT NULL,
    path BLOB NOT NULL,
    device TEXT NOT NULL,           -- as text: an unsigned 64 bit number is more than SQLite's integer holds
    inode TEXT NOT NULL,
    head_length INTEGER NOT NULL,
    head_digest BLOB NOT NULL,
    first_position INTEGER NOT NULL, -- where this ledger first saw it: what is before is unknown here
    position INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    before_length INTEGER NOT NULL,
    before_digest BLOB NOT NULL,
    finished INTEGER NOT NULL DEFAULT 0, -- 2: its file is gone; if that is found after all, the source goes on
    updated_at INTEGER NOT NULL      -- nanoseconds since the epoch
) WITHOUT ROWID;
CREATE INDEX sources_by_file ON sources (collector, inode, device);
CREATE TABLE ranges (                -- what was passed over or given up
    source BLOB NOT NULL,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,            -- as start: nobody knows how far
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (source, start, end)
) WITHOUT ROWID;
CREATE TABLE outputs (
    path TEXT PRIMARY KEY,
    device TEXT NOT NULL,
    inode TEXT NOT NULL,
    length INTEGER NOT NULL,
    before_length INTEGER NOT NULL,
    before_digest BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE ends (clean INTEGER NOT NULL);
INSERT INTO ends VALUES (1);
"""

_PUT_SOURCE = """
INSERT INTO sources VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
ON CONFLICT (id) DO UPDATE SET path = ?3, position = max(position, ?9), entries = entries + ?10,
    before_length = iif(?13, before_length, ?11), before_digest = iif(?13, before_digest, ?12),
    finished = ?13, updated_at = ?14
"""

_PUT_RANGE = "INSERT OR REPLACE INTO ranges VALUES (?, ?, ?, ?, ?)"
_PUT_OUTPUT = "INSERT OR REPLACE INTO outputs VALUES (?, ?, ?, ?, ?, ?)"

_FINISHED, _GONE = 1, 2

_KNOWN = """
SELECT id, position, before_length, before_digest, head_length, head_digest, finished FROM (
    SELECT * FROM sources WHERE id = ?2 AND collector = ?1
    UNION SELECT * FROM sources WHERE collector = ?1 AND inode = ?3 AND device = ?4 AND finished <> 1
) ORDER BY id = ?2 DESC, updated_at DESC LIMIT ?5
"""
# A union, so that each half has its index: with OR, SQLite looks at every source of the collector.


class LedgerError(MegaCollectorError):
    """The ledger could not be written or read: nothing is acknowledged. Trying again can help."""


@dataclass(frozen=True, slots=True)
class Advance:
    """How far a source is committed; `finished` if nothing more comes of it.

    `gone`: because its file cannot be found. If it is found after all, the source goes on.
    """

    source: Source
    start: int
    position: int
    entries: int
    before: Marker
    finished: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes of a source that are passed over or given up, with the reason in words.

    `end` as `start`: it is not known how many.
    """

    source: Source
    start: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class Committed:
    """How far a source is committed, and the collector that it belongs to."""

    collector: str
    position: int


class Ledger:
    """Positions by source, states by output file; one transaction a commit, durable when it returns.

    Safe to use from several threads. Whatever asks raises `LedgerError` if the ledger cannot be read.

    Raises:
        StartError: the state directory cannot be used, is in use, or holds a ledger that this version cannot read.
    """

    def __init__(self, directory: Path) -> None:
        self._lock = _locked(directory)
        self._path = directory / _NAME
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        try:
            _require_known(self._path, _version_in(self._path))
            self._start()
        except sqlite3.Error as error:
            self._lock.release()
            raise StartError(f"the ledger {self._path} cannot be used: {error}") from error
        except StartError:
            self._lock.release()
            raise

    def known(self, collector: str, source_id: bytes, device: int, inode: int, most: int = 8) -> tuple[Known, ...]:
        """What is committed of a source and of others of that collector with its device and inode, the latest first."""
        rows = self._read(_KNOWN, collector, source_id, str(inode), str(device), most)
        return tuple(
            Known(row[0], row[1], Marker(row[2], row[3]), Marker(row[4], row[5]), row[6] == _FINISHED) for row in rows
        )

    def committed(self, source_id: bytes) -> Committed | None:
        """How far a source has come, whosever it is."""
        rows = self._read("SELECT collector, position FROM sources WHERE id = ?", source_id)
        return Committed(*rows[0]) if rows else None

    def output(self, path: str) -> OutputState | None:
        """An output file as the last commit left it."""
        rows = self._read("SELECT * FROM outputs WHERE path = ?", path)
        return next(
            (OutputState(row[0], int(row[1]), int(row[2]), row[3], Marker(row[4], row[5])) for row in rows), None
        )

    def commit(
        self, advances: Iterable[Advance], ranges: Sequence[Range] = (), outputs: Sequence[OutputState] = ()
    ) -> None:
        """Record it all in one transaction.

        Raises:
            LedgerError: nothing of it is recorded.
        """
        now = time.time_ns()
        try:
            with self._writing, self._transaction() as write:
                write(_PUT_SOURCE, (_row(advance, now) for advance in advances))
                write(_PUT_RANGE, ((each.source.id, each.start, each.end, each.reason, now) for each in ranges))
                write(_PUT_OUTPUT, map(_out, outputs))
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {self._path} cannot be written: {error}") from error

    def close(self, *, clean: bool) -> None:
        """End; `clean` says that nothing is at the destination that the ledger does not know."""
        with self._writing, self._reading:
            try:
                self._writer.execute("UPDATE ends SET clean = ?", (clean,))
                self._writer.close()
                self._reader.close()
            except sqlite3.Error:
                # It says 'not clean' then, which is always safe.
                return
            finally:
                self._lock.release()

    def _start(self) -> None:
        self._writer = self._connect()
        self._reader = self._connect()
        (self.clean,) = self._writer.execute("SELECT clean FROM ends").fetchone()
        self._writer.execute("UPDATE ends SET clean = 0")

    def _read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            with self._reading:
                return self._reader.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {self._path} cannot be read: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[Callable[[str, Iterable[Sequence[object]]], object]]:
        """Whatever goes wrong, no transaction is left open: it would be in the way of every later one."""
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield self._writer.executemany
            self._writer.execute("COMMIT")
        finally:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=5, cached_statements=16
        )
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        _require_known(self._path, version)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if version == 0:
            connection.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version = {VERSION};COMMIT;")
        return connection


def look(directory: Path) -> None:
    """Look whether the ledger of a state directory could be used. Nothing is made, changed or kept open.

    Raises:
        StartError: another process uses it, or it is of a newer version.
    """
    try:
        StateLock(directory, holder=_HOLDER).look()
    except InUse as error:
        raise _in_use(directory) from error
    _require_known(directory / _NAME, _version_in(directory / _NAME))


def _require_known(path: Path, version: int) -> None:
    if version > VERSION:
        raise StartError(
            f"the ledger {path} is of version {version}, and this mega-collector knows {VERSION}:"
            " use the newer one, or move the file away"
        )


def _version_in(path: Path) -> int:
    """The version in the file's header, or 0: https://www.sqlite.org/fileformat.html, 1.3.

    Read without opening it as a database: that alone would write to one that is not ours.
    """
    try:
        with path.open("rb") as file:
            header = file.read(64)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StartError(f"the ledger {path} cannot be read: {error.strerror}") from error
    return int.from_bytes(header[60:64], "big") if header.startswith(b"SQLite format 3\0") else 0


def _locked(directory: Path) -> StateLock:
    lock = StateLock(directory, holder=_HOLDER)
    try:
        lock.hold()
    except InUse as error:
        raise _in_use(directory) from error
    except OSError as error:
        raise StartError(f"the state directory {directory} cannot be written: {error.strerror}") from error
    return lock


def _in_use(directory: Path) -> StartError:
    return StartError(f"the state directory {directory} is in use by another {_HOLDER}")


def _row(advance: Advance, now: int) -> tuple[object, ...]:
    source = advance.source
    return (
        source.id,
        source.collector,
        source.path,
        str(source.device),
        str(source.inode),
        source.head.length,
        source.head.digest,
        advance.start,
        advance.position,
        advance.entries,
        advance.before.length,
        advance.before.digest,
        _GONE if advance.gone else advance.finished,
        now,
    )


def _out(output: OutputState) -> tuple[object, ...]:
    return (
        output.path,
        str(output.device),
        str(output.inode),
        output.length,
        output.before.length,
        output.before.digest,
    )
