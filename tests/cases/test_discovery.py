"""Group A: which files are followed, whatever lies about, whoever may read it, and by whatever name."""

import json
import os
import socket
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import count, islice
from pathlib import Path

import pytest

from cases.named import append
from cases.namespace import bound, within
from cases.nobody import as_nobody, both_as_nobody, site_of_nobody
from cases.noted import acknowledged
from cases.opened import Opened
from cases.scans import scans
from endtoend.web import require
from harness.aside import Aside
from harness.lines import make_line
from harness.process import Event, Process
from harness.site import Site
from harness.until import quiet, until


@pytest.fixture
def nobody() -> Iterator[Site]:
    with site_of_nobody() as site:
        yield site


def warnings(collector: Process) -> list[Event]:
    """What it complained of, but that it was started sooner than the aggregator listened."""
    events = [each for each in collector.events() if each["event"] != "connection_failed"]
    return [each for each in events if each["level"] in {"warning", "error"}]


SOON = 10
"""Seconds. Sooner than the scan that comes anyway, after 30, where inotify should have told of what has changed."""


def assert_delivered_soon(site: Site) -> None:
    until(lambda: site.size() >= site.bytes_written, "nobody looks where something has changed", SOON)
    site.assert_delivered()


# Where a file is begun


@pytest.mark.case(1)
def test_a_file_that_appears_is_begun_at_its_beginning_even_with_start_at_end(site: Site, watch: str) -> None:
    site.aggregator()
    collector = site.collector(watch=watch, start_at="end", paths=f"{site.logs}/*.log")
    collector.wait_for("no_files")
    append(site, site.directory / "elsewhere", "moved", 3)
    (site.directory / "elsewhere").rename(site.logs / "moved.log")
    append(site, site.logs / "made.log", "made", 3)
    assert_delivered_soon(site)


@pytest.mark.case(2)
@pytest.mark.parametrize(("start_at", "old", "padding"), [("beginning", True, 2000), ("end", False, 20)])
def test_where_it_starts_is_said_once_and_then_the_checkpoint_says_it(
    site: Site, start_at: str, old: bool, padding: int
) -> None:
    path = site.logs / "a.log"
    append(site, path, "old", 2, padding=padding)
    if not old:
        del site.written["old", 0]
    site.aggregator()
    collector = site.collector(start_at=start_at)
    collector.wait_for("file_followed")
    append(site, path, "a", 1, padding=padding)
    site.assert_delivered()
    assert collector.stop() == 0
    append(site, path, "a", 1, padding=padding)
    site.collector(start_at=start_at).wait_for("file_followed")
    append(site, path, "a", 1, padding=padding)
    site.assert_delivered()


@pytest.mark.case(2)
@pytest.mark.parametrize("end", [Process.stop, Process.kill], ids=["stopped", "killed"])
def test_a_first_run_that_never_reached_the_aggregator_has_begun_at_the_end_all_the_same(
    site: Site, end: Callable[[Process], object]
) -> None:
    path = site.logs / "a.log"
    path.write_bytes(b"old\n" * 1000 + b"half a")
    collector = site.collector(start_at="end", shutdown_timeout="200ms")
    until(lambda: acknowledged(site.directory / "collector") == 4000, "the checkpoint should know where it begins")
    end(collector)
    assert not collector.events("file_followed")
    with path.open("ab") as file:
        file.write(b" line\nnew\n")
    site.aggregator()
    site.collector(start_at="end").wait_for("file_followed")
    until(lambda: b"new\n" in site.output(), "what is new is not shipped")
    assert site.output() == b"half a line\nnew\n"


@pytest.mark.case(2)
def test_with_start_at_end_a_line_longer_than_any_may_be_hides_nothing_of_what_is_old(site: Site) -> None:
    path = site.logs / "a.log"
    path.write_bytes(b"old\n" * 1000 + b"x" * 5000)
    site.aggregator()
    site.collector(start_at="end", max_line_size="1000").wait_for("file_followed")
    with path.open("ab") as file:
        file.write(b"\nnew\n")
    until(lambda: b"new\n" in site.output(), "what is new is not shipped")
    assert site.output() == (b"x" * 1000 + b"\n") * 5 + b"new\n"


