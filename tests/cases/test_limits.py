"""Limits and broken filesystems: failing reads, nothing to write to, no descriptors left, a destination that moves."""

import os
import resource
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from cases.namespace import read_only
from cases.reads import Reads
from harness.process import Process
from harness.site import Site, environ
from harness.until import quiet, until
from harness.writer import Writer
from starting.attempt import assert_refused

MANY, FEW = 200, 100
"""Files, and descriptors that the whole process may have."""
SOON = 8.0
"""Seconds: well before a scan comes unasked, where inotify works."""


# 91: reads that fail


@pytest.mark.case(91)
def test_a_file_whose_reads_fail_waits_while_the_others_flow(site: Site) -> None:
    sick, sound = site.writer("sick.log"), site.writer("sound.log")
    reads = Reads(site.directory, sick.path, "EIO")
    site.aggregator()
    collector = site.collector(wrapper=reads.wrapper)
    for writer in (sick, sound):
        writer.write(10)
    site.assert_delivered()
    reads.fail()
    held_back = site.bytes_written
    for _ in range(3):
        sick.write(10)
        sound.write(10)
        held_back += len(b"".join(sound.lines[-10:]))
        site.wait_for_bytes(held_back)
    quiet(site.size, "a file that cannot be read")
    (told,) = collector.events("cannot_read")
    assert (told["path"], told["level"]) == (str(sick.path), "warning")
    reads.work()
    site.assert_delivered()
    assert collector.stop() == 0
    site.collector()
    site.assert_delivered()


@pytest.mark.case(91)
def test_that_a_file_cannot_be_read_is_told_once_whatever_its_name_and_again_when_it_has_recovered(site: Site) -> None:
    sick, sound = site.writer("sick.log"), site.writer("sound.log")
    reads = Reads(site.directory, sick.path, "EIO")
    site.aggregator()
    collector = site.collector(wrapper=reads.wrapper, watch="poll")
    sick.write(10)
    site.assert_delivered()
    sick.rotate(site.logs / "sick.1.log", reopen=False)
    for count in (1, 2):
        reads.fail()
        held_back = site.bytes_written
        sick.write(10)
        collector.wait_for("cannot_read", count=count)
        for _ in range(3):
            sound.write(10)  # what polls find: by then there were scans, too
            held_back += len(b"".join(sound.lines[-10:]))
            site.wait_for_bytes(held_back)
        quiet(site.size, "a file that cannot be read")
        assert len(collector.events("cannot_read")) == count
        reads.work()
        site.assert_delivered()


@pytest.mark.case(91)
@pytest.mark.parametrize("error", ["EIO", "ESTALE"])
def test_a_file_that_cannot_be_read_when_it_loses_its_name_is_not_lost(site: Site, error: str) -> None:
    writer = site.writer()
    reads = Reads(site.directory, writer.path, error)
    site.aggregator()
    collector = site.collector(wrapper=reads.wrapper, close_inactive="50ms")
    writer.write(10)
    site.assert_delivered()
    until(lambda: not collector.holds(writer.path), "idle files should be closed")
    reads.fail()
    writer.write(10)
    collector.wait_for("cannot_read")
    writer.rotate(site.logs / "a.1", reopen=False)
    collector.wait_for("file_gone")
    quiet(lambda: len(collector.events()), "a file that cannot be read")
    reads.work()
    site.assert_delivered()
    assert not collector.events("source_lost")
    assert len(collector.events("cannot_read")) == 1


@pytest.mark.case(91)
def test_a_file_whose_descriptor_went_stale_is_opened_anew(site: Site) -> None:
    writer = site.writer()
    reads = Reads(site.directory, writer.path, "ESTALE")
    site.aggregator()
    collector = site.collector(wrapper=reads.wrapper)
    writer.write(10)
    site.assert_delivered()
    assert collector.holds(writer.path)
    reads.fail()
    writer.write(10)
    collector.wait_for("cannot_read")
    reads.work()
    until(lambda: site.size() >= site.bytes_written, "the file should be read again", SOON)
    site.assert_delivered()


