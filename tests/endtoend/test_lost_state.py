"""A collector that has lost its state loses nothing and repeats nothing, whatever became of its files meanwhile."""

import gzip
import os
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from collector.accepting import Accepting
from collector.scripted_aggregator import scripted
from endtoend.held import wait_until_held
from harness.process import Process
from harness.site import Site
from harness.until import until
from harness.writer import Writer
from mega_collector.block import Source
from mega_collector.collector.state.checkpoint_file import CheckpointFile, read
from mega_collector.collector.state.record import Entry
from mega_collector.marker import HEAD_SIZE, Marker
from mega_collector.protocol import Holding, Holdings


def compress(plain: Path) -> None:
    """As gzip(1) does it."""
    Path(f"{plain}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()


def everything(site: Site) -> str:
    return f"{site.logs}/*.log*"


def lost(site: Site) -> None:
    shutil.rmtree(site.directory / "collector")


def begins(site: Site, **settings: str) -> Process:
    return site.collector(paths=everything(site), **settings)


def assert_told(site: Site, collector: Process) -> None:
    """Each line is there once, and of none is said that it was lost."""
    collector.wait_for("recollected")
    site.assert_delivered()
    assert collector.events("source_lost") == []


def look(site: Site, collector: Process, times: int) -> None:
    """Have one that polls look so often: it finds a file each time."""
    for number in range(times):
        other = site.writer(f"look.{number}.log")
        other.write(1)
        until(partial(collector.holds, other.path), "it should be held open")


def forget_what_was_shipped(site: Site, head: Marker) -> None:
    """The checkpoint knows of the source and that it began like this, and not that anything of it was shipped."""
    checkpoint, entries = site.directory / "collector" / "checkpoint", dict[bytes, Entry]()
    found = read(checkpoint, entries)
    assert found is not None
    (entry,) = entries.values()
    stale = replace(entry, position=0, before=Marker(), head=head)
    CheckpointFile.create(checkpoint, found.collector_id or "", [stale]).close()


@pytest.fixture
def stopped(site: Site) -> Writer:
    """A log, ten lines of which were shipped by a collector that is stopped. The aggregator runs."""
    _, collector, writer = site.shipped(10, paths=everything(site))
    assert collector.stop() == 0
    return writer


@pytest.mark.parametrize("unread", [0, 5])
def test_what_was_compressed_meanwhile_comes_once(site: Site, stopped: Writer, unread: int) -> None:
    stopped.write(unread)
    stopped.rotate(site.logs / "a.log.1")
    compress(site.logs / "a.log.1")
    stopped.write(3)
    lost(site)
    assert_told(site, begins(site))


@pytest.mark.parametrize("unread", [0, 5])
@pytest.mark.parametrize("written", [0, 3, 30])
def test_what_was_copied_and_truncated_meanwhile_comes_once(
    site: Site, stopped: Writer, unread: int, written: int
) -> None:
    stopped.write(unread)
    stopped.copy_and_truncate(site.logs / "a.log.1")
    stopped.write(written)
    lost(site)
    assert_told(site, begins(site))


def test_what_had_ended_before_and_is_compressed_later_comes_once(site: Site) -> None:
    """The next day's log is there, and the archive is made when the collector runs again."""
    _, collector, writer = site.shipped(10)
    writer.rotate(site.logs / "a.log.1")
    collector.wait_for("file_retired")
    collector.kill()
    lost(site)
    writer.write(3)
    collector = site.collector(paths=f"{site.logs}/*.log\n{site.logs}/*.gz")
    collector.wait_for("recollected")
    compress(site.logs / "a.log.1")
    collector.wait_for("archive_recognised")
    assert_told(site, collector)


def test_what_is_only_in_an_archive_of_what_had_ended_long_ago_comes_once(site: Site) -> None:
    """More of them than are told at once: each is a source that has ended, and an archive."""
    site.aggregator()
    collector = site.collector()
    for number in range(300):
        site.writer(f"{number}.log").write(2)
    site.assert_delivered()
    for number in range(300):
        (site.logs / f"{number}.log").rename(site.logs / f"{number}.old")
    collector.wait_for("file_retired", count=300)
    collector.kill()
    lost(site)
    for number in range(300):
        (site.logs / f"{number}.old").rename(site.logs / f"{number}.log.1")
        compress(site.logs / f"{number}.log.1")
    collector = begins(site)
    collector.wait_for("archive_recognised", count=300)
    assert_told(site, collector)


def test_who_is_killed_before_the_aggregator_has_answered_asks_again(site: Site) -> None:
    aggregator, collector, writer = site.shipped(10, paths=everything(site))
    collector.kill()
    aggregator.kill()
    writer.write(5)
    writer.rotate(site.logs / "a.log.1")
    compress(site.logs / "a.log.1")
    lost(site)
    for _ in range(2):
        collector = begins(site)
        until((site.directory / "collector" / "checkpoint").exists, "it should have begun")
        collector.kill()
    site.aggregator()
    assert_told(site, begins(site))


@pytest.mark.parametrize("compressed", [False, True])
def test_what_was_told_to_have_ended_and_was_not_noted_before_a_kill_is_not_lost(site: Site, compressed: bool) -> None:
    _, collector, writer = site.shipped(10, paths=everything(site))
    checkpoint = site.directory / "collector" / "checkpoint"
    until(lambda: str(writer.path.stat().st_size).encode() in checkpoint.read_bytes(), "the position should be noted")
    stale, shipped = checkpoint.read_bytes(), writer.path.read_bytes()
    writer.path.unlink()
    wait_until_held(site, {"a.log": "finished"})
    collector.kill()
    checkpoint.write_bytes(stale)
    writer.reopen()
    writer.write(3)
    if compressed:
        (site.logs / "a.log.1.gz").write_bytes(gzip.compress(shipped))
    collector = begins(site, watch="poll")
    wait_until_held(site, {"a.log": "open"} | ({"a.log.1.gz": "open"} if compressed else {}))
    look(site, collector, 3)  # for longer than it takes to find that nothing is there
    assert_told(site, collector)


@pytest.mark.parametrize("killed", [False, True])
def test_what_is_deleted_after_the_aggregator_went_is_told_as_lost_if_that_stays_so(site: Site, killed: bool) -> None:
    """It was held open, and nobody but its reader knew of it."""
    aggregator, collector, _ = site.shipped()
    aggregator.kill()
    collector.wait_for("connection_failed")
    writer, checkpoint = site.writer("b.log"), site.directory / "collector" / "checkpoint"
    writer.write(5)
    until(partial(collector.holds, writer.path), "it should be held open")
    writer.path.unlink()
    collector.wait_for("file_gone")
    if killed:
        until(lambda: b'b.log"' in checkpoint.read_bytes(), "it should be noted")
        collector.kill()
    else:
        assert collector.stop() == 0
    aggregator = site.aggregator()
    begins(site).wait_for("source_lost", path=str(writer.path), start=0)
    aggregator.wait_for("source_lost", path=str(writer.path))


@pytest.mark.parametrize("rotated", [False, True])
def test_what_is_deleted_while_nobody_answers_is_held_and_shipped(site: Site, rotated: bool) -> None:
    aggregator, collector, writer = site.shipped(10, paths=everything(site))
    collector.kill()
    aggregator.kill()
    lost(site)
    other = site.writer("b.log")
    other.write(10)
    writer.write(5)
    collector = begins(site)
    until(lambda: collector.holds(other.path) and collector.holds(writer.path), "both should be held open")
    for each in (writer, other):
        if rotated:
            each.rotate(site.logs / f"{each.path.name}.1")
            each.write(2)
            until(partial(collector.holds, each.path), "it should be held open")
        (site.logs / f"{each.path.name}{'.1' if rotated else ''}").unlink()
    site.aggregator()
    assert_told(site, collector)


def test_what_is_copied_and_truncated_while_nobody_answers_comes_once(site: Site) -> None:
    aggregator, collector, writer = site.shipped(10, paths=everything(site))
    collector.kill()
    aggregator.kill()
    lost(site)
    writer.write(5)
    collector = begins(site, rotate_wait="1ms", watch="poll")
    until(lambda: collector.holds(writer.path), "it should be held open")
    shutil.copyfile(writer.path, site.logs / "a.log.1")
    until(lambda: collector.holds(site.logs / "a.log.1"), "the copy should be held open")
    look(site, collector, 2)  # for longer than a copy waits else
    writer.truncate()
    writer.write(3)
    collector.wait_for("source_truncated")
    site.aggregator()
    assert_told(site, collector)


def test_where_files_are_begun_at_their_end_one_that_was_made_meanwhile_is_not(site: Site, stopped: Writer) -> None:
    """It is not the first start, as the aggregator knows the others, which go on where they stood."""
    lost(site)
    stopped.write(5)
    site.writer("b.log").write(4)
    collector = begins(site, start_at="end")
    collector.wait_for("file_followed", count=2)
    stopped.write(3)
    assert_told(site, collector)


def test_so_it_is_if_the_process_that_found_it_was_killed_before_the_aggregator_answered(site: Site) -> None:
    aggregator, collector, stopped = site.shipped(10, paths=everything(site))
    collector.kill()
    aggregator.kill()
    lost(site)
    stopped.write(5)
    site.writer("b.log").write(4)
    collector = begins(site, start_at="end")
    checkpoint = site.directory / "collector" / "checkpoint"
    collector.wait_for("connection_failed")  # by then it has its state
    until(lambda: b'b.log"' in checkpoint.read_bytes(), "where it is to begin should be noted")
    collector.kill()
    site.aggregator()
    assert_told(site, begins(site, start_at="end"))


@pytest.fixture(params=[0, HEAD_SIZE], ids=["found empty", "found written"])
def outdated(site: Site, request: pytest.FixtureRequest) -> Writer:
    """A log, ten lines of which were shipped, of which the checkpoint knows nothing. Neither side runs."""
    aggregator, collector, writer = site.shipped(10, paths=everything(site))
    checkpoint = site.directory / "collector" / "checkpoint"
    until(lambda: b'a.log"' in checkpoint.read_bytes(), "the source should be noted")
    collector.kill()
    aggregator.kill()
    forget_what_was_shipped(site, Marker.of(writer.path.read_bytes()[: request.param]))
    return writer


def test_what_was_not_found_before_the_aggregator_answered_goes_on_in_its_copy(site: Site, outdated: Writer) -> None:
    """What was shipped of it the aggregator tells."""
    outdated.write(5)
    outdated.copy_and_truncate(site.logs / "a.log.1")
    outdated.write(3)
    collector = begins(site, watch="poll")
    look(site, collector, 4)
    site.aggregator()
    assert_told(site, collector)


def test_what_was_not_found_before_the_aggregator_answered_goes_on_in_one_of_two_files_that_hold_it(
    site: Site, outdated: Writer
) -> None:
    """An editor's file, which is held open though it is gone, and the archive that was made of that."""
    outdated.write(5)
    edited = site.logs / ".edited"
    shutil.copyfile(outdated.path, edited)
    edited.rename(outdated.path)
    outdated.rotate(site.logs / "a.log.1")
    collector = begins(site, watch="poll")
    look(site, collector, 4)
    compress(site.logs / "a.log.1")
    collector.wait_for("file_gone")
    site.aggregator()
    collector.wait_for("archive_recognised")
    assert_told(site, collector)


def test_an_archive_is_of_the_file_that_began_like_it_and_not_of_one_that_was_empty(site: Site) -> None:
    """Of neither is known what was shipped, and both are gone."""
    writer = site.writer("a.log.1")
    writer.write(10)
    compress(writer.path)
    device, path = site.logs.stat().st_dev, os.fsencode(site.logs / "a.log")
    empty = Entry(b"\1" * 16, path, device, 1, Marker(), 0, Marker())
    begun = Entry(b"\2" * 16, path + b".1", device, 2, Marker.of(writer.lines[0]), 0, Marker())
    (site.directory / "collector").mkdir()
    CheckpointFile.create(site.directory / "collector" / "checkpoint", "me", [empty, begun]).close()
    site.aggregator()
    collector = begins(site, id="me")
    collector.wait_for("source_lost")
    collector.wait_for("file_retired")
    site.assert_delivered()
    assert [each["path"] for each in collector.events("source_lost")] == [os.fsdecode(path)]


@pytest.mark.parametrize("wiped", [False, True])
def test_where_files_are_begun_at_their_end_archives_that_were_made_meanwhile_are_not(
    site: Site, stopped: Writer, wiped: bool
) -> None:
    """Of one the rest comes, of another all."""
    stopped.write(5)
    compress(stopped.path)
    other = site.writer("b.log.1")
    other.write(4)
    compress(other.path)
    if wiped:
        lost(site)
    collector = begins(site, start_at="end")
    collector.wait_for("file_retired", count=2)
    site.assert_delivered()
    assert collector.events("source_lost") == []


def test_a_copy_goes_on_where_its_original_stood_also_where_others_begin_at_their_end(
    site: Site, stopped: Writer
) -> None:
    stopped.write(5)
    stopped.copy_and_truncate(site.logs / "a.log.1")
    lost(site)
    assert_told(site, begins(site, start_at="end"))


def test_no_aggregator_is_shown_files_that_no_pattern_matches_whatever_it_claims_to_hold(site: Site) -> None:
    """Nor is it listened to for as long as it likes."""
    writer, secret = site.writer(), site.directory / "elsewhere" / "key.log"
    writer.write(10)
    secret.parent.mkdir()
    secret.write_bytes(b"-----BEGIN PRIVATE KEY-----\n")
    facts, known = secret.stat(), Marker.of(b"-----BEGIN ")
    names = [secret, secret.with_name("b.log"), site.logs / "../elsewhere/b.log", site.logs / "b.log"]
    claimed = tuple(
        Holding(Source(bytes([number]), os.fsencode(name), facts.st_dev, facts.st_ino, known), known.length, known)
        for number, name in enumerate(names)
    )
    accepting = Accepting()
    accepting.claims = [Holdings(), *([Holdings(claimed, last=claimed[0].source)] * 50), Holdings()]
    with scripted(accepting) as aggregator:
        collector = site.collector(remote_address=aggregator.target)
        until(lambda: accepting.taken.get(bytes(writer.path)) == b"".join(writer.lines), "all lines")
        collector.wait_for("source_lost")
        collector.kill()
    assert [each["path"] for each in collector.events("source_lost")] == [str(site.logs / "b.log")]
    assert accepting.taken.keys() == {bytes(writer.path)}
