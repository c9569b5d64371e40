"""What the ledger tells a collector that lost its state, of files that lie elsewhere than they were shipped from."""

import gzip
import os
import shutil
from functools import partial

import pytest

from cases.noted import acknowledged
from endtoend.held import sources, wait_until_held
from harness.process import Process
from harness.site import Site
from harness.until import until
from harness.writer import Writer
from mega_collector.collector.state.checkpoint_file import read
from mega_collector.collector.state.record import Entry

SOON = "300ms"
"""After which what has ended is forgotten."""


def collector(site: Site, **settings: str) -> Process:
    return site.collector(paths=f"{site.logs}/*.log*", id="me", **settings)


def noted(site: Site, *, ended: bool) -> bool:
    """Whether the checkpoint knows of something that has ended, or has not: it may be written meanwhile."""
    found = dict[bytes, Entry]()
    read(site.directory / "collector" / "checkpoint", found)
    return any(each.ended is ended for each in found.values())


def lose_state(site: Site, running: Process) -> None:
    running.kill()
    shutil.rmtree(site.directory / "collector")


def compress(writer: Writer, *, to: str = "a.log.1.gz") -> None:
    """As gzip(1) does it, and the writer goes on in a new file."""
    plain = writer.path
    unfinished = plain.with_name(".unfinished")
    unfinished.write_bytes(gzip.compress(plain.read_bytes()))
    unfinished.rename(plain.with_name(to))
    plain.unlink()


def test_an_archive_of_what_was_shipped_and_is_forgotten_is_known_for_as_long_as_it_is_there(site: Site) -> None:
    site.aggregator(forget_after=SOON)
    running = collector(site)
    writer = site.writer()
    writer.write(500)
    site.assert_delivered()
    compress(writer)
    running.wait_for("archive_recognised")
    wait_until_held(site, {"a.log.1.gz": "open"})
    for _ in range(2):
        lose_state(site, running)
        running = collector(site)
        running.wait_for("archive_recognised")
        wait_until_held(site, {"a.log.1.gz": "open"})
        site.assert_delivered()
    (site.logs / "a.log.1.gz").unlink()
    wait_until_held(site, {})


def test_an_archive_has_one_source_however_often_the_state_is_lost(site: Site) -> None:
    """Also while that of which it was made is known too; and when it is deleted, nothing is lost."""
    site.aggregator()
    running = collector(site)
    writer = site.writer()
    writer.write(500)
    site.assert_delivered()
    compress(writer)
    for _ in range(3):
        running.wait_for("archive_recognised")
        wait_until_held(site, {"a.log": "finished", "a.log.1.gz": "open"})
        lose_state(site, running)
        running = collector(site)
    running.wait_for("archive_recognised")
    (site.logs / "a.log.1.gz").unlink()
    ended = [("a.log", "finished"), ("a.log.1.gz", "finished")]
    until(lambda: sources(site) == ended, lambda: f"all to have ended, not {sources(site)}")
    assert not running.events("source_lost")


@pytest.mark.parametrize("state_lost", [False, True])
def test_of_two_archives_of_one_file_the_rest_is_shipped_once(site: Site, state_lost: bool) -> None:
    site.aggregator()
    running = collector(site)
    writer = site.writer()
    writer.write(500)
    site.assert_delivered()
    assert running.stop() == 0
    writer.write(500)
    for name in ("a.log.1.gz", "a.log.2.gz"):
        (site.logs / name).write_bytes(gzip.compress(writer.path.read_bytes()))
    writer.path.unlink()
    if state_lost:
        shutil.rmtree(site.directory / "collector")
    running = collector(site)
    wait_until_held(site, {"a.log.1.gz": "open", "a.log.2.gz": "open"})
    site.assert_delivered()


def test_an_archive_that_was_never_anything_else_is_known_for_as_long_as_it_is_there(site: Site) -> None:
    writer = site.writer()
    writer.write(500)
    compress(writer)
    site.aggregator(forget_after=SOON)
    running = collector(site)
    running.wait_for("file_retired")
    wait_until_held(site, {"a.log.1.gz": "open"})
    site.assert_delivered()
    lose_state(site, running)
    collector(site).wait_for("archive_recognised")
    site.assert_delivered()


def test_an_archive_that_was_recognised_while_nobody_listened_is_told_by_the_next_process(site: Site) -> None:
    aggregator = site.aggregator()
    running = collector(site)
    writer = site.writer()
    writer.write(500)
    site.assert_delivered()
    wait_until_held(site, {"a.log": "open"})
    until(lambda: acknowledged(site.directory / "collector") == site.bytes_written, "it should be acknowledged")
    aggregator.kill()
    compress(writer)
    running.wait_for("archive_recognised")
    assert running.stop() == 0
    site.aggregator(forget_after=SOON)
    collector(site)
    wait_until_held(site, {"a.log.1.gz": "open"})


@pytest.mark.parametrize(("lines", "short"), [(500, 0), (500, 1), (0, 0)])
def test_what_is_in_an_archive_to_its_end_is_not_lost_though_it_vanished_before_it_was_said_to_end(
    site: Site, lines: int, short: int
) -> None:
    """Of what is acknowledged alone, and is short, fewer bytes are known than of the end of an archive."""
    site.aggregator()
    running = collector(site, rotate_wait="1m")
    writer = site.writer()
    writer.path.touch()
    for count, padding in ((lines, 60), (short, 0)):
        writer.write(count, padding=padding)
        site.assert_delivered()
    running.wait_for("file_followed")
    compress(writer, to="a.log.gz")
    running.wait_for("archive_recognised")
    until(lambda: noted(site, ended=True), "the archive to be noted")
    running.kill()
    running = collector(site)
    until(lambda: not noted(site, ended=False), "the file to be found gone")
    assert not running.events("source_lost")
    wait_until_held(site, {"a.log": "finished", "a.log.gz": "open"} if lines else {})
    site.assert_delivered()


def test_a_copy_of_what_was_shipped_and_is_forgotten_is_known_for_as_long_as_it_is_there(site: Site) -> None:
    site.aggregator(forget_after=SOON)
    running = collector(site)
    writer = site.writer()
    writer.write(500)
    site.assert_delivered()
    shutil.copyfile(writer.path, writer.path.with_name("a.log.1"))
    os.truncate(writer.path, 0)
    running.wait_for("source_truncated")
    wait_until_held(site, {"a.log.1": "open"})
    for _ in range(2):
        lose_state(site, running)
        running = collector(site)
        until(partial(_follows, running, "a.log.1"), "the copy to be followed")
        site.assert_delivered()


def test_what_was_begun_at_its_end_goes_on_there_though_the_state_is_lost(site: Site) -> None:
    site.aggregator()
    before = site.writer()
    before.write(20)
    site.written.clear()
    running = collector(site, start_at="end")
    wait_until_held(site, {"a.log": "open"})
    lose_state(site, running)
    before.write(10)
    collector(site, start_at="end")
    site.assert_delivered()


def _follows(running: Process, name: str) -> bool:
    return any(each["path"].endswith(f"/{name}") for each in running.events("file_followed"))
