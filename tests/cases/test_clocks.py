"""Clocks that step, times that lie, and times that say nothing."""

import ast
import os
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from harness.lines import make_line
from harness.process import SOURCE
from harness.site import Site
from harness.until import until

HOUR = 3600
COLLECTOR = SOURCE / "mega_collector" / "collector"


class WallClock:
    """The wall clock as this program reads it under `wrapper`: `step` seconds off.

    Its libraries read the true one, since they hand it to the kernel, where nothing has stepped.
    """

    _SITE = """
import os, sys, time
def step():
    return os.stat({path!r}).st_size - {origin}
def ours():
    return sys._getframe(2).f_globals["__name__"].startswith("mega_collector")
def shifted(real, unit):
    return lambda: real() + (step() * unit if ours() else 0)
time.time, time.time_ns = shifted(time.time, 1), shifted(time.time_ns, 10**9)
"""
    _ORIGIN = 100 * HOUR

    def __init__(self, directory: Path) -> None:
        # The size of a file says by how much, plus a constant: it is set at once, and whole.
        self._said = directory / "clock"
        self.step(0)
        program = self._SITE.format(path=str(self._said), origin=self._ORIGIN)
        (directory / "sitecustomize.py").write_text(program)
        self.wrapper = ("env", f"PYTHONPATH={directory}:{SOURCE}")

    def step(self, seconds: int) -> None:
        """From now on the clock is so far off."""
        with self._said.open("ab") as file:
            file.truncate(self._ORIGIN + seconds)


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    directory = tmp_path / "clock"
    directory.mkdir()
    return WallClock(directory)


# 97: clocks that step


@pytest.mark.case(97)
@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])
def test_a_step_of_the_clock_holds_nothing_up_and_ends_nothing_early(site: Site, clock: WallClock, step: int) -> None:
    aggregator = site.aggregator(wrapper=clock.wrapper)
    collector = site.collector(wrapper=clock.wrapper, rotate_wait="5s")
    writer, other = site.writer(), site.writer("other.log")
    writer.write(10)
    site.assert_delivered()
    writer.rotate(site.logs / "a.old", reopen=False)
    collector.wait_for("file_gone")
    clock.step(step)
    # By that clock the wait for its writer, who goes on, would be over, or last an hour.
    for each in (other, writer):
        each.write(10)
        site.assert_delivered()
    assert not collector.events("file_retired")
    writer.reopen()
    writer.write(10)
    site.assert_delivered()
    aggregator.kill()
    site.aggregator(wrapper=clock.wrapper)
    writer.write(10)
    site.assert_delivered()
    collector.wait_for("file_retired")
    assert collector.stop() == 0


@pytest.mark.case(97)
def test_only_the_age_of_files_and_what_people_read_comes_from_the_wall_clock(site: Site) -> None:
    """Waits, deadlines and intervals are on the monotonic clock."""
    told = {
        "finder.py",  # COLLECTOR_IGNORE_OLDER is compared with when a file was written to
        "assembly.py",  # likewise
        "publisher.py",  # when a block was read, told to the aggregator
        "checkpoint.py",  # the name of what is put aside
    }
    assert {path.name for path in COLLECTOR.rglob("*.py") if _wall_clock(path)} == told


def _wall_clock(path: Path) -> bool:
    module = ast.parse(path.read_text())
    read = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.datetime.now", "date.today"}
    imported = {
        name.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom)
        if node.module == "time"
        for name in node.names
    }
    said = {ast.unparse(node) for node in ast.walk(module) if isinstance(node, ast.Attribute)}
    return bool(said & read or imported & {"time", "time_ns"})


@pytest.mark.case(97)
def test_a_file_of_the_future_or_of_1970_is_read(site: Site) -> None:
    times = {"future.log": time.time() + 10 * 365 * 24 * HOUR, "old.log": 0.0, "older.log": -10.0 * HOUR}
    writers = [site.writer(name) for name in times]
    for writer, when in zip(writers, times.values(), strict=True):
        writer.write(10)
        os.utime(writer.path, (when, when))
    site.aggregator()
    site.collector()
    site.assert_delivered()
    for writer, when in zip(writers, times.values(), strict=True):
        writer.write(10)
        os.utime(writer.path, (when, when))
    site.assert_delivered()


@pytest.mark.case(97)
def test_a_file_of_the_future_is_not_older_than_anything(site: Site) -> None:
    future, ancient = site.writer("future.log"), site.writer("ancient.log")
    for writer, when in [(future, time.time() + HOUR), (ancient, 0)]:
        writer.write(10)
        os.utime(writer.path, (when, when))
    unseen = site.written.pop(("ancient", 0))
    _, collector = site.aggregator(), site.collector(ignore_older="1s")
    site.assert_delivered()
    assert len(collector.events("file_followed")) == 1
    site.written["ancient", 0] = unseen
    ancient.write(10)
    site.assert_delivered()


# 98: times that say nothing


@pytest.mark.case(98)
@pytest.mark.parametrize("zone", ["America/St_Johns", "<+14>-14"])
def test_events_are_told_in_utc_whatever_the_time_zone(site: Site, zone: str) -> None:
    wrapper = ["env", f"TZ={zone}"]
    aggregator, collector = site.aggregator(wrapper=wrapper), site.collector(wrapper=wrapper)
    site.writer().write(10)
    site.assert_delivered()
    collector.wait_for("file_followed")
    for process in (aggregator, collector):
        for event in process.events():
            when = datetime.fromisoformat(event["timestamp"])
            assert when.utcoffset() == timedelta(0)
            assert abs(when.timestamp() - time.time()) < 600


@pytest.mark.case(98)
def test_a_file_written_to_with_its_time_put_back_is_shipped(site: Site, watch: str) -> None:
    writer = site.writer()
    writer.write(10)
    site.aggregator()
    collector = site.collector(watch=watch)
    site.assert_delivered()
    before = writer.path.stat()
    for _ in range(3):
        collector.freeze()
        writer.write(10)
        os.utime(writer.path, ns=(before.st_atime_ns, before.st_mtime_ns))
        collector.thaw()
        site.assert_delivered()


@pytest.mark.case(98)
def test_a_file_rewritten_in_its_size_and_with_its_time_put_back_is_new_when_it_grows(site: Site) -> None:
    _, collector, writer = site.shipped()
    collector.freeze()
    _rewrite(site, writer.path)
    collector.thaw()
    with writer.path.open("ab") as file:
        file.write(make_line("a", 1, 10))
    site.written["a", 1].append(make_line("a", 1, 10))
    site.assert_delivered()
    assert len(collector.events("source_truncated")) == 1


@pytest.mark.case(98)
def test_a_file_rewritten_in_its_size_and_with_its_time_put_back_is_new_at_once(site: Site, watch: str) -> None:
    _, collector, writer = site.shipped(watch=watch)
    collector.freeze()
    _rewrite(site, writer.path)
    collector.thaw()
    until(lambda: collector.events("source_truncated"), "it should be seen without growing", 20)
    site.assert_delivered()


def _rewrite(site: Site, path: Path) -> None:
    """Other lines of the same length, and the same time of modification."""
    before = path.stat()
    site.written["a", 1] = [make_line("a", 1, number) for number in range(10)]
    with path.open("r+b") as file:
        file.write(b"".join(site.written["a", 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert after.st_ctime_ns > before.st_ctime_ns
