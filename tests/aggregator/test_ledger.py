"""The ledger: what is committed is known, whatever happens to the process, the file and the disk."""

import os
import re
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from blocks import make_source
from mega_collector.aggregator import ledger as ledger_module
from mega_collector.aggregator.ledger import DISCARDED, VERSION, Advance, Committed, Ledger, LedgerError, Range
from mega_collector.aggregator.ledger_reader import LedgerReader
from mega_collector.block import Source
from mega_collector.emitter.protocol import OutputState
from mega_collector.errors import StartError
from mega_collector.marker import Marker
from mega_collector.protocol import Known, Passage, Record, Sent

BEFORE = Marker.of(b"the bytes before")
HEAD = Marker.of(b"the first bytes")
SOURCE = replace(make_source("a", collector="me"), head=HEAD)


@contextmanager
def _ledger(directory: Path) -> Iterator[Ledger]:
    ledger = Ledger(directory)
    try:
        yield ledger
    finally:
        ledger.close(clean=True)


def _advance(position: int, *, start: int = 0, source: Source = SOURCE, before: Marker = BEFORE) -> Advance:
    return Advance(source, start, position, 1, before)


def _ends(source: Source, *, gone: bool = False) -> Advance:
    return Advance(source, 10, 10, 0, Marker(), finished=True, gone=gone)


def _known(ledger: Ledger, source: Source = SOURCE) -> tuple[Known, ...]:
    return ledger.known(source.collector, source.id, source.device, source.inode)


def _rows(directory: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(directory / "ledger.sqlite3")) as connection:
        return connection.execute(query).fetchall()


def test_what_is_committed_is_known_here_and_after_a_restart(tmp_path: Path) -> None:
    expected = (Known(SOURCE.id, 100, BEFORE, HEAD),)
    with _ledger(tmp_path) as ledger:
        assert _known(ledger) == ()
        ledger.commit([_advance(100)])
        assert _known(ledger) == expected
    with _ledger(tmp_path) as ledger:
        assert _known(ledger) == expected


