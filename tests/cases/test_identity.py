"""Which file is which: never by its name, never by its number alone, never by its first bytes alone."""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest

from cases.noted import entries, positions
from cases.recycled import recycle, recycling
from harness.lines import assert_exactly, make_line
from harness.process import Process
from harness.site import Site
from harness.until import quiet, until
from mega_collector.collector.state.checkpoint import Checkpoint
from mega_collector.marker import HEAD_SIZE, TAIL_SIZE, Marker


def lines(site: Site, name: str, generation: int, count: int) -> bytes:
    """So many lines that are about to be written."""
    fresh = [make_line(name, generation, sequence) for sequence in range(count)]
    site.written[name, generation] = fresh
    return b"".join(fresh)


def wait_until_closed(collector: Process, *paths: Path) -> None:
    until(lambda: not any(map(collector.holds, paths)), "idle files should be closed")


# Numbers of inodes, given again


@pytest.fixture
def recycled(site: Site) -> Iterator[Site]:
    """A site whose logs lie where the number of an inode that is gone is given again."""
    with recycling(site.logs) as directory:
        site.logs = directory
        yield site


@pytest.mark.case(34)
def test_a_new_file_with_the_number_of_one_that_was_closed_is_read_from_its_beginning(
    recycled: Site, watch: str
) -> None:
    site = recycled
    site.aggregator()
    collector = site.collector(watch=watch, close_inactive="50ms")
    path = site.logs / "a.log"
    path.write_bytes(lines(site, "a", 0, 100))
    # Smaller than what was read, as large, larger; under the same name and another one.
    for generation, (name, count) in enumerate([("a", 50), ("a", 50), ("a", 150), ("b", 50), ("a", 200)], 1):
        site.assert_delivered()
        wait_until_closed(collector, path)
        collector.freeze()
        gone, path = path, site.logs / f"{name}.log"
        recycle(gone, path, lines(site, name, generation, count))
        collector.thaw()
    site.assert_delivered()


@pytest.mark.case(34)
def test_a_new_file_of_another_name_with_the_number_and_the_size_of_one_that_was_closed_is_read(recycled: Site) -> None:
    site = recycled
    path, other = site.logs / "a.log", site.logs / "b.log"
    path.write_bytes(lines(site, "a", 0, 100))
    site.aggregator()
    collector = site.collector(close_inactive="50ms")
    site.assert_delivered()
    wait_until_closed(collector, path)
    size = path.stat().st_size
    collector.freeze()
    recycle(path, other, lines(site, "b", 0, 100))
    assert other.stat().st_size == size
    collector.thaw()
    until(lambda: site.size() == site.bytes_written, "it was never read", timeout=15)


@pytest.mark.case(34)
def test_a_new_file_with_the_number_of_one_that_was_closed_bears_its_own_name(recycled: Site) -> None:
    site = recycled
    path, other = site.logs / "a.log", site.logs / "b.log"
    path.write_bytes(lines(site, "a", 0, 100))
    site.aggregator()
    collector = site.collector(close_inactive="50ms")
    site.assert_delivered()
    wait_until_closed(collector, path)
    collector.freeze()
    recycle(path, other, lines(site, "b", 0, 50))
    collector.thaw()
    site.assert_delivered()
    assert collector.events("file_followed")[-1]["path"] == str(other)


@pytest.mark.case(34)
def test_a_rotation_that_gives_the_number_of_the_oldest_to_the_newest_mixes_nothing_up(
    recycled: Site, watch: str
) -> None:
    site = recycled
    site.aggregator()
    collector = site.collector(watch=watch, close_inactive="50ms", paths=str(site.logs / "a.log*"))
    newest, older, oldest = (site.logs / name for name in ("a.log", "a.log.1", "a.log.2"))
    for generation, path in enumerate((oldest, older, newest)):
        path.write_bytes(lines(site, "a", generation, 100 + generation))
    for generation in range(3, 7):
        site.assert_delivered()
        wait_until_closed(collector, newest, older, oldest)
        collector.freeze()
        gone = oldest.rename(site.logs / ".gone")
        older.rename(oldest)
        newest.rename(older)
        late = make_line("a", generation - 1, len(site.written["a", generation - 1]))
        site.written["a", generation - 1].append(late)
        with older.open("ab") as file:
            file.write(late)
        recycle(gone, newest, lines(site, "a", generation, 100 + generation))
        collector.thaw()
    site.assert_delivered()


