"""Where only the very first start begins at the end of what is there: one whose state was lost is none."""

from dataclasses import replace
from random import Random

import pytest

from histories.disk import Inode
from histories.rotations import play_rotations
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


@pytest.mark.parametrize("ends", [1, 3])
@pytest.mark.parametrize("becomes", ["stays", "is written to", "is renamed", "is copied and cut", "is compressed"])
def test_what_a_process_began_at_its_end_and_never_asked_of_comes_whole_by_the_next(becomes: str, ends: int) -> None:
    world = World(Random(0), start_at_end=True)
    _ship_and_wipe(world)
    log = world.add(b"/logs/b.log", 6)
    for _ in range(ends):
        world.start()
        world.disconnect()
        look(world, 3)
        world.kill()
    more = _become(world, log, becomes)
    world.start()
    let_pass(world, 40)
    assert count_lines(world) == 3 + 6 + more
    assert count_lost(world) == 0


def _become(world: World, log: Inode, what: str) -> int:
    """Lines that were written besides."""
    match what:
        case "is written to":
            world.append(log, 2)
            return 2
        case "is renamed":
            world.rotate(b"/logs/b.log", b"/logs/b.log.1")
        case "is copied and cut":
            make_copy(world, b"/logs/b.log.1", log)
            world.truncate(log)
        case "is compressed":
            make_archive(world, b"/logs/b.log.1.gz", bytes(log.generation.content))
            world.disk.unlink(b"/logs/b.log")
    return 0


@pytest.mark.parametrize("gone", ["meanwhile", "before the next start"])
def test_what_is_deleted_before_the_aggregator_was_asked_is_read_or_told_as_lost(gone: str) -> None:
    world = World(Random(0), start_at_end=True)
    _ship_and_wipe(world)
    log = world.add(b"/logs/b.log", 6)
    world.start()
    world.disconnect()
    look(world, 60)
    if gone == "meanwhile":
        assert log.open, "it is held open, however long it is quiet"
        world.disk.unlink(b"/logs/b.log")
        look(world, 20)
        world.reconnect()
    else:
        world.kill()
        world.disk.unlink(b"/logs/b.log")
        world.start()
    let_pass(world, 40)
    read = gone == "meanwhile"
    assert (count_lines(world), count_lost(world)) == ((3 + 6, 0) if read else (3, 1))


def test_what_was_closed_for_others_and_deleted_before_the_aggregator_was_asked_is_told_as_lost() -> None:
    world = World(Random(0), start_at_end=True, max_open_files=2)
    _ship_and_wipe(world)
    logs = [world.add(b"/logs/b%d.log" % number, 6) for number in range(6)]
    world.start()
    world.disconnect()
    look(world, 3)
    closed = next(each for each in logs if not each.open)
    (name,) = world.disk.named(closed)
    world.disk.unlink(name)
    look(world, 20)
    world.reconnect()
    let_pass(world, 60)
    assert count_lines(world) == 3 + 6 * 5
    assert [each.path for each in world.aggregator.lost] == [name]


@pytest.mark.case(2)
@pytest.mark.parametrize("ends", [1, 3])
def test_a_first_start_that_never_reached_the_aggregator_has_begun_at_the_end(ends: int) -> None:
    world = World(Random(0), start_at_end=True)
    log = world.add(b"/logs/a.log", 6)
    for _ in range(ends):
        world.disconnect()
        look(world, 3)
        world.kill()
        world.append(log, 2)
        world.start()
    let_pass(world, 20)
    assert count_lines(world) == 2 * ends
    assert count_lost(world) == 0


def test_a_first_start_that_was_killed_as_it_had_begun_to_ship_stays_one() -> None:
    """Of one log something has come, and so the aggregator knows more than the next process: that is not news to it."""
    world = World(Random(0), start_at_end=True)
    log = world.add(b"/logs/a.log", 6)
    world.add(b"/logs/b.log", 4)
    world.disconnect()
    look(world, 3)
    world.append(log, 3)
    look(world, 1)
    assert world.collector is not None
    world.collector.shipper.save(now=True)
    world.collector.shipper._rest = 10.0  # as if that had taken long
    world.reconnect()
    for _ in range(20):
        world.pass_by(0.01)
    assert count_lines(world) == 3, "before it is time to save the checkpoint"
    ledger = world.aggregator.ledger
    (other,) = [each for each, row in ledger.items() if row.source.path == b"/logs/b.log"]
    del ledger[other]  # as if nothing of that had been committed yet
    world.kill_aggregator()
    world.kill()
    world.start()
    let_pass(world, 20)
    assert count_lines(world) == 3


