"""Rotation: whatever becomes of the names, every line of every file arrives once, in the order of its file."""

import random
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from cases.held import deleted, readers
from cases.logrotate import logrotate
from cases.recycled import recycle, recycling
from cases.rotating_log import RotatingLog
from harness.lines import sorted_out
from harness.process import Process
from harness.site import Site
from harness.until import quiet, until
from harness.writer import Writer

_SMALL = {"window_size": "256KiB", "max_line_size": "64KiB"}
"""So little may be in flight that a destination that hangs leaves the files unread."""


@pytest.mark.case(21)
def test_renamed_away_and_created_anew(site: Site, watch: str) -> None:
    """Three files whose archives the patterns find, and three whose archives they do not."""
    site.aggregator()
    patterns = [str(site.logs / "inside?.log*"), str(site.logs / "outside?.log")]
    collector = site.collector(paths="\n".join(patterns), watch=watch)
    writers = [site.writer(f"{where}{each}.log") for where in ("inside", "outside") for each in range(3)]
    for number in range(4):
        for writer in writers:
            writer.write(30)
        for writer in writers:
            # Unread or not: what counts is that it was seen.
            until(partial(collector.holds, writer.path), "a new file should be opened")
            if number < 3:
                writer.rotate(writer.path.with_name(f"{writer.path.name}.{number}"))
    site.assert_delivered()
    assert site.lines_written == 6 * 4 * 30


@pytest.mark.case(22)
def test_a_file_that_is_only_renamed_is_not_sent_again(site: Site) -> None:
    pattern = str(site.logs / "a.log*")
    _, collector, _ = site.shipped(100, paths=pattern, poll_interval="20ms")
    for number in range(3):
        (site.logs / ("a.log" if number == 0 else f"a.log.{number}")).rename(site.logs / f"a.log.{number + 1}")
        quiet(site.size, "the destination")
    assert collector.stop() == 0
    (site.logs / "a.log.3").rename(site.logs / "a.log.4")
    site.collector(paths=pattern, poll_interval="20ms").wait_for("file_followed", position=site.bytes_written)
    site.assert_delivered()


@pytest.mark.case(23)
def test_an_empty_file_that_was_closed_and_got_lines_is_renamed_out_of_the_pattern_between_two_looks(
    site: Site, watch: str
) -> None:
    site.aggregator()
    writer = site.writer()
    collector = site.collector(close_inactive="100ms", watch=watch)
    collector.wait_for("file_followed")
    until(lambda: not collector.holds(writer.path), "an idle file should be closed")
    collector.freeze()
    writer.write(5)
    writer.rotate(site.logs / "a.log.1")
    writer.write(3)
    collector.thaw()
    site.assert_delivered()


@pytest.mark.case(23)
def test_renamed_out_of_the_pattern_with_an_unread_tail_between_two_looks(site: Site, watch: str) -> None:
    _, collector, writer = site.shipped(1, watch=watch)
    collector.freeze()
    writer.write(1)
    writer.rotate(site.logs / "a.old")
    writer.write(2)
    collector.thaw()
    site.assert_delivered()


@pytest.mark.case(24)
def test_two_writers_of_the_old_and_the_new_file_for_longer_than_rotate_wait(site: Site) -> None:
    """It is counted from the old file's last line, not from the rotation."""
    site.aggregator()
    site.collector(rotate_wait="4s")
    late = site.writer()
    late.write(10)
    site.assert_delivered()
    late.rotate(site.logs / "a.old", reopen=False)
    prompt = _successor(site, late)
    rotated = time.monotonic()
    while time.monotonic() < rotated + 4.5:
        late.write(1)
        prompt.write(1)
        site.wait_for_bytes(site.bytes_written)
        # Long enough for all of it to be acknowledged: what is not is held open anyway.
        quiet(site.size, "the destination")
    late.write(1)
    site.assert_delivered()


@pytest.mark.case(24)
def test_nothing_is_too_late_for_a_file_that_the_pattern_still_finds(site: Site) -> None:
    site.aggregator()
    site.collector(paths=str(site.logs / "a.log*"), close_inactive="100ms")
    late = site.writer()
    late.write(10)
    late.rotate(site.logs / "a.log.1", reopen=False)
    prompt = _successor(site, late)
    prompt.write(10)
    site.assert_delivered()
    quiet(site.size, "the destination", seconds=0.5)
    late.write(1)
    prompt.write(1)
    site.assert_delivered()


@pytest.mark.case(24)
def test_what_comes_after_a_file_without_a_name_was_let_go_is_left_and_its_end_was_told(site: Site) -> None:
    site.aggregator()
    collector = site.collector()
    late = site.writer()
    late.write(10)
    site.assert_delivered()
    late.rotate(site.logs / "a.old", reopen=False)
    prompt = _successor(site, late)
    told = collector.wait_for("file_retired")
    assert told["position"] == late.path.with_name("a.old").stat().st_size
    late.write(1)
    late.lines.pop()
    prompt.write(10)
    site.assert_delivered()


