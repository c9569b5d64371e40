"""The aggregator's durable note of what is committed: SQLite in the state directory."""

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mega_collector.aggregator.ledger_reader import (
    FINISHED,
    GONE,
    HOLDERS,
    NAME,
    OUTPUTS,
    PAGE,
    REPLACE,
    SENT,
    UNREADABLE,
    VERSION,
    LedgerError,
    LedgerReader,
    in_words,
    require_files,
)
from mega_collector.aggregator.ledger_rows import damaged, decoded, sound
from mega_collector.block import SkipReason, Source
from mega_collector.emitter.protocol import OutputState
from mega_collector.errors import StartError
from mega_collector.marker import Marker
from mega_collector.protocol import DISCARDED, Holdings, Known, Record, Sent
from mega_collector.state_lock import InUse, StateLock

__all__ = ["DISCARDED", "VERSION", "Advance", "Committed", "Ledger", "LedgerError", "Range", "look"]

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
    updated_at INTEGER NOT NULL,     -- nanoseconds since the epoch
    checksum INTEGER NOT NULL DEFAULT 0 -- CRC-32 of the bytes from first_position on, without those passed over
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

_SINCE_2 = """
CREATE INDEX sources_ended ON sources (updated_at) WHERE finished <> 0;
CREATE TABLE collectors (            -- whose each id is: the holder of the certificate that it first came with
    id TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    since INTEGER NOT NULL
) WITHOUT ROWID;
"""

_FROM_1 = """
ALTER TABLE sources ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
UPDATE sources SET first_position = position;
"""
# Nobody knows any more what was committed before.

_UPGRADES = {0: _SCHEMA + _SINCE_2, 1: _FROM_1 + _SINCE_2}

_SHAPE = """
SELECT each.name, "column".cid, "column".name, "column".type, "column".pk
FROM sqlite_master AS each JOIN pragma_table_info(each.name) AS "column" WHERE each.type = 'table'
UNION ALL SELECT each.name, seqno, "column".name, '', 0
FROM sqlite_master AS each JOIN pragma_index_info(each.name) AS "column" WHERE each.type = 'index' AND sql IS NOT NULL
"""
"""The columns of every table and index that somebody has made, in order."""

_EVERYTHING = ("SELECT * FROM sources", "SELECT * FROM ranges", OUTPUTS, HOLDERS, "SELECT * FROM ends")

_PUT_SOURCE = """
INSERT INTO sources VALUES (
    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, coalesce(?11, 0), coalesce(?12, x''), ?13, ?14, coalesce(?16, ?15, 0)
)
ON CONFLICT (id) DO UPDATE SET path = ?3, position = max(position, ?9), entries = entries + ?10,
    first_position = iif(first_position = position AND position < ?8, ?8, first_position),
    before_length = iif(?13 OR (?8 = ?9 AND ?8 <= position), before_length, coalesce(?11, before_length)),
    before_digest = iif(?13 OR (?8 = ?9 AND ?8 <= position), before_digest, coalesce(?12, before_digest)),
    finished = ?13, updated_at = ?14, checksum = coalesce(?15, checksum)
"""

# What only says where a source stands that is known changes no marker of its bytes: it has none, or the same. What is
# lost leaves it, too: by what was sent a copy is recognised. One of which nothing came before it was opened again,
# further on, begins there: what is between is as unknown.

_LOST = SkipReason.LOST.value
_PUT_FILE = "UPDATE sources SET device = ?, inode = ? WHERE id = ?"
_FOUND_AGAIN = "DELETE FROM ranges WHERE source = ? AND start = ? AND end = start AND reason = ?"
_ADJOINING = """
DELETE FROM ranges WHERE source = ?1 AND end = ?2 AND reason = ?3
    AND start = (SELECT max(start) FROM ranges WHERE source = ?1 AND start < ?2)
RETURNING start
"""
# Of those that begin before it only the last can: a sparse file has a hundred thousand that need not be looked at.
_PUT_RANGE = "INSERT OR REPLACE INTO ranges VALUES (?, ?, ?, ?, ?)"
_OVERLAPPING = """
DELETE FROM ranges WHERE source = ? AND end > ? AND start < ? AND reason = ? RETURNING start, end, at
"""
_PUT_OUTPUT = "INSERT OR REPLACE INTO outputs VALUES (?, ?, ?, ?, ?, ?)"

