"""Two processes: whatever happens to files, every line of theirs stands in the destination once."""

import os
import sqlite3
import time
from contextlib import closing

import pytest

from harness.lines import make_line
from harness.site import Site
from harness.until import quiet


def test_files_that_are_there_and_files_that_appear_later(site: Site) -> None:
    early = site.writer("early.log")
    early.write(1000)
    site.both()
    site.assert_delivered()
    late = site.writer("late.log")
    late.write(500)
    early.write(10)
    site.assert_delivered()


@pytest.mark.case(26)
def test_renamed_away_and_created_anew_faster_than_anyone_looks(site: Site) -> None:
    site.aggregator()
    site.collector(paths=str(site.logs / "a.log*"))
    writer = site.writer()
    for number in range(5):
        writer.write(100)
        writer.rotate(site.logs / f"a.log.{number}")
    writer.write(100)
    site.assert_delivered()


def test_written_to_by_the_old_name_s_writer_after_it_was_read_to_its_end(site: Site) -> None:
    _, collector, writer = site.shipped(rotate_wait="1m")
    writer.rotate(site.logs / "a.old", reopen=False)
    collector.wait_for("file_gone")
    for _ in range(3):
        writer.write(10)
        site.assert_delivered()
    assert not collector.events("file_retired")


@pytest.mark.case(24)
def test_written_to_after_it_was_renamed_though_it_was_quiet_for_long_before(site: Site) -> None:
    _, collector, writer = site.shipped(rotate_wait="2s")
    quiet(site.size, "a file that nobody writes to", seconds=2.2)
    writer.rotate(site.logs / "a.old", reopen=False)
    collector.wait_for("file_gone")
    writer.write(10)
    site.assert_delivered()


@pytest.mark.case(49)
def test_truncated_while_what_was_read_of_it_is_not_acknowledged(site: Site) -> None:
    """What comes late for the old source moves nothing of the new one."""
    aggregator, collector = site.aggregator(minimum_publish_frequency="1h", max_batch_size="10"), site.collector()
    writer = site.writer()
    writer.write(19)
    site.wait_for_bytes(sum(map(len, writer.lines[:10])))
    writer.truncate()
    writer.write(5)
    collector.wait_for("file_followed", count=2)
    assert aggregator.stop() == 0
    writer.write(5)
    site.aggregator()
    site.assert_delivered()
    assert collector.stop() == 0
    site.collector()
    site.assert_delivered()


@pytest.mark.case(12)
def test_the_last_line_without_newline_is_shipped_when_its_file_is_finished(site: Site) -> None:
    _, collector = site.both()
    writer = site.writer()
    writer.write(10)
    rest = writer.write_part(len(make_line("a", 0, 10)) - 1)
    site.wait_for_bytes(site.bytes_written)
    quiet(site.size, "a line without newline")
    writer.rotate(site.logs / "a.old")
    writer.write(10)
    collector.wait_for("file_retired")
    # The destination gives it the newline that it never had.
    assert rest == b"\n"
    site.written["a", 0].append(make_line("a", 0, 10))
    site.assert_delivered()


@pytest.mark.case(13, 15)
def test_bytes_arrive_as_they_were_written(site: Site) -> None:
    data = b"".join(
        [
            b"\n\n \r\n\t\n",
            bytes(each for each in range(256) if each != 10) + b"\n",
            "äöü 😀\r\n".encode() * 1000,
            b"\xff\xfe\x00\n" * 1000,
            b"x" * 3_000_000 + b"\n",
            b"\x00" * 5000 + b"\n",
        ]
    )
    (site.logs / "a.log").write_bytes(data)
    site.aggregator()
    site.collector(max_line_size="4MiB")
    site.wait_for_bytes(len(data))
    quiet(site.size, "the destination")
    assert site.output() == data


@pytest.mark.case(1, 2)
def test_start_at_end_passes_over_what_is_there_but_not_what_comes(site: Site) -> None:
    old = b"old\n" * 10
    for name in ("a.log", "b.log"):
        (site.logs / name).write_bytes(old)
    site.aggregator()
    collector = site.collector(start_at="end")
    collector.wait_for("file_followed", count=2)
    site.writer("a.log").write(10)
    site.writer("late.log").write(10)
    site.assert_delivered()
    collector.stop()
    with closing(sqlite3.connect(site.directory / "aggregator" / "ledger.sqlite3")) as ledger:
        passed_over = ledger.execute("SELECT start, end, reason FROM ranges").fetchall()
    assert passed_over == [(0, len(old), "start at end")] * 2
    site.writer("later.log").write(10)
    with (site.logs / "b.log").open("ab") as file:
        file.write(make_line("b", 0, 0))
    site.written["b", 0] = [make_line("b", 0, 0)]
    site.collector(start_at="end")
    site.assert_delivered()


@pytest.mark.case(8)
def test_an_old_file_is_passed_over_until_it_grows(site: Site) -> None:
    old, young = site.writer("old.log"), site.writer("young.log")
    old.write(10)
    unseen = site.written.pop(("old", 0))
    young.write(10)
    yesterday = time.time() - 86400
    os.utime(old.path, (yesterday, yesterday))
    site.aggregator()
    site.collector(ignore_older="1h")
    site.assert_delivered()
    site.written["old", 0] = unseen
    old.write(10)
    site.assert_delivered()


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_compression_changes_nothing(site: Site, compression: str) -> None:
    site.aggregator()
    site.collector(compression=compression)
    writer = site.writer()
    for padding in (0, 100, 10_000):
        writer.write(300, padding=padding)
    site.assert_delivered()