@pytest.mark.case(34)
def test_a_new_file_that_has_the_same_bytes_before_the_position_and_another_head_is_new(recycled: Site) -> None:
    site = recycled
    same = b"=" * TAIL_SIZE + b"\n"
    path = site.logs / "a.log"
    path.write_bytes(b"one\n" + same)
    site.aggregator()
    collector = site.collector(close_inactive="50ms")
    site.wait_for_bytes(path.stat().st_size)
    wait_until_closed(collector, path)
    collector.freeze()
    recycle(path, path, b"two\n" + same + b"more\n")
    collector.thaw()
    expected = b"one\n" + same + b"two\n" + same + b"more\n"
    until(lambda: site.size() >= len(expected), "its head was passed over", timeout=15)
    quiet(site.size, "the destination")
    assert site.output() == expected


@pytest.mark.case(34)
def test_a_file_that_is_held_open_keeps_its_number_to_itself(recycled: Site) -> None:
    site = recycled
    site.aggregator()
    collector = site.collector()
    path = site.logs / "a.log"
    path.write_bytes(lines(site, "a", 0, 100))
    for generation in range(1, 6):
        site.assert_delivered()
        assert collector.holds(path)
        inode = path.stat().st_ino
        path.unlink()
        path.write_bytes(lines(site, "a", generation, 20 * generation))
        assert path.stat().st_ino != inode
    site.assert_delivered()


@pytest.mark.case(35)
def test_a_number_that_was_given_again_while_nobody_looked_is_another_file(recycled: Site) -> None:
    site = recycled
    site.aggregator()
    path = site.logs / "a.log"
    path.write_bytes(lines(site, "a", 0, 100))
    collector = site.collector()
    for generation, (name, count) in enumerate([("a", 50), ("a", 50), ("b", 150)], 1):
        site.assert_delivered()
        assert collector.stop() == 0
        gone, path = path, site.logs / f"{name}.log"
        recycle(gone, path, lines(site, name, generation, count))
        collector = site.collector()
    site.assert_delivered()
    assert collector.stop() == 0
    assert positions(site.directory / "collector")["b.log"] == path.stat().st_size


@pytest.mark.case(35)
def test_a_number_that_was_given_again_is_another_file_to_a_ledger_that_knows_nothing(recycled: Site) -> None:
    """The checkpoint alone tells, then."""
    site = recycled
    path = site.logs / "a.log"
    path.write_bytes(lines(site, "a", 0, 50))
    aggregator, collector = site.both()
    site.assert_delivered()
    for process in (collector, aggregator):
        assert process.stop() == 0
    shutil.rmtree(site.directory / "aggregator")
    recycle(path, path, lines(site, "a", 1, 150))
    site.both()
    site.assert_delivered()


@pytest.mark.case(35, 59)
def test_a_file_that_vanished_while_nobody_looked_is_told_once_and_forgotten(site: Site) -> None:
    aggregator = site.aggregator()
    kept, gone = site.writer("kept.log"), site.writer("gone.log")
    kept.write(10)
    gone.write(10)
    collector = site.collector()
    site.assert_delivered()
    assert collector.stop() == 0
    gone.path.unlink()
    collector = site.collector()
    for half in (collector, aggregator):
        half.wait_for("source_lost", path=str(gone.path), start=sum(map(len, gone.lines)), end=None)
    kept.write(10)
    site.assert_delivered()
    assert collector.stop() == 0
    assert list(positions(site.directory / "collector")) == ["kept.log"]
    collector = site.collector()
    kept.write(10)
    site.assert_delivered()
    assert not collector.events("source_lost"), "it is told once"


# The same numbers, the same bytes


@pytest.fixture
def disks(site: Site) -> Iterator["Disks"]:
    with Disks(site) as disks:
        yield disks


