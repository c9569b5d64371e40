"""Where files are found that have lost their names, in real directories."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mega_collector.collector.reading.file import Disk
from mega_collector.collector.reading.siblings import Siblings

_BEGIN_WITH_7 = ["7.log", *(f"7{digit}.log" for digit in range(10))]


class Counted(Disk):
    """Counts how often a directory is listed."""

    listings = 0

    def entries(self, directory: bytes) -> Iterator[tuple[int, bytes]]:
        self.listings += 1
        yield from super().entries(directory)

    def below(self, directory: bytes) -> Iterator[bytes]:
        self.listings += 1
        yield from super().below(directory)


@pytest.fixture
def disk() -> Counted:
    return Counted()


@pytest.fixture
def siblings(disk: Counted) -> Siblings:
    return Siblings(disk)


def _make(directory: Path, count: int) -> list[tuple[Path, int]]:
    paths = [directory / f"{number}.log" for number in range(count)]
    for path in paths:
        path.touch()
    return [(path, path.stat().st_ino) for path in paths]


def test_a_directory_is_listed_once_a_turn_however_many_were_renamed(
    tmp_path: Path, disk: Counted, siblings: Siblings
) -> None:
    files = _make(tmp_path, 100)
    for path, _ in files:
        path.rename(f"{path}.1")
    for path, inode in files:
        assert siblings.find(bytes(path), inode) == bytes(path) + b".1"
    assert siblings.find(bytes(tmp_path / "never"), 1) is None
    assert siblings.find(bytes(tmp_path / "never"), 2) is None
    assert disk.listings == 2, "for names, and for directories below"
    siblings.forget()
    files[0][0].with_name("0.log.1").rename(tmp_path / "0.log.2")
    assert siblings.find(bytes(files[0][0]), files[0][1]) == bytes(tmp_path / "0.log.2")


def test_a_directory_is_listed_once_a_turn_however_many_were_truncated(
    tmp_path: Path, disk: Counted, siblings: Siblings
) -> None:
    files = _make(tmp_path, 100)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "7.log.1").touch()
    near = {path: list(siblings.names_near(bytes(path))) for path, _ in files}
    assert near[tmp_path / "7.log"] == [bytes(tmp_path / name) for name in (*_BEGIN_WITH_7, "old/7.log.1")]
    assert disk.listings == 3, "for names, there and below, and for directories below"
    siblings.forget()
    (tmp_path / "42.log.1").touch()
    assert bytes(tmp_path / "42.log.1") in siblings.names_near(bytes(tmp_path / "42.log"))


def test_of_very_many_names_with_one_beginning_only_those_that_may_be_a_copy_s_are_looked_at(
    tmp_path: Path, siblings: Siblings
) -> None:
    copies = [tmp_path / name for name in ("log.7", "log.7.1", "log.7.gz", "log-2026.7", "log-2026.7.gz.tmp")]
    for path in [*copies, *(tmp_path / f"log.{number}" for number in (8, 9, 77))]:
        path.touch()
    near = set(siblings.names_near(bytes(tmp_path / "log.7")))
    assert near == {bytes(path) for path in [*copies, tmp_path / "log.77"]}


def test_what_is_renamed_again_since_the_directory_was_listed_is_found(tmp_path: Path, siblings: Siblings) -> None:
    (path, inode), (other, number) = _make(tmp_path, 2)
    assert siblings.find(bytes(path), inode) == bytes(path)
    other.rename(tmp_path / "elsewhere")
    assert siblings.find(bytes(other), number) == bytes(tmp_path / "elsewhere")
    other.touch()
    assert siblings.find(bytes(other), number) == bytes(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").unlink()
    assert siblings.find(bytes(other), number) is None


def test_in_a_directory_of_very_many_names_all_are_found(tmp_path: Path, disk: Counted) -> None:
    siblings = Siblings(disk, most=10)
    for path, inode in _make(tmp_path, 30):
        assert siblings.find(bytes(tmp_path / "lost"), inode) == bytes(path)
    assert disk.listings == 30


def test_what_is_moved_into_a_directory_below_is_found(tmp_path: Path, disk: Counted, siblings: Siblings) -> None:
    for name in ("first", "old", "third"):
        (tmp_path / name).mkdir()
    files = _make(tmp_path, 100)
    for path, _ in files:
        path.rename(tmp_path / "old" / path.name)
    for path, inode in files:
        assert siblings.find(bytes(path), inode) == bytes(tmp_path / "old" / path.name)
    assert disk.listings <= 5


def test_in_a_directory_that_is_gone_nothing_is_found(tmp_path: Path, siblings: Siblings) -> None:
    assert siblings.find(bytes(tmp_path / "gone" / "a.log"), 1) is None


def test_where_a_file_lay_is_kept_once_the_link_to_it_leads_elsewhere(siblings: Siblings, tmp_path: Path) -> None:
    for release in ("one", "two"):
        (tmp_path / release).mkdir()
    [(path, inode)] = _make(tmp_path / "one", 1)
    link = tmp_path / "current"
    link.symlink_to("one")
    home = siblings.home_of(inode, bytes(link / path.name))
    assert home == bytes(path)
    siblings.forget()
    link.unlink()
    link.symlink_to("two")
    assert siblings.home_of(inode, bytes(link / path.name), before=home) == home
    assert siblings.home_of(inode, bytes(path), before=home) is None


def test_what_can_be_no_name_is_nobodys() -> None:
    assert Disk().inode(b"/logs/\0.log") is None
