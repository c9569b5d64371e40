"""What `check` says of room on disks."""

import os

import pytest

from mega_collector.check.ground import room

GIB = 1 << 30


def _filesystem(*, free: int, inodes: int = 1000, free_inodes: int = 10) -> os.statvfs_result:
    return os.statvfs_result((4096, 4096, GIB // 4096, free // 4096, free // 4096, inodes, 0, free_inodes, 0, 255))


@pytest.mark.parametrize(
    ("facts", "ok", "says"),
    [
        (_filesystem(free=GIB // 2), True, "536.9 MB of 1.1 GB are free"),
        (_filesystem(free=0), False, "0 B of 1.1 GB are free: it is full; make room"),
        (_filesystem(free=GIB, free_inodes=0), False, "no inode is free: remove files"),
        (_filesystem(free=GIB, inodes=0, free_inodes=0), True, "are free"),
    ],
    ids=["half", "full", "no inode", "a filesystem that counts no inodes"],
)
def test_a_full_disk_is_found_out(facts: os.statvfs_result, ok: bool, says: str) -> None:
    found = room("destination: on the disk of /x", facts)
    assert found.ok is ok
    assert says in found.text


def test_less_room_than_may_be_needed_is_worth_a_look() -> None:
    facts = _filesystem(free=GIB // 2)
    assert [room("dead letters:", facts, wanted=wanted).look for wanted in (GIB // 4, GIB)] == [False, True]
