"""When the directories are looked at."""

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mega_collector.collector.finding.discovery import Discovery, FileFacts, Scan
from mega_collector.collector.finding.finder import Change, Finder
from mega_collector.collector.finding.roster import Appeared, Renamed, Roster
from mega_collector.collector.finding.watch import Watch


@pytest.fixture
def finder(tmp_path: Path) -> Iterator[Finder]:
    pattern = bytes(tmp_path / "*.log")
    finder = Finder(discovery=Discovery([pattern]), watch=Watch(), roster=Roster(), poll_interval=3600)
    yield finder
    finder.close()


def found(finder: Finder, now: float) -> list[Change]:
    """What one look finds, followed as a tailer does it."""
    changes = list(finder.look(now))
    for change in changes:
        if isinstance(change, Appeared | Renamed):
            finder.follow(change.identity, change.path if isinstance(change, Appeared) else change.name)
    return changes


def test_a_file_that_one_scan_missed_is_looked_for_again_at_once(finder: Finder, tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.touch()
    (appeared, *_) = [each for each in found(finder, 0) if isinstance(each, Appeared)]
    # The directory is watched from now on, and what may have come before that is looked for.
    found(finder, 100)
    file.unlink()
    assert Renamed(appeared.identity, None) not in found(finder, 200)
    assert finder.due < 210
    assert Renamed(appeared.identity, None) in found(finder, finder.due)
    assert finder.due > 225, "there is no doubt any more"


def test_files_that_match_and_are_not_to_be_followed_are_counted(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (tmp_path / "old.log").touch()
    for path in (own / "a.log", tmp_path / "new.log"):
        path.write_text("new")
    discovery = Discovery([bytes(tmp_path / "**/*.log")], passes_over=lambda facts: not facts.size)
    finder = Finder(discovery=discovery, watch=Watch(), roster=Roster(), poll_interval=3600, own=[own])
    assert finder.passed_over == 0
    found(finder, 0)
    assert finder.names() == [bytes(tmp_path / "new.log")]
    assert finder.passed_over == 2
    finder.close()


def test_what_may_not_be_opened_is_waited_for_and_scanned_no_more_often_than_what_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive that only others may read stays so: for ten thousand files each scan would take long."""
    path, may_open = tmp_path / "a.log.xz", os.open

    def refuse(name: bytes, flags: int) -> int:
        if name == bytes(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return may_open(name, flags)

    path.write_text("lines, whatever its name tells\n")
    watch = Watch()
    finder = Finder(discovery=Discovery([bytes(tmp_path / "*")]), watch=watch, roster=Roster(), poll_interval=1)
    with monkeypatch.context() as refused:
        refused.setattr(os, "open", refuse)
        found(finder, 0)
        # The directory is watched from now on, and what may have come before that is looked for.
        found(finder, 1)
        if not watch.trusted:
            pytest.skip("inotify does not tell the truth here")
        assert finder.due > 25
    path.chmod(0o644)
    found(finder, 10)
    assert finder.due <= 10
    assert [each.path for each in found(finder, 10) if isinstance(each, Appeared)] == [bytes(path)]
    finder.close()


# What is said of what cannot be followed


class Scripted:
    """What is there, as the test says."""

    def __init__(self) -> None:
        self.now = Scan()

    def scan(self) -> Scan:
        return replace(self.now, files=dict(self.now.files))

    def matches(self, _path: bytes) -> bool:
        return True

    def look(self, path: bytes) -> FileFacts | None:
        return self.now.files.get(path)


FACTS = FileFacts(-1, 1, 10, 0)
DENIED = PermissionError(errno.EACCES, "Permission denied")


class Told:
    """What a finder says from scan to scan."""

    def __init__(self) -> None:
        self.there = Scripted()
        watch, roster = Watch(enabled=False), Roster()
        self.finder = Finder(discovery=self.there, watch=watch, roster=roster, poll_interval=1, clock=lambda: 0.0)
        self._now = 0.0
        self.after(Scan())

    def after(self, scan: Scan) -> list[str]:
        self.there.now = scan
        with capture_logs() as logs:
            list(self.finder.look(self._now))
        self._now += 10
        return [each["event"] for each in logs]


@pytest.mark.parametrize(
    ("scan", "event"),
    [
        (Scan(unobservable={b"/a": DENIED}), "cannot_look"),
        (Scan(odd={b"/a": "a FIFO"}), "not_followed"),
    ],
    ids=["hidden", "odd"],
)
@pytest.mark.parametrize("between", [Scan(), Scan(files={b"/a": FACTS})], ids=["gone", "well"])
def test_what_holds_is_said_once_and_again_when_it_comes_back(scan: Scan, event: str, between: Scan) -> None:
    told = Told()
    assert [told.after(scan) for _ in range(3)] == [[event], [], []]
    assert [told.after(between), told.after(scan), told.after(scan)] == [[], [event], []]


def test_another_error_with_the_same_name_is_said_too() -> None:
    told = Told()
    told.after(Scan(unobservable={b"/a": DENIED}))
    assert told.after(Scan(unobservable={b"/a": OSError(errno.EIO, "Input/output error")})) == ["cannot_look"]


def test_a_file_that_cannot_be_opened_is_said_once_while_it_is_there() -> None:
    told = Told()
    for there in (Scan(files={b"/a": FACTS}), Scan(unobservable={b"/a": OSError(errno.EIO, "")})):
        told.after(there)
        with capture_logs() as logs:
            told.finder.warn(b"/a", DENIED, "cannot_open")
        assert [each["event"] for each in logs] == (["cannot_open"] if there.files else [])


def test_a_file_that_cannot_be_opened_is_said_again_when_it_was_gone_or_followed() -> None:
    told = Told()

    def said() -> int:
        with capture_logs() as logs:
            told.finder.warn(b"/a", DENIED, "cannot_open")
        return len(logs)

    assert [said(), said()] == [1, 0]
    told.after(Scan())
    assert [said(), said()] == [1, 0]
    told.finder.follow((-1, 1), b"/a")
    assert [said(), said()] == [1, 0]