# Patterns


@pytest.mark.case(3)
def test_a_file_is_followed_once_however_many_patterns_find_it_and_an_excluded_one_is_never_opened(
    site: Site,
) -> None:
    (site.logs / "sub").mkdir()
    for name in ("a.txt", "b.txt", "a.log", "a.ignore.txt"):
        (site.logs / name).touch()
    append(site, site.logs / "a.txt", "a-txt")
    append(site, site.logs / "b.txt", "b-txt")
    append(site, site.logs / "a.log", "a-log")
    append(site, site.logs / "a.ignore.txt", "ignored")
    del site.written["ignored", 0]
    with Opened(site.logs) as opened:
        site.aggregator()
        collector = site.collector(
            paths=json.dumps([f"{site.logs}/*.txt", f"{site.logs}/a.*", f"{site.logs}//sub/../*.txt"]),
            exclude=f"{site.logs}/./a.*.txt\n{site.logs}/missing",
        )
        site.assert_delivered()
        append(site, site.logs / "a.txt", "a-txt")
        site.assert_delivered()
        assert opened.names - {"sub"} == {"a.txt", "b.txt", "a.log"}
    assert len(collector.events("file_followed")) == 3


# What is no file


@pytest.mark.case(4)
def test_what_is_no_file_holds_up_nothing_and_is_told_once(site: Site) -> None:
    odd = odd_ones(site.logs)
    writer = site.writer()
    writer.write(10)
    site.aggregator()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(site.logs / "socket.log"))
        collector = site.collector(watch="poll")
        site.assert_delivered()
        scans(collector, site.logs)
        writer.write(10)
        site.assert_delivered()
    reasons = {Path(event["path"]).name: event["reason"] for event in warnings(collector)}
    assert reasons == {**odd, "socket.log": "it is a socket"}
    assert len(warnings(collector)) == len(reasons)


def odd_ones(directory: Path) -> dict[str, str]:
    """Make one of each kind; what is said of them by name."""
    (directory / "directory.log").mkdir()
    os.mkfifo(directory / "fifo.log")
    (directory / "full.log").symlink_to("/dev/full")
    (directory / "dangling.log").symlink_to("missing")
    (directory / "itself.log").symlink_to("itself.log")
    (directory / "circle.log").symlink_to("circle")
    (directory / "circle").symlink_to("circle.log")
    return {
        "directory.log": "it is a directory",
        "fifo.log": "it is a FIFO",
        "full.log": "it is a device",
        "dangling.log": "it is a link to nothing",
        "itself.log": "it is a link that leads to itself",
        "circle.log": "it is a link that leads to itself",
    }


@pytest.mark.case(4)
def test_what_was_no_file_is_followed_when_it_has_become_one(site: Site) -> None:
    odd = odd_ones(site.logs)
    site.aggregator()
    collector = site.collector()
    collector.wait_for("not_followed", count=len(odd))
    (site.logs / "directory.log").rmdir()
    for name in ("fifo.log", "full.log", "itself.log"):
        (site.logs / name).unlink()
    (site.logs / "circle").unlink()
    append(site, site.logs / "missing", "dangling")
    append(site, site.logs / "circle", "circle")
    for name in ("directory", "fifo", "full", "itself"):
        append(site, site.logs / f"{name}.log", name)
    assert_delivered_soon(site)


@pytest.mark.case(4)
def test_a_link_to_nothing_leads_to_a_file_that_is_made_far_from_where_the_patterns_look(site: Site) -> None:
    (site.logs / "a.log").symlink_to(site.directory / "made" / "later" / "target")
    site.aggregator()
    collector = site.collector()
    collector.wait_for("not_followed")
    quiet(site.size, "the destination")  # nothing is left over that makes it look again
    (site.directory / "made" / "later").mkdir(parents=True)
    append(site, site.directory / "made" / "later" / "target", "target")
    assert_delivered_soon(site)