_ENDED = """
SELECT updated_at, id, EXISTS (SELECT 1 FROM ranges WHERE source = id AND reason = ?1) FROM sources
WHERE finished <> 0 AND updated_at < ?2 AND (updated_at, id) > (?3, ?4) ORDER BY updated_at, id LIMIT ?5
"""

_MAY_COME_BACK = """
SELECT 1 FROM sources JOIN ranges ON source = id WHERE finished <> 0 AND updated_at < ? AND reason = ? LIMIT 1
"""

_STANDS = "SELECT id, position, before_length, before_digest, head_length, head_digest, finished"
_OF_FILE = """
FROM (
    SELECT * FROM sources WHERE id = ?2 AND collector = ?1
    UNION SELECT * FROM sources WHERE collector = ?1 AND inode = ?3 AND device = ?4
) ORDER BY id = ?2 DESC, finished = 1, updated_at DESC LIMIT ?5
"""
_KNOWN = f"{_STANDS}, {SENT} {_OF_FILE}"
# A union, so that each half has its index: with OR, SQLite looks at every source of the collector.


@dataclass(frozen=True, slots=True)
class Advance:
    """How far a source is committed; `finished` if nothing more comes of it.

    `gone`: because its file cannot be found. If it is found after all, the source goes on.
    """

    source: Source
    start: int
    position: int
    entries: int
    before: Marker | None
    """None: it stays as it is, as what is between is lost."""
    finished: bool = False
    gone: bool = False
    checksum: int | None = None
    """The running CRC-32 of its committed bytes, with these; None: it stays as it is."""
    alone: int | None = None
    """That of these bytes alone, where what came before may have been forgotten since it was asked for."""


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
    """How far a source is committed, the CRC-32 of that, the collector that it belongs to, and its file.

    `gone`: its file could not be found.
    """

    collector: str
    position: int
    checksum: int
    file: tuple[int, int]
    """Device and inode."""
    gone: bool


