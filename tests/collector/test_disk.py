"""A glance is possible however few files the system opens; and when files were made is told by it."""

import ctypes
import errno
import os
import resource
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from harness.until import until
from mega_collector.collector.reading import births
from mega_collector.collector.reading.file import SPARE, Disk, File


@pytest.fixture
def disk() -> Iterator[Disk]:
    with closing(Disk(spare=SPARE)) as disk:
        yield disk


@pytest.fixture
def crowded(disk: Disk, tmp_path: Path) -> Iterator[ExitStack]:
    """No file can be opened any more; what is open is closed with that."""
    (tmp_path / "a.log").write_bytes(b"one\n")
    (tmp_path / "old").mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, _descriptors()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 8, hard))
    try:
        with ExitStack() as stack:
            while (file := _open(disk, tmp_path)) is not None:
                stack.callback(file.close)
            yield stack
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _descriptors() -> list[str]:
    return sorted(each.name for each in Path("/proc/self/fd").iterdir())


def _path(directory: Path) -> bytes:
    return os.fsencode(directory / "a.log")


def _open(disk: Disk, directory: Path) -> File | None:
    try:
        return disk.open(_path(directory))
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        return None


@pytest.mark.case(94)
@pytest.mark.usefixtures("crowded")
def test_files_and_directories_can_be_looked_at_again_and_again(disk: Disk, tmp_path: Path) -> None:
    for _ in range(3 * SPARE):
        with ExitStack() as stack:
            files = [stack.enter_context(closing(disk.glance(_path(tmp_path)))) for _ in range(SPARE)]
            assert [each.read(10, 0) for each in files] == [b"one\n"] * SPARE
        here, below = _path(tmp_path), os.fsencode(tmp_path / "old")
        assert sorted(path for _, path in disk.entries(os.fsencode(tmp_path))) == [here, below]
        assert list(disk.below(os.fsencode(tmp_path))) == [below]
        assert list(disk.entries(os.fsencode(tmp_path / "none"))) == []
        with pytest.raises(FileNotFoundError):
            disk.glance(os.fsencode(tmp_path / "none"))
        assert _open(disk, tmp_path) is None, "what is spare is for nothing else"


@pytest.mark.usefixtures("crowded")
def test_beyond_what_is_spare_there_is_none(disk: Disk, tmp_path: Path) -> None:
    with ExitStack() as stack:
        for _ in range(SPARE):
            stack.enter_context(closing(disk.glance(_path(tmp_path))))
        with pytest.raises(OSError, match="Too many open files"):
            disk.glance(_path(tmp_path))
    disk.glance(_path(tmp_path)).close()


def test_what_is_spare_comes_back_when_there_is_room(disk: Disk, crowded: ExitStack, tmp_path: Path) -> None:
    glanced = disk.glance(_path(tmp_path))
    crowded.callback(glanced.close)
    crowded.close()
    before = len(_descriptors())
    disk.glance(_path(tmp_path)).close()
    disk.close()
    assert len(_descriptors()) == before - SPARE


def test_none_is_kept_where_none_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"one\n")
    before = _descriptors()
    disk = Disk()
    with closing(disk.glance(_path(tmp_path))):
        list(disk.entries(os.fsencode(tmp_path)))
    assert _descriptors() == before


def test_when_a_file_was_made_is_told_by_its_name_and_inode(tmp_path: Path) -> None:
    path, before = tmp_path / "a.log", time.time_ns()
    path.write_bytes(b"1\n")
    inode = path.stat().st_ino
    born = Disk().born(os.fsencode(path), inode)
    if not born:
        pytest.skip("this filesystem does not tell when files were made")
    path.write_bytes(b"2\n")
    assert abs(born - before) < 10**9
    assert Disk().born(os.fsencode(path), inode) == born <= path.stat().st_ctime_ns
    path.symlink_to(path.rename(tmp_path / "a.log.1"))
    assert Disk().born(os.fsencode(path), inode) == born


def test_no_file_of_that_name_and_inode_was_ever_made(tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    inode = (tmp_path / "a.log").stat().st_ino
    assert Disk().born(os.fsencode(tmp_path / "a.log"), inode + 1) is None
    assert Disk().born(os.fsencode(tmp_path / "b.log"), inode) is None


def test_nobody_can_tell_when_a_file_was_made_where_the_c_library_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(births, "_statx", None)
    assert Disk().born(os.fsencode(tmp_path), tmp_path.stat().st_ino) == 0


def test_nobody_can_tell_when_a_file_was_made_that_seems_to_have_been_changed_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a filesystem has its last writing in place of its last change, `cp -p` makes such."""
    path = tmp_path / "a.log"
    path.touch()
    inode = path.stat().st_ino
    born = Disk().born(os.fsencode(path), inode)
    if not born:
        pytest.skip("this filesystem does not tell when files were made")

    def changed_later() -> bool:
        path.chmod(0o600)
        return path.stat().st_ctime_ns > born

    until(changed_later, "the clock should go on")
    swapped = {"_BIRTH_AT": births._CHANGE_AT, "_CHANGE_AT": births._BIRTH_AT}
    for name, at in swapped.items():
        monkeypatch.setattr(births, name, at)
    assert Disk().born(os.fsencode(path), inode) == 0


def test_nobody_can_tell_when_a_file_was_made_where_the_system_refuses_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As sandboxes do that do not know the call: what is there must not seem to be gone."""

    def refuse(*_: object) -> int:
        ctypes.set_errno(errno.EPERM)
        return -1

    monkeypatch.setattr(births, "_statx", refuse)
    assert Disk().born(os.fsencode(tmp_path), tmp_path.stat().st_ino) == 0
