"""The open files: so many and no more, and never one closed that is still needed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from blocks import make_source
from mega_collector.collector.reading.file import Disk
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.open_files import OpenFiles, TooManyOpenFiles
from mega_collector.collector.reading.siblings import Siblings


class Files:
    """Real files, whose followers are all expendable but those that are needed."""

    def __init__(self, directory: Path, limit: int) -> None:
        self._directory = directory
        self.needed: set[Follower] = set()
        self.open_files = OpenFiles(
            limit=limit,
            expendable=lambda follower: follower not in self.needed,
            disk=Disk(),
            siblings=Siblings(Disk()),
        )

    def open(self, name: str) -> Follower:
        path = self._directory / name
        size = path.write_text(f"this is {name}\n")
        changed_ns = path.stat().st_ctime_ns
        follower = Follower(make_source(name), path=bytes(path), size=size, changed_ns=changed_ns, now=0, rotate_wait=5)
        follower.passed(size)
        self.open_files.keep(follower, self.open_files.open(bytes(path)))
        return follower

    def is_open(self, follower: Follower) -> bool:
        return follower in self.open_files


@contextmanager
def _files(directory: Path, limit: int = 3) -> Iterator[Files]:
    files = Files(directory, limit)
    try:
        yield files
    finally:
        files.open_files.close_all()
        assert len(files.open_files) == 0
        assert not _open_below(directory)


def _open_below(directory: Path) -> list[Path]:
    """What this process holds open there."""
    held = [each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return [path for path in held if path.is_relative_to(directory)]


def test_an_open_file_is_read_through_its_descriptor_whatever_becomes_of_its_name(tmp_path: Path) -> None:
    with _files(tmp_path) as files:
        follower = files.open("a")
        (tmp_path / "a").unlink()
        file = files.open_files.get(follower)
        assert file is not None
        assert file.read(100, 0) == b"this is a\n"


@pytest.mark.case(87)
def test_there_are_never_more_open_than_the_limit(tmp_path: Path) -> None:
    with _files(tmp_path) as files:
        for number in range(10):
            files.open(str(number))
            assert len(files.open_files) <= 3


def test_the_one_that_was_used_the_longest_ago_makes_room(tmp_path: Path) -> None:
    with _files(tmp_path) as files:
        first, second, third = (files.open(name) for name in "abc")
        files.open_files.get(first)
        files.open("d")
        assert [files.is_open(each) for each in (first, second, third)] == [True, False, True]
        assert files.open_files.get(second) is None


@pytest.mark.case(94)
def test_one_that_is_needed_is_never_closed_for_another(tmp_path: Path) -> None:
    with _files(tmp_path) as files:
        first, second, third = (files.open(name) for name in "abc")
        files.needed = {first, second}
        files.open("d")
        assert [files.is_open(each) for each in (first, second, third)] == [True, True, False]


def test_one_that_has_grown_or_lost_its_name_since_it_was_seen_is_not_closed(tmp_path: Path) -> None:
    with _files(tmp_path) as files:
        grown, unlinked, third = (files.open(name) for name in "abc")
        with (tmp_path / "a").open("a") as file:
            file.write("more\n")
        (tmp_path / "b").unlink()
        files.open("d")
        assert [files.is_open(each) for each in (grown, unlinked, third)] == [True, True, False]


def test_what_is_quiet_is_closed_also_behind_what_grows_and_is_not_read(tmp_path: Path) -> None:
    with _files(tmp_path) as files:
        growing, quiet = files.open("a"), files.open("b")
        growing.observe(growing.size + 5, 1, now=100.0)
        files.open_files.close_quiet(50.0)
        assert [files.is_open(each) for each in (growing, quiet)] == [True, False]


@pytest.mark.case(94)
def test_where_all_are_needed_no_other_is_opened_and_the_setting_is_named(tmp_path: Path) -> None:
    with _files(tmp_path) as files:
        files.needed = {files.open(name) for name in "abc"}
        with pytest.raises(TooManyOpenFiles, match=r"3 files.*COLLECTOR_MAX_OPEN_FILES"):
            files.open("d")
        assert len(files.open_files) == 3
        files.needed.pop()
        files.open("d")


def test_closing_what_is_not_open_is_nothing(tmp_path: Path) -> None:
    with _files(tmp_path) as files:
        follower = files.open("a")
        for _ in range(2):
            files.open_files.close(follower)
            assert not files.is_open(follower)


def test_a_file_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with _files(tmp_path) as files, pytest.raises(FileNotFoundError):
        files.open_files.open(bytes(tmp_path / "none"))


def test_a_fifo_that_has_taken_a_files_place_does_not_hold_anybody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with _files(tmp_path) as files:
        files.open_files.open(bytes(tmp_path / "fifo")).close()
