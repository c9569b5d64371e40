"""Many logs that are rotated by renamecopy while the collector looks, starts or has no descriptors left."""

from random import Random

import pytest

from histories.crowds import play_crowd
from histories.scenes import count_lines, count_lost, let_pass, look, make_archive, make_copy
from histories.world import World

_SEEDS = 24
_ROUNDS = 5
_FEW = [8, 100, 4]


@pytest.mark.case(94)
@pytest.mark.parametrize("first", range(0, _SEEDS, 8))
def test_seeded_crowds(first: int) -> None:
    for seed in range(first, first + 8):
        _play(seed)


@pytest.mark.parametrize(
    "seed",
    [
        10364,  # in the very look in which a log was found by that, its copy had got the inode of another file
        10101,  # a copy waited in the inode and with the name of one before, which was closed
        10787,  # a copy was opened before its log could be
        11386,  # a log got the inode of another that was closed, and had waited to be read
    ],
)
def test_crowds_that_once_failed(seed: int) -> None:
    _play(seed)


def test_a_copy_that_got_the_inode_of_one_before_and_is_deleted_before_it_is_looked_at_comes_once() -> None:
    play_crowd(14, 4, logs=4, most_open=8, compressed=True, restless=True)
    play_crowd(136, 5, compressed=True, restless=True)