def test_a_position_never_goes_back(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        ledger.commit([_advance(100)])
        ledger.commit([_advance(50)])
        assert _known(ledger)[0].position == 100


def test_the_described_source_comes_first_and_then_others_of_the_file_the_latest_first(tmp_path: Path) -> None:
    first, second, own = (make_source(name, collector="me", inode=7) for name in ("first", "second", "own"))
    others = [
        make_source("of another file", collector="me", inode=8),
        make_source("of another collector", collector="other", inode=7),
    ]
    with _ledger(tmp_path) as ledger:
        for source in (own, first, second, *others):
            ledger.commit([_advance(10, source=source)])
        assert [each.source_id for each in _known(ledger, own)] == [b"own", b"second", b"first"]
        assert [each.source_id for each in ledger.known("me", b"new", 1, 7)] == [b"second", b"first", b"own"]
        assert ledger.known("me", b"own", 99, 99)[0].source_id == b"own"
        assert ledger.known("other", b"own", 99, 99) == ()


def test_no_more_than_a_few_earlier_sources_are_named_and_the_described_one_is_always_among_them(
    tmp_path: Path,
) -> None:
    with _ledger(tmp_path) as ledger:
        for number in range(20):
            ledger.commit([_advance(10, source=make_source(str(number), collector="me"))])
        known = ledger.known("me", b"0", 1, 2)
        assert (len(known), known[0].source_id) == (8, b"0")


def test_numbers_of_64_bits_without_a_sign_are_kept(tmp_path: Path) -> None:
    largest = (1 << 64) - 1
    source = Source(b"s", b"/\xff\n", largest, largest, HEAD, "me")
    with _ledger(tmp_path) as ledger:
        ledger.commit([Advance(source, 0, (1 << 63) - 1, 1, BEFORE)], outputs=[OutputState("o", largest, 1, 5, BEFORE)])
        assert ledger.known("me", b"new", largest, largest)[0].position == (1 << 63) - 1
        assert ledger.output("o") == OutputState("o", largest, 1, 5, BEFORE)


def test_a_source_has_the_owner_that_committed_it_first(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        assert ledger.committed(SOURCE.id) is None
        ledger.commit([_advance(10)])
        assert ledger.committed(SOURCE.id) == Committed("me", 10, 0, (SOURCE.device, SOURCE.inode), gone=False)


def test_an_output_is_known_as_the_last_commit_left_it(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        assert ledger.output("/out") is None
        ledger.commit([], outputs=[OutputState("/out", 1, 2, 10, BEFORE), OutputState("/other", 1, 3, 1, Marker())])
        ledger.commit([], outputs=[OutputState("/out", 1, 4, 20, HEAD)])
    with _ledger(tmp_path) as ledger:
        assert ledger.output("/out") == OutputState("/out", 1, 4, 20, HEAD)
        assert ledger.output("/other") == OutputState("/other", 1, 3, 1, Marker())


def test_what_was_given_up_is_recorded(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        ledger.commit([_advance(30)], [Range(SOURCE, 10, 20, "discarded")])
    assert _rows(tmp_path, "SELECT source, start, end, reason FROM ranges") == [(SOURCE.id, 10, 20, "discarded")]


def test_what_was_given_up_piece_by_piece_is_one_range_for_each_reason(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        ledger.commit([], [Range(SOURCE, 0, 10, DISCARDED), Range(SOURCE, 10, 20, DISCARDED)])
        ledger.commit([], [Range(SOURCE, 20, 30, DISCARDED), Range(SOURCE, 30, 40, "hole")])
        ledger.commit([], [Range(SOURCE, 50, 50, "lost")])
        ledger.commit([], [Range(SOURCE, 50, 60, "lost")])
    assert _rows(tmp_path, "SELECT start, end, reason FROM ranges") == [
        (0, 30, DISCARDED),
        (30, 40, "hole"),
        (50, 50, "lost"),
        (50, 60, "lost"),
    ]


def test_a_record_holds_everything_and_those_of_a_collector_are_its_own(tmp_path: Path) -> None:
    other = make_source("b", collector="other")
    with _ledger(tmp_path) as ledger:
        ledger.commit([Advance(SOURCE, 5, 100, 3, BEFORE, checksum=7)], [Range(SOURCE, 10, 20, "hole")])
        ledger.commit([Advance(SOURCE, 100, 120, 1, HEAD, checksum=(1 << 32) - 1)])
        ledger.commit([_advance(10, source=other)])
        (record,) = ledger.records("me")
        assert replace(record, updated_at=0) == Record(
            record.source, 5, 120, 4, (1 << 32) - 1, HEAD, False, False, 0, (Passage(10, 20, "hole"),)
        )
        assert (record.source.id, record.source.path, record.source.head) == (SOURCE.id, SOURCE.path, HEAD)
        assert [each.source.id for each in ledger.records()] == [SOURCE.id, other.id]
        ledger.commit([Advance(SOURCE, 120, 120, 0, Marker(), finished=True, gone=True)])
        (record,) = ledger.records("me")
        assert (record.finished, record.gone, record.checksum) == (False, True, (1 << 32) - 1)


def test_records_come_whole_however_many_they_are(tmp_path: Path) -> None:
    sources = [make_source(f"{number:05}", collector="me") for number in range(2500)]
    with _ledger(tmp_path) as ledger:
        ledger.commit([_advance(10, source=source) for source in sources])
        assert [each.source.id for each in ledger.records("me")] == [source.id for source in sources]


def test_an_id_belongs_to_whoever_came_with_it_first(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        assert ledger.bind("me", "CN=one") == "CN=one"
        assert ledger.bind("me", "CN=two") == "CN=one"
        assert ledger.bind("other", "CN=two") == "CN=two"
    with _ledger(tmp_path) as ledger:
        assert ledger.bind("me", "CN=one") == "CN=one"
        assert ledger.bind("me", "CN=two") == "CN=one"


def test_what_ended_long_ago_is_forgotten_but_not_what_may_come_back_or_goes_on(tmp_path: Path) -> None:
    ended, gone, discarded, open_ = (make_source(name, collector="me") for name in ("1", "2", "3", "4"))
    with _ledger(tmp_path) as ledger:
        ledger.commit([_advance(10, source=each) for each in (ended, gone, discarded, open_)])
        ledger.commit([], [Range(ended, 0, 5, "hole"), Range(discarded, 0, 5, DISCARDED), Range(open_, 0, 5, "hole")])
        for each in (ended, gone, discarded):
            ledger.commit([Advance(each, 10, 10, 0, Marker(), finished=True, gone=each is gone)])
        assert ledger.forget(time.time_ns() - 60 * 10**9) == 0
        assert ledger.forget(time.time_ns() + 1) == 2
        assert [each.source.id for each in ledger.records()] == [b"3", b"4"]
        assert ledger.may_come_back(time.time_ns() + 1)
        assert not ledger.may_come_back(0)
        assert ledger.forget(time.time_ns() + 1, kept={b"3"}) == 0
    assert _rows(tmp_path, "SELECT source FROM ranges") == [(b"3",), (b"4",)]


def test_what_was_discarded_of_a_source_that_ended_long_ago_and_cannot_come_back_is_forgotten(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        ledger.commit([Advance(SOURCE, 0, 10, 1, BEFORE, finished=True)], [Range(SOURCE, 0, 5, DISCARDED)])
        assert ledger.forget(time.time_ns() + 1, kept=set()) == 1
        assert not ledger.may_come_back(time.time_ns() + 1)
    assert _rows(tmp_path, "SELECT source FROM ranges") == []


def test_a_source_that_is_forgotten_when_it_goes_on_has_the_checksum_of_what_came_since(tmp_path: Path) -> None:
    """What came before is unknown then, and an audit must not say that it differs."""
    with _ledger(tmp_path) as ledger:
        ledger.commit([Advance(SOURCE, 0, 10, 1, BEFORE, finished=True, checksum=1)])
        ledger.commit([Advance(SOURCE, 10, 20, 1, BEFORE, checksum=2, alone=3)])
        assert _standing(ledger) == (0, 20, 2)
        ledger.commit([Advance(SOURCE, 20, 20, 0, BEFORE, finished=True)])
        ledger.forget(time.time_ns() + 1)
        ledger.commit([Advance(SOURCE, 20, 30, 1, BEFORE, checksum=4, alone=5)])
        assert _standing(ledger) == (20, 30, 5)


def _standing(ledger: Ledger) -> tuple[int, int, int]:
    (record,) = ledger.records()
    return record.first, record.position, record.checksum


def test_thousands_that_ended_are_all_forgotten(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        sources = [make_source(str(number), collector="me") for number in range(2500)]
        ledger.commit([Advance(source, 0, 10, 1, Marker(), finished=True) for source in sources])
        assert ledger.forget(time.time_ns() + 1) == 2500
        assert list(ledger.records()) == []


def test_a_ledger_of_the_first_version_is_gone_on_with_and_knows_no_checksum_of_what_it_had(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as connection:
        connection.executescript(_FIRST_VERSION)
    with _ledger(tmp_path) as ledger:
        (record,) = ledger.records()
        assert (record.first, record.position, record.entries, record.checksum) == (70, 70, 9, 0)
        assert ledger.output("/out") == OutputState("/out", 1, 2, 80, Marker(1, b"d"))
        assert ledger.bind("me", "CN=one") == "CN=one"
        ledger.commit([Advance(record.source, 70, 100, 1, BEFORE, checksum=5)])
        assert next(ledger.records()).checksum == 5
    assert _rows(tmp_path, "PRAGMA user_version") == [(VERSION,)]


_FIRST_VERSION = """
CREATE TABLE sources (
    id BLOB PRIMARY KEY, collector TEXT NOT NULL, path BLOB NOT NULL, device TEXT NOT NULL, inode TEXT NOT NULL,
    head_length INTEGER NOT NULL, head_digest BLOB NOT NULL, first_position INTEGER NOT NULL, position INTEGER NOT NULL,
    entries INTEGER NOT NULL, before_length INTEGER NOT NULL, before_digest BLOB NOT NULL,
    finished INTEGER NOT NULL DEFAULT 0, updated_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sources_by_file ON sources (collector, inode, device);
CREATE TABLE ranges (
    source BLOB NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (source, start, end)
) WITHOUT ROWID;
CREATE TABLE outputs (
    path TEXT PRIMARY KEY, device TEXT NOT NULL, inode TEXT NOT NULL, length INTEGER NOT NULL,
    before_length INTEGER NOT NULL, before_digest BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE ends (clean INTEGER NOT NULL);
INSERT INTO ends VALUES (1);
INSERT INTO sources VALUES (x'61', 'me', x'2f61', '1', '2', 0, x'', 0, 70, 9, 0, x'', 0, 0);
INSERT INTO outputs VALUES ('/out', '1', '2', 80, 1, x'64');
PRAGMA user_version = 1;
"""


def test_the_end_of_a_source_keeps_what_recognises_it(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        ledger.commit([_advance(100)])
        ledger.commit([Advance(SOURCE, 100, 100, 0, Marker(), finished=True)])
        assert _known(ledger) == (Known(SOURCE.id, 100, BEFORE, HEAD, finished=True),)
    assert _rows(tmp_path, "SELECT finished, entries, first_position FROM sources") == [(1, 1, 0)]


@pytest.mark.parametrize("begun", [0, 40])
def test_of_a_source_of_which_nothing_was_sent_before_all_was_lost_no_byte_is_known(tmp_path: Path, begun: int) -> None:
    with _ledger(tmp_path) as ledger:
        ledger.commit([Advance(SOURCE, begun, 100, 0, None)], [Range(SOURCE, begun, 100, "lost")])
        assert _known(ledger) == (Known(SOURCE.id, 100, Marker(), HEAD, sent=Sent(begun, Marker())),)
        ledger.commit([_advance(120, start=100)])
        assert _known(ledger) == (Known(SOURCE.id, 120, BEFORE, HEAD),)


def test_a_source_whose_file_is_gone_is_known_like_one_that_goes_on(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        ledger.commit([_advance(100)])
        ledger.commit([Advance(SOURCE, 100, 100, 0, Marker(), finished=True, gone=True)])
        assert _known(ledger) == (Known(SOURCE.id, 100, BEFORE, HEAD),)
        assert _known(ledger, replace(SOURCE, id=b"another")) == (Known(SOURCE.id, 100, BEFORE, HEAD),)


def test_of_one_file_what_has_ended_is_told_too_and_last(tmp_path: Path) -> None:
    """An archive that was shipped has ended: it is not to be shipped again when the collector's state is lost."""
    ended, open_ = make_source("ended", collector="me"), make_source("open", collector="me")
    with _ledger(tmp_path) as ledger:
        ledger.commit([_advance(10, source=open_)])
        ledger.commit([_advance(10, source=ended)])
        ledger.commit([Advance(ended, 10, 10, 0, Marker(), finished=True)])
        known = ledger.known("me", b"new", ended.device, ended.inode)
        assert [(each.source_id, each.finished) for each in known] == [(open_.id, False), (ended.id, True)]


def test_what_has_ended_or_is_gone_comes_in_pages_the_latest_first_and_all_of_it_once(tmp_path: Path) -> None:
    sources = [make_source(f"{number}", collector="me", inode=number % 7) for number in range(20)]
    theirs = make_source("theirs", collector="another")
    with _ledger(tmp_path) as ledger:
        ledger.commit([_advance(10, source=each) for each in (*sources, theirs)])
        ledger.commit([_ends(theirs)])
        for begin in (0, 5, 10, 15):
            ended = sources[begin : min(begin + 5, 19)]
            ledger.commit([_ends(each, gone=each.inode == 3) for each in ended])
        told: list[list[bytes]] = []
        after: Source | None = None
        while after is not None or not told:
            page = ledger.ended("me", after, 4)
            told.append([each.source.id for each in page.holdings])
            after = page.last
        assert ledger.ended("me", make_source("of nobody", collector="me"), 4).holdings == ()
        assert ledger.ended("nobody", None, 4).holdings == ()
        (first, *_) = ledger.ended("me", None, 1).holdings
    assert list(map(len, told)) == [4, 4, 4, 4, 3]
    order = [each for page in told for each in page]
    assert sorted(order) == sorted(each.id for each in sources[:-1])
    assert [{int(each) // 5 for each in order[at : at + 5]} for at in (4, 9, 14)] == [{2}, {1}, {0}]
    assert (first.position, first.before, first.source.head) == (10, BEFORE, sources[0].head)


def test_it_knows_whether_the_last_end_was_clean(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert ledger.clean
    ledger.close(clean=False)
    ledger = Ledger(tmp_path)
    assert not ledger.clean
    ledger.close(clean=True)
    with _ledger(tmp_path) as ledger:
        assert ledger.clean


_KILLED = """
import os, signal, sys
from pathlib import Path
from mega_collector.aggregator.ledger import Advance, Committed, Ledger
from mega_collector.block import Source
from mega_collector.marker import Marker

ledger = Ledger(Path(sys.argv[1]))
source = Source(b"a", b"/a", 1, 2, Marker(), "me")

def forever():
    yield Advance(source, 0, 500, 1, Marker())
    os.kill(os.getpid(), signal.SIGKILL)

ledger.commit([Advance(source, 0, 100, 1, Marker())])
ledger.commit(forever())
"""


def test_an_end_that_was_not_clean_writes_nothing_for_which_a_lock_would_be_waited_for(tmp_path: Path) -> None:
    ledger, written = Ledger(tmp_path), list[str]()
    ledger._writer.set_trace_callback(written.append)
    ledger.close(clean=False)
    assert written == []
    again = Ledger(tmp_path)
    assert not again.clean
    again.close(clean=True)


def test_a_kill_in_the_middle_of_a_commit_leaves_the_one_before(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "src"
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path)], env={"PYTHONPATH": str(source)}, check=False, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL
    with _ledger(tmp_path) as ledger:
        assert not ledger.clean
        assert [each.position for each in ledger.known("me", b"a", 1, 2)] == [100]


def test_nothing_of_a_commit_that_fails_is_recorded_and_the_next_one_goes_on(tmp_path: Path) -> None:
    other = make_source("b", collector="me")
    with _ledger(tmp_path) as ledger:
        ledger.commit([_advance(100)])
        beyond = Advance(other, 0, 1 << 64, 1, BEFORE)
        with pytest.raises(OverflowError):
            ledger.commit([_advance(200), beyond], [Range(SOURCE, 0, 5, "discarded")])
        assert _known(ledger)[0].position == 100
        ledger.commit([_advance(300)])
        assert _known(ledger)[0].position == 300
    assert _rows(tmp_path, "SELECT * FROM ranges") == []


def test_a_disk_that_takes_nothing_is_told_and_heals(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        ledger.commit([_advance(100)])
        with _no_file_may_grow():
            for _ in range(2):
                with pytest.raises(LedgerError, match=r"ledger\.sqlite3 cannot be written"):
                    ledger.commit([_advance(200)], [Range(SOURCE, n, n + 1, "x" * 1000) for n in range(100)])
            assert _known(ledger)[0].position == 100
        ledger.commit([_advance(200)])
        assert _known(ledger)[0].position == 200
    with _ledger(tmp_path) as ledger:
        assert _known(ledger)[0].position == 200


@contextmanager
def _no_file_may_grow() -> Iterator[None]:
    """Every file of this process is at its largest, as on a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_ledger_held_by_another_writer_is_told(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        ledger._writer.execute("PRAGMA busy_timeout = 10")
        with closing(sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerError, match="locked"):
                ledger.commit([_advance(100)])
            other.execute("ROLLBACK")
        ledger.commit([_advance(100)])


def test_a_ledger_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        for number in range(200):
            ledger.commit([_advance(10, source=make_source(str(number), collector="me"))])
    path = tmp_path / "ledger.sqlite3"
    ledger = Ledger(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    for ask in (lambda: _known(ledger), lambda: ledger.committed(b"1"), lambda: ledger.output("/out")):
        with pytest.raises(LedgerError, match="cannot be read"):
            ask()
    ledger.close(clean=True)


# What cannot be started with


def test_a_second_aggregator_on_the_same_state_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        with pytest.raises(StartError, match="in use by another aggregator"):
            Ledger(tmp_path)
        ledger.commit([_advance(100)])
    with _ledger(tmp_path):
        pass


def test_a_newer_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        ledger.commit([_advance(100)])
    path = tmp_path / "ledger.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(StartError, match=f"ledger.sqlite3 is of version {VERSION + 1}"):
        Ledger(tmp_path)
    assert path.read_bytes() == before
    assert _rows(tmp_path, "SELECT position FROM sources") == [(100,)]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"no database at all, but long enough to look like one" * 100, id="another file"),
        pytest.param(b"SQLite format 3\0" + bytes(4080), id="a header and nothing else"),
    ],
)
def test_a_file_that_is_no_ledger_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(content)
    with pytest.raises(StartError, match=r"cannot be used: .*\. Move it away"):
        Ledger(tmp_path)
    assert path.read_bytes() == content


def test_whoever_only_looks_is_told_of_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(b"")
    ledger_module.look(tmp_path)
    path.write_bytes(b"no database\n")
    with pytest.raises(StartError, match=r"cannot be used: it is no database\. Move it away"):
        ledger_module.look(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (it)")
    before = path.read_bytes()
    with pytest.raises(StartError, match=r"cannot be used: it is another program's\. Move it away"):
        Ledger(tmp_path)
    assert path.read_bytes() == before


_NO_FILES: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a directory": Path.mkdir,
    "a socket": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
    "a link to a device": lambda path: path.symlink_to("/dev/full"),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
}


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("kind", _NO_FILES)
def test_what_is_no_file_in_the_place_of_the_ledger_or_beside_it_is_refused_at_once(
    tmp_path: Path, kind: str, suffix: str
) -> None:
    if suffix:
        _by_hand(tmp_path, "SELECT 1")
    name = f"ledger.sqlite3{suffix}"
    _NO_FILES[kind](tmp_path / name)
    with pytest.raises(StartError, match=rf"ledger\.sqlite3 cannot be read: {name} is no file.* move it away"):
        Ledger(tmp_path)
    with pytest.raises(LedgerError, match=rf"ledger\.sqlite3 cannot be read: {name} is no file"):
        LedgerReader.at(tmp_path)
    assert not (tmp_path / "nothing").exists()


def test_a_ledger_that_is_damaged_inside_is_refused_and_left_alone(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        ledger.commit([_advance(10, source=make_source(str(number), collector="me")) for number in range(2000)])
    path = tmp_path / "ledger.sqlite3"
    content = path.read_bytes()
    middle = len(content) // 2 // 4096 * 4096
    path.write_bytes(content[:middle] + b"\xa5" * 4096 + content[middle + 4096 :])
    before = path.read_bytes()
    with pytest.raises(StartError, match=r"ledger.sqlite3 cannot be used: it is damaged .* Move it away"):
        Ledger(tmp_path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        (b"CREATE INDEX", b"CREATE IND\xffX"),  # SQLite says it with these bytes
        (b"updated_at INTEGER NOT NULL,", b"updated_at INTEG\xffR NOT NULL,"),
        (b"updated_at INTEGER NOT NULL,", b"updated_at `NTEGER NOT NULL,"),  # it says all of it from there on
    ],
)
def test_a_ledger_whose_schema_is_damaged_is_refused_in_one_line_and_left_alone(
    tmp_path: Path, there: bytes, instead: bytes
) -> None:
    _fill(tmp_path)
    path = tmp_path / "ledger.sqlite3"
    content = path.read_bytes()
    assert there in content
    path.write_bytes(content.replace(there, instead))
    before = path.read_bytes()
    with pytest.raises(StartError, match=r"cannot be used: .*\. Move it away") as refused:
        Ledger(tmp_path)
    assert len(str(refused.value).splitlines()) == 1
    assert path.read_bytes() == before


def test_a_ledger_whose_schema_is_damaged_is_told_to_whoever_looks_at_it(tmp_path: Path) -> None:
    _fill(tmp_path)
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(path.read_bytes().replace(b"CREATE INDEX", b"CREATE IND\xffX"))
    with pytest.raises(LedgerError, match=r"cannot be read: it is damaged .*\. Move it away"):
        LedgerReader.at(tmp_path).outputs()


def test_a_ledger_with_an_index_that_does_not_say_what_its_table_says_is_refused(tmp_path: Path) -> None:
    _fill(tmp_path)
    _by_hand(
        tmp_path,
        """
        PRAGMA writable_schema = ON;
        UPDATE sqlite_master SET sql = sql || ' WHERE 0' WHERE name = 'sources_by_file';
        PRAGMA writable_schema = RESET;
        UPDATE sources SET inode = '77';
        PRAGMA writable_schema = ON;
        UPDATE sqlite_master SET sql = replace(sql, ' WHERE 0', '') WHERE name = 'sources_by_file';
        """,
    )
    with pytest.raises(StartError, match=r"it is damaged \(.*sources_by_file.*\)\. Move it away"):
        Ledger(tmp_path)


def test_a_ledger_of_a_version_below_the_first_is_refused(tmp_path: Path) -> None:
    _fill(tmp_path)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as opened:
        opened.execute("PRAGMA user_version = -1")  # in the log beside it, for as long as it is open
        with pytest.raises(StartError, match=r"of version -1.* move the file away"):
            Ledger(tmp_path)


@pytest.mark.parametrize(
    ("statement", "lacks"),
    [
        ("DROP TABLE sources", "sources"),
        ("DROP TABLE collectors; CREATE VIEW collectors AS SELECT id, path AS holder, 0 AS since FROM sources", "coll"),
        ("ALTER TABLE sources DROP COLUMN entries", "sources, with its column entries"),
        ("ALTER TABLE outputs ADD COLUMN more TEXT", "outputs, with its column more"),
        ("DROP INDEX sources_by_file", "sources_by_file"),
        ("DROP INDEX sources_ended", "sources_ended"),
        ("DROP TABLE ranges; CREATE TABLE ranges (theirs)", "ranges"),
        ("DROP TABLE ends; CREATE TABLE ends (clean TEXT)", "ends, with its column clean"),
    ],
)
def test_a_ledger_that_is_not_built_as_it_should_be_is_refused_and_left_alone(
    tmp_path: Path, statement: str, lacks: str
) -> None:
    _by_hand(tmp_path, statement)
    before = (tmp_path / "ledger.sqlite3").read_bytes()
    with pytest.raises(StartError, match=rf"damaged \({lacks}.* not as it should be\)\. Move it away"):
        Ledger(tmp_path)
    assert (tmp_path / "ledger.sqlite3").read_bytes() == before


def test_a_ledger_of_the_first_version_that_lacks_a_column_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as connection:
        connection.executescript(_FIRST_VERSION + "ALTER TABLE sources DROP COLUMN position;")
    with pytest.raises(StartError, match=r"no such column.* Move it away"):
        Ledger(tmp_path)


_SENSELESS = [
    ("UPDATE sources SET position = -1", "-1 is no position"),
    ("UPDATE sources SET position = 'many'", "'many' is no position"),
    ("UPDATE sources SET updated_at = 0.5", "0.5 is no updated_at"),
    ("UPDATE sources SET checksum = 1 << 32", "4294967296 is no checksum"),
    ("UPDATE sources SET head_digest = 7", "7 is no head_digest"),
    ("UPDATE sources SET head_digest = x''", "b'' is no head_digest"),
    ("UPDATE sources SET before_length = 2000", "2000 is no before_length"),
    ("UPDATE sources SET path = 'text'", "'text' is no path"),
    ("UPDATE sources SET path = zeroblob(4097)", "is no path"),
    ("UPDATE sources SET id = x''", "b'' is no id"),
    ("UPDATE sources SET id = zeroblob(65)", "is no id"),
    ("UPDATE sources SET first_position = 11", "10 is no position"),
    ("UPDATE sources SET entries = (1 << 62) + 1", "4611686018427387905 is no entries"),
    ("UPDATE sources SET inode = ''", "'' is no inode"),
    ("UPDATE sources SET device = '18446744073709551616'", "'18446744073709551616' is no device"),
    ("UPDATE sources SET collector = x'6d65'", "b'me' is no collector"),
    ("UPDATE sources SET collector = CAST(x'ff0a' AS TEXT)", "a text is not UTF-8"),
    ("UPDATE ranges SET start = 'here'", "'here' is no start"),
    ("UPDATE ranges SET start = 11", "10 is no end"),
    ("UPDATE ranges SET reason = x'00'", "is no reason"),
    ("UPDATE ranges SET reason = printf('%256s', '')", "is no reason"),
    ("UPDATE outputs SET length = -5", "-5 is no length"),
    ("UPDATE outputs SET path = x'2f'", "b'/' is no output"),
    ("UPDATE outputs SET path = ''", "'' is no output"),
    ("UPDATE outputs SET path = CAST(x'2f00' AS TEXT)", "is no output"),
    ("UPDATE collectors SET since = 'ever'", "'ever' is no since"),
    ("UPDATE collectors SET holder = x'00'", "is no holder"),
    ("UPDATE ends SET clean = 'yes'", "'yes' is no clean"),
]


@pytest.mark.parametrize(("statement", "says"), _SENSELESS)
def test_a_ledger_with_a_value_that_makes_no_sense_is_refused_and_left_alone(
    tmp_path: Path, statement: str, says: str
) -> None:
    _fill(tmp_path)
    _by_hand(tmp_path, statement)
    before = (tmp_path / "ledger.sqlite3").read_bytes()
    # Some versions of SQLite find some of it themselves, and say it in their words.
    with pytest.raises(StartError, match=rf"damaged \(.*({re.escape(says)}|value in).*\)\. Move it away") as refused:
        Ledger(tmp_path)
    assert len(str(refused.value).splitlines()) == 1
    assert (tmp_path / "ledger.sqlite3").read_bytes() == before


def test_a_ledger_in_which_a_value_is_missing_is_refused(tmp_path: Path) -> None:
    _fill(tmp_path)
    _by_hand(
        tmp_path,
        """
        PRAGMA writable_schema = ON;
        UPDATE sqlite_master SET sql = replace(sql, 'position INTEGER NOT NULL', 'position INTEGER');
        PRAGMA writable_schema = RESET;
        UPDATE sources SET position = NULL;
        """,
    )
    with pytest.raises(StartError, match=r"None is no position\)\. Move it away"):
        Ledger(tmp_path)


def test_a_value_that_makes_no_sense_while_it_runs_is_a_ledger_that_cannot_be_read_until_it_is_mended(
    tmp_path: Path,
) -> None:
    _fill(tmp_path)
    with _ledger(tmp_path) as ledger, closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as hand:
        ledger.commit([_advance(10, source=replace(SOURCE, id=each)) for each in (b"b", b"c", b"d")])
        hand.executescript("UPDATE sources SET position = 'many'; UPDATE ranges SET end = 'there'")
        asks: list[Callable[[], object]] = [
            lambda: _known(ledger),
            lambda: ledger.committed(SOURCE.id),
            lambda: ledger.record(SOURCE.id),
            lambda: ledger.holdings("me", None, 8),
            lambda: list(ledger.records()),
        ]
        kept = []
        for ask in asks:
            with pytest.raises(LedgerError, match=r"cannot be read: it is damaged \('many' is no position\)") as told:
                ask()
            kept.append(told)  # as a stream keeps why it has ended: nothing may stay open by that
        assert "'many' is no position" in str(ledger.read_error)
        assert not ledger.read_again()
        with pytest.raises(LedgerError, match=r"cannot be written: it is damaged \('there' is no end\)"):
            ledger.commit([], cleared=[Range(SOURCE, 0, 10, DISCARDED)])
        hand.executescript("UPDATE sources SET position = 10; UPDATE ranges SET end = 10")
        assert ledger.read_again()
        assert ledger.read_error is None
        ledger.commit([], cleared=[Range(SOURCE, 0, 10, DISCARDED)])


def test_who_asks_for_pages_without_end_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger, ThreadPoolExecutor() as beside:
        ledger.commit([_advance(10)])
        with ledger._pages._lock:  # as while one is read
            for ask in (_known, lambda each: each.committed(SOURCE.id), lambda each: each.holder("me")):
                beside.submit(ask, ledger).result(timeout=10)
            page = beside.submit(ledger.holdings, "me", None, 8)
        assert len(page.result(timeout=10).holdings) == 1


def test_what_either_cannot_read_is_told_until_both_can(tmp_path: Path) -> None:
    _fill(tmp_path)
    with _ledger(tmp_path) as ledger, closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as hand:
        hand.executescript("UPDATE sources SET position = 'many'; UPDATE collectors SET holder = x'00'")
        for ask in (lambda: ledger.holder("me"), lambda: ledger.ended("me", None, 8), lambda: list(ledger.records())):
            with suppress(LedgerError):
                ask()
        hand.executescript("UPDATE collectors SET holder = 'CN=me'")
        assert not ledger.read_again()
        assert "no position" in str(ledger.read_error)
        hand.executescript("UPDATE sources SET position = 10")
        assert ledger.read_again()
        assert ledger.read_error is None


def _fill(directory: Path) -> None:
    """Let there be a row in each table."""
    with _ledger(directory) as ledger:
        ledger.commit([_advance(10)], [Range(SOURCE, 0, 10, DISCARDED)], [OutputState("/out", 1, 2, 10, BEFORE)])
        ledger.bind("me", "CN=me")


def test_an_id_that_could_not_be_bound_is_bound_when_the_disk_allows_it(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        with _no_file_may_grow():
            for fails in (lambda: ledger.bind("me", "CN=me"), ledger.bind_again):
                with pytest.raises(LedgerError, match="cannot be written"):
                    fails()
        assert ledger.holder("me") is None
        ledger.bind_again()
        assert ledger.holder("me") == "CN=me"
        ledger.bind_again()


def test_a_ledger_that_does_not_say_how_it_ended_did_not_end_well(tmp_path: Path) -> None:
    _by_hand(tmp_path, "DELETE FROM ends")
    with _ledger(tmp_path) as ledger:
        assert not ledger.clean


def test_a_ledger_that_another_program_holds_is_refused_and_it_is_said_what_to_do(tmp_path: Path) -> None:
    with _ledger(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StartError, match=r"database is locked\. End the program"):
            Ledger(tmp_path)


def _by_hand(directory: Path, statement: str) -> None:
    """Make a ledger, and change it as only a person would."""
    with _ledger(directory):
        pass
    with closing(sqlite3.connect(directory / "ledger.sqlite3", isolation_level=None)) as connection:
        connection.executescript(statement)


def test_a_state_that_was_refused_can_be_tried_again_once_it_is_mended(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite3").write_bytes(b"no database" * 1000)
    with pytest.raises(StartError):
        Ledger(tmp_path)
    (tmp_path / "ledger.sqlite3").unlink()
    with _ledger(tmp_path) as ledger:
        ledger.commit([_advance(1)])


def test_a_state_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="cannot be written"):
        Ledger(tmp_path / "file" / "state")


def test_a_state_directory_is_made_and_is_nobody_elses(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"
    with _ledger(state):
        assert state.stat().st_mode & 0o777 == 0o700
        assert (state / "lock").stat().st_mode & 0o077 == 0


def test_an_empty_file_is_a_ledger_to_be(tmp_path: Path) -> None:
    # A kill between the creation of the file and its first page.
    (tmp_path / "ledger.sqlite3").touch()
    with _ledger(tmp_path) as ledger:
        ledger.commit([_advance(1)])


def test_a_lock_without_a_process_does_not_hold_anybody_up(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    with _ledger(tmp_path) as ledger:
        ledger.commit([_advance(1)])


def test_what_is_known_is_found_without_looking_at_every_source(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    plan = ledger._writer.execute(f"EXPLAIN QUERY PLAN {ledger_module._KNOWN}", ("me", b"a", "1", "2", 8))
    steps = [step for *_, step in plan if "sources" in step]
    assert all(step.startswith("SEARCH") for step in steps)
    assert any("collector=? AND inode=? AND device=?" in step for step in steps)
    ledger.close(clean=True)


def test_what_adjoins_is_found_without_looking_at_every_range_of_a_source(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    plan = ledger._writer.execute(f"EXPLAIN QUERY PLAN {ledger_module._ADJOINING}", (b"a", 10, "hole"))
    steps = [step for *_, step in plan if "ranges" in step]
    assert len(steps) == 2
    assert all("(source=? AND start" in step for step in steps), steps
    ledger.close(clean=True)


def test_what_is_cleared_is_passed_over_no_more_and_splits_what_it_lies_in(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        ledger.commit([_advance(100)], [Range(SOURCE, 0, 40, DISCARDED), Range(SOURCE, 40, 50, "hole")])
        ledger.commit([], cleared=[Range(SOURCE, 10, 20, DISCARDED), Range(SOURCE, 35, 50, DISCARDED)])
        record = ledger.record(SOURCE.id)
        assert record is not None
        assert record.position == 100
        assert record.ranges == (Passage(0, 10, DISCARDED), Passage(20, 35, DISCARDED), Passage(40, 50, "hole"))
        ledger.commit([], cleared=[Range(SOURCE, 0, 40, DISCARDED)])
        assert [each.ranges for each in ledger.records()] == [(Passage(40, 50, "hole"),)]


SPANS = st.tuples(st.integers(0, 30), st.integers(1, 10)).map(lambda span: (span[0], span[0] + span[1]))


@given(st.lists(st.tuples(st.booleans(), SPANS), max_size=12))
@settings(max_examples=50, deadline=None)
def test_ranges_hold_the_bytes_that_were_discarded_and_not_cleared(
    ledger_of_examples: Ledger, steps: list[tuple[bool, tuple[int, int]]]
) -> None:
    source = make_source(os.urandom(8).hex(), collector="me")
    ledger_of_examples.commit([_advance(40, source=source)])
    bytes_: set[int] = set()
    for discard, (start, end) in steps:
        span = set(range(start, end))
        if discard and not bytes_ & span:  # a position moves over a byte once
            ledger_of_examples.commit([], [Range(source, start, end, DISCARDED)])
            bytes_ |= span
        else:
            ledger_of_examples.commit([], cleared=[Range(source, start, end, DISCARDED)])
            bytes_ -= span
        record = ledger_of_examples.record(source.id)
        assert record is not None
        held = [at for each in record.ranges for at in range(each.start, each.end)]
        assert sorted(held) == sorted(bytes_)


@pytest.fixture(scope="module")
def ledger_of_examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with _ledger(tmp_path_factory.mktemp("ledger")) as ledger:
        yield ledger


def test_what_was_opened_again_further_on_before_anything_came_begins_there(tmp_path: Path) -> None:
    ledger, source = Ledger(tmp_path), make_source("a")
    for at in (1, 200):
        ledger.commit([Advance(source, at, at, 0, Marker.of(b"%d" % at))])
    (record,) = ledger.records()
    assert (record.first, record.position, record.before) == (200, 200, Marker.of(b"200"))
    ledger.commit([Advance(source, 200, 300, 1, HEAD)])
    (record,) = ledger.records()
    assert (record.first, record.position, record.before) == (200, 300, HEAD)
    ledger.close(clean=True)