@pytest.mark.case(24)
def test_what_a_quiet_file_gets_after_the_link_to_its_directory_was_turned_is_shipped(site: Site, watch: str) -> None:
    """It was closed for being idle, and its name leads to the next release's directory by now."""
    for release in ("one", "two"):
        (site.logs / release).mkdir()
    link, next_link = site.logs / "current", site.logs / "next"
    link.symlink_to("one")
    next_link.symlink_to("two")
    site.aggregator()
    collector = site.collector(
        paths=str(link / "*.log"), watch=watch, close_inactive="100ms", rotate_wait="2s", poll_interval="50ms"
    )
    old = site.writer("current/a.log")
    old.write(10)
    site.assert_delivered()
    (site.logs / "one" / "a.log").rename(site.logs / "one" / "b.log")
    until(lambda: not collector.holds(site.logs / "one" / "b.log"), "an idle file should be closed")
    next_link.rename(link)
    old.write(10)
    site.assert_delivered()
    assert collector.events("source_lost") == []


@pytest.mark.case(24)
def test_what_a_quiet_file_gets_after_it_was_moved_beside_the_link_to_it_is_shipped(site: Site, watch: str) -> None:
    """It was closed for being idle."""
    (site.logs / "releases").mkdir()
    link, target = site.logs / "a.log", site.logs / "releases" / "a.1"
    link.symlink_to(target)
    site.aggregator()
    collector = site.collector(watch=watch, close_inactive="100ms", rotate_wait="2s", poll_interval="50ms")
    writer = site.writer("releases/a.1")
    writer.write(10)
    site.assert_delivered()
    until(lambda: not collector.holds(target), "an idle file should be closed")
    target.rename(site.logs / "a.old")
    writer.write(10)
    site.assert_delivered()
    assert collector.events("source_lost") == []


@pytest.mark.case(24)
def test_what_a_quiet_file_gets_after_it_was_moved_to_a_directory_below_is_shipped(site: Site, watch: str) -> None:
    """It was closed for being idle. logrotate calls that olddir."""
    _, collector, writer = site.shipped(watch=watch, close_inactive="100ms", rotate_wait="2s")
    until(lambda: not collector.holds(writer.path), "an idle file should be closed")
    (site.logs / "old").mkdir()
    writer.rotate(site.logs / "old" / "a.log.1", reopen=False)
    writer.write(10)
    site.assert_delivered()
    collector.wait_for("file_retired")
    assert not collector.events("source_lost")


@pytest.mark.case(25)
def test_the_path_stays_missing_while_the_old_file_is_written_to(site: Site) -> None:
    _, collector, writer = site.shipped(rotate_wait="1m")
    writer.rotate(site.logs / "a.old", reopen=False)
    collector.wait_for("file_gone")
    for _ in range(5):
        writer.write(10)
        site.assert_delivered()
    assert not writer.path.exists()
    assert not collector.events("file_retired")
    writer.reopen()
    writer.write(10)
    site.assert_delivered()


@pytest.mark.case(25)
def test_logrotate_makes_no_new_file(site: Site) -> None:
    site.aggregator()
    collector = site.collector(rotate_wait="1m")
    writer = site.writer()
    for number in range(3):
        collector.wait_for("file_followed", count=number + 1)
        writer.write(100)
        logrotate(site.directory, writer.path, "nocreate")
        assert not writer.path.exists()
        writer.write(100)
        site.wait_for_bytes(site.bytes_written)
        writer.reopen()
    writer.write(100)
    site.assert_delivered()


@pytest.mark.case(26)
@pytest.mark.parametrize("pattern", ["a.log*", "a.log"])
def test_rotated_again_and_again_while_every_old_file_is_still_written_to(site: Site, pattern: str) -> None:
    """`.1` becomes `.2` becomes `.3`; each inode has one reader, whatever its name is at the time."""
    site.aggregator()
    collector = site.collector(paths=str(site.logs / pattern), rotate_wait="1m")
    writers = [site.writer()]
    for number in range(4):
        writers[-1].write(20)
        until(lambda: collector.holds(site.logs / "a.log"), "a new file should be opened")
        _cascade(site.logs, keep=number + 1)
        writers.append(_successor(site, writers[0], number + 1))
        for writer in writers:
            writer.write(5)
    until(lambda: collector.holds(site.logs / "a.log"), "a new file should be opened")
    for path in site.logs.iterdir():
        assert readers(collector, path) == 1
    for writer in writers:
        writer.write(5)
    site.assert_delivered()


