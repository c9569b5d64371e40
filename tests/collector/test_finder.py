"""When the directories are looked at."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mega_collector.collector.discovery import Discovery
from mega_collector.collector.finder import Change, Finder
from mega_collector.collector.roster import Appeared, Renamed, Roster
from mega_collector.collector.watch import Watch


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
