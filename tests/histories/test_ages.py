"""Files that begin alike: which of them was there first tells which may be a copy, or an archive, of another."""

import gzip
from collections.abc import Sequence
from functools import partial
from itertools import product
from random import Random

import pytest

from histories.collector import CLOSE_INACTIVE, ROTATE_WAIT
from histories.disk import Inode, MemoryDisk
from histories.scenes import count_lines, count_lost, let_pass, look, make_archive, make_copy
from histories.world import World

_LOG = b"/logs/a.log"


@pytest.mark.parametrize(("archived", "most_open"), [(True, 100), (True, 1), (False, 100)], ids=["", "closed", "gone"])
@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("seen", ["followed", "found", "late"])
@pytest.mark.parametrize("content", [b"a", b"a\n", b"a\n" * 40 + b"a"], ids=["part", "line", "lines"])
def test_what_a_log_held_comes_though_those_beside_it_begin_with_all_of_it(
    content: bytes, seen: str, answered: bool, archived: bool, most_open: int
) -> None:
    """Whenever somebody looks: it was `seen` before it was written to, or first when it was rotated, or compressed."""
    for looks in product([False, True], repeat=5):
        if archived or seen != "late" or any(looks[:4]):
            _rotate_among_alike(content, seen, looks, answered=answered, archived=archived, most=most_open)


@pytest.mark.parametrize("seen", ["followed", "found"])
def test_what_was_renamed_while_it_was_open_is_no_copy_where_nobody_can_tell_when_files_were_made(
    seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryDisk, "born", lambda *_: 0)
    for looks in product([False, True], repeat=5):
        _rotate_among_alike(b"a", seen, looks)


def _rotate_among_alike(
    content: bytes, seen: str, looks: Sequence[bool], *, answered: bool = True, archived: bool = False, most: int = 100
) -> None:
    world, name = World(Random(0), max_open_files=most), _LOG
    world.add(b"/logs/b.log", 1)
    world.disk.append(world.disk.create(name + b".2"), content + b"c\n")
    let_pass(world, 3)
    log = world.disk.create(name)
    if seen == "followed":
        let_pass(world, 4)
    elif seen == "found":
        look(world, 1)
    steps = [
        lambda: world.disk.append(log, content),
        lambda: world.disk.rename(name, name + b".1"),
        lambda: world.disk.append(world.disk.create(name), content + b"b\n"),
        (lambda: make_archive(world, name + b".1.gz", content, of=log)) if archived else (lambda: None),
        lambda: world.disk.unlink(name + b".1"),
    ]
    for step, looked in zip(steps, looks, strict=True):
        step()
        if looked and answered:
            let_pass(world, 1)
        elif looked:
            look(world, 1)
    if not answered:
        look(world, 3)
    let_pass(world, 4 * int(ROTATE_WAIT))
    shipped = sorted(b"".join(data for _, data in row.shipped) for row in world.aggregator.ledger.values())
    assert [each for each in shipped if each.startswith(b"a")] == [content, content + b"b\n", content + b"c\n"], looks
    # Where it waits for a descriptor while it is compressed, it may be told as lost, though it comes.
    assert count_lost(world) == 0 or most == 1


def test_what_waited_for_a_descriptor_beside_the_next_log_that_begins_with_all_of_it_is_no_copy_of_that() -> None:
    world, name = World(Random(0)), _LOG
    world.disk.most_open = 1
    world.add(b"/logs/b.log", 1)
    let_pass(world, 3)
    log = world.disk.create(name)
    world.disk.append(log, b"a")
    world.disk.rename(name, name + b".1")
    world.disk.append(world.disk.create(name), b"ab\n")
    look(world, 1)
    world.disk.most_open = 100
    let_pass(world, 2)
    world.disk.unlink(name + b".1")
    let_pass(world, 4 * int(ROTATE_WAIT))
    shipped = sorted(b"".join(data for _, data in row.shipped) for row in world.aggregator.ledger.values())
    assert [each for each in shipped if each.startswith(b"a")] == [b"a", b"ab\n"]
    assert count_lost(world) == 0


def test_a_copy_that_keeps_the_time_of_a_log_that_was_put_there_with_an_older_one_comes_once() -> None:
    """By cp -p; the log was put there by mv from another disk, or by rsync -t."""
    world, log = _ship_a_log()
    log.mtime = 1
    copy = make_copy(world, _LOG + b".1", log)
    copy.mtime = log.mtime
    _assert_known(world, log)