@pytest.mark.case(4)
def test_links_that_are_named_as_directories_and_lead_nowhere_are_told_once_and_followed_when_they_lead_somewhere(
    site: Site, watch: str
) -> None:
    (site.logs / "circle").symlink_to("circle")
    (site.logs / "dangling").symlink_to(site.directory / "made" / "later")
    patterns = ("circle/*.log", "circle/named.log", "dangling/*.log", "dangling/named.log", "*.log")
    writer = site.writer()
    writer.write(10)
    site.aggregator()
    collector = site.collector(watch=watch, paths="\n".join(str(site.logs / each) for each in patterns))
    site.assert_delivered()
    scans(collector, site.logs)
    told = {event["path"]: event["reason"] for event in warnings(collector)}
    assert told == {
        str(site.logs / "circle"): "it is a link that leads to itself",
        str(site.logs / "dangling"): "it is a link to nothing",
    }
    assert len(warnings(collector)) == len(told)
    (site.logs / "circle").unlink()
    (site.logs / "circle").mkdir()
    (site.directory / "made" / "later").mkdir(parents=True)
    for directory in ("circle", "dangling"):
        append(site, site.logs / directory / "named.log", directory)
    assert_delivered_soon(site)
    assert len(warnings(collector)) == len(told)


@pytest.mark.case(4)
def test_files_that_vanish_between_listing_and_opening_are_told_once_and_hold_up_nothing(site: Site) -> None:
    aggregator = site.aggregator()
    collector = site.collector(poll_interval="10ms")
    writer = site.writer()
    collector.wait_for("file_followed")
    numbers = count()

    def vanish() -> list[Event]:
        for number in islice(numbers, 100):
            path = site.logs / f"hardly-there-{number}.log"
            path.touch()
            path.unlink()
        writer.write(1)
        return collector.events("source_lost")

    until(vanish, "no file vanished just then")
    site.assert_delivered()
    scans(collector, site.logs)
    told = Counter((event["event"], event["start"], event["end"]) for event in warnings(collector))
    assert told.keys() == {("source_lost", 0, None)}
    paths = {event["path"] for event in warnings(collector)}
    assert told.total() == len(paths)
    for path in paths:
        aggregator.wait_for("source_lost", path=path, start=0, end=None)


# What is not there yet


@pytest.mark.case(5)
def test_directories_that_are_missing_at_the_start_are_waited_for(site: Site, watch: str) -> None:
    site.aggregator()
    collector = site.collector(watch=watch, paths="logs/a/b/*.log\nmissing/relative.log")
    collector.wait_for("no_files")
    quiet(site.size, "the destination")  # nothing is left over that makes it look again
    for path, name in ((site.logs / "a" / "b" / "new.log", "new"), (site.directory / "missing/relative.log", "rel")):
        path.parent.mkdir(parents=True)
        append(site, path, name)
        assert_delivered_soon(site)
    assert [event["event"] for event in warnings(collector)] == ["no_files"]


# What may not be read


@pytest.mark.case(6)
def test_a_file_that_may_not_be_read_is_told_once_and_shipped_when_it_may(nobody: Site) -> None:
    closed = nobody.writer("closed.log")
    closed.path.chmod(0)
    closed.write(10)
    kept = nobody.written.pop(("closed", 0))
    nobody.writer("open.log").write(10)
    _, collector = both_as_nobody(nobody, watch="poll")
    nobody.assert_delivered()
    scans(collector, nobody.logs)
    assert [(event["event"], event["path"]) for event in warnings(collector)] == [("cannot_open", str(closed.path))]
    nobody.written["closed", 0] = kept
    closed.path.chmod(0o644)
    nobody.assert_delivered()
    assert len(warnings(collector)) == 1


@pytest.mark.case(6)
def test_a_file_that_may_be_read_no_more_is_read_on(nobody: Site) -> None:
    """What is open stays open: so it is with a writer that creates its log for itself alone."""
    writer = nobody.writer()
    writer.write(10)
    _, collector = both_as_nobody(nobody)
    nobody.assert_delivered()
    writer.path.chmod(0)
    writer.write(10)
    nobody.assert_delivered()
    assert warnings(collector) == []


