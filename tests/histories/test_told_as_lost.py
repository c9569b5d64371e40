"""What is told as lost, and what is not, where files are compressed, deleted, and made anew between two looks."""

import gzip
from random import Random

import pytest

from histories.collector import CLOSE_INACTIVE, ROTATE_WAIT
from histories.disk import Inode, MemoryFile
from histories.world import World


def test_an_archive_that_is_passed_over_and_renamed_is_opened_once_more() -> None:
    world = World(Random(0), start_at_end=True)
    archive = _archive(world, b"/logs/a.log.1.gz", b"old\n")
    _pass(world, 10)
    world.disk.rename(b"/logs/a.log.1.gz", b"/logs/a.log.2.gz")
    world.disk.append(archive, b"")  # which changes its time
    opened = _opened(world)
    _pass(world, 30)
    assert opened == [b"/logs/a.log.2.gz"]


def test_what_was_empty_is_lost_though_an_archive_that_was_passed_over_is_named_after_it() -> None:
    world = World(Random(0), start_at_end=True)
    log = world.add(b"/logs/a.log", 0)
    _archive(world, b"/logs/a.log.gz", b"old\n")
    _pass(world, 10)
    world.kill()
    world.append(log, 3)
    world.disk.unlink(b"/logs/a.log")
    world.start()
    _pass(world, 30)
    assert _lost(world) == 1


def test_what_vanishes_when_it_is_to_be_opened_is_lost_though_its_inode_was_that_of_another_that_was() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    _pass(world, 8)
    world.kill()
    world.disk.unlink(b"/logs/a.log")
    world.start()
    _pass(world, 30)
    assert _lost(world) == 1
    _vanishes_when_opened(world, b"/logs/b.log")
    assert world.add(b"/logs/b.log", 2).number == log.number
    _pass(world, 30)
    assert _lost(world) == 2


def test_an_archive_that_nobody_has_looked_into_is_lost_though_the_name_of_its_original_is_another_s() -> None:
    world = World(Random(0))
    _pass(world, 3)
    world.disconnect()
    world.kill()
    world.add(b"/logs/a.log", 2)
    _archive(world, b"/logs/a.log.gz", b"what was in the log before\n")
    world.start()
    world.disconnect()
    for _ in range(3):
        world.poll()
    world.disk.unlink(b"/logs/a.log.gz")
    for _ in range(5):
        world.poll()
    world.reconnect()
    _pass(world, 20)
    assert _lost(world) == 1


def test_what_vanishes_when_it_is_to_be_opened_is_lost_though_an_archive_from_before_is_named_after_it() -> None:
    world = World(Random(0))
    _archive(world, b"/logs/a.log.gz", b"what was in the log before\n")
    _pass(world, 10)
    _vanishes_when_opened(world, b"/logs/a.log")
    world.add(b"/logs/a.log", 2)
    _pass(world, 30)
    assert _lost(world) == 1


@pytest.mark.parametrize("lines", [0, 3], ids=["empty", "with lines"])
def test_a_copy_that_got_the_inode_of_a_log_that_was_closed_is_shipped_once(lines: int) -> None:
    world = World(Random(0))
    log, old = world.add(b"/logs/a.log", 5), world.add(b"/logs/b.log.8", lines)
    _pass(world, 2 * int(CLOSE_INACTIVE))
    assert old.open == 0, "it is closed"
    world.disk.unlink(b"/logs/b.log.8")
    copy = world.disk.create(b"/logs/a.log.1")
    assert copy.number == old.number
    world.disk.append(copy, bytes(log.generation.content))
    world.truncate(log)
    _pass(world, 30)
    assert _lines(world) == 5 + lines
    assert _lost(world) == 0


@pytest.mark.parametrize("deleted", [False, True])
def test_a_copy_waits_while_nobody_takes_its_original_which_is_longer_again_than_it_was(deleted: bool) -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    _pass(world, 8)
    world.disconnect()
    copy = world.disk.create(b"/logs/a.log.1")
    world.disk.append(copy, bytes(log.generation.content))
    world.truncate(log)
    world.append(log, 9)
    for _ in range(2 * int(ROTATE_WAIT)):
        world.now += 1.0
        world.poll()
    if deleted:
        world.disk.unlink(b"/logs/a.log.1")
        _look(world, 3)
    world.reconnect()
    _pass(world, 30)
    assert _lines(world) == 3 + 9
    assert _lost(world) == 0