@pytest.mark.case(91)
@pytest.mark.parametrize(
    "watch",
    ["auto", "poll"],
)
def test_a_file_that_could_not_be_read_at_the_first_look_is_tried_again_soon(site: Site, watch: str) -> None:
    sick, sound = site.writer("sick.log"), site.writer("sound.log")
    reads = Reads(site.directory, sick.path, "EIO")
    reads.fail()
    site.aggregator()
    collector = site.collector(wrapper=reads.wrapper, watch=watch)
    # By now the scans of the beginning are over.
    for _ in range(2):
        sound.write(10)
        site.assert_delivered()
    collector.wait_for("cannot_read")
    sick.write(10)
    quiet(site.size, "a file that cannot be read")
    reads.work()
    until(lambda: site.size() >= site.bytes_written, "the file should be read", SOON)
    site.assert_delivered()
    assert len(collector.events("cannot_read")) == 1


@pytest.mark.case(91)
def test_a_file_that_cannot_be_read_from_the_first_look_on_is_told_once_and_tried_again(site: Site) -> None:
    path = site.logs / "sick.log"
    # A regular file by its mode, of which every read at 0 fails: nothing is mapped there.
    path.symlink_to("/proc/self/mem")
    with path.open("rb", buffering=0) as file, pytest.raises(OSError, match="Input/output error"):
        file.read(1)
    sound = site.writer("sound.log")
    sound.write(10)
    _, collector = site.both()
    site.assert_delivered()
    collector.wait_for("cannot_read", path=str(path))
    for _ in range(3):
        sound.write(10)
        site.writer(f"new{len(sound.lines)}.log").write(1)  # a new name asks for a scan, which tries again
        site.assert_delivered()
    assert len(collector.events("cannot_read")) == 1
    path.unlink()
    site.writer("sick.log").write(10)
    site.assert_delivered()


# 92: nothing to write to


@pytest.mark.case(92)
def test_on_a_read_only_root_state_and_destination_are_all_that_must_be_writable(site: Site) -> None:
    states = [site.directory / name for name in ("aggregator", "collector")]
    for state in states:
        state.mkdir()
    wrapper = read_only(*states, site.out.parent)
    address = f"unix:{states[0] / 'socket'}"
    site.writer().write(10)
    processes = [
        site.aggregator(wrapper=wrapper, listen_address=address),
        site.collector(wrapper=wrapper, remote_address=address),
    ]
    site.assert_delivered()
    assert [process.stop() for process in reversed(processes)] == [0, 0]


@pytest.mark.case(92)
@pytest.mark.parametrize("half", ["aggregator", "collector"])
def test_with_nothing_writable_it_says_so_and_does_not_start(site: Site, half: str) -> None:
    elsewhere = site.directory / "writable"
    elsewhere.mkdir()
    state = site.directory / "state"
    settings = {
        "aggregator": environ("AGGREGATOR", {"blackhole_configuration": "1", "listen_address": "127.0.0.1:0"}, {}),
        "collector": environ("COLLECTOR", {"paths": str(site.logs / "*.log")}, {}),
    }[half]
    variable = f"{half.upper()}_STATE_DIRECTORY"
    assert_refused(
        half,
        cwd=site.logs,
        environ={**settings, variable: str(state)},
        says=[variable, str(state), "Read-only file system"],
        wrapper=read_only(elsewhere),
    )
    assert not state.exists()


# 93: a directory that goes and comes back


@pytest.mark.case(93)
@pytest.mark.parametrize(("watch", "when"), [("auto", "at once"), ("auto", "later"), ("poll", "at once")])
def test_a_directory_removed_with_unread_files_and_made_again_loses_nothing(site: Site, watch: str, when: str) -> None:
    directory = site.logs / "sub"
    directory.mkdir()
    writers = [site.writer(f"sub/{name}.log") for name in "ab"]
    site.aggregator()
    collector = site.collector(paths=str(directory / "*.log"), watch=watch)
    for round_number in range(1, 3):
        for writer in writers:
            writer.write(10)
        site.assert_delivered()
        collector.freeze()
        for writer in writers:
            writer.write(1000)
        shutil.rmtree(directory)
        if when == "later":
            collector.thaw()
            collector.wait_for("file_retired", count=2 * round_number)
        directory.mkdir()
        for writer in writers:
            writer.reopen()
            writer.write(10)
        collector.thaw()
        site.assert_delivered()
    collector.wait_for("file_retired", count=4)
    assert not collector.events("source_lost")