@pytest.mark.case(6)
def test_a_file_that_could_not_be_opened_since_the_start_and_is_deleted_is_told_as_lost(nobody: Site) -> None:
    """What was shipped of it is remembered, and it had its name when that was sought."""
    writer = nobody.writer()
    writer.write(10)
    _, collector = both_as_nobody(nobody)
    nobody.assert_delivered()
    shipped = writer.path.stat().st_size
    assert collector.stop() == 0
    writer.path.chmod(0)
    collector = nobody.collector(wrapper=as_nobody(), watch="poll")
    collector.wait_for("cannot_open", path=str(writer.path))
    collector.wait_for("connected")
    for number in range(6):  # looks, each of which finds a file: more than it takes to seek
        other = nobody.writer(f"later.{number}.log").path
        until(partial(collector.holds, other), "a new file should be opened")
    writer.path.unlink()
    collector.wait_for("source_lost", path=str(writer.path), start=shipped)


@pytest.mark.case(6)
def test_logrotate_s_file_that_its_owner_alone_can_read_at_first(nobody: Site, aside: Aside) -> None:
    """logrotate creates the new file with mode 0600 and opens it to others after: here, as late as one likes."""
    require("logrotate")
    other, writer = nobody.writer("other.log"), nobody.writer()
    writer.write(10)
    _, collector = both_as_nobody(nobody)
    nobody.assert_delivered()
    opened_to_all = nobody.directory / "opened-to-all"
    wait = f"while [ ! -e {opened_to_all} ]; do sleep 0.01; done"
    script = f"postrotate\n    {wait}\n    chmod 0644 {writer.path}\n  endscript"
    rotated = aside(lambda: rotate(nobody, writer.path, "create 0600", script))
    collector.wait_for("cannot_open", path=str(writer.path))
    writer.write(10)
    writer.reopen()
    writer.write(10)
    other.write(10)
    scans(collector, nobody.logs)
    opened_to_all.touch()
    rotated.result()
    assert_delivered_soon(nobody)
    assert len(warnings(collector)) == 1


@pytest.mark.case(6)
def test_logrotate_s_new_file_is_read_as_soon_as_it_may_be(nobody: Site) -> None:
    require("logrotate")
    writer = nobody.writer()
    _, collector = both_as_nobody(nobody)
    for number in range(5):
        collector.wait_for("file_followed", count=number + 1)
        writer.write(10)
        rotate(nobody, writer.path, "create 0644")
        writer.write(10)
        writer.reopen()
    writer.write(10)
    assert_delivered_soon(nobody)


def rotate(site: Site, path: Path, *how: str) -> None:
    """Rotate a log now, by logrotate."""
    configuration = site.directory / "logrotate.conf"
    configuration.write_text("\n  ".join([f"{path} {{", "rotate 100", *how]) + "\n}\n")
    configuration.chmod(0o644)
    command = ["logrotate", "--force", "--state", str(site.directory / "logrotate.state"), str(configuration)]
    subprocess.run(command, check=True, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})


# What cannot be looked at is not gone


def _ended(site: Site) -> int:
    """How many sources have ended, as the aggregator knows them."""
    with closing(sqlite3.connect(site.directory / "aggregator" / "ledger.sqlite3")) as ledger:
        return len(ledger.execute("SELECT id FROM sources WHERE finished").fetchall())


@pytest.mark.case(7)
def test_files_of_a_disk_that_is_unmounted_for_a_while_are_not_sent_again(site: Site) -> None:
    """They are closed for being idle, or it could not be unmounted: nothing but their bytes tells them then."""
    disk, shown = site.directory / "disk", site.logs / "shown"
    disk.mkdir()
    shown.mkdir()
    site.aggregator()
    collector = site.collector(
        wrapper=bound(disk, shown), watch="poll", paths=f"{site.logs}/*/*.log", close_inactive="100ms"
    )
    collector.wait_for("no_files")
    log = Path(f"/proc/{collector.pid}/root{disk}/a.log")
    lines = site.written["a.log", 0] = []

    def write() -> None:
        more = [make_line("a.log", 0, len(lines) + number) for number in range(10)]
        lines.extend(more)
        with log.open("ab") as file:
            file.write(b"".join(more))

    write()
    site.assert_delivered()
    until(lambda: not collector.holds(log), "an idle file should be closed")
    within(collector.pid, "umount", shown)
    collector.wait_for("file_gone")
    until(lambda: _ended(site) == 1, "what is gone should be let go of")
    write()
    within(collector.pid, "mount", "--bind", disk, shown)
    collector.wait_for("file_followed", count=2)
    site.assert_delivered()
    assert not collector.events("source_lost")