def test_the_archive_of_what_may_be_a_copy_is_not_gone_through_before_that_is_seen() -> None:
    """Or what was not read of the original comes of the archive, and the copy whole."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    _pass(world, 8)
    opened = _opened(world)
    world.disk.append(world.disk.create(b"/logs/a.log.1"), bytes(log.generation.content))
    _archive(world, b"/logs/a.log.1.gz", bytes(log.generation.content))
    _pass(world, 2)
    assert opened.count(b"/logs/a.log.1.gz") == 1, "to see that it is one"
    _pass(world, 30)
    assert opened.count(b"/logs/a.log.1.gz") == 2
    assert _lines(world) == 2 * 3, "the copy is a file of its own: its original was not truncated"


@pytest.mark.parametrize("read", [0, 3], ids=["at first", "later"])
@pytest.mark.parametrize(("copied", "compressed"), [(True, False), (False, True), (True, True)])
def test_what_was_read_and_not_acknowledged_before_a_truncation_is_read_in_the_copy_by_the_next_process(
    read: int, copied: bool, compressed: bool
) -> None:
    """Or in the archive, which may be made of the copy while that waits."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", read)
    _pass(world, 8)
    world.append(log, 5)
    _look(world, 2)
    content = bytes(log.generation.content)
    if copied:
        world.disk.append(world.disk.create(b"/logs/a.log.1"), content)
    world.truncate(log)
    _look(world, 3)
    if compressed:
        _archive(world, b"/logs/a.log.1.gz", content)
    if copied and compressed:
        world.disk.unlink(b"/logs/a.log.1")
    for _ in range(5):
        _look(world, 1)
        world.speak()
        world.listen()
    world.kill_aggregator()
    world.kill()
    world.start()
    _pass(world, 40)
    assert _lines(world) == read + 5


def test_a_copy_goes_on_though_its_original_had_ended_just_before_a_kill() -> None:
    """The checkpoint has no more of that than that its end is to be told."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    _pass(world, 8)
    world.append(log, 5)
    _look(world, 2)
    copy = world.disk.create(b"/logs/a.log.1")
    world.disk.append(copy, bytes(log.generation.content))
    world.truncate(log)
    _look(world, 1)
    world.settle()
    assert world.collector is not None
    world.collector.tailer.step()
    world.collector.shipper.save(now=True)
    assert world.collector.follower(copy.number) is None, "it waits"
    world.kill()
    world.start()
    _pass(world, 30)
    assert _lines(world) == 3 + 5
    assert _lost(world) == 0


def test_what_was_begun_as_a_source_that_has_ended_leaves_that_to_its_copy() -> None:
    """The checkpoint knows of that source only that its file was empty."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 0)
    _pass(world, 8)
    stale = dict(world.checkpoint.durable)
    assert [entry.position for entry in stale.values()] == [0]
    world.append(log, 5)
    _pass(world, 3)
    world.disk.append(world.disk.create(b"/logs/a.log.1"), bytes(log.generation.content))
    world.truncate(log)
    _look(world, 1)
    world.settle()
    assert [row.finished for row in world.aggregator.ledger.values()] == [True]
    world.checkpoint.durable = stale
    world.kill()
    world.append(log, 2)
    world.start()
    _pass(world, 30)
    assert _lines(world) == 5 + 2
    assert _lost(world) == 0


def _look(world: World, times: int) -> None:
    """Nothing is said or heard."""
    for _ in range(times):
        world.now += 1.0
        world.poll()


def _pass(world: World, seconds: int) -> None:
    for _ in range(seconds):
        world.pass_by(1.0)


def _lines(world: World) -> int:
    """How many have come."""
    shipped = [data for row in world.aggregator.ledger.values() for _, data in row.shipped]
    return b"".join(shipped).count(b"\n")


def _lost(world: World) -> int:
    """Sources that this process of the collector has told of as lost."""
    assert world.collector is not None
    return world.collector.tailer.statistics().sources_lost


def _archive(world: World, name: bytes, content: bytes) -> Inode:
    archive = world.disk.create(name)
    world.disk.append(archive, gzip.compress(content))
    return archive


def _vanishes_when_opened(world: World, name: bytes) -> None:
    open_it = world.disk.open

    def open_none(path: bytes) -> MemoryFile:
        if path == name:
            world.disk.names.pop(path, None)
        return open_it(path)

    world.disk.open = open_none  # type: ignore[method-assign]


def _opened(world: World) -> list[bytes]:
    """The names by which files are opened from now on."""
    opened: list[bytes] = []
    open_it = world.disk.open

    def open_and_note(path: bytes) -> MemoryFile:
        opened.append(path)
        return open_it(path)

    world.disk.open = open_and_note  # type: ignore[method-assign]
    return opened