class Ledger:
    """Positions by source, states by output file; one transaction a commit, durable when it returns.

    Safe to use from several threads. Whatever asks raises `LedgerError` if the ledger cannot be read.

    Raises:
        StartError: the state directory cannot be used, is in use, or holds a ledger that this version cannot read.
    """

    def __init__(self, directory: Path) -> None:
        self._lock = _locked(directory)
        self._path = directory / NAME
        self._writing = threading.Lock()
        self._unbound: tuple[str, str] | None = None
        try:
            _require_known(self._path, _version_in(self._path))
            with decoded():
                self._start()
        except sqlite3.Error as error:
            self._lock.release()
            raise StartError(f"the ledger {self._path} cannot be used: {in_words(error)}") from error
        except StartError:
            self._lock.release()
            raise

    def known(self, collector: str, source_id: bytes, device: int, inode: int, most: int = 8) -> tuple[Known, ...]:
        """What is committed of a source and of others of that collector with its device and inode, the latest first."""
        rows = self._reader.read(_KNOWN, collector, source_id, str(inode), str(device), most)
        return tuple(map(_known, rows))

    def committed(self, source_id: bytes) -> Committed | None:
        """How far a source has come, whosever it is."""
        query = "SELECT collector, position, checksum, device, inode, finished FROM sources WHERE id = ?"
        rows = self._reader.read(query, source_id)
        return next(
            (Committed(row[0], row[1], row[2], (int(row[3]), int(row[4])), gone=row[5] == GONE) for row in rows), None
        )

    def records(self, collector: str | None = None) -> Iterator[Record]:
        """Everything that is known of the sources of a collector, or of all of them, in the order of their ids."""
        return self._pages.records(collector)

    def record(self, source_id: bytes) -> Record | None:
        """Everything that is known of a source."""
        return self._reader.record(source_id)

    def holdings(self, collector: str, after: Source | None, most: int) -> Holdings:
        """So many of a collector's sources that have not ended, in an order of their own behind `after`."""
        return self._pages.holdings(collector, after, most)

    def ended(self, collector: str, after: Source | None, most: int) -> Holdings:
        """So many of a collector's sources that have ended, or are gone, the latest first, behind `after`."""
        return self._pages.ended(collector, after, most)

    @property
    def read_error(self) -> str | None:
        """Why something could not be read, until `read_again` finds that it can; None: all can."""
        return self._reader.read_error or self._pages.read_error

    def read_again(self) -> bool:
        """Whether what could not be read can be by now, and could not until now."""
        read_again = [each.read_again() for each in (self._reader, self._pages)]
        return any(read_again) and self.read_error is None

    def bind(self, collector: str, holder: str) -> str:
        """Who holds a collector's id: whoever comes first with it has it from then on.

        Raises:
            LedgerError: the ledger cannot be read or written.
        """
        found = self.holder(collector)
        if found is None:
            self._bind(collector, holder)
            found = self.holder(collector)
        assert found is not None
        return found

    def bind_again(self) -> None:
        """Bind what could not be bound the last time, if there is such.

        Raises:
            LedgerError: the ledger cannot be written yet.
        """
        unbound, self._unbound = self._unbound, None
        if unbound is not None:
            self._bind(*unbound)

    def _bind(self, collector: str, holder: str) -> None:
        try:
            with self._committing() as write:
                write("INSERT OR IGNORE INTO collectors VALUES (?, ?, ?)", (collector, holder, time.time_ns()))
        except LedgerError:
            self._unbound = collector, holder
            raise

    def holder(self, collector: str) -> str | None:
        """Who holds a collector's id; None: nobody does.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        found = self._reader.read("SELECT holder FROM collectors WHERE id = ?", collector)
        return str(found[0][0]) if found else None

    def holds(self, collector: str) -> bool:
        """Whether anything is known of a collector's sources.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        return bool(self._reader.read("SELECT 1 FROM sources WHERE collector = ? LIMIT 1", collector))

    def release(self, collector: str, holder: str | None = None) -> str | None:
        """Take a collector's id from whoever holds it, and give it to `holder`, or to whoever comes first with it.

        Returns:
            Who has held it; None: nobody did, and nothing has changed.

        Raises:
            LedgerError: the ledger cannot be read or written.
        """
        with self._committing() as write:
            held = write("DELETE FROM collectors WHERE id = ? RETURNING holder", (collector,)).fetchone()
            if held is not None and holder is not None:
                write("INSERT INTO collectors VALUES (?, ?, ?)", (collector, holder, time.time_ns()))
        return None if held is None else str(held[0])

    def may_come_back(self, before: int) -> bool:
        """Whether something was discarded of a source that ended before that time (nanoseconds since the epoch).

        Raises:
            LedgerError: the ledger cannot be read.
        """
        return bool(self._reader.read(_MAY_COME_BACK, before, DISCARDED))

    def forget(self, before: int, kept: Container[bytes] | None = None) -> int:
        """Forget sources that ended before that time (nanoseconds since the epoch); how many they were.

        Of those of which something was discarded only those that are not `kept`; None: they all are.

        Raises:
            LedgerError: the ledger cannot be written.
        """
        forgotten, last, some = 0, (0, b""), True
        while some:
            with self._committing() as write:
                rows = write(_ENDED, (DISCARDED, before, *last, PAGE)).fetchall()
                ids = [
                    (each,) for _, each, discarded in rows if not discarded or (kept is not None and each not in kept)
                ]
                self._writer.executemany("DELETE FROM sources WHERE id = ?", ids)
                self._writer.executemany("DELETE FROM ranges WHERE source = ?", ids)
            forgotten += len(ids)
            some = len(rows) == PAGE
            last = rows[-1][:2] if rows else last
        return forgotten

    def output(self, path: str) -> OutputState | None:
        """An output file as the last commit left it."""
        return self._reader.output(path)

    def outputs(self) -> list[OutputState]:
        """Every output file of which a record is kept."""
        return self._reader.outputs()

    def commit(
        self,
        advances: Iterable[Advance],
        ranges: Sequence[Range] = (),
        outputs: Sequence[OutputState] = (),
        cleared: Sequence[Range] = (),
        closed: Sequence[str] = (),
    ) -> None:
        """Record it all in one transaction; of the `cleared` ranges nothing is passed over or given up any more.

        Of the output files with the `closed` paths nothing is kept: nothing uncommitted can be in them.

        Raises:
            LedgerError: nothing of it is recorded.
        """
        now = time.time_ns()
        advances = list(advances)
        standing = [each for each in advances if each.start == each.position and not (each.finished or each.gone)]
        with self._committing() as write:
            self._writer.executemany(_PUT_SOURCE, [_row(advance, now) for advance in advances])
            # By themselves: of what only grows, the index by file need not be touched.
            files = ((str(each.source.device), str(each.source.inode), each.source.id) for each in standing)
            self._writer.executemany(_PUT_FILE, files)
            found = ((each.source.id, each.position, _LOST) for each in standing)
            self._writer.executemany(_FOUND_AGAIN, found)
            for each in ranges:
                # What adjoins is one range: whatever is given up for hours is one row.
                adjoining = write(_ADJOINING, (each.source.id, each.start, each.reason)).fetchone()
                start = each.start if adjoining is None else adjoining[0]
                write(_PUT_RANGE, (each.source.id, start, each.end, each.reason, now))
            for each in cleared:
                overlapping = write(_OVERLAPPING, (each.source.id, each.start, each.end, each.reason))
                for start, end, at in list(sound(overlapping)):
                    left = [(start, each.start), (each.end, end)]
                    rows = [(each.source.id, *span, each.reason, at) for span in left if span[0] < span[1]]
                    self._writer.executemany(_PUT_RANGE, rows)
            self._writer.executemany(_PUT_OUTPUT, map(_out, outputs))
            if closed:
                self._writer.executemany("DELETE FROM outputs WHERE path = ?", ((path,) for path in closed))

    def close(self, *, clean: bool) -> None:
        """End; `clean` says that nothing is at the destination that the ledger does not know."""
        with self._writing:
            try:
                if clean:
                    # Otherwise it says so already: who has locked it would be waited for beyond the end.
                    self._writer.execute("UPDATE ends SET clean = 1")
                self._writer.close()
                self._reader.close()
                self._pages.close()
            except sqlite3.Error:
                # It says 'not clean' then, which is always safe.
                return
            finally:
                self._lock.release()

    def _start(self) -> None:
        # What is refused leaves nothing open, and so nothing of SQLite's beside the ledger.
        with ExitStack() as opened:
            self._writer = opened.enter_context(closing(self._connect()))
            self._reader = opened.enter_context(closing(LedgerReader(self._path, self._connect())))
            # By itself: a page of a collector with 200 000 sources takes 0.2 s, in which every handshake would wait.
            self._pages = opened.enter_context(closing(LedgerReader(self._path, self._connect())))
            _require_sound(self._writer)
            status = self._path.stat()
            self._file = status.st_dev, status.st_ino
            self.clean = self._writer.execute("SELECT clean FROM ends").fetchall() == [(1,)]
            self._writer.execute("UPDATE ends SET clean = 0")
            opened.pop_all()

    @contextmanager
    def _committing(self) -> Iterator[Callable[[str, Sequence[object]], sqlite3.Cursor]]:
        """One transaction. Whatever goes wrong, none is left open: it would be in the way of every later one."""
        try:
            with self._writing, decoded():
                self._require_named()
                self._writer.execute("BEGIN IMMEDIATE")
                try:
                    yield self._writer.execute
                    self._writer.execute("COMMIT")
                finally:
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {self._path} cannot be written: {in_words(error)}") from error

    def _require_named(self) -> None:
        """SQLite would go on in a file that has no name any more, and all of it would be gone at the next start."""
        try:
            named = os.stat(self._path)  # noqa: PTH116 - as the other
        except OSError as error:
            raise sqlite3.OperationalError(
                f"it is not there any more ({error.strerror}): put it back, or start the aggregator anew"
            ) from error
        if (named.st_dev, named.st_ino) != self._file:
            raise sqlite3.OperationalError("another file is in its place: start the aggregator anew")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=5, cached_statements=16
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        _require_known(self._path, version)
        if not version and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise sqlite3.DatabaseError(f"it is another program's{REPLACE}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if version < VERSION:
            connection.executescript(f"BEGIN;{_UPGRADES[version]}PRAGMA user_version = {VERSION};COMMIT;")


def look(directory: Path) -> None:
    """Look whether the ledger of a state directory could be used. Nothing is made, changed or kept open.

    Raises:
        StartError: another process uses it, or it is of a newer version, no file, no database, or cannot be read.
    """
    try:
        StateLock(directory, holder=_HOLDER).look()
    except InUse as error:
        raise _in_use(directory) from error
    except OSError as error:
        raise _unusable(directory, error) from error
    _require_known(directory / NAME, _version_in(directory / NAME))


def _require_known(path: Path, version: int) -> None:
    if not 0 <= version <= VERSION:
        raise StartError(
            f"the ledger {path} is of version {version}, and this mega-collector knows {VERSION}:"
            " use the newer one, or move the file away"
        )


def _require_sound(connection: sqlite3.Connection) -> None:
    """All that can be known before anything is asked: of 100 000 sources it takes half a second.

    Raises:
        sqlite3.DatabaseError: a page or index is damaged, a table, column or index is missing, a value makes no sense.
    """
    (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise damaged(verdict.splitlines()[-1])
    with closing(sqlite3.connect(":memory:")) as model:
        model.executescript(_UPGRADES[0])
        shape = set(model.execute(_SHAPE))
    ours = {name for name, *_ in shape}
    found = {row for row in connection.execute(_SHAPE) if row[0] in ours}
    if differing := (shape - found) or (found - shape):
        name, _, column, *_ = min(differing)
        raise damaged(f"{name}, with its column {column}, is not as it should be")
    for query in _EVERYTHING:
        deque(sound(connection.execute(query)), maxlen=0)


def _version_in(path: Path) -> int:
    """The version in the file's header, or 0: https://www.sqlite.org/fileformat.html, 1.3.

    Read without opening it as a database: that alone would write to one that is not ours.
    """
    try:
        require_files(path)
        with path.open("rb") as file:
            header = file.read(64)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StartError(f"the ledger {path} cannot be read: {error.strerror}{UNREADABLE}") from error
    if header and not header.startswith(b"SQLite format 3\0"):
        raise StartError(f"the ledger {path} cannot be used: it is no database{REPLACE}")
    return int.from_bytes(header[60:64], "big")


def _locked(directory: Path) -> StateLock:
    lock = StateLock(directory, holder=_HOLDER)
    try:
        lock.hold()
    except InUse as error:
        raise _in_use(directory) from error
    except OSError as error:
        raise _unusable(directory, error) from error
    return lock


def _unusable(directory: Path, error: OSError) -> StartError:
    return StartError(f"the state directory {directory} cannot be written: {error.strerror}")


def _in_use(directory: Path) -> StartError:
    return StartError(f"the state directory {directory} is in use by another {_HOLDER}")


def _known(row: tuple[Any, ...]) -> Known:
    source_id, position, length, digest, head_length, head_digest, finished, sent = row
    before, head = Marker(length, digest), Marker(head_length, head_digest)
    if sent == position:
        return Known(source_id, position, before, head, finished == FINISHED)
    return Known(source_id, position, Marker(), head, finished == FINISHED, Sent(sent, before))


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
        None if advance.before is None else advance.before.length,
        None if advance.before is None else advance.before.digest,
        GONE if advance.gone else advance.finished,
        now,
        advance.checksum,
        advance.alone,
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