@pytest.mark.case(7)
@pytest.mark.parametrize(
    ("watch", "pattern"),
    [
        ("auto", "hidden/a.log\nhidden/b.log"),
        ("auto", "**/*.log"),
        ("poll", "*/*.log"),
    ],
)
def test_files_in_a_directory_that_cannot_be_looked_into_for_a_while_are_neither_forgotten_nor_sent_again(
    nobody: Site, watch: str, pattern: str
) -> None:
    hidden = nobody.logs / "hidden"
    hidden.mkdir()
    (nobody.logs / "visible").mkdir()
    first, second = nobody.writer("hidden/a.log"), nobody.writer("hidden/b.log")
    first.write(10)
    second.write(10)
    paths = "\n".join(f"{nobody.logs}/{each}" for each in (*pattern.split("\n"), "visible/*.log"))
    _, collector = both_as_nobody(nobody, watch=watch, paths=paths, close_inactive="100ms")
    nobody.assert_delivered()
    hidden.chmod(0)
    scans(collector, nobody.logs / "visible")
    collector.wait_for("cannot_look")
    scans(collector, nobody.logs / "visible")
    first.write(10)
    quiet(nobody.size, "the destination")
    hidden.chmod(0o755)
    second.write(10)
    assert_delivered_soon(nobody)
    told = Counter(each["event"] for each in warnings(collector))
    # A directory whose files are named needs only be searched, not read: but then inotify does not tell of it.
    named = watch == "auto" and "\n" in pattern
    assert told == {"cannot_look": 2 if "\n" in pattern else 1} | ({"polling": 1} if named else {})
    assert not collector.events("file_gone")


@pytest.mark.case(7)
def test_a_directory_that_could_never_be_looked_into_is_told_once_and_followed_when_it_can(nobody: Site) -> None:
    hidden = nobody.logs / "hidden"
    hidden.mkdir()
    nobody.writer("hidden/a.log").write(10)
    (nobody.logs / "visible").mkdir()
    hidden.chmod(0)
    _, collector = both_as_nobody(nobody, paths=f"{nobody.logs}/hidden/*.log\n{nobody.logs}/visible/*.log")
    collector.wait_for("cannot_look")
    scans(collector, nobody.logs / "visible")
    assert [event["event"] for event in warnings(collector) if event["event"] != "no_files"] == ["cannot_look"]
    hidden.chmod(0o755)
    assert_delivered_soon(nobody)


@pytest.mark.case(7)
def test_a_directory_that_is_renamed_takes_its_files_positions_with_it(site: Site, watch: str) -> None:
    (site.logs / "old").mkdir()
    writer = site.writer("old/a.log")
    writer.write(10)
    site.aggregator()
    collector = site.collector(watch=watch, paths=f"{site.logs}/*/*.log")
    site.assert_delivered()
    (site.logs / "old").rename(site.logs / "new")
    (site.logs / "visible").mkdir()
    scans(collector, site.logs / "visible")
    writer.write(10)
    assert_delivered_soon(site)
    assert not collector.events("file_gone")


# Old files


@pytest.mark.case(8)
def test_an_active_file_that_falls_idle_for_longer_than_ignored_is_not_deaf(site: Site) -> None:
    writer = site.writer()
    writer.write(10)
    site.aggregator()
    collector = site.collector(ignore_older="1h", close_inactive="100ms")
    site.assert_delivered()
    until(lambda: not collector.holds(writer.path), "an idle file should be closed")
    make_old(writer.path)
    scans(collector, site.logs)
    writer.write(10)
    site.assert_delivered()