@pytest.mark.parametrize("unit", [1_000, 1_000_000, 10_000_000, 1_000_000_000, 2_000_000_000])
def test_a_copy_whose_time_was_kept_less_exactly_comes_once(unit: int) -> None:
    world, log = _ship_a_log()
    assert log.mtime == log.born, "it was made and written to within one tick of the clock"
    copy = make_copy(world, _LOG + b".1", log)
    copy.mtime = log.mtime // unit * unit
    assert copy.mtime < log.born
    _assert_known(world, log)


def _ship_a_log() -> tuple[World, Inode]:
    world = World(Random(0))
    log = world.add(_LOG, 0)
    world.append(log, 5)
    log.mtime = log.born
    let_pass(world, 8)
    return world, log


@pytest.mark.parametrize("calls", range(16))
@pytest.mark.parametrize("renamed", [False, True])
def test_a_copy_comes_once_though_the_next_log_has_the_inode_of_the_one_that_was_closed_and_copied(
    renamed: bool, calls: int
) -> None:
    """Whenever that is made: while it is looked at the copy."""
    world, _ = _ship_a_log()
    let_pass(world, 3 * int(CLOSE_INACTIVE))
    log = world.disk.names[_LOG]
    name = _LOG + b".tmp" if renamed else _LOG
    if renamed:
        world.disk.rename(_LOG, name)
    make_copy(world, _LOG + b".1", log)
    world.disk.unlink(name)
    world.add(b"/logs/next", 0)
    world.disk.beside(calls, partial(world.rotate, b"/logs/next", _LOG, reopen=False))
    look(world, 1)
    let_pass(world, 4 * int(ROTATE_WAIT))
    assert _LOG in world.disk.names, "so often the collector asks for nothing"
    assert world.disk.names[_LOG].number == log.number
    assert count_lines(world) == 5
    assert count_lost(world) == 0


def _assert_known(world: World, log: Inode) -> None:
    """What was copied of the log, which is cut next, was shipped."""
    look(world, 1)
    world.truncate(log)
    let_pass(world, 4 * int(ROTATE_WAIT))
    assert count_lines(world) == 5
    assert count_lost(world) == 0


def test_a_log_that_was_put_there_with_an_older_time_and_its_archive_come_once() -> None:
    world = World(Random(0))
    world.disconnect()
    log = world.add(_LOG + b".1", 5)
    log.mtime = 1
    look(world, 2)
    make_archive(world, _LOG + b".1.gz", bytes(log.generation.content), of=log)
    look(world, 2)
    world.reconnect()
    let_pass(world, 8)
    world.disk.unlink(_LOG + b".1")
    let_pass(world, 4 * int(ROTATE_WAIT))
    assert count_lines(world) == 5
    assert count_lost(world) == 0


@pytest.mark.parametrize("deleted", [False, True])
@pytest.mark.parametrize("name", [_LOG + b".1.gz", b"/logs/a-20261129.log.gz"])
def test_an_archive_that_was_being_written_when_its_log_got_the_last_line_is_known(name: bytes, deleted: bool) -> None:
    """Its time is when it was written itself: that tells nothing of the log's."""
    world = World(Random(0))
    log = world.add(_LOG, 5)
    let_pass(world, 8)
    data = gzip.compress(bytes(log.generation.content))
    archive = world.disk.create(name)
    world.disk.append(archive, data[:-8])
    world.append(log, 1)
    world.disk.append(archive, data[-8:])
    if deleted:
        world.disk.unlink(_LOG)
    let_pass(world, 4 * int(ROTATE_WAIT))
    assert count_lines(world) == 6
    assert count_lost(world) == 0


@pytest.mark.parametrize("answered", [True, False])
def test_a_copy_in_the_place_of_an_empty_file_that_was_rotated_comes_once(answered: bool) -> None:
    """It was renamed while it was open: but had not what it has now. Then it is rotated on."""
    world = World(Random(0))
    let_pass(world, 3)
    if not answered:
        world.disconnect()
    empty = world.add(_LOG, 0)
    let_pass(world, 4)
    world.rotate(_LOG, _LOG + b".1")
    log = world.disk.names[_LOG]
    world.append(log, 5)
    let_pass(world, 4)
    world.disk.append(empty, bytes(log.generation.content))
    look(world, 1)
    world.disk.rename(_LOG + b".1", _LOG + b".2")
    look(world, 1)
    if not answered:
        world.reconnect()
        let_pass(world, 2)
    _assert_known(world, log)