# 94: no descriptors left


@pytest.mark.case(94)
def test_far_more_files_than_descriptors_are_all_shipped_once_in_every_round(site: Site) -> None:
    writers = [site.writer(f"{number}.log") for number in range(MANY)]
    site.aggregator()
    collector = site.collector(wrapper=_few_descriptors(), close_inactive="1s")
    for _ in range(3):
        for writer in writers:
            writer.write(1)
        site.assert_delivered()
    _assert_few_descriptors(collector)
    assert not collector.events("file_gone")
    assert not collector.events("source_lost")
    assert collector.stop() == 0
    assert collector.events("stopped", acknowledged=site.bytes_written, unread=0)


@pytest.mark.case(94)
def test_with_few_descriptors_the_connection_is_made_again(site: Site) -> None:
    writers = [site.writer(f"{number}.log") for number in range(MANY)]
    aggregator = site.aggregator()
    site.collector(wrapper=_few_descriptors(), close_inactive="1s")
    for writer in writers:
        writer.write(1)
    site.assert_delivered()
    aggregator.kill()
    for writer in writers:
        writer.write(1)
    site.aggregator()
    site.assert_delivered()


@pytest.mark.case(94)
def test_with_few_descriptors_a_restart_takes_no_file_for_deleted(site: Site) -> None:
    writers = [site.writer(f"{number}.log") for number in range(MANY)]
    site.aggregator()
    for _ in range(2):
        collector = site.collector(wrapper=_few_descriptors(), close_inactive="1s")
        for writer in writers:
            writer.write(1)
        site.assert_delivered()
        assert not collector.events("source_lost")
        assert collector.stop() == 0


@pytest.mark.case(94)
def test_with_few_descriptors_the_checkpoint_is_kept(site: Site) -> None:
    writers = [site.writer(f"{number}.log") for number in range(MANY)]
    for _ in range(2):
        for writer in writers:
            writer.write(1)
        aggregator = site.aggregator()
        collector = site.collector(wrapper=_few_descriptors(), close_inactive="1s")
        site.assert_delivered()
        assert collector.stop() == 0
        assert aggregator.stop() == 0
        # Only the collector's own checkpoint can tell what was shipped.
        shutil.rmtree(site.directory / "aggregator")