class Disks:
    """Two filesystems, below the site's logs, that number their files alike: `one` and `two`, in a namespace.

    From outside they are seen through the process that holds them; `wrapper` starts a collector in the namespace.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._names = [site.logs / name for name in ("one", "two")]

    def __enter__(self) -> Self:
        mount = 'for each in "$@"; do mkdir "$each" && mount -t tmpfs tmpfs "$each" || exit; done; echo && exec cat'
        self._holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh", *self._names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._holder.stdout
        if shutil.which("nsenter") is None or not self._holder.stdout.readline():
            self.__exit__()
            pytest.skip("this machine allows no user namespaces, in which filesystems could be mounted")
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.communicate()

    @property
    def wrapper(self) -> Sequence[str]:
        return ("nsenter", f"--target={self._holder.pid}", "--user", "--mount", "--preserve-credentials")

    @property
    def paths(self) -> str:
        return "\n".join(f"{name}/*.log" for name in self._names)

    def make(self, name: str) -> tuple[Path, Path]:
        """Files of one name on both, as they are seen from outside."""
        one, two = (Path(f"/proc/{self._holder.pid}/root{each}/{name}") for each in self._names)
        one.touch()
        two.touch()
        assert one.stat().st_ino == two.stat().st_ino, "the numbers differ"
        assert one.stat().st_dev != two.stat().st_dev
        return one, two


@pytest.mark.case(36)
def test_one_number_on_two_filesystems_is_two_files(site: Site, disks: Disks) -> None:
    site.aggregator()
    one, two = disks.make("a.log")
    for generation in range(2):
        collector = site.collector(paths=disks.paths, wrapper=disks.wrapper)
        for name, path in (("one", one), ("two", two)):
            with path.open("ab") as file:
                file.write(lines(site, name, generation, 100 + len(name) * generation))
        site.assert_delivered()
        assert len(collector.events("file_followed")) == 2
        assert collector.stop() == 0
    noted = {(entry.device, entry.inode): entry.position for entry in entries(site.directory / "collector")}
    assert noted == {(path.stat().st_dev, path.stat().st_ino): path.stat().st_size for path in (one, two)}


@pytest.mark.case(36)
def test_one_number_and_one_content_on_two_filesystems_is_still_two_files(site: Site, disks: Disks) -> None:
    site.aggregator()
    one, two = disks.make("a.log")
    one.write_bytes(b"the same\n" * 100)
    two.write_bytes(b"the same\n" * 50)
    size = 150 * len("the same\n")
    for more in (b"of one\n", b""):
        collector = site.collector(paths=disks.paths, wrapper=disks.wrapper)
        site.wait_for_bytes(size)
        collector.wait_for("file_followed", count=2)
        quiet(site.size, "the destination")
        assert site.size() == size
        assert collector.stop() == 0
        with one.open("ab") as file:
            file.write(more)
        size += len(more)
    assert Counter(site.output().splitlines()) == {b"the same": 150, b"of one": 1}


@pytest.mark.case(36)
@pytest.mark.parametrize("ledger_is_lost", [False, True])
def test_a_device_that_has_another_number_after_a_reboot_holds_the_same_files(
    site: Site, *, ledger_is_lost: bool
) -> None:
    writers = [site.writer(name) for name in ("a.log", "b.log")]
    for writer in writers:
        writer.write(100)
    both = site.both()
    site.assert_delivered()
    for process in reversed(both):
        assert process.stop() == 0
    checkpoint = Checkpoint(site.directory / "collector")
    for entry in list(checkpoint.entries.values()):
        checkpoint.put(replace(entry, device=entry.device + 1))
    checkpoint.flush()
    checkpoint.close()
    if ledger_is_lost:
        shutil.rmtree(site.directory / "aggregator")
    for writer in writers:
        writer.write(10)
    site.both()
    site.assert_delivered()


SHORT = b"aaaaaaaaaaa\n"


def assert_says(site: Site, *said: bytes) -> None:
    """These lines, in any order, and no more."""
    site.wait_for_bytes(sum(map(len, said)))
    quiet(site.size, "the destination")
    assert Counter(site.output().splitlines(keepends=True)) == Counter(said)


@pytest.mark.case(37)
def test_short_files_that_are_alike_are_each_shipped_and_go_their_own_ways(site: Site) -> None:
    one, two = site.logs / "one.log", site.logs / "two.log"
    for path in (one, two):
        path.write_bytes(SHORT)
    site.aggregator()
    collector = site.collector(close_inactive="50ms")
    assert_says(site, SHORT, SHORT)
    append(one, b"one grows\n")
    assert_says(site, SHORT, SHORT, b"one grows\n")
    append(two, b"two too\n")
    assert_says(site, SHORT, SHORT, b"one grows\n", b"two too\n")
    assert collector.stop() == 0
    assert positions(site.directory / "collector") == {path.name: path.stat().st_size for path in (one, two)}


@pytest.mark.case(37)
@pytest.mark.parametrize("ledger_is_lost", [False, True])
def test_of_short_files_that_are_alike_one_is_removed_and_the_other_grows_while_nobody_looks(
    site: Site, *, ledger_is_lost: bool
) -> None:
    one, two = site.logs / "one.log", site.logs / "two.log"
    for path in (one, two):
        path.write_bytes(SHORT)
    both = site.both()
    assert_says(site, SHORT, SHORT)
    for process in reversed(both):
        assert process.stop() == 0
    if ledger_is_lost:
        shutil.rmtree(site.directory / "aggregator")
    one.unlink()
    append(two, b"two grows\n")
    _, collector = site.both()
    assert_says(site, SHORT, SHORT, b"two grows\n")
    assert collector.stop() == 0
    assert positions(site.directory / "collector")["two.log"] == two.stat().st_size


@pytest.mark.case(38)
def test_fifty_files_with_the_same_first_64_kibibytes_are_fifty_files(site: Site) -> None:
    same = b"".join(b"# the licence, line %d: all rights reserved\n" % number for number in range(1500))
    assert len(same) > 64 << 10
    names = [f"f{number}" for number in range(50)]
    for name in names:
        (site.logs / f"{name}.log").write_bytes(same + lines(site, name, 0, 3))
    both = site.aggregator(), site.collector(paths=str(site.logs / "*.log*"))
    assert_all_there(site, same * len(names))
    # One after the other they go on, under their own name or a new one.
    for number, name in enumerate(names):
        path = site.logs / f"{name}.log"
        if number % 2:
            path = path.rename(f"{path}.1")
        append(path, lines(site, name, 1, number % 5 + 1))
    assert_all_there(site, same * len(names))
    assert both[1].stop() == 0
    for name in names[::3]:
        path = next(site.logs.glob(f"{name}.log*"))
        append(path, lines(site, name, 2, 4))
    collector = site.collector(paths=str(site.logs / "*.log*"))
    assert_all_there(site, same * len(names))
    assert collector.stop() == 0
    sizes = {path.name: path.stat().st_size for path in site.logs.iterdir()}
    assert positions(site.directory / "collector") == sizes


def assert_all_there(site: Site, same: bytes) -> None:
    """Besides what the site knows that was written, exactly this many lines of what is the same everywhere."""
    site.wait_for_bytes(site.bytes_written + len(same))
    quiet(site.size, "the destination")
    found = site.output().splitlines(keepends=True)
    assert Counter(line for line in found if line.startswith(b"#")) == Counter(same.splitlines(keepends=True))
    assert_exactly(b"".join(line for line in found if not line.startswith(b"#")), site.written)


# Links


class Containers:
    """What a Kubernetes node shows of a container: containers/ -> pods/ -> what the runtime writes."""

    def __init__(self, site: Site) -> None:
        self._site = site
        root = site.logs
        self.link = root / "containers" / "p_ns_c-ID.log"
        self.pod = root / "pods" / "ns_p_uid" / "c"
        self.runtime = root / "docker" / "ID" / "ID-json.log"
        for directory in (self.link.parent, self.pod, self.runtime.parent):
            directory.mkdir(parents=True)
        self._generation = 0

    @property
    def patterns(self) -> str:
        return str(self.link.parent / "*.log")

    def write(self, path: Path, count: int, *, anew: bool = False) -> None:
        """Lines to that file, which is the same as before unless it is begun anew."""
        self._generation += anew
        fresh = self._site.written.setdefault(("c", self._generation), [])
        more = [make_line("c", self._generation, len(fresh) + each) for each in range(count)]
        fresh.extend(more)
        append(path, b"".join(more))


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def point(link: Path, target: Path) -> None:
    """Let a link lead there, in one step."""
    fresh = link.with_name(".fresh")
    fresh.symlink_to(target)
    fresh.replace(link)


@pytest.fixture
def containers(site: Site) -> Containers:
    return Containers(site)


@pytest.mark.case(39)
def test_a_container_s_log_is_followed_through_every_rotation_of_its_links(
    site: Site, containers: Containers, watch: str
) -> None:
    site.aggregator()
    # (f) The link in the middle leads nowhere yet.
    first = containers.pod / "0.log"
    containers.link.symlink_to(first)
    first.symlink_to(containers.runtime)
    collector = site.collector(watch=watch, paths=containers.patterns)
    collector.wait_for("not_followed", path=str(containers.link))
    quiet(lambda: len(collector.events("not_followed")), "a link to nothing")
    # (a) It resolves, and grows.
    containers.write(containers.runtime, 100)
    site.assert_delivered()
    containers.write(containers.runtime, 100)
    site.assert_delivered()
    # (b) The runtime rotates; the links stay. The old file still gets a line.
    for number in (1, 2):
        containers.write(containers.runtime, 10)
        rotated = containers.runtime.rename(f"{containers.runtime}.{number}")
        containers.write(rotated, 1)
        containers.write(containers.runtime, 100, anew=True)
        site.assert_delivered()
    # (c) The container is started anew: another link in the middle, and the first one replaced.
    second, restarted = containers.pod / "1.log", containers.runtime.with_name("ID2-json.log")
    containers.write(containers.runtime, 10)
    containers.write(restarted, 100, anew=True)
    second.symlink_to(restarted)
    point(containers.link, second)
    site.assert_delivered()
    # (d) The kubelet rotates what the runtime writes to the pod's directory itself, and compresses it.
    second.unlink()
    containers.write(second, 100, anew=True)
    site.assert_delivered()
    containers.write(second, 10)
    rotated = second.rename(f"{second}.20260102-030405")
    containers.write(second, 10, anew=True)
    subprocess.run(["gzip", rotated], check=True)
    site.assert_delivered()
    assert {event["path"] for event in collector.events("file_followed")} == {str(containers.link)}
    assert not collector.events("source_lost")
    assert not collector.events("source_truncated")


@pytest.mark.case(39)
def test_a_pod_that_is_deleted_gives_what_was_not_read_and_is_let_go(site: Site, containers: Containers) -> None:
    first = containers.pod / "0.log"
    containers.write(containers.runtime, 100)
    containers.link.symlink_to(first)
    first.symlink_to(containers.runtime)
    aggregator = site.aggregator()
    collector = site.collector(paths=containers.patterns, window_size="64KiB", max_line_size="16KiB")
    site.assert_delivered()
    aggregator.freeze()
    containers.write(containers.runtime, 10_000)
    held = containers.runtime.with_name("held")
    os.link(containers.runtime, held)  # to see later whether it is open: no pattern matches this name
    for path in (containers.link, first, containers.runtime):
        path.unlink()
    shutil.rmtree(site.logs / "pods")
    assert collector.wait_for("file_gone")["path"] == str(containers.link)
    assert collector.holds(held)
    aggregator.thaw()
    site.assert_delivered()
    assert collector.wait_for("file_retired")["path"] == str(containers.link)
    until(lambda: not collector.holds(held), "what is read to its end should be let go")
    assert not collector.events("source_lost")


@pytest.mark.case(40)
def test_a_link_that_leads_to_one_file_after_the_other_gives_all_of_them(site: Site, watch: str) -> None:
    site.aggregator()
    link = site.logs / "current.log"
    # Only the link is matched.
    collector = site.collector(watch=watch, paths=str(link), poll_interval="20ms")
    for number in range(30):
        target = site.logs / f"file{number}"
        target.write_bytes(lines(site, "file", number, 100))
        point(link, target)
        # A file that the link shows for less than a look is one that nobody can know of.
        collector.wait_for("file_followed", count=number + 1)
    site.assert_delivered()


@pytest.mark.case(40)
def test_what_the_old_target_of_a_link_still_gets_is_shipped(site: Site) -> None:
    site.aggregator()
    link = site.logs / "current.log"
    collector = site.collector(paths=str(link), rotate_wait="1m")
    writers = [site.writer(f"file{number}") for number in range(3)]
    for number, writer in enumerate(writers):
        writer.write(100)
        point(link, writer.path)
        collector.wait_for("file_followed", count=number + 1)
        if number:
            # When nothing of it is in flight any more, for which it would be held open anyway.
            site.assert_delivered()
            writers[number - 1].write(10)
    site.assert_delivered()


@pytest.mark.case(40)
def test_what_the_old_target_of_a_link_got_is_shipped_though_the_link_was_moved_while_nobody_looked(
    site: Site, watch: str
) -> None:
    site.aggregator()
    link = site.directory / "current.log"
    blue, green = site.writer("blue"), site.writer("green")
    blue.write(100)
    point(link, blue.path)
    collector = site.collector(watch=watch, paths=str(link))
    site.assert_delivered()
    collector.stop()
    blue.write(10)
    green.write(100)
    point(link, green.path)
    again = site.collector(watch=watch, paths=str(link), rotate_wait="50ms")
    site.assert_delivered()
    again.wait_for("file_retired")
    point(link, blue.path)
    again.wait_for("file_followed", count=3)
    blue.write(10)
    site.assert_delivered()


@pytest.mark.case(40)
def test_a_link_that_leads_back_to_an_earlier_file_gives_only_what_is_new(site: Site) -> None:
    site.aggregator()
    link = site.logs / "current.log"
    blue, green = site.writer("blue"), site.writer("green")
    collector = site.collector(paths=str(link), rotate_wait="50ms")
    for number, writer in enumerate((blue, green, blue, green)):
        writer.write(100)
        point(link, writer.path)
        collector.wait_for("file_followed", count=number + 1)
        if number:
            collector.wait_for("file_retired", count=number)
    site.assert_delivered()


@pytest.mark.case(41)
def test_all_names_of_a_file_are_one_source_and_it_ends_with_the_last_of_them(site: Site, watch: str) -> None:
    site.aggregator()
    writer = site.writer("b.log")
    hard, soft = site.logs / "a.log", site.logs / "c.log"
    hard.hardlink_to(writer.path)
    soft.symlink_to(writer.path)
    writer.write(100)
    collector = site.collector(watch=watch)
    site.assert_delivered()
    assert [event["path"] for event in collector.events("file_followed")] == [str(hard)]
    # Names go one by one, the one that it goes by first; then one comes back.
    soft.unlink()
    soft.symlink_to(writer.path)
    hard.unlink()
    writer.write(10)
    site.assert_delivered()
    soft.unlink()
    writer.write(10)
    site.assert_delivered()
    hard.hardlink_to(writer.path)
    writer.write(10)
    site.assert_delivered()
    hard.unlink()
    held = site.logs / "held"
    held.hardlink_to(writer.path)
    writer.path.unlink()
    writer.write(10)
    site.assert_delivered()
    collector.wait_for("file_retired")
    until(lambda: not collector.holds(held), "without a name it is let go")
    assert len(collector.events("file_followed")) == 1


@pytest.mark.case(41)
def test_what_is_written_by_a_name_elsewhere_is_found_by_the_one_in_the_pattern(site: Site, watch: str) -> None:
    """In a directory that is not watched: nothing tells of it there."""
    site.aggregator()
    site.collector(watch=watch)
    site.writer("b.log").write(1)
    site.assert_delivered()
    writer = site.writer("../elsewhere")
    writer.write(10)
    (site.logs / "a.log").hardlink_to(writer.path)
    site.assert_delivered()
    writer.write(10)
    _assert_delivered_soon(site)


@pytest.mark.case(41)
def test_what_is_written_by_a_name_that_was_removed_while_nobody_looked_is_found_by_the_other(
    site: Site, watch: str
) -> None:
    """inotify(7) tells of it by the name by which it was opened."""
    site.aggregator()
    collector = site.collector(watch=watch)
    writer = site.writer("a.log")
    writer.write(10)
    site.assert_delivered()
    assert collector.stop() == 0
    (site.logs / "b.log").hardlink_to(writer.path)
    writer.path.unlink()
    site.collector(watch=watch).wait_for("file_followed", path=str(site.logs / "b.log"))
    site.assert_delivered()
    writer.write(10)
    _assert_delivered_soon(site)


def _assert_delivered_soon(site: Site) -> None:
    """Sooner than by a scan that nothing asked for, half a minute after the last."""
    until(lambda: site.size() >= site.bytes_written, "what was written should be found soon", 20)
    site.assert_delivered()


# Replaced


@pytest.mark.case(42)
def test_a_file_that_is_replaced_is_a_new_one_and_is_read_whole(site: Site) -> None:
    path = site.logs / "a.log"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(10)))
    said = path.read_bytes().splitlines(keepends=True)
    site.aggregator()
    collector = site.collector()
    assert_says(site, *said)
    # As rsync and editors do: all of it and one line more, beside, and renamed over.
    beside = site.logs / ".a.log.part"
    beside.write_bytes(path.read_bytes() + b"line 10\n")
    beside.replace(path)
    said += path.read_bytes().splitlines(keepends=True)
    assert_says(site, *said)
    # In place, as it is called.
    subprocess.run(["sed", "-i", "s/line/LINE/", path], check=True)
    said += path.read_bytes().splitlines(keepends=True)
    assert_says(site, *said)
    # A copy that matches too.
    shutil.copyfile(path, site.logs / "copy.log")
    said += path.read_bytes().splitlines(keepends=True)
    assert_says(site, *said)
    append(path, b"after all\n")
    assert_says(site, *said, b"after all\n")
    assert not collector.events("source_lost")


# Markers of other lengths


@pytest.mark.case(43)
def test_a_checkpoint_with_markers_of_another_length_is_gone_on_with(site: Site) -> None:
    tails = {HEAD_SIZE: TAIL_SIZE, 0: 16, 1: 1, 100: 16, HEAD_SIZE // 2: TAIL_SIZE // 2, 2 * HEAD_SIZE: TAIL_SIZE}
    writers = {site.writer(f"{head}.log"): (head, tail) for head, tail in tails.items()}
    for writer in writers:
        writer.write(100)
    both = site.both()
    site.assert_delivered()
    for process in reversed(both):
        assert process.stop() == 0
    checkpoint = Checkpoint(site.directory / "collector")
    noted = {Path(entry.path.decode()): entry for entry in checkpoint.entries.values()}
    for writer, (head, tail) in writers.items():
        data, entry = writer.path.read_bytes(), noted[writer.path]
        assert entry.position == len(data)
        checkpoint.put(replace(entry, head=Marker.of(data[:head]), before=Marker.of(data[len(data) - tail :])))
        writer.write(10)
    checkpoint.flush()
    checkpoint.close()
    # Nothing else knows of them.
    shutil.rmtree(site.directory / "aggregator")
    site.both()
    site.assert_delivered()


@pytest.mark.case(43)
def test_a_file_is_recognised_however_little_of_it_was_there_when_it_was_first_seen(site: Site) -> None:
    """The marker of its head is as long as the file was then, and grows: lengths of lines do not matter."""
    names = [f"f{size}.log" for size in (0, 1, 7, 1022, 1023, 1024, 1025)]
    for name in names:
        (site.logs / name).write_bytes(b"\n" * int(name[1:-4]))
    size = sum(int(name[1:-4]) for name in names)
    site.aggregator()
    for round_ in range(3):
        collector = site.collector()
        collector.wait_for("file_followed", count=len(names))
        site.wait_for_bytes(size)
        quiet(site.size, "the destination")
        assert site.size() == size
        for name in names:
            append(site.logs / name, f"{name} {round_}\n".encode())
            size += len(f"{name} {round_}\n")
        site.wait_for_bytes(size)
        assert collector.stop() == 0
    assert positions(site.directory / "collector") == {name: (site.logs / name).stat().st_size for name in names}