@pytest.mark.case(8)
def test_an_old_file_that_was_shipped_before_goes_on_where_it_stood(site: Site) -> None:
    writer = site.writer()
    writer.write(10)
    site.aggregator()
    collector = site.collector(ignore_older="1h")
    site.assert_delivered()
    assert collector.stop() == 0
    make_old(writer.path)
    collector = site.collector(ignore_older="1h")
    scans(collector, site.logs)
    writer.write(10)
    site.assert_delivered()


@pytest.mark.case(8)
def test_what_an_old_file_holds_beyond_the_checkpoint_is_shipped_though_it_grows_no_more(site: Site) -> None:
    """It is not seen for the first time: who was down for longer than `ignore_older` still owes its tail."""
    writer = site.writer()
    writer.write(10)
    site.aggregator()
    collector = site.collector(ignore_older="1h")
    site.assert_delivered()
    assert collector.stop() == 0
    writer.write(10)
    make_old(writer.path)
    collector = site.collector(ignore_older="1h")
    scans(collector, site.logs)
    assert collector.events("file_followed", path=str(writer.path))
    site.assert_delivered()


def make_old(path: Path) -> None:
    """Let a file have been written to last a day ago."""
    status = path.stat()
    os.utime(path, (status.st_atime - 86400, status.st_mtime - 86400))


# Names


NAMES = (
    b"with space.log",
    b"with\nnewline.log",
    b"[x].log",
    b"-dash.log",
    b"l" * 251 + b".log",
    b"\xff\xfe.log",
    b"back\\slash.log",
    b"\x1b[31m*?.log",
    "\N{GRINNING FACE}\u202e.log".encode(),
    b".log.log",
)


@pytest.mark.case(9)
def test_files_of_any_name_are_followed_and_told_of_by_it(site: Site) -> None:
    paths = [site.logs / os.fsdecode(name) for name in NAMES]
    for number, path in enumerate(paths):
        append(site, path, f"n{number}")
    site.aggregator()
    collector = site.collector(paths=f"{site.logs}/*.log\n{site.logs}/.log*")
    site.assert_delivered()
    for number, path in enumerate(paths):
        append(site, path, f"n{number}")
    site.assert_delivered()
    assert collector.stop() == 0
    for number, path in enumerate(paths):
        append(site, path, f"n{number}")
    collector = site.collector(paths=f"{site.logs}/*.log\n{site.logs}/.log*")
    site.assert_delivered()
    assert warnings(collector) == []
    assert paths_told(site) == {bytes(path) for path in paths}


def paths_told(site: Site) -> set[bytes]:
    """The sources' paths, as the aggregator knows them."""
    with closing(sqlite3.connect(site.directory / "aggregator" / "ledger.sqlite3")) as ledger:
        return {path for (path,) in ledger.execute("SELECT path FROM sources")}


@pytest.mark.case(9)
def test_what_cannot_be_followed_is_told_once_by_any_name_in_one_line(site: Site) -> None:
    for name in NAMES:
        os.mkfifo(site.logs / os.fsdecode(name))
    site.aggregator()
    collector = site.collector(paths=f"{site.logs}/*.log\n{site.logs}/.log*")
    collector.wait_for("not_followed", count=len(NAMES))
    scans(collector, site.logs)
    assert len(warnings(collector)) == len(NAMES) + len(collector.events("no_files"))


@pytest.mark.case(9)
def test_empty_files_send_nothing_and_are_not_taken_for_each_other(site: Site) -> None:
    writers = [site.writer(f"empty{number}.log") for number in range(4)]
    site.aggregator()
    collector = site.collector()
    collector.wait_for("file_followed", count=4)
    quiet(site.size, "the destination")
    for writer in writers[:2]:
        writer.write(10)
    site.assert_delivered()
    assert collector.stop() == 0
    writers[0].write(10)
    writers[2].write(10)
    site.collector()
    site.assert_delivered()
    assert make_line("empty3", 0, 0) not in site.output()
