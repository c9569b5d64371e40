"""Random histories in memory of logs that are rotated and compressed: every line comes once, and no loss is told.

`scripts/torture --memory --rotations` plays them for as long as it is told.
"""

from random import Random

import pytest

from histories.rotations import play_rotations, play_some
from histories.scenes import count_lines, count_lost, let_pass, look, make_archive
from histories.world import World

_SEEDS = 150
_LENGTH = 60

_FOUND = [
    1835,  # an archive got the inode of a copy that was closed and not settled yet, and was taken for that
    3953,  # of a copy nothing was shipped, and its archive went on as its original
    109746,  # what was rewritten before its handshake was described by what it had begun with before
    102678,  # a copy was found before it was settled that its original had been cut
    204746,  # a copy got the inode of a file that was closed and not settled yet
]
"""Seeds of histories that failed, and fail again if what they found comes back."""


_FOUND_NUMBERED = [
    3512,  # a copy got the inode and the name of an empty one that was gone
    3953,  # an archive was renamed since it was remembered of what it is
    5762,  # a copy of the same inode and name was taken for what was written to the one before
]
"""The same, of those that are numbered."""


@pytest.mark.parametrize("numbered", [False, True])
@pytest.mark.parametrize("wiped", [False, True])
@pytest.mark.parametrize("first", range(0, _SEEDS, 50))
def test_seeded_rotations(first: int, wiped: bool, numbered: bool) -> None:
    for seed in range(first, first + 50):
        play_rotations(seed, _LENGTH, wiped=wiped, numbered=numbered)


@pytest.mark.parametrize("first", range(0, _SEEDS, 50))
def test_seeded_rotations_with_archives_that_are_deleted(first: int) -> None:
    for seed in range(first, first + 50):
        play_rotations(seed, _LENGTH, numbered=seed % 2 == 1, expired=True)


