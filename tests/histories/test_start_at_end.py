"""Where only the very first start begins at the end of what is there: one whose state was lost is none."""

from dataclasses import replace
from random import Random

import pytest

from histories.disk import Inode
from histories.scenes import count_lines, count_lost, let_pass, look, make_archive, make_copy
from histories.world import World


def _ship_and_wipe(world: World) -> Inode:
    """Of the log, two lines were there at the first start, and three have come."""
    log = world.add(b"/logs/a.log", 2)
    let_pass(world, 8)
    world.append(log, 3)
    let_pass(world, 8)
    assert count_lines(world) == 3
    world.wipe()
    return log


@pytest.mark.case(2)
@pytest.mark.parametrize("reached", [True, False], ids=["at once", "later"])
def test_a_log_that_was_made_before_a_start_without_its_state_comes_whole(reached: bool) -> None:
    world = World(Random(0), start_at_end=True)
    _ship_and_wipe(world)
    world.disk.rename(b"/logs/a.log", b"/logs/a.log.1")
    world.add(b"/logs/a.log", 6)
    world.start()
    if not reached:
        world.disconnect()
        look(world, 5)
        world.reconnect()
    let_pass(world, 30)
    assert count_lines(world) == 3 + 6, "the two of the first start are passed over as they were"
    assert count_lost(world) == 0


def test_what_a_log_has_of_its_own_since_comes_after_a_start_without_its_state() -> None:
    world = World(Random(0), start_at_end=True)
    log = _ship_and_wipe(world)
    world.append(log, 6)
    world.start()
    let_pass(world, 30)
    assert count_lines(world) == 3 + 6


def test_an_archive_that_was_made_before_a_start_without_its_state_comes_whole() -> None:
    world = World(Random(0), start_at_end=True)
    _ship_and_wipe(world)
    make_archive(world, b"/logs/b.log.1.gz", b"one\ntwo\n")
    world.start()
    let_pass(world, 30)
    assert count_lines(world) == 3 + 2


def test_what_is_compressed_before_it_is_seen_that_a_start_is_not_the_first_comes_whole() -> None:
    world = World(Random(0), start_at_end=True)
    _ship_and_wipe(world)
    log = world.add(b"/logs/b.log", 6)
    world.start()
    world.disconnect()
    look(world, 3)
    make_archive(world, b"/logs/b.log.1.gz", bytes(log.generation.content))
    world.disk.unlink(b"/logs/b.log")
    look(world, 10)
    world.reconnect()
    let_pass(world, 40)
    assert count_lines(world) == 3 + 6
    assert count_lost(world) == 0


@pytest.mark.parametrize("compressed", [False, True])
def test_what_is_cut_before_it_is_seen_that_a_start_is_not_the_first_comes_of_its_copy(compressed: bool) -> None:
    world = World(Random(0), start_at_end=True)
    _ship_and_wipe(world)
    log = world.add(b"/logs/b.log", 6)
    world.start()
    world.disconnect()
    look(world, 3)
    if compressed:
        make_archive(world, b"/logs/b.log.1.gz", bytes(log.generation.content))
    else:
        make_copy(world, b"/logs/b.log.1", log)
    world.truncate(log)
    look(world, 10)
    world.reconnect()
    let_pass(world, 40)
    assert count_lines(world) == 3 + 6
    assert count_lost(world) == 0


def test_what_waits_as_a_copy_until_it_is_seen_that_a_start_is_not_the_first_comes_whole() -> None:
    world = World(Random(0), start_at_end=True)
    _ship_and_wipe(world)
    make_copy(world, b"/logs/b.log.1", world.add(b"/logs/b.log", 6))
    world.start()
    let_pass(world, 40)
    assert count_lines(world) == 3 + 2 * 6, "it is none: its original was not cut"


def test_what_is_shipped_of_other_files_only_leaves_a_first_start_as_it_is() -> None:
    """By a collector of the same id, with other patterns."""
    world = World(Random(0), start_at_end=True)
    log = _ship_and_wipe(world)
    world.disk.unlink(b"/logs/a.log")
    for row in world.aggregator.ledger.values():
        assert row.source.inode == log.number
        row.source = replace(row.source, path=b"/elsewhere/a.txt")
    world.add(b"/logs/b.log", 4)
    world.start()
    let_pass(world, 30)
    assert count_lines(world) == 3
