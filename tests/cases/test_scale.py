"""Scale, scaled down: many files, many names, many events, very large files with very little in them."""

import os
import time
import tracemalloc
from pathlib import Path

import pytest

from cases.namespace import give_inotify, without_inotify
from harness.lines import assert_exactly
from harness.site import Site
from harness.until import quiet, until
from mega_collector.collector.finding.discovery import Discovery

LIVE = 300
NAMES, MATCHING = 20_000, 10
GIB = 1 << 30
SOON = 8.0
"""Seconds: well before a scan comes unasked, where inotify works."""
WATCHED = 0.35
"""Seconds: what is told comes well before that, and what is looked for by the second does not."""


# 87: many live files


@pytest.mark.case(87)
def test_many_live_files_are_shipped_with_few_of_them_open(site: Site) -> None:
    writers = [site.writer(f"{number}.log") for number in range(LIVE)]
    site.aggregator()
    collector = site.collector(max_open_files="50")
    for _ in range(3):
        for writer in writers:
            writer.write(1)
        site.assert_delivered()
        assert sum(collector.holds(writer.path) for writer in writers[:60]) <= 50
    # Every one of them was found once, and is still known.
    assert len(collector.events("file_followed")) == LIVE


exhausted = pytest.mark.parametrize(
    ("limit", "setting"),
    [
        ("max_inotify_instances", "fs.inotify.max_user_instances"),
        ("max_inotify_watches", "fs.inotify.max_user_watches"),
    ],
)


@pytest.mark.case(87)
@exhausted
def test_where_inotify_is_exhausted_it_is_told_once_and_polling_does(site: Site, limit: str, setting: str) -> None:
    writer = site.writer()
    site.aggregator()
    collector = site.collector(wrapper=without_inotify(limit))
    told = collector.wait_for("polling")
    assert told["level"] == "warning"
    assert setting in told["reason"]
    for number in range(3):
        writer.write(10)
        site.writer(f"new{number}.log").write(10)
        site.assert_delivered()
        writer.rotate(site.logs / f"a.{number}")
    assert len(collector.events("polling")) == 1
    assert not collector.events("watching")


@pytest.mark.case(87)
@exhausted
def test_where_there_is_inotify_again_it_is_told_once_and_watches(site: Site, limit: str, setting: str) -> None:
    writer = site.writer()
    site.aggregator()
    collector = site.collector(wrapper=without_inotify(limit), poll_interval="1s")
    assert setting in collector.wait_for("polling")["reason"]
    give_inotify(collector.pid, limit)
    collector.wait_for("watching")

    def takes() -> float:
        time.sleep(0.3)  # the answer to the line before does not wake it any more
        size = site.size()
        writer.write(1)
        began = time.monotonic()
        until(lambda: site.size() > size, "the line did not come")
        return time.monotonic() - began

    until(lambda: takes() < WATCHED, "it does not wait for what is told")
    site.assert_delivered()
    assert [len(collector.events(event)) for event in ("polling", "watching")] == [1, 1]


# 88: many names


@pytest.fixture
def crowd(site: Site) -> Path:
    """A directory in which few of many names match `*.log`."""
    for number in range(NAMES - MATCHING):
        os.close(os.open(site.logs / f"{number}.txt", os.O_CREAT | os.O_WRONLY))
    return site.logs


@pytest.mark.case(88)
def test_few_files_among_many_names_are_found_at_the_start_and_later(site: Site, crowd: Path, watch: str) -> None:
    writers = [site.writer(f"{number}.log") for number in range(MATCHING - 1)]
    for writer in writers:
        writer.write(10)
    site.aggregator()
    site.collector(watch=watch)
    site.assert_delivered()
    late = site.writer("late.log")
    for writer in (late, *writers):
        writer.write(10)
    site.assert_delivered()
    assert len(list(crowd.iterdir())) == NAMES


@pytest.mark.case(88)
def test_a_scan_holds_in_memory_only_what_matches(site: Site, crowd: Path) -> None:
    (site.logs / "a.log").touch()
    discovery = Discovery([bytes(crowd / "*.log")])
    discovery.scan()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        scan = discovery.scan()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert list(scan.files) == [bytes(site.logs / "a.log")]
    assert (peak - before) / NAMES < 10, "bytes for a name"