@pytest.mark.parametrize("there", ["an archive", "a copy"])
@pytest.mark.parametrize("reached", ["never", "just"])
def test_what_lies_beside_a_log_at_a_first_start_is_passed_over_by_the_next_process_too(
    there: str, reached: str
) -> None:
    world = World(Random(0), start_at_end=True)
    log = world.add(b"/logs/a.log", 6)
    for number in range(1, 6):
        if there == "an archive":
            make_archive(world, b"/logs/a.log.%d.gz" % number, b"one%d\ntwo\n" % number)
        else:
            make_copy(world, b"/logs/a.log.%d" % number, log)
    if reached == "never":
        world.disconnect()
        look(world, 10)
    else:
        for _ in range(4):
            world.pass_by(0.01)
    world.kill()
    world.append(log, 2)
    world.start()
    let_pass(world, 60)
    assert count_lines(world) == 2
    assert count_lost(world) == 0


@pytest.mark.parametrize("most", [4, 8, 100])
def test_copies_at_a_first_start_that_are_too_many_to_be_held_open_are_passed_over(most: int) -> None:
    world = World(Random(0), start_at_end=True, max_open_files=most)
    logs = [world.add(b"/logs/%d.log" % number, 4) for number in range(10)]
    for number in range(5):
        make_copy(world, b"/logs/%d.log.1" % number, logs[number])
    let_pass(world, 5)
    for log in logs:
        world.append(log, 1)
    world.kill()
    world.start()
    let_pass(world, 60)
    assert count_lines(world) == len(logs)


def test_an_archive_that_is_empty_at_a_first_start_leaves_nothing_in_the_checkpoint() -> None:
    world = World(Random(0), start_at_end=True)
    world.disk.create(b"/logs/a.log.1.gz")
    let_pass(world, 10)
    world.disk.unlink(b"/logs/a.log.1.gz")
    let_pass(world, 10)
    assert world.checkpoint.entries == {}


@pytest.mark.parametrize("killed", [False, True])
def test_an_archive_that_is_deleted_before_the_aggregator_was_asked_is_told_as_lost(killed: bool) -> None:
    world = World(Random(0), start_at_end=True)
    _ship_and_wipe(world)
    make_archive(world, b"/logs/b.log.1.gz", b"one\ntwo\n")
    world.start()
    world.disconnect()
    look(world, 10)
    if killed:
        world.kill()
        world.start()
        world.disconnect()
    world.disk.unlink(b"/logs/b.log.1.gz")
    look(world, 10)
    world.reconnect()
    let_pass(world, 40)
    assert [each.path for each in world.aggregator.lost] == [b"/logs/b.log.1.gz"]


def test_what_lies_beside_a_log_where_a_start_was_not_the_first_comes_by_the_next_process_too() -> None:
    world = World(Random(0), start_at_end=True)
    log = _ship_and_wipe(world)
    make_archive(world, b"/logs/b.log.1.gz", b"one\ntwo\n")
    make_copy(world, b"/logs/a.log.1", log)
    world.start()
    world.disconnect()
    look(world, 10)
    world.kill()
    world.truncate(log)
    world.start()
    let_pass(world, 60)
    assert count_lines(world) == 3 + 2
    assert count_lost(world) == 0


def test_a_first_start_that_was_killed_before_it_had_looked_stays_one() -> None:
    world = World(Random(0), start_at_end=True)
    log = world.add(b"/logs/a.log", 6)
    world.kill()
    world.start()
    look(world, 1)
    world.append(log, 2)
    let_pass(world, 20)
    assert count_lines(world) == 2


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_log_that_is_cut_while_a_first_start_is_told_where_it_stands_leaves_its_copy_alone(
    compressed: bool, killed: bool
) -> None:
    world = World(Random(0), start_at_end=True)
    log = world.add(b"/logs/a.log", 6)
    world.pass_by(1.0)
    if compressed:
        make_archive(world, b"/logs/a.log.1.gz", bytes(log.generation.content))
    else:
        make_copy(world, b"/logs/a.log.1", log)
    world.truncate(log)
    world.append(log, 10)
    let_pass(world, 5)
    if killed:
        world.kill()
        world.start()
    let_pass(world, 40)
    assert count_lines(world) == 10


@pytest.mark.parametrize("first", range(0, 150, 50))
def test_seeded_rotations_of_which_the_first_start_was_long_ago(first: int) -> None:
    for seed in range(first, first + 50):
        play_rotations(seed, 60, wiped=True, numbered=seed % 2 == 1, at_end=True)


@pytest.mark.parametrize("most", [1, 100])
@pytest.mark.parametrize("killed", [False, True])
def test_a_copy_that_waits_at_a_first_start_and_is_deleted_is_not_lost_as_its_log_has_all_of_it(
    killed: bool, most: int
) -> None:
    world = World(Random(0), start_at_end=True, max_open_files=most)
    log = world.add(b"/logs/a.log", 6)
    copy = make_copy(world, b"/logs/a.log.1", log)
    let_pass(world, 2 - (most > 1))
    assert copy.open == (most > 1), "it waits, held open if so many are"
    world.disk.unlink(b"/logs/a.log.1")
    let_pass(world, 8)
    if killed:
        world.append(log, 2)
        world.kill()
        world.start()
    let_pass(world, 40)
    assert count_lines(world) == 2 * killed
    assert count_lost(world) == 0
    assert [each.path for each in world.checkpoint.entries.values()] == [b"/logs/a.log"]
