"""Being told by the kernel, in real directories."""

import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mega_collector.collector.finding.watch import Events, Watch

DEADLINE = 10.0


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    watch.close()


def settle(watch: Watch, *directories: Path) -> None:
    """Watch these, and take what that tells by itself."""
    watch.update({bytes(directory) for directory in directories})
    watch.read()
    while readable(watch, 0):
        watch.read()


def readable(watch: Watch, timeout: float) -> bool:
    poller = select.poll()
    poller.register(watch.fileno(), select.POLLIN)
    return bool(poller.poll(timeout * 1000))


def wait(watch: Watch, until: Callable[[Events], bool]) -> Events:
    """Everything that is told until it is enough."""
    told = Events()
    deadline = time.monotonic() + DEADLINE
    while not until(told):
        assert readable(watch, deadline - time.monotonic()), told
        events = watch.read()
        told.changed |= events.changed
        told.named |= events.named
        told.rescan |= events.rescan
    return told


def rescan(events: Events) -> bool:
    return events.rescan


def drain(watch: Watch) -> Events:
    """What is told already: the kernel queues an event before the call that caused it returns."""
    told = Events()
    while readable(watch, 0):
        events = watch.read()
        told.changed |= events.changed
        told.named |= events.named
        told.rescan |= events.rescan
    return told


def test_the_same_again_is_told_again(watch: Watch, tmp_path: Path) -> None:
    settle(watch, tmp_path)
    for _ in range(3):
        with (tmp_path / "a").open("ab") as file:
            drain(watch)
            file.write(b"more")
            file.flush()
            assert watch.read().changed == {bytes(tmp_path / "a")}
        drain(watch)


def test_the_same_again_is_told_by_all_names_that_the_directory_has_by_then(watch: Watch, tmp_path: Path) -> None:
    directory, link = tmp_path / "directory", tmp_path / "link"
    directory.mkdir()
    link.symlink_to(directory)
    settle(watch, directory)
    with (directory / "a").open("ab", buffering=0) as file:
        drain(watch)
        for watched in ([directory], [directory, link], [link]):
            settle(watch, *watched)
            file.write(b"more")
            assert watch.read().changed == {bytes(each / "a") for each in watched}


def test_a_write_tells_the_file_and_asks_for_no_scan(watch: Watch, tmp_path: Path) -> None:
    path = tmp_path / "with space\nand \udcff.log"
    with path.open("wb", buffering=0) as file:
        settle(watch, tmp_path)
        file.write(b"line\n")
        assert drain(watch) == Events({bytes(path)})
    # Closed: said once more.
    assert drain(watch) == Events({bytes(path)})


def test_a_truncation_tells_the_file(watch: Watch, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"line\n")
    settle(watch, tmp_path)
    os.truncate(path, 0)
    assert drain(watch) == Events({bytes(path)})


@pytest.mark.parametrize(
    ("act", "names"),
    [
        (lambda path: path.with_name("new").touch(), {"new"}),
        (lambda path: path.unlink(), {"a.log"}),
        (lambda path: path.rename(path.with_name("renamed")), {"a.log", "renamed"}),
        (lambda path: path.rename(path.parent.parent / "away"), {"a.log"}),
        (lambda path: (path.parent.parent / "outside").rename(path.with_name("moved in")), {"moved in"}),
        (lambda path: path.with_name("link").symlink_to("anywhere"), {"link"}),
        (lambda path: path.with_name("hard").hardlink_to(path), {"hard"}),
        (lambda path: path.chmod(0o600), {"a.log"}),
    ],
    ids=["create", "unlink", "rename", "move out", "move in", "symlink", "hard link", "chmod"],
)
def test_names_and_modes_that_change_are_told(
    watch: Watch, tmp_path: Path, act: Callable[[Path], object], names: set[str]
) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    (tmp_path / "outside").touch()
    path = directory / "a.log"
    path.touch()
    settle(watch, directory)
    act(path)
    told = drain(watch)
    assert told.named == {bytes(directory / name) for name in names}
    assert not told.rescan


@pytest.mark.parametrize(
    "act",
    [
        lambda path: (path / "new").mkdir(),
        lambda path: (path / "sub").rmdir(),
        lambda path: (path / "sub").rename(path / "renamed"),
        lambda path: (path / "sub").chmod(0o700),
        lambda path: path.chmod(0o700),
        lambda path: path.rename(path.with_name("renamed")),
    ],
    ids=["mkdir", "rmdir", "rename", "chmod below", "chmod", "rename itself"],
)
def test_directories_that_change_ask_for_a_scan(watch: Watch, tmp_path: Path, act: Callable[[Path], object]) -> None:
    directory = tmp_path / "logs"
    (directory / "sub").mkdir(parents=True)
    settle(watch, directory)
    act(directory)
    told = drain(watch)
    assert told.rescan
    assert not told.named