@pytest.mark.parametrize("first", range(0, _SEEDS, 50))
def test_seeded_rotations_of_logs_that_are_copied_and_removed(first: int) -> None:
    for seed in range(first, first + 50):
        play_rotations(seed, _LENGTH, wiped=seed % 2 == 1, numbered=seed // 2 % 2 == 1, moved=True)


@pytest.mark.case(94)
@pytest.mark.parametrize("first", range(0, _SEEDS, 50))
def test_seeded_rotations_where_the_system_opens_hardly_any_file(first: int) -> None:
    for seed in range(first, first + 50):
        play_rotations(seed, _LENGTH, wiped=seed % 2 == 1, numbered=seed // 2 % 2 == 1, most_open=1 + seed % 2)


@pytest.mark.parametrize("seed", [234, 282])
def test_a_copy_that_waits_does_not_keep_the_only_descriptor(seed: int) -> None:
    numbered, alike, moved = seed // 2 % 2 == 1, seed // 4 % 2 == 1, seed // 32 % 4 == 3
    play_rotations(seed, _LENGTH, numbered=numbered, alike=alike, moved=moved, most_open=1)


def test_an_archive_in_whose_inode_another_file_is_does_not_stay_in_the_ledger() -> None:
    play_rotations(31221, _LENGTH, expired=True)


@pytest.mark.parametrize("seed", _FOUND)
def test_rotations_that_once_failed(seed: int) -> None:
    play_rotations(seed, _LENGTH)


@pytest.mark.parametrize("first", range(0, _SEEDS, 50))
def test_seeded_rotations_of_lines_that_end_alike(first: int) -> None:
    """Of one length, and always so many: nothing but how they begin tells one log from another."""
    for seed in range(first, first + 50):
        play_rotations(seed, _LENGTH, wiped=seed % 2 == 1, numbered=seed // 2 % 2 == 1, alike=True)


@pytest.mark.parametrize("seed", [56, 140, 197, 232, 1042])
def test_rotations_of_lines_that_end_alike_that_once_failed(seed: int) -> None:
    """What a log began with was described, if at all, before it had a line."""
    play_rotations(seed, _LENGTH, wiped=seed % 2 == 1, numbered=seed // 2 % 2 == 1, alike=True)


def test_a_copy_in_the_place_of_one_that_was_closed_and_deleted_before_it_was_looked_at_comes_once() -> None:
    play_rotations(5012882, _LENGTH, numbered=True)


@pytest.mark.parametrize("seed", _FOUND_NUMBERED)
def test_numbered_rotations_that_once_failed(seed: int) -> None:
    play_rotations(seed, _LENGTH, numbered=True)


_FOUND_OF_SOME = [
    21010994,  # a log was cut twice between two looks, and its collector killed: its first copy came again
    23005099,  # likewise
    24002983,  # a copy got the name and the inode of the one before, and what was not read yet was told as lost
    31008527,  # of two logs that were cut one after the other the directory was looked at once
    31014179,  # a copy got the inode of a file that was empty and not settled yet
    32018583,  # an archive got the inode of its log, ended alike, and was taken for what was shipped of that
    52019242,  # the copy of which an archive was made waited yet, deleted, when the archive had been renamed
    62039988,  # a copy, its archive and the log that was gone waited for each other
    71001258,  # a copy got the inode of another file, which was remembered and not settled yet
    72013128,  # a source ended before it was settled, and after a kill nothing knew its archive
    81029001,  # a copy of one log got the inode of another, which had been empty when it was seen last
    91005266,  # a copy was in the place of what was closed, and could not be opened
    95022752,  # what had come back in an archive had an inode that was another file's by then
    95049102,  # an archive of what nothing was shipped of was renamed while the copy of which it was made waited
    130012135,  # a copy waited for its original, in whose inode another copy waited
    101006060,  # a copy was deleted while its archive told what its original, which was gone and closed, had held
]


@pytest.mark.parametrize("seed", _FOUND_OF_SOME)
def test_rotations_of_any_kind_that_once_failed(seed: int) -> None:
    play_some(seed, _LENGTH)


@pytest.mark.parametrize("form", [b"/logs/a.log.%d", b"/logs/a.%d.log"])
def test_what_is_rotated_on_and_compressed_before_anything_of_it_is_known_comes_once(form: bytes) -> None:
    """Only its name tells of which file that is held open the archive was made."""
    world = World(Random(0))
    world.disconnect()
    world.add(b"/logs/a.log", 1)
    rotated = world.add(form % 1, 5)
    look(world, 2)
    world.disk.rename(form % 1, form % 2)
    world.disk.rename(b"/logs/a.log", form % 1)
    world.disk.create(b"/logs/a.log")
    make_archive(world, form % 2 + b".gz", bytes(rotated.generation.content))
    world.disk.unlink(form % 2)
    look(world, 2)
    world.reconnect()
    assert world.collector is not None
    while world.collector.recollects:
        world.settle()
        look(world, 1)
    look(world, 3)
    let_pass(world, 30)
    assert count_lines(world) == 1 + 5
    assert count_lost(world) == 0


def test_an_archive_of_which_nothing_has_come_yet_is_known_by_another_name_after_a_kill() -> None:
    """And what was shipped before of the log that it was made of."""
    world = World(Random(0))
    log = world.add(b"/logs/b.log", 3)
    let_pass(world, 8)
    world.kill()
    world.append(log, 4)
    world.rotate(b"/logs/b.log", b"/logs/b.log.1")
    make_archive(world, b"/logs/b.log.1.gz", bytes(log.generation.content))
    world.disk.unlink(b"/logs/b.log.1")
    world.start()
    assert world.collector is not None
    look(world, 1)
    while not any(each.complete and each.settled for each in world.collector.tailer._followed):
        world.collector.speak(1)
        world.aggregator.commit(1)
        world.collector.listen(1)
        world.now += 0.1
        world.collector.tailer.step()
    world.collector.shipper.save(now=True)
    world.kill_aggregator()
    world.kill()
    world.disk.rename(b"/logs/b.log.1.gz", b"/logs/b.log.2.gz")
    world.rotate(b"/logs/b.log", b"/logs/b.log.1")
    world.start()
    let_pass(world, 60)
    assert count_lines(world) == 3 + 4
    assert world.aggregator.lost == []


def test_an_end_that_was_learned_and_whose_answer_was_lost_is_told_again() -> None:
    play_rotations(5002671, 100, wiped=True, at_end=True, numbered=True, alike=True, expired=True, killed=5)