def _play(seed: int) -> None:
    play_crowd(
        seed,
        _ROUNDS,
        logs=[3, 8][seed // 16 % 2],
        most_open=_FEW[seed // 4 % 3],
        compressed=seed % 2 == 1,
        restless=True,
        torn=seed // 2 % 2 == 1,
    )


@pytest.mark.parametrize("acknowledged", [False, True])
def test_a_copy_of_a_log_that_was_found_when_it_was_to_be_copied_comes_once(acknowledged: bool) -> None:
    world = World(Random(0))
    let_pass(world, 3)
    log = world.add(b"/logs/a.log.tmp", 5)
    (let_pass if acknowledged else look)(world, 2)
    make_copy(world, b"/logs/a.log.1", log)
    look(world, 1)
    world.disk.unlink(b"/logs/a.log.tmp")
    let_pass(world, 30)
    assert count_lines(world) == 5
    assert count_lost(world) == 0


def test_an_archive_has_the_rest_of_a_log_that_was_found_when_it_was_to_be_copied() -> None:
    world = World(Random(0))
    let_pass(world, 3)
    log = world.add(b"/logs/a.log.tmp", 3)
    let_pass(world, 8)
    world.kill()
    world.append(log, 2)
    make_archive(world, b"/logs/a.log.1.gz", bytes(log.generation.content))
    world.disk.unlink(b"/logs/a.log.tmp")
    world.start()
    let_pass(world, 30)
    assert count_lines(world) == 3 + 2


@pytest.mark.parametrize("name", [b"/logs/a.log", b"/logs/a.log.tmp"])
def test_a_copy_that_a_directory_tells_of_before_its_log_comes_once(name: bytes) -> None:
    world = World(Random(0))
    let_pass(world, 3)
    make_copy(world, b"/logs/a.log.1", world.add(name, 5))
    assert [*world.disk.names] == [name, b"/logs/a.log.1"]
    world.disk.names[name] = world.disk.names.pop(name)  # told last
    look(world, 1)
    world.disk.unlink(name)
    let_pass(world, 30)
    assert count_lines(world) == 5
    assert count_lost(world) == 0


def test_a_copy_waits_until_its_log_can_be_opened() -> None:
    """Though it can be opened before: both wait for a descriptor."""
    world = World(Random(0))
    let_pass(world, 3)
    world.disk.most_open = 0
    old = world.add(b"/logs/a.log.1", 2)
    let_pass(world, 2)
    log = world.add(b"/logs/a.log", 5)
    let_pass(world, 2)
    world.truncate(old)
    world.disk.append(old, bytes(log.generation.content))
    world.disk.most_open = 1
    let_pass(world, 3)
    world.disk.most_open = 100
    let_pass(world, 3)
    world.disk.unlink(b"/logs/a.log")
    let_pass(world, 30)
    assert count_lines(world) == 5


def test_a_half_written_copy_in_the_place_of_one_before_waits_until_its_log_can_be_opened() -> None:
    world = World(Random(0))
    let_pass(world, 3)
    old = world.add(b"/logs/a.log.1", 5)
    let_pass(world, 30)
    world.disk.most_open = 0
    log = world.add(b"/logs/a.log", 2)
    let_pass(world, 2)
    world.disk.unlink(b"/logs/a.log.1")
    world.disk.rename(b"/logs/a.log", b"/logs/a.log.tmp")
    copy = make_copy(world, b"/logs/a.log.1", log)
    assert copy.number == old.number
    world.disk.most_open = 1
    look(world, 1)
    world.disk.most_open = 100
    look(world, 1)
    world.disk.unlink(b"/logs/a.log.tmp")
    let_pass(world, 30)
    assert count_lines(world) == 5 + 2
    assert count_lost(world) == 0


def test_a_half_written_copy_is_known_though_its_log_was_renamed_before_the_answer_for_one_before() -> None:
    """Which had its inode and name, and was closed as the log was."""
    world = World(Random(0), max_open_files=1)
    log, old = world.add(b"/logs/a.log", 5), world.add(b"/logs/a.log.1", 2)
    world.add(b"/logs/other.log", 1)
    let_pass(world, 30)
    _start_and_let_them_be_described(world)
    content = bytes(log.generation.content)
    world.disk.unlink(b"/logs/a.log.1")
    world.disk.rename(b"/logs/a.log", b"/logs/a.log.tmp")
    copy = world.disk.create(b"/logs/a.log.1")
    assert copy.number == old.number
    world.disk.append(copy, content[: len(content) // 2])
    look(world, 1)
    world.disk.append(copy, content[len(content) // 2 :])
    world.disk.unlink(b"/logs/a.log.tmp")
    let_pass(world, 30)
    assert count_lines(world) == 5 + 2 + 1


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(("before", "lines"), [(5, 2), (2, 5), (0, 3)], ids=["shorter", "longer", "was empty"])
def test_a_copy_is_known_in_the_very_look_in_which_its_log_has_got_the_inode_of_another(
    before: int, lines: int, whole: bool
) -> None:
    world = World(Random(0))
    old = world.add(b"/logs/b.log.8", before)
    let_pass(world, 30)
    world.disk.unlink(b"/logs/b.log.8")
    log = world.add(b"/logs/a.log", lines)
    assert log.number == old.number
    content = bytes(log.generation.content)
    world.disk.rename(b"/logs/a.log", b"/logs/a.log.tmp")
    copy = world.disk.create(b"/logs/a.log.1")
    half = len(content) if whole else len(content) // 2
    world.disk.append(copy, content[:half])
    look(world, 2)
    world.disk.append(copy, content[half:])
    world.disk.unlink(b"/logs/a.log.tmp")
    let_pass(world, 30)
    assert count_lines(world) == before + lines
    assert count_lost(world) == 0


def test_a_log_that_was_empty_when_it_was_asked_for_is_no_copy_of_the_next_one() -> None:
    """Though it has a copy's name by then, and the next one waits for a descriptor."""
    world = World(Random(0))
    let_pass(world, 3)
    world.disconnect()
    world.kill_aggregator()
    log = world.add(b"/logs/a.log", 0)
    look(world, 1)
    world.append(log, 3)
    world.disk.most_open = 1
    world.disk.rename(b"/logs/a.log", b"/logs/a.log.tmp")
    make_copy(world, b"/logs/a.log.1", log)
    look(world, 1)
    world.disk.unlink(b"/logs/a.log.tmp")
    look(world, 2)
    world.add(b"/logs/a.log", 1)
    look(world, 2)
    world.reconnect()
    let_pass(world, 1)
    world.disk.most_open = 2
    let_pass(world, 10)
    world.disk.most_open = 100
    let_pass(world, 30)
    assert count_lines(world) == 3 + 1
    assert count_lost(world) == 0


def test_an_archive_in_the_inode_of_a_log_that_was_closed_is_no_log_whatever_the_answer_for_that() -> None:
    world = World(Random(0), max_open_files=1)
    log = world.add(b"/logs/a.log", 5)
    world.add(b"/logs/other.log", 1)
    let_pass(world, 30)
    _start_and_let_them_be_described(world)
    world.disk.most_open = 0
    world.append(log, 2)
    look(world, 1)
    content = bytes(log.generation.content)
    world.disk.unlink(b"/logs/a.log")
    archive = make_archive(world, b"/logs/a.log.1.gz", content)
    assert archive.number == log.number
    look(world, 1)
    world.disk.most_open = 100
    let_pass(world, 30)
    assert _shipped(world, b"/logs/a.log") == content


def _start_and_let_them_be_described(world: World) -> None:
    """Another process has asked for all that it found; what it is answered, it hears at its next look."""
    world.kill()
    world.start()
    for _ in range(4):
        look(world, 1)
        world.speak()
        world.commit()
    world.settle()


def _shipped(world: World, name: bytes) -> bytes:
    """What has come of a log, and of what was made of it."""
    rows = [row for row in world.aggregator.ledger.values() if row.source.path.startswith(name)]
    return b"".join(data for _, data in sorted(each for row in rows for each in row.shipped))


def test_what_was_not_read_of_a_log_is_lost_if_another_has_its_inode_and_told_and_that_comes_as_its_own() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 0)
    look(world, 2)
    world.disk.most_open = 0
    let_pass(world, 30)
    world.append(log, 3)
    look(world, 2)
    assert not log.open
    world.disk.unlink(b"/logs/a.log")
    other = world.add(b"/logs/b.log", 5)
    assert other.number == log.number
    look(world, 2)
    world.disk.most_open = 100
    let_pass(world, 30)
    assert [row.source.path for row in world.aggregator.ledger.values() if row.shipped] == [b"/logs/b.log"]
    assert count_lost(world) == 1