@pytest.mark.case(88)
def test_many_old_files_that_match_cost_no_descriptors_and_wake_up(site: Site) -> None:
    for number in range(2000):
        path = site.logs / f"old{number}.log"
        path.touch()
        os.utime(path, (0, 0))
    young = site.writer("young.log")
    young.write(10)
    site.aggregator()
    collector = site.collector(ignore_older="1h", max_open_files="5")
    site.assert_delivered()
    assert len(collector.events("file_followed")) == 1
    site.writer("old1000.log").write(10)
    site.assert_delivered()


# 89: more events than the queue holds


@pytest.mark.case(89)
def test_events_that_were_lost_lose_no_line(site: Site) -> None:
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if most > 1 << 17:
        pytest.skip(f"the queue holds {most} events")
    # Made before: a name that is new would ask for a scan anyway.
    noise = [os.open(site.logs / name, os.O_WRONLY | os.O_CREAT) for name in ("x", "y")]
    names = ["grown", "rotated", "truncated", "removed"]
    grown, rotated, truncated, removed = (site.writer(f"{name}.log") for name in names)
    site.aggregator()
    collector = site.collector()
    for writer in (grown, rotated, truncated, removed):
        writer.write(10)
    site.assert_delivered()
    collector.freeze()
    for count in range(most + 10):
        # One after the other: the kernel tells the same twice in a row only once.
        os.write(noise[count % 2], b".")
    # From here on nothing is told any more.
    grown.write(10)
    rotated.write(10)
    rotated.rotate(site.logs / "rotated.1")
    rotated.write(10)
    truncated.truncate()
    truncated.write(5)
    removed.write(10)
    removed.path.unlink()
    site.writer("new.log").write(10)
    collector.thaw()
    until(lambda: site.size() >= site.bytes_written, "a scan should have made up for the lost events", SOON)
    site.assert_delivered()
    grown.write(10)
    site.assert_delivered()
    for file in noise:
        os.close(file)


# 90: large files with little in them


@pytest.mark.case(90)
def test_behind_a_hole_of_ten_gigabytes_lines_are_found_at_once_and_the_position_is_kept(site: Site) -> None:
    writer, other = site.writer("sparse.log"), site.writer("other.log")
    os.truncate(writer.path, 10 * GIB)
    writer.write(1)
    other.write(10)
    assert writer.path.stat().st_blocks * 512 < 1 << 20, "this filesystem knows no holes"
    _, collector = site.both()
    site.assert_delivered()
    for each in (writer, other):
        each.write(10)
    site.assert_delivered()
    assert collector.peak_memory() < 200_000_000
    collector.stop()
    writer.write(10)
    site.collector()
    site.assert_delivered()


@pytest.mark.case(90)
def test_records_far_apart_without_newline_hold_nobody_up(site: Site) -> None:
    """As /var/log/lastlog, which has a record of 292 bytes where its user's number says."""
    lastlog, other = site.logs / "lastlog.log", site.writer("other.log")
    with lastlog.open("wb") as file:
        for user in (0, 1000, 65_534, 100_000_000):
            file.seek(292 * user)
            file.write(b"\1\2\3\4pts/0".ljust(292, b"\0"))
    assert lastlog.stat().st_size > 20 * GIB
    allocated = lastlog.stat().st_blocks * 512
    assert allocated < 1 << 20, "this filesystem knows no holes"
    other.write(10)
    _, collector = site.both()
    for _ in range(3):
        until(lambda: other.lines[-1] in site.output(), "the other file should flow")
        other.write(10)
    until(lambda: other.lines[-1] in site.output(), "the other file should flow")
    lastlog.unlink()
    # Read to its end, records and all.
    collector.wait_for("file_retired", path=str(lastlog))
    quiet(site.size, "a file of which little was there")
    foreign = [line for line in site.output().splitlines(keepends=True) if not line.startswith(b"other:")]
    assert b"".join(foreign).count(b"pts/0") == 4
    assert sum(map(len, foreign)) <= allocated + len(foreign)
    lines = [line for line in site.output().splitlines(keepends=True) if line.startswith(b"other:")]
    assert_exactly(b"".join(lines), site.written)
    assert collector.peak_memory() < 200_000_000