def test_nothing_is_told_when_nothing_happens(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"line\n")
    settle(watch, tmp_path)
    (tmp_path / "a.log").read_bytes()
    list(tmp_path.iterdir())
    settled = watch.read()
    assert settled == Events()
    assert not readable(watch, 0)


def test_a_new_watch_asks_for_a_scan_once(watch: Watch, tmp_path: Path) -> None:
    watch.update({bytes(tmp_path)})
    assert watch.read().rescan
    watch.update({bytes(tmp_path)})
    assert not watch.read().rescan


def test_what_is_no_longer_wanted_tells_nothing(watch: Watch, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    settle(watch, tmp_path / "one", tmp_path / "two")
    (tmp_path / "one" / "in the queue").touch()
    watch.update({bytes(tmp_path / "two")})
    assert drain(watch) == Events()
    (tmp_path / "one" / "after that").touch()
    assert not readable(watch, 0)
    (tmp_path / "two" / "a.log").touch()
    assert drain(watch).named == {bytes(tmp_path / "two" / "a.log")}


@pytest.mark.case(93)
def test_a_directory_that_is_deleted_and_made_again_is_watched_again(watch: Watch, tmp_path: Path) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    settle(watch, directory)
    for _ in range(3):
        shutil.rmtree(directory)
        assert drain(watch).rescan
        settle(watch, directory)
        assert watch.trusted
        directory.mkdir()
        settle(watch, directory)
        (directory / "a.log").touch()
        assert drain(watch).named == {bytes(directory / "a.log")}


@pytest.mark.case(93)
def test_a_directory_that_is_deleted_makes_no_busy_loop(watch: Watch, tmp_path: Path) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    settle(watch, directory)
    directory.rmdir()
    assert drain(watch).rescan
    for _ in range(3):
        watch.update({bytes(directory)})
        assert watch.read() == Events()
        assert not readable(watch, 0)


def test_a_directory_that_is_renamed_is_not_taken_for_the_one_that_follows_it(watch: Watch, tmp_path: Path) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    (directory / "a.log").touch()
    settle(watch, directory)
    directory.rename(tmp_path / "old")
    assert drain(watch).rescan
    directory.mkdir()
    settle(watch, directory)
    (tmp_path / "old" / "a.log").write_bytes(b"line\n")
    assert drain(watch) == Events()
    (directory / "a.log").touch()
    assert drain(watch).named == {bytes(directory / "a.log")}


def test_a_parent_that_is_replaced_is_noticed_by_the_next_update(watch: Watch, tmp_path: Path) -> None:
    directory = tmp_path / "parent" / "logs"
    directory.mkdir(parents=True)
    settle(watch, directory)
    (tmp_path / "parent").rename(tmp_path / "old")
    directory.mkdir(parents=True)
    settle(watch, directory)
    (directory / "a.log").touch()
    assert drain(watch).named == {bytes(directory / "a.log")}


def test_a_link_to_a_directory_that_is_turned_elsewhere_is_noticed_by_the_next_update(
    watch: Watch, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    link = tmp_path / "link"
    link.symlink_to("one")
    settle(watch, link)
    link.unlink()
    link.symlink_to("two")
    settle(watch, link)
    (tmp_path / "two" / "a.log").write_bytes(b"line\n")
    assert bytes(link / "a.log") in drain(watch).changed


def test_one_directory_by_two_names_is_told_by_both_until_both_are_gone(watch: Watch, tmp_path: Path) -> None:
    directory, link = tmp_path / "logs", tmp_path / "link"
    directory.mkdir()
    link.symlink_to("logs")
    path = directory / "a.log"
    path.touch()
    settle(watch, directory, link)
    os.truncate(path, 10)
    assert drain(watch).changed == {bytes(path), bytes(link / "a.log")}
    watch.update({bytes(link)})
    assert watch.read() == Events()
    os.truncate(path, 20)
    assert drain(watch).changed == {bytes(link / "a.log")}
    settle(watch)
    os.truncate(path, 30)
    assert drain(watch) == Events()


@pytest.mark.case(89)
def test_events_that_were_lost_ask_for_a_scan_and_the_watch_goes_on(watch: Watch, tmp_path: Path) -> None:
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if most > 1 << 17:
        pytest.skip(f"the queue holds {most} events")
    files = [os.open(tmp_path / name, os.O_WRONLY | os.O_CREAT) for name in ("a", "b")]
    settle(watch, tmp_path)
    # One after the other: the kernel tells the same twice in a row only once.
    for count in range(most + 2):
        os.write(files[count % 2], b"x")
    told = drain(watch)
    assert told.rescan
    assert told.changed == {bytes(tmp_path / "a"), bytes(tmp_path / "b")}
    assert watch.trusted
    os.write(files[0], b"x")
    assert drain(watch) == Events({bytes(tmp_path / "a")})
    for file in files:
        os.close(file)


def test_a_file_and_what_is_missing_are_passed_over(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    settle(watch, tmp_path / "missing", tmp_path / "file", tmp_path / "loop", tmp_path / "file" / "below")
    assert watch.trusted


def test_a_closed_watch_tells_nothing(tmp_path: Path) -> None:
    watch = Watch()
    watch.close()
    watch.close()
    watch.update({bytes(tmp_path)})
    assert watch.read() == Events()
    assert watch.fileno() < 0


def child(program: str, *arguments: str | Path) -> str:
    source = Path(__file__).parent.parent.parent / "src"
    environment = {**os.environ, "PYTHONPATH": str(source)}
    done = subprocess.run(
        [*arguments, sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def namespace_with(limit: str) -> list[str]:
    """What a program is started with to have that limit for itself."""
    namespace = ["unshare", "-Ur", "--"]
    if shutil.which("unshare") is None or subprocess.run([*namespace, "true"], check=False).returncode:
        pytest.skip("no namespace of users can be made")
    if not Path(f"/proc/sys/user/{limit}").exists():
        pytest.skip("the kernel has no such limit")
    return namespace


@pytest.mark.case(87)
def test_without_descriptors_there_is_no_watch_and_it_says_why() -> None:
    program = """
import os, resource
from mega_collector.collector.finding.watch import Events, Watch
highest = os.open("/", os.O_RDONLY)
resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, highest + 1))
watch = Watch()
assert watch.fileno() < 0
watch.update({b"/"})
assert watch.read() == Events()
assert not watch.trusted
watch.close()
print(watch.failure)
"""
    assert child(program).startswith("inotify: Too many open files")


@pytest.mark.case(87)
def test_exhausted_instances_are_told_and_found_again_when_there_are_more(tmp_path: Path) -> None:
    program = f"""
import os
from pathlib import Path
from mega_collector.collector.finding.watch import Events, Watch
most = Path("/proc/sys/user/max_inotify_instances")
most.write_text("0")
watch = Watch()
wanted = {{os.fsencode({str(tmp_path)!r})}}
watch.update(wanted)
assert not watch.trusted
assert watch.fileno() < 0
print(watch.failure)
most.write_text("100")
watch.update(wanted)
assert watch.trusted, watch.failure
assert watch.read().rescan
Path({str(tmp_path)!r}, "a.log").write_bytes(b"line")
assert watch.read().changed == {{os.fsencode({str(tmp_path / "a.log")!r})}}
"""
    said = child(program, *namespace_with("max_inotify_instances"))
    assert said == "inotify: Too many open files (fs.inotify.max_user_instances)"


@pytest.mark.case(87)
def test_exhausted_watches_are_told_and_found_again_when_there_are_more(tmp_path: Path) -> None:
    program = f"""
import os
from pathlib import Path
from mega_collector.collector.finding.watch import Watch
most = Path("/proc/sys/user/max_inotify_watches")
watch = Watch()
most.write_text("1")
wanted = {{os.fsencode(each) for each in ({str(tmp_path)!r}, "/", "/usr")}}
watch.update(wanted)
print(watch.failure.split(": ")[1])
most.write_text("100")
watch.update(wanted)
assert watch.trusted, watch.failure
"""
    said = child(program, *namespace_with("max_inotify_watches"))
    assert said == "too many watches (fs.inotify.max_user_watches)"


def test_a_directory_that_may_not_be_read_cannot_be_trusted(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root, and setpriv")
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    for path in (tmp_path, *tmp_path.parents[:3]):
        path.chmod(0o755)
    program = f"""
from mega_collector.collector.finding.watch import Watch
watch = Watch()
watch.update({{{bytes(hidden)!r}}})
print(watch.failure)
"""
    said = child(program, "setpriv", "--reuid=65534", "--clear-groups", "--")
    assert said == f"inotify of {hidden}: Permission denied"
