"""What is known from looking at single names is what a scan would find: random histories of real directories."""

import contextlib
import math
import os
import select
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings, strategies as st

from mega_collector.collector.finding.discovery import Discovery, FileFacts, Scan
from mega_collector.collector.finding.finder import Finder
from mega_collector.collector.finding.roster import Appeared, Identity, Renamed, Roster
from mega_collector.collector.finding.slices import Slices
from mega_collector.collector.finding.watch import Watch


class Counted(Discovery):
    """Counts its scans."""

    scans = 0

    def steps(self, scan: Scan) -> Iterator[None]:
        self.scans += 1
        return super().steps(scan)


class Watched(Slices):
    """Shows how far a scan has come."""

    latest = Scan()

    def scan(self) -> Scan:
        self.latest = super().scan()
        return self.latest


class Followed:
    """A finder whose files are followed as a tailer does it, at times of its own."""

    def __init__(self, root: Path, patterns: list[str], exclude: list[str], *, slices: bool) -> None:
        self._patterns = [bytes(root / each) for each in patterns], [bytes(root / each) for each in exclude]
        self.discovery = Counted(*self._patterns)
        self._watch = Watch()
        # A slice of no time is one step: everything happens while a scan runs.
        sliced = Watched(self.discovery, seconds=0 if slices else math.inf)
        self._sliced = sliced
        self.finder = Finder(discovery=sliced, watch=self._watch, roster=Roster(), poll_interval=1e9)
        self.names: dict[Identity, bytes] = {}
        self.sizes: dict[Identity, int] = {}
        self._now = 0.0
        # What is watched from the first scan on is scanned once more.
        self.catch_up()
        self.catch_up()

    def catch_up(self) -> None:
        """Look until nothing more is told or due soon; never so long that a scan would come by itself."""
        assert self._watch.trusted
        poller = select.poll()
        poller.register(self.finder.fileno(), select.POLLIN)
        looks = 0
        while looks == 0 or self.finder.due < self._now + 1 or poller.poll(0):
            looks += 1
            assert looks < 2000, "it does not come to rest"
            self.look()

    def look(self) -> None:
        """Once, at the time when something is due, if that is soon."""
        self._now = max(self._now, self.finder.due if self.finder.due < self._now + 1 else 0) + 0.001
        for change in self.finder.look(self._now):
            self._take(change)

    def _take(self, change: object) -> None:
        match change:
            case FileFacts(device, inode, size):
                self.sizes[device, inode] = size
            case Appeared(identity, path) | Renamed(identity, bytes() as path):
                self.names[identity] = path
                self.finder.follow(identity, path)
            case Renamed(identity, None):
                del self.names[identity]
                self.finder.forget(identity)

    @property
    def scanning(self) -> bool:
        """Whether a scan has found some of it."""
        return not self._sliced.latest.finished and bool(self._sliced.latest.files)

    def assert_as_scanned(self, linked: Collection[Identity] = ()) -> None:
        """But for the sizes of what was `linked`: of what is written by a name that nothing watches, nothing tells."""
        names: dict[Identity, bytes] = {}
        sizes: dict[Identity, int] = {}
        for path, facts in sorted(Discovery(*self._patterns).scan().files.items()):
            names.setdefault((facts.device, facts.inode), path)
            if (facts.device, facts.inode) not in linked:
                sizes[facts.device, facts.inode] = facts.size
        assert self.names == names
        assert {identity: self.sizes[identity] for identity in sizes} == sizes

    def close(self) -> None:
        self.finder.close()


@contextlib.contextmanager
def followed(*patterns: str, exclude: tuple[str, ...] = (), slices: bool = False) -> Iterator[tuple[Followed, Path]]:
    with TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as directory:
        root = Path(directory)
        (root / "one" / "two").mkdir(parents=True)
        (root / "outside").mkdir()
        (root / "one" / "a.log").write_bytes(b"line\n")
        (root / "outside" / "a.log").write_bytes(b"line\n")
        with contextlib.closing(Followed(root, list(patterns), list(exclude), slices=slices)) as all_of_it:
            yield all_of_it, root


# Whatever happens

PLACES = ["", "one", "one/two", "outside", "link", "one/link"]
NAMES = ["a.log", "b.log", "a.log.1", "other", "link", "two", "one"]
PATHS = st.builds(os.path.join, st.sampled_from(PLACES), st.sampled_from(NAMES))


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def append(path: Path) -> None:
    # A FIFO that nobody reads would hold up whoever opens it.
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK)
    try:
        os.write(file, b"line\n")
    finally:
        os.close(file)