@pytest.mark.case(27)
def test_logrotate_keeps_nothing_and_the_file_is_unlinked_unread(site: Site) -> None:
    aggregator, collector, writer = site.shipped(**_SMALL)
    aggregator.freeze()
    writer.write(20_000, padding=230)
    logrotate(site.directory, writer.path, "create", "rotate 0")
    assert [path.name for path in site.logs.iterdir()] == ["a.log"]
    writer.reopen()
    writer.write(10)
    collector.wait_for("file_gone")
    assert deleted(collector, site.logs) == 1
    assert site.bytes_written - site.size() > 4_000_000
    aggregator.thaw()
    site.assert_delivered()
    # And the disk has its space back.
    collector.wait_for("file_retired")
    until(lambda: not deleted(collector, site.logs), "a file that was unlinked and read to its end should be closed")


@pytest.mark.case(27, 32, 33)
def test_a_file_that_is_deleted_before_it_could_be_opened_is_told_as_lost(site: Site) -> None:
    """It was empty when it was seen last: how much was lost nobody knows."""
    aggregator, collector = _crowded(site)
    unseen = site.logs / "c.log"
    unseen.touch()
    collector.wait_for("too_many_open_files")
    collector.freeze()
    unseen.write_bytes(b"never read\n")
    unseen.unlink()
    collector.thaw()
    aggregator.thaw()
    told = collector.wait_for("source_lost", path=str(unseen))
    assert (told["start"], told["end"]) == (0, None)
    assert aggregator.wait_for("source_lost", path=str(unseen), start=0, end=None)
    site.assert_delivered()


@pytest.mark.case(27, 32, 33, 34)
def test_a_file_that_could_not_be_opened_is_told_as_lost_though_another_has_its_name_and_number(
    site: Site, watch: str
) -> None:
    """That is empty at first, so that nothing in it tells that it is another."""
    with recycling(site.logs) as directory:
        site.logs = directory
        aggregator, collector = _crowded(site, watch=watch)
        path, beside = site.logs / "c.log", site.logs / "beside"
        beside.write_bytes(b"never read\n")
        beside.rename(path)
        collector.wait_for("too_many_open_files")
        recycle(path, path, b"")
        assert collector.wait_for("source_lost", path=str(path), start=0, end=11)
        aggregator.thaw()
        assert aggregator.wait_for("source_lost", path=str(path), start=0, end=11)
        site.writer("c.log").write(3)
        site.assert_delivered()


@pytest.mark.case(28)
@pytest.mark.parametrize("rotations", [1, 2])
def test_rotated_while_the_collector_was_down(site: Site, rotations: int) -> None:
    site.aggregator()
    pattern = str(site.logs / "a.log*")
    collector = site.collector(paths=pattern)
    writer = site.writer()
    writer.write(1000)
    site.assert_delivered()
    assert collector.stop() == 0
    writer.write(1000)
    for number in range(rotations):
        _cascade(site.logs, keep=number + 1)
        writer.reopen()
        writer.write(100)
    site.collector(paths=pattern)
    site.assert_delivered()


@pytest.mark.case(28)
@pytest.mark.parametrize("archive", ["a.log.1", "old/a.log.1"])
def test_renamed_out_of_the_pattern_while_the_collector_was_down(site: Site, archive: str) -> None:
    (site.logs / "old").mkdir()
    _, collector, writer = site.shipped(1000)
    assert collector.stop() == 0
    writer.write(1000)
    writer.rotate(site.logs / archive)
    writer.write(100)
    site.collector()
    site.assert_delivered()


@pytest.mark.case(29)
def test_moved_away_truncated_and_moved_back(site: Site) -> None:
    _, collector, writer = site.shipped(100, rotate_wait="1m")
    writer.path.rename(site.logs / "elsewhere")
    collector.wait_for("file_gone")
    writer.truncate()
    writer.write(5)
    (site.logs / "elsewhere").rename(writer.path)
    writer.write(5)
    site.assert_delivered()


@pytest.mark.case(29)
@pytest.mark.parametrize("forgotten", [False, True])
def test_deleted_and_created_again(site: Site, forgotten: bool) -> None:
    """Before and after the old file was let go; ext4 gives the new one the old one's inode then."""
    site.aggregator()
    collector = site.collector()
    writer = site.writer()
    for number in range(3):
        writer.write(50)
        site.assert_delivered()
        writer.path.unlink()
        writer.close()
        if forgotten:
            collector.wait_for("file_retired", count=number + 1)
        writer.reopen()
    writer.write(50)
    site.assert_delivered()


