"""The ledger cannot be written or read for a while: nothing is acknowledged, and it goes on by itself."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blocks import make_block, make_source
from cases.namespace import mounted
from cases.noted import acknowledged
from cases.reads import Reads
from certificates import Authority
from harness.health import NOT_SERVING, SERVING, health
from harness.process import Process
from harness.site import Site
from harness.until import quiet, until
from mega_collector.aggregator.ledger import DISCARDED, Advance, Ledger, Range
from mega_collector.batch import Batch
from mega_collector.emitter.dead_letters import DeadLetters
from mega_collector.marker import Marker
from starting.material import tls

Trouble = Callable[[Process, Path], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def _full(aggregator: Process, state: Path) -> Iterator[None]:
    filler = Path(f"/proc/{aggregator.pid}/root{state}") / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    yield
    filler.unlink()


@contextlib.contextmanager
def _moved_away(aggregator: Process, state: Path) -> Iterator[None]:
    there = Path(f"/proc/{aggregator.pid}/root{state}")
    ledger, elsewhere = there / "ledger.sqlite3", there / "elsewhere"
    ledger.rename(elsewhere)
    yield
    assert "put it back, or start the aggregator anew" in str(aggregator.events("ledger_failed")[0]["error"])
    elsewhere.rename(ledger)


@pytest.mark.parametrize("trouble", [_full, _moved_away])
def test_nothing_is_acknowledged_and_it_goes_on_when_the_disk_does(site: Site, trouble: Trouble) -> None:
    state = site.directory / "aggregator"
    state.mkdir()
    aggregator = site.aggregator(wrapper=mounted(state, size="8m"))
    collector = site.collector(shutdown_timeout="300ms")
    writer = site.writer()
    writer.write(10)
    site.assert_delivered()
    before = site.bytes_written
    until(lambda: acknowledged(site.directory / "collector") == before, "it should be acknowledged")
    with trouble(aggregator, state):
        writer.write(1000)
        failure = aggregator.wait_for("ledger_failed")
        assert "ledger.sqlite3" in str(failure["error"])
        until(lambda: health(site.address) == NOT_SERVING, "health should follow the ledger")
        quiet(site.size, "the destination")
        # Told once, however often it is tried.
        assert len(aggregator.events("ledger_failed")) == 1
        collector.stop()
        assert collector.events("stopped", acknowledged=before)
    aggregator.wait_for("ledger_recovered")
    until(lambda: health(site.address) == SERVING, "health should follow the ledger")
    site.collector()
    site.assert_delivered()


def test_where_it_cannot_be_read_health_says_so_and_it_goes_on_when_it_can(site: Site) -> None:
    *both, writer = site.shipped(10)
    assert [each.stop() for each in reversed(both)] == [0, 0]
    reads = Reads(site.directory, site.directory / "aggregator" / "ledger.sqlite3", "EIO")
    aggregator = site.aggregator(wrapper=reads.wrapper)
    reads.fail()
    writer.write(10)
    collector = site.collector()
    assert "cannot be read" in str(aggregator.wait_for("ledger_failed")["error"])
    until(lambda: health(site.address) == NOT_SERVING, "health should follow the ledger")
    # Also while nobody asks it any more.
    assert collector.stop() == 0
    quiet(lambda: health(site.address), "health")
    assert health(site.address) == NOT_SERVING
    reads.work()
    aggregator.wait_for("ledger_recovered")
    until(lambda: health(site.address) == SERVING, "health should follow the ledger")
    site.collector()
    site.assert_delivered()


def test_where_a_value_makes_no_sense_health_says_so_and_it_goes_on_when_it_is_mended(site: Site) -> None:
    aggregator, collector, writer = site.shipped(10)
    assert collector.stop() == 0
    state = site.directory / "aggregator"
    with contextlib.closing(sqlite3.connect(state / "ledger.sqlite3")) as hand:
        hand.executescript("UPDATE sources SET before_digest = 7")
        writer.write(10)
        collector = site.collector()
        assert "7 is no before_digest" in str(aggregator.wait_for("ledger_failed")["error"])
        assert "cannot use its ledger" in str(collector.wait_for("connection_failed")["cause"])
        until(lambda: health(site.address) == NOT_SERVING, "health should follow the ledger")
        digest = Marker.of(site.output()[-64:]).digest.hex()
        hand.executescript(f"UPDATE sources SET before_digest = x'{digest}'")
    aggregator.wait_for("ledger_recovered")
    until(lambda: health(site.address) == SERVING, "health should follow the ledger")
    site.assert_delivered()
    assert collector.stop() == 0


def test_where_it_cannot_be_read_a_new_output_file_waits_until_it_can(site: Site) -> None:
    aggregator = site.aggregator(file_configuration=f"{site.out.parent}/{{path}}")
    collector = site.collector()

    def arrived() -> bool:
        return sum(path.stat().st_size for path in site.out.parent.rglob("*.log")) == site.bytes_written

    site.writer().write(10)
    until(arrived, "the first file")
    with contextlib.closing(sqlite3.connect(site.directory / "aggregator" / "ledger.sqlite3")) as hand:
        hand.executescript("ALTER TABLE outputs RENAME COLUMN length TO other")
        site.writer("b.log").write(10)
        until(lambda: health(site.address) == NOT_SERVING, "health should follow the ledger")
        hand.executescript("ALTER TABLE outputs RENAME COLUMN other TO length")
    until(lambda: health(site.address) == SERVING, "health should follow the ledger")
    until(arrived, "the second file")
    assert [each.stop() for each in (collector, aggregator)] == [0, 0]


def test_a_collector_that_was_never_seen_waits_for_a_full_disk_and_health_says_so(site: Site) -> None:
    """With TLS its id is to be noted first, before anything of it is."""
    authority, state = Authority(), site.directory / "aggregator"
    state.mkdir()
    material = authority.material()
    settings: dict[str, Any] = {"listen_address": "127.0.0.1:0", **tls(material)}
    aggregator = site.aggregator(wrapper=mounted(state, size="8m"), **settings)
    site.address = aggregator.events("listening")[0]["address"]

    def serves() -> int | None:
        return health(site.address, material)

    until(lambda: serves() == SERVING, "it should be healthy at first")
    site.writer().write(10)
    with _full(aggregator, state):
        collector = site.collector(**tls(authority.material("new")))
        assert "ledger.sqlite3 cannot be written" in str(aggregator.wait_for("ledger_failed")["error"])
        assert "cannot use its ledger" in str(collector.wait_for("connection_failed")["cause"])
        until(lambda: serves() == NOT_SERVING, "health should follow the ledger")
        quiet(serves, "health")
        assert serves() == NOT_SERVING
        assert not aggregator.events("ledger_recovered")
        assert site.output() == b""
    aggregator.wait_for("ledger_recovered")
    until(lambda: serves() == SERVING, "health should follow the ledger")
    site.assert_delivered()
    assert collector.stop() == 0


def test_what_the_ledger_could_not_note_before_the_end_comes_once(site: Site) -> None:
    state = site.directory / "aggregator"
    aggregator = site.aggregator(shutdown_timeout="500ms")
    collector = site.collector()
    writer = site.writer()
    writer.write(10)
    site.assert_delivered()
    (state / "ledger.sqlite3").rename(state / "elsewhere")
    writer.write(1000)
    aggregator.wait_for("ledger_failed")
    assert aggregator.stop() == 0
    assert aggregator.events("stopped", complete=False)
    assert aggregator.events("shutdown_incomplete", reason="the ledger could not be written in time")
    (state / "elsewhere").rename(state / "ledger.sqlite3")
    site.aggregator()
    site.assert_delivered()
    assert collector.stop() == 0


def test_a_source_that_ends_while_there_is_no_aggregator_is_known_as_ended_later(site: Site) -> None:
    aggregator, collector = site.both()
    site.writer().write(10)
    site.assert_delivered()
    until(lambda: acknowledged(site.directory / "collector") == site.bytes_written, "it should be acknowledged")
    aggregator.kill()
    collector.wait_for("connection_failed")
    (site.logs / "a.log").unlink()
    collector.wait_for("file_retired")
    site.aggregator()
    until(lambda: _ended(site) == [1], "the ledger should know that it has ended")


def _ended(site: Site) -> list[int]:
    with contextlib.closing(sqlite3.connect(site.directory / "aggregator" / "ledger.sqlite3")) as ledger:
        return [finished for (finished,) in ledger.execute("SELECT finished FROM sources")]


@pytest.mark.parametrize("also", [[], ["-wal", "-shm"]], ids=["the file", "all of it"])
def test_without_the_ledger_nothing_is_lost_and_nothing_is_cut(site: Site, also: list[str]) -> None:
    aggregator, collector, writer = site.shipped(100)
    aggregator.kill()
    before = site.output()
    for suffix in ("", *also):
        (site.directory / "aggregator" / f"ledger.sqlite3{suffix}").unlink(missing_ok=True)
    writer.write(100)
    site.aggregator()
    site.assert_lossless()
    assert site.output().startswith(before)
    assert collector.stop() == 0


def test_a_ledger_that_was_restored_from_an_older_copy_cuts_nothing(site: Site) -> None:
    aggregator, collector, writer = site.shipped(100)
    state = site.directory / "aggregator"
    # Copied while it runs, as a backup does: it says that its process has not ended.
    shutil.copytree(state, site.directory / "copy", ignore=lambda *_: ["operator.sock"])
    writer.write(1)
    site.assert_delivered()
    aggregator.kill()
    before = site.output()
    shutil.rmtree(state)
    shutil.copytree(site.directory / "copy", state)
    again = site.aggregator()
    again.wait_for("output_adopted")
    writer.write(100)
    site.assert_lossless()
    assert site.output().startswith(before)
    assert collector.stop() == 0


def test_nobody_waits_at_the_start_for_what_is_to_be_forgotten(site: Site) -> None:
    ledger = Ledger(site.directory / "aggregator")
    sources = ended, discarded, kept = make_source("a"), make_source("b"), make_source("c")
    ranges = [Range(source, 0, 10, DISCARDED) for source in (discarded, kept)]
    ledger.commit([Advance(source, 0, 10, 1, Marker(), finished=True) for source in sources], ranges)
    ledger.close(clean=True)
    letter = Batch((make_block(b"123456789\n", 0, kept),), 1, 10)
    DeadLetters(site.directory / "aggregator" / "dead-letters", 1 << 20).lay(letter)
    aggregator = site.aggregator(forget_after="1ms")
    assert aggregator.wait_for("sources_forgotten")["count"] == len([ended, discarded])
    assert [event["event"] for event in aggregator.events()] == ["listening", "sources_forgotten"]