ACTS: dict[str, Callable[[Path, Path], object]] = {
    "append": lambda path, _: append(path),
    "remove": lambda path, _: remove(path),
    "rename": lambda path, to: path.rename(to),
    "hard link": lambda path, to: to.hardlink_to(path),
    "link": lambda path, to: to.symlink_to(path),
    "mkdir": lambda path, _: path.mkdir(),
    "chmod": lambda path, _: path.chmod(0o750),
    "mkfifo": lambda path, _: os.mkfifo(path),
}
BATCH = st.lists(st.tuples(st.sampled_from(list(ACTS)), PATHS, PATHS), min_size=1, max_size=4)

PATTERNS = ["*.log", "one/*.log", "*/*.log", "**/*.log", "one/a.log", "link/*.log", "one/two/*", "**/two/*.log", "*"]


@settings(max_examples=60)
@given(
    patterns=st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3, unique=True),
    exclude=st.sampled_from([(), ("**/b.log",), ("outside/*",)]),
    slices=st.booleans(),
    looks=st.lists(st.booleans()),
    batches=st.lists(BATCH, max_size=8),
)
def test_after_any_history_what_is_known_is_what_a_scan_finds(
    patterns: list[str],
    exclude: tuple[str, ...],
    slices: bool,
    looks: list[bool],
    batches: list[list[tuple[str, str, str]]],
) -> None:
    with followed(*patterns, exclude=exclude, slices=slices) as (all_of_it, root):
        linked: set[Identity] = set()
        for acts in batches:
            for act, path, to in acts:
                with contextlib.suppress(OSError):
                    ACTS[act](root / path, root / to)
                    if act == "hard link":
                        linked.add(((root / to).stat().st_dev, (root / to).stat().st_ino))
                if looks and looks.pop():
                    all_of_it.look()
            all_of_it.catch_up()
            all_of_it.assert_as_scanned(linked)


# What needs no scan


@pytest.mark.parametrize(
    "act",
    [
        lambda root: (root / "new.log").touch(),
        lambda root: (root / "new").touch(),
        lambda root: (root / "a.log").unlink(),
        lambda root: (root / "a.log").rename(root / "b.log"),
        lambda root: (root / "a.log").rename(root / "a.log.1"),
        lambda root: (root / "a.log").rename(root.parent / "outside" / "b.log"),
        lambda root: ((root / "a.log").rename(root / "a.log.1"), (root / "a.log").touch()),
        lambda root: (root.parent / "outside" / "a.log").rename(root / "a.log"),
        lambda root: (root / "b.log").hardlink_to(root / "a.log"),
        lambda root: (root / "a.log").chmod(0o600),
    ],
    ids=["new", "other", "unlink", "rename", "out", "away", "rotate", "replace", "link", "chmod"],
)
@pytest.mark.parametrize("pattern", ["one/*.log", "**/one/*.log"])
def test_a_name_that_comes_goes_or_moves_needs_no_scan(pattern: str, act: Callable[[Path], object]) -> None:
    with followed(pattern) as (all_of_it, root):
        before = all_of_it.discovery.scans
        act(root / "one")
        all_of_it.catch_up()
        assert all_of_it.discovery.scans == before
        all_of_it.assert_as_scanned()


def test_what_a_link_leads_to_is_found_when_it_is_made_whatever_its_name() -> None:
    with followed("one/*.log") as (all_of_it, root):
        (root / "one" / "link.log").symlink_to("other")
        all_of_it.catch_up()
        (root / "one" / "other").touch()
        all_of_it.catch_up()
        assert bytes(root / "one" / "link.log") in all_of_it.names.values()
        all_of_it.assert_as_scanned()


def test_what_goes_while_a_long_scan_runs_is_gone_behind_it() -> None:
    with followed("one/*.log", slices=True) as (all_of_it, root):
        paths = [root / "one" / f"{number}.log" for number in range(600)]
        for path in paths:
            path.touch()
        all_of_it.catch_up()
        all_of_it.finder.hurry()
        while not all_of_it.scanning:
            all_of_it.look()
        for path in paths:
            path.unlink()
        all_of_it.catch_up()
        all_of_it.assert_as_scanned()