@pytest.mark.case(31)
@pytest.mark.parametrize(("watch", "names"), [("auto", "unique"), ("poll", "unique"), ("poll", "cascade")])
def test_rotated_hundreds_of_times_a_second_while_the_collector_looks(site: Site, watch: str, names: str) -> None:
    """And it is stopped for moments, so that names change between its listing of them and its opening."""
    site.aggregator()
    collector = site.collector(paths=str(site.logs / "a.log*"), poll_interval="1ms", watch=watch)
    writer = site.writer()
    writer.write(1)
    collector.wait_for("file_followed")
    rotating = threading.Thread(target=_rotate_on_and_on, args=(site.logs, writer, names))
    rotating.start()
    moments = random.Random(31)  # the same in each run
    while rotating.is_alive():
        collector.freeze()
        time.sleep(moments.uniform(0, 0.008))
        collector.thaw()
        time.sleep(moments.uniform(0, 0.004))
    rotating.join()
    assert len(site.written) == 301
    site.assert_delivered()
    if names == "unique":
        # Renamed once, each can be missed by one scan only. In a cascade any number of them may miss a file.
        assert not collector.events("source_lost")


@pytest.mark.case(32)
@pytest.mark.parametrize("backups", [100, 1])
def test_rotated_thrice_between_two_looks(site: Site, backups: int) -> None:
    """With enough backups all of it arrives; else what is left of it, and nothing twice."""
    site.aggregator()
    collector = site.collector(paths=str(site.logs / "a.log*"), watch="poll")
    with RotatingLog(site.logs / "a.log", site.written, lines=100, backups=backups) as log:
        log.write(50)
        site.assert_delivered()
        collector.freeze()
        log.write(300)
        collector.thaw()
    assert len(list(site.logs.iterdir())) == 1 + min(backups, 3)
    if backups == 1:
        # The first was open. The second came and went, and nobody has seen it.
        assert len(site.written.pop(log.generation(1))) == 100
    site.assert_delivered()


@pytest.mark.case(33)
@pytest.mark.parametrize("away", ["frozen", "killed"])
def test_the_destination_is_away_for_longer_than_rotate_wait_while_files_rotate_out_of_existence(
    site: Site, away: str
) -> None:
    """Of ten files three are left: the others are held, unread, and their bytes take no memory."""
    aggregator = site.aggregator()
    collector = site.collector(paths=str(site.logs / "a.log*"), **_SMALL)
    with RotatingLog(site.logs / "a.log", site.written, lines=300, backups=2, padding=8000) as log:
        log.write(1)
        site.assert_delivered()
        memory = collector.peak_memory()
        if away == "frozen":
            aggregator.freeze()
        else:
            aggregator.kill()
        for number in range(1, 10):
            log.write(300)
            assert sorted_out((site.logs / "a.log").read_bytes()).keys() == {log.generation(number)}
            until(lambda: collector.holds(site.logs / "a.log"), "a new file should be opened")
        collector.wait_for("file_gone", count=7)
        quiet(lambda: deleted(collector, site.logs), "the files that are held", seconds=0.6)  # thrice rotate_wait
        assert deleted(collector, site.logs) == 7
        assert site.bytes_written - site.size() > 20_000_000
        assert collector.peak_memory() - memory < 10_000_000
        if away == "frozen":
            aggregator.thaw()
        else:
            site.aggregator()
        site.assert_delivered()
    until(lambda: not deleted(collector, site.logs), "files that were unlinked and read to their end should be closed")


def _crowded(site: Site, **settings: str) -> tuple[Process, Process]:
    """A destination that hangs, and a collector with two files, which needs both and may not open a third."""
    aggregator = site.aggregator()
    collector = site.collector(max_open_files="2", **_SMALL, **settings)
    writers = [site.writer("a.log"), site.writer("b.log")]
    collector.wait_for("file_followed", count=2)
    aggregator.freeze()
    for writer in writers:
        writer.write(3000, padding=230)
    return aggregator, collector


def _successor(site: Site, writer: Writer, generation: int = 1) -> Writer:
    """Another writer of the same path, whose lines say that they are of a later generation."""
    later = site.writer(writer.path.name)
    for _ in range(generation):
        later.reopen()
    return later


def _cascade(directory: Path, *, keep: int) -> None:
    """`a.log.1` becomes `a.log.2` and so on, and `a.log` becomes `a.log.1`."""
    for number in range(keep, 1, -1):
        (directory / f"a.log.{number - 1}").rename(directory / f"a.log.{number}")
    (directory / "a.log").rename(directory / "a.log.1")


def _rotate_on_and_on(directory: Path, writer: Writer, names: str) -> None:
    for number in range(300):
        writer.write(2)
        if names == "unique":
            writer.rotate(directory / f"a.log.{number}")
        else:
            if number >= 5:
                (directory / "a.log.5").rename(directory / f"a.log.old{number}")
            _cascade(directory, keep=min(number + 1, 5))
            writer.reopen()
        time.sleep(0.004)
    writer.write(2)