@pytest.mark.case(94)
def test_when_the_system_gives_no_descriptors_nothing_looks_deleted_and_all_arrives_later(
    site: Site, watch: str
) -> None:
    writers = [site.writer(f"{number}.log") for number in range(20)]
    for writer in writers:
        writer.write(1)
    site.aggregator()
    collector = site.collector(close_inactive="50ms", watch=watch)
    site.assert_delivered()
    until(lambda: not any(collector.holds(writer.path) for writer in writers), "idle files should be closed")
    soft, hard = resource.prlimit(collector.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(collector.pid, resource.RLIMIT_NOFILE, (3, hard))  # those of the standard streams
    for writer in writers:
        writer.write(1)
    late = [site.writer(f"late{number}.log") for number in range(20)]
    for writer in late:
        writer.write(1)
    # A directory that is made asks for a scan, which would come by itself only now and then.
    (site.logs / "directory").mkdir()
    collector.wait_for("cannot_look", path=str(site.logs), error="Too many open files")
    quiet(lambda: (site.size(), len(collector.events("cannot_look"))), "a collector without descriptors")
    resource.prlimit(collector.pid, resource.RLIMIT_NOFILE, (soft, hard))
    site.writer("last.log").write(1)
    until(lambda: site.size() >= site.bytes_written, "all should arrive without waiting for the next full scan", SOON)
    site.assert_delivered()
    assert not collector.events("file_gone")
    assert not collector.events("source_lost")
    assert len(collector.events("file_followed")) == site.lines_written - len(writers)


@pytest.mark.case(94)
def test_a_file_that_loses_its_name_while_the_system_gives_no_descriptors_is_looked_for_later(site: Site) -> None:
    unread = site.writer("unread.log")
    unread.write(1)
    site.aggregator()
    collector = site.collector(close_inactive="50ms")
    site.assert_delivered()
    until(lambda: not collector.holds(unread.path), "idle files should be closed")
    soft, hard = resource.prlimit(collector.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(collector.pid, resource.RLIMIT_NOFILE, (3, hard))  # those of the standard streams
    waiting = site.writer("waiting.log")
    waiting.write(10)
    collector.wait_for("too_many_open_files")
    unread.write(10)
    unread.rotate(site.logs / "unread.1", reopen=False)
    waiting.rotate(site.logs / "waiting.1", reopen=False)
    # Unless a scan comes in between: then nothing is known of the names in there until it can look again.
    gone = partial(collector.events, "file_gone", path=str(unread.path))
    until(lambda: gone() or collector.events("cannot_look"), "that it has no name, or cannot be looked for, is told")
    quiet(lambda: collector.events("source_lost"), "nothing is lost yet, which")
    resource.prlimit(collector.pid, resource.RLIMIT_NOFILE, (soft, hard))
    site.assert_delivered()
    assert not collector.events("source_lost")
    collector.wait_for("file_retired", path=str(unread.path))


@pytest.mark.case(94)
def test_where_every_open_file_is_needed_the_limit_is_named_once_and_all_arrives_later(site: Site) -> None:
    writers = [site.writer(f"{number}.log") for number in range(MANY)]
    for writer in writers:
        writer.write(1)
    # Nothing is acknowledged before it is published: no file can be closed for another.
    aggregator = site.aggregator(minimum_publish_frequency="1h")
    collector = site.collector(wrapper=_few_descriptors(), close_inactive="1s")
    told = collector.wait_for("too_many_open_files")
    assert told["level"] == "warning"
    assert "COLLECTOR_MAX_OPEN_FILES" in told["error"]
    quiet(site.size, "a batch that nobody publishes", seconds=0.5)
    assert len(collector.events("too_many_open_files")) == 1
    assert len(collector.events(level="warning")) == 1, collector.said()
    aggregator.stop()
    site.aggregator()
    site.assert_delivered()


def _few_descriptors() -> Sequence[str]:
    return ["prlimit", f"--nofile={FEW}:{FEW}"]


def _assert_few_descriptors(process: Process) -> None:
    limit = Path(f"/proc/{process.pid}/limits").read_text()
    assert f"Max open files            {FEW} " in limit
    assert len(list(Path(f"/proc/{process.pid}/fd").iterdir())) < FEW < MANY


# 95: a destination that takes nothing


@pytest.mark.case(95)
def test_a_destination_that_is_full_from_the_start_is_acknowledged_nothing(site: Site) -> None:
    writer = site.writer()
    writer.write(1000)
    aggregator = site.aggregator(file_configuration="/dev/full", shutdown_timeout="300ms")
    collector = site.collector()
    told = aggregator.wait_for("emit_failed")
    assert "No space left on device" in str(told)
    assert aggregator.stop() == 0
    assert aggregator.events("stopped", complete=False)
    writer.write(10)
    site.aggregator()
    site.assert_delivered()
    assert collector.stop() == 0


# 96: a destination that others move


@pytest.mark.case(96)
def test_a_destination_that_others_rename_remove_and_cut_is_made_anew_and_appended_to(site: Site) -> None:
    aggregator = site.aggregator()
    writer = site.writer()
    kept = b""
    for way in ("rename", "remove", "cut", "rename"):
        _ship(site, writer, 100)
        kept += site.output()
        if way == "rename":
            site.out.rename(site.out.with_suffix(f".{len(kept)}"))
        elif way == "remove":
            site.out.unlink()
        else:
            os.truncate(site.out, 0)
    _ship(site, writer, 100)
    assert kept + site.output() == b"".join(writer.lines)
    assert aggregator.running


def _ship(site: Site, writer: Writer, count: int) -> None:
    """Write lines and have them committed: what others do between the append and the commit is outside the promise."""
    before = site.bytes_written
    collector = site.collector()
    writer.write(count)
    sent = site.bytes_written - before
    collector.wait_for("file_followed")
    until(lambda: site.out.exists() and site.output().endswith(writer.lines[-1]), "the lines should arrive")
    assert collector.stop() == 0
    assert collector.events("stopped", acknowledged=sent)
