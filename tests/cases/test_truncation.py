"""Truncation: what comes after it is another source, from its first byte; what came before it is not sent again."""

import gzip
import os
import shutil
from collections.abc import Callable
from functools import partial

import pytest

from cases.logrotate import logrotate
from harness.lines import make_line
from harness.process import Process
from harness.site import Site
from harness.until import quiet, until

_SMALL = {"window_size": "256KiB", "max_line_size": "64KiB"}
"""So little may be in flight that a destination that hangs leaves the files unread."""

_SET_ASIDE = 5 << 20
"""Far more than a block, or than a line may be long: what is read of it, the kernel takes for written from then on."""


def hole_behind(descriptor: int) -> None:
    os.posix_fallocate(descriptor, 0, _SET_ASIDE)


def nuls_behind(descriptor: int) -> None:
    os.pwrite(descriptor, bytes(_SET_ASIDE // 2), 0)


@pytest.mark.case(44)
@pytest.mark.parametrize(("watch", "lines"), [("auto", 150), ("poll", 100)])
def test_truncated_and_refilled_to_the_old_position_or_beyond_between_two_looks(
    site: Site, watch: str, lines: int
) -> None:
    """Its size never looks smaller."""
    site.aggregator()
    collector = site.collector(watch=watch)
    writer = site.writer()
    for _ in range(3):
        writer.write(100)
        site.assert_delivered()
        before = writer.path.stat().st_size
        collector.freeze()
        writer.truncate()
        writer.write(lines)
        assert writer.path.stat().st_size == before or lines > 100
        assert writer.path.stat().st_size >= before
        collector.thaw()
        site.assert_delivered()
        writer.truncate()


@pytest.mark.case(44)
@pytest.mark.parametrize("wiped", [False, True])
def test_a_line_that_was_not_complete_is_cut_and_written_anew_between_two_looks(site: Site, wiped: bool) -> None:
    """As who finds the torn end of what a crash has left; then the next process still knows the file."""
    writer = site.writer()
    writer.write(3)
    whole = writer.path.stat().st_size
    with writer.path.open("ab") as file:
        file.write(b"torn")
    site.aggregator()
    collector = site.collector()
    site.assert_delivered()
    collector.freeze()
    os.truncate(writer.path, whole)
    writer.write(10)
    collector.thaw()
    site.assert_delivered()
    assert collector.stop() == 0
    if wiped:
        shutil.rmtree(site.directory / "collector")
    collector = site.collector()
    writer.write(1)
    site.assert_delivered()
    assert not collector.events("source_lost")


@pytest.mark.case(44)
def test_refilled_after_it_was_closed_for_being_idle(site: Site) -> None:
    _, collector, writer = site.shipped(100, close_inactive="100ms")
    until(lambda: not collector.holds(writer.path), "an idle file should be closed")
    collector.freeze()
    writer.truncate()
    writer.write(150)
    collector.thaw()
    site.assert_delivered()


@pytest.mark.case(44)
@pytest.mark.parametrize("ticks", [100, 150])
def test_refilled_with_the_same_bytes_before_the_old_position(site: Site, ticks: int) -> None:
    """A log that says the same thing again and again differs in its first line only."""
    old, new = b"started at 12:00\n" + b"alive\n" * 100, b"started at 13:00\n" + b"alive\n" * ticks
    log = site.logs / "a.log"
    log.write_bytes(old)
    site.aggregator()
    collector = site.collector()
    _assert_holds(site, old)
    collector.freeze()
    log.write_bytes(new)
    collector.thaw()
    _assert_holds(site, old + new)


@pytest.mark.case(45)
@pytest.mark.parametrize("close_inactive", ["1h", "100ms"])
def test_truncated_and_written_less(site: Site, close_inactive: str) -> None:
    """Whether it was open at the time or closed for being idle."""
    site.aggregator()
    collector = site.collector(close_inactive=close_inactive)
    writer = site.writer()
    for lines in (100, 50, 1):
        writer.write(lines)
        site.assert_delivered()
        if close_inactive == "100ms":
            until(lambda: not collector.holds(writer.path), "an idle file should be closed")
        writer.truncate()
    writer.write(20)
    site.assert_delivered()
    assert collector.stop() == 0
    collector = site.collector()
    collector.wait_for("file_followed", position=writer.path.stat().st_size)
    writer.write(1)
    site.assert_delivered()


@pytest.mark.case(45)
def test_truncated_and_written_less_of_the_same_text(site: Site) -> None:
    text = b"".join(b"line %d\n" % number for number in range(100))
    less = text[: text.index(b"line 50")]
    log = site.logs / "a.log"
    log.write_bytes(text)
    site.aggregator()
    collector = site.collector()
    _assert_holds(site, text)
    log.write_bytes(less)
    _assert_holds(site, text + less)
    assert collector.stop() == 0
    site.collector().wait_for("file_followed", position=len(less))
    _assert_holds(site, text + less)


@pytest.mark.case(46)
def test_cut_within_a_line_it_is_another_source_from_its_first_byte(site: Site) -> None:
    """What is left is sent again; the stump is glued to what follows it in the file, and the truncation is told."""
    lines = [make_line("a", 0, number) for number in range(20)]
    log = site.logs / "a.log"
    log.write_bytes(b"".join(lines))
    site.aggregator()
    collector = site.collector()
    _assert_holds(site, b"".join(lines))
    stump = lines[4][:20]
    os.truncate(log, len(b"".join(lines[:4])) + len(stump))
    collector.wait_for("source_truncated", at=len(b"".join(lines)))
    with log.open("ab") as file:
        file.write(b"after\n")
    expected = b"".join([*lines, *lines[:4], stump, b"after\n"])
    _assert_holds(site, expected)
    with log.open("ab") as file:
        file.write(b"and on\n")
    _assert_holds(site, expected + b"and on\n")


@pytest.mark.case(46)
@pytest.mark.parametrize("set_aside", [hole_behind, nuls_behind])
def test_space_that_was_set_aside_and_is_cut_off_when_the_log_is_closed_is_no_truncation(
    site: Site, watch: str, set_aside: Callable[[int], None]
) -> None:
    site.aggregator()
    collector = site.collector(watch=watch)
    writer = site.writer()
    # At its offset, as it does not append: behind what it writes there is space already.
    descriptor = os.open(writer.path, os.O_WRONLY)
    set_aside(descriptor)
    for number in range(3):
        line = make_line("a", 0, number)
        writer.lines.append(line)
        os.write(descriptor, line)
        site.assert_delivered()
    last = make_line("a", 0, 3)
    os.write(descriptor, last[:10])
    collector.freeze()
    writer.lines.append(last)
    os.write(descriptor, last[10:])
    os.ftruncate(descriptor, os.lseek(descriptor, 0, os.SEEK_CUR))
    os.close(descriptor)
    collector.thaw()
    site.assert_delivered()
    writer.write(3)
    site.assert_delivered()
    assert not collector.events("source_truncated")
    assert not collector.events("source_lost")
    assert collector.stop() == 0
    site.collector(watch=watch)
    site.assert_delivered()


@pytest.mark.case(46)
@pytest.mark.parametrize("set_aside", [hole_behind, nuls_behind])
@pytest.mark.parametrize("compressed", [True, False])
def test_space_that_was_set_aside_and_is_left_behind_is_shipped_neither_of_the_file_nor_of_its_archive(
    site: Site, set_aside: Callable[[int], None], compressed: bool
) -> None:
    site.aggregator()
    collector = site.collector(paths=f"{site.logs}/*.log\n{site.logs}/*.gz")
    writer = site.writer()
    descriptor = os.open(writer.path, os.O_WRONLY)
    set_aside(descriptor)
    line = make_line("a", 0, 0)
    writer.lines.append(line)
    os.write(descriptor, line)
    os.close(descriptor)
    site.assert_delivered()
    rotated = site.logs / "a.log.1"
    writer.path.rename(rotated)
    collector.wait_for("file_retired", position=len(line))
    if compressed:
        (site.logs / "a.log.1.gz").write_bytes(gzip.compress(rotated.read_bytes()))
        rotated.unlink()
        collector.wait_for("archive_recognised")
    else:
        # In the pattern again, it goes on where it ended.
        rotated.rename(site.logs / "b.log")
        collector.wait_for("file_followed", path=str(site.logs / "b.log"), position=len(line))
    site.assert_delivered()


@pytest.mark.case(46)
@pytest.mark.parametrize("set_aside", [hole_behind, nuls_behind])
def test_space_that_was_set_aside_is_no_part_of_what_recognises_a_file(
    site: Site, set_aside: Callable[[int], None]
) -> None:
    writer = site.writer()
    descriptor = os.open(writer.path, os.O_WRONLY)
    set_aside(descriptor)
    site.aggregator()
    collector = site.collector()
    for number in range(3):
        line = make_line("a", 0, number)
        writer.lines.append(line)
        os.write(descriptor, line)
        site.assert_delivered()
        assert not collector.events("source_truncated")
        assert collector.stop() == 0
        collector = site.collector()
        site.assert_delivered()
    os.close(descriptor)


@pytest.mark.case(46)
def test_a_file_with_space_set_aside_that_is_truncated_and_refilled_is_another_source(site: Site, watch: str) -> None:
    site.aggregator()
    collector = site.collector(watch=watch)
    writer = site.writer()
    writer.write(10)
    os.truncate(writer.path, _SET_ASIDE)
    site.assert_delivered()
    collector.freeze()
    writer.truncate()
    writer.write(20)
    collector.thaw()
    site.assert_delivered()
    collector.wait_for("source_truncated")


@pytest.mark.case(47)
@pytest.mark.parametrize("lines", [50, 100, 150])
def test_truncated_while_the_collector_was_down(site: Site, lines: int) -> None:
    """And written less, as much, or more."""
    _, collector, writer = site.shipped(100)
    assert collector.stop() == 0
    writer.truncate()
    writer.write(lines)
    collector = site.collector()
    site.assert_delivered()
    writer.write(10)
    site.assert_delivered()


@pytest.mark.case(48)
def test_logrotate_copies_and_truncates(site: Site) -> None:
    site.aggregator()
    site.collector()
    writer = site.writer()
    for number in range(3):
        writer.write(1000 >> number)
        site.assert_delivered()
        logrotate(site.directory, writer.path, "copytruncate")
        assert writer.path.stat().st_size == 0
        writer.truncate()  # which begins the next generation
        writer.write(10)
    site.assert_delivered()


@pytest.mark.case(48)
@pytest.mark.parametrize("lines", [0, 100, 300])
@pytest.mark.parametrize("after", [50, 150])
@pytest.mark.parametrize("copy", ["a.log.1", "old/a.log.1", "a.1.log"])
def test_a_copy_that_the_pattern_finds_gives_only_what_was_not_read_of_the_original(
    site: Site, lines: int, after: int, copy: str
) -> None:
    """`lines` were not read when the copy was made; those `after` it may be more than what was read."""
    (site.logs / "old").mkdir()
    site.aggregator()
    collector = site.collector(paths=str(site.logs / "**" / "a.*"))
    writer = site.writer()
    writer.write(100)
    site.assert_delivered()
    collector.freeze()
    writer.write(lines)
    writer.copy_and_truncate(site.logs / copy)
    writer.write(after)
    collector.thaw()
    site.assert_delivered()
    assert collector.events("source_lost") == []


@pytest.mark.case(48)
def test_the_copy_of_an_idle_file_that_was_removed_meanwhile_is_not_shipped_again(site: Site, watch: str) -> None:
    """As logrotate does it with renamecopy: three names, two files."""
    site.aggregator()
    collector = site.collector(paths=str(site.logs / "a.log*"), close_inactive="100ms", watch=watch)
    writer = site.writer()
    writer.write(100)
    site.assert_delivered()
    until(lambda: not collector.holds(writer.path), "an idle file should be closed")
    collector.freeze()
    moved = site.logs / "a.log.tmp"
    writer.rotate(moved)
    shutil.copyfile(moved, site.logs / "a.log.1")
    moved.unlink()
    writer.write(10)
    collector.thaw()
    site.assert_delivered()


@pytest.mark.case(48)
def test_a_copy_over_the_copy_before_it_is_known_as_one(site: Site, watch: str) -> None:
    """As cp(1) in a crontab makes it, under one name."""
    site.aggregator()
    collector = site.collector(paths=str(site.logs / "a.log*"), watch=watch)
    writer, inodes = site.writer(), set()
    for number in range(4):
        writer.write(100 << number % 2)
        site.assert_delivered()
        writer.copy_and_truncate(site.logs / "a.log.1")
        inodes.add((site.logs / "a.log.1").stat().st_ino)
    writer.write(10)
    site.assert_delivered()
    assert len(inodes) == 1, "it is one file"
    assert collector.events("source_lost") == []


@pytest.mark.case(48)
def test_what_grows_beside_a_log_as_which_it_begins_is_no_copy_for_long(site: Site) -> None:
    """Both begin with more of the same than tells files apart, and the one's name extends the other's."""
    site.aggregator()
    collector = site.collector(paths=str(site.logs / "a.log*"))
    banner = b"all that this program says begins so\n" * 100
    original, other = site.logs / "a.log", site.logs / "a.log.debug"
    original.write_bytes(banner + b"a line\n" * 1000)
    site.wait_for_bytes(original.stat().st_size)
    other.write_bytes(banner)
    until(lambda: collector.holds(other), "what may be a copy should be held open")

    def grows_and_arrives() -> bool:
        with other.open("ab") as file:
            file.write(b"another line\n")
        return b"another line\n" in site.output()

    until(grows_and_arrives, "what grows should be shipped")


@pytest.mark.case(48)
def test_what_was_cut_away_unread_is_told(site: Site) -> None:
    """The patterns do not find the copy."""
    aggregator, collector, writer = site.shipped(**_SMALL)
    aggregator.freeze()
    writer.write(4000, padding=1000)
    size = writer.path.stat().st_size
    _wait_for_looks(site, collector)
    writer.truncate()
    told = collector.wait_for("source_lost")
    assert told["end"] == size
    assert told["end"] - told["start"] > 3_000_000
    aggregator.thaw()
    kept = site.written["a", 0]
    while sum(map(len, kept)) > told["start"]:
        kept.pop()
    writer.write(10)
    site.assert_delivered()
    aggregator.wait_for("source_lost", path=str(writer.path), start=told["start"], end=size)


@pytest.mark.case(48)
@pytest.mark.parametrize("copy", ["a.log.1", "old/a.log.1"])
def test_what_was_cut_away_unread_is_not_lost_if_its_copy_is_found_with_the_cut(
    site: Site, copy: str, watch: str
) -> None:
    (site.logs / "old").mkdir()
    aggregator, collector, writer = site.shipped(paths=str(site.logs / "**" / "*.log*"), watch=watch)
    aggregator.kill()
    # Nothing is read for as long as nobody takes it.
    collector.wait_for("connection_failed")
    writer.write(10)
    _wait_for_looks(site, collector)
    collector.freeze()
    writer.copy_and_truncate(site.logs / copy)
    writer.write(3)
    collector.thaw()
    site.aggregator()
    site.assert_delivered()
    assert collector.events("source_lost") == []


@pytest.mark.case(48)
def test_what_was_cut_away_while_there_was_no_connection_is_told_to_the_aggregator_later(site: Site) -> None:
    aggregator, collector, writer = site.shipped()
    shipped = site.bytes_written
    assert aggregator.stop() == 0
    # Nothing is read for as long as nobody takes it.
    collector.wait_for("connection_failed")
    writer.write(10)
    size = writer.path.stat().st_size
    _wait_for_looks(site, collector)
    writer.truncate()
    collector.wait_for("source_lost", path=str(writer.path), start=shipped, end=size)
    del site.written["a", 0][10:]
    writer.write(10)
    aggregator = site.aggregator()
    aggregator.wait_for("source_lost", path=str(writer.path), start=shipped, end=size)
    site.assert_delivered()


@pytest.mark.case(48)
@pytest.mark.parametrize(("hole", "seen"), [(10_000, True), (10_000, False), (50_000_000, True)])
def test_a_writer_that_goes_on_at_its_old_offset_leaves_nuls_that_are_no_line(
    site: Site, hole: int, seen: bool
) -> None:
    """It does not append (O_APPEND): after the truncation its file begins with a hole as long as it was."""
    log, lines = site.logs / "a.log", b"".join(make_line("a", 1, number) for number in range(10))
    log.write_bytes(b"begin\n")
    site.aggregator()
    collector = site.collector()
    _assert_holds(site, b"begin\n")
    if not seen:
        collector.freeze()
    os.truncate(log, 0)
    if seen:
        collector.wait_for("source_truncated")
    with log.open("r+b") as file:
        file.seek(hole)
        file.write(lines)
    collector.thaw()
    _assert_holds(site, b"begin\n" + lines)
    assert collector.peak_memory() < 150_000_000


@pytest.mark.case(49)
@pytest.mark.parametrize("killed", [False, True])
def test_truncated_while_the_destination_hangs(site: Site, killed: bool) -> None:
    """What was read before arrives, once, if need be from memory; late acknowledgements for it move nothing new."""
    aggregator, collector, writer = site.shipped(1)
    aggregator.freeze()
    writer.write(3)
    _wait_for_looks(site, collector)
    writer.truncate()
    collector.wait_for("source_truncated", at=site.bytes_written)
    writer.write(1)
    if killed:
        aggregator.kill()
        site.aggregator()
    else:
        aggregator.thaw()
    site.assert_delivered()
    collector.kill()
    collector = site.collector()
    collector.wait_for("file_followed", path=str(writer.path), position=writer.path.stat().st_size)
    writer.write(3)
    site.assert_delivered()


def _wait_for_looks(site: Site, collector: Process) -> None:
    """Until it has seen what was written, and has read of it what it may."""
    for name in ("later", "later still", "last"):
        path = site.writer(f"{name}.log").path
        until(partial(collector.holds, path), "a new file should be opened")


def _assert_holds(site: Site, expected: bytes) -> None:
    """Wait until the destination holds that, and nothing else, for good."""
    site.wait_for_bytes(len(expected))
    quiet(site.size, "the destination")
    assert site.output() == expected
