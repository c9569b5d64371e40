"""Random histories in memory of writers, a collector and an aggregator: nothing is lost, doubled or out of order.

Everything that decides is the real thing (tailer, finder, roster, followers, window, shipper, admission); the disk, the
connection, the checkpoint's file and the ledger are in memory. `scripts/torture --memory` plays millions of steps.
"""

import gzip
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from histories.aggregator import Row
from histories.collector import CLOSE_INACTIVE
from histories.disk import DEVICE, MemoryFile
from histories.world import OPERATIONS, World, play
from mega_collector.block import Source
from mega_collector.marker import Marker
from mega_collector.protocol import Describe, FromCollector, Inventory

_SEEDS = 300
_LENGTH = 60

_FOUND = [
    282,  # the head that was described was of bytes that were gone when the first block was read
    7006,  # a file found rewritten kept the size that it had had before
    95325,  # what had moved just when it was to be recognised was let go of, and told as lost
    8800973,  # what was empty got an unrelated name while nobody looked, and was told as lost
    1441,  # what the checkpoint held was recognised, and not looked at again when the handshake came
    197,  # a file was closed to make room though it had grown and lost its name since it was seen
    1455,  # a file that could not be opened for want of descriptors was taken for gone
    723148,  # a file was closed to make room though it had been moved away and rewritten to the same size
    755266,  # the first block of a file was read that was shorter by then than it had been seen
    901742,  # a file was told as gone, and its source as finished, and then it was found
    108840,  # where a lost source had ended was settled for the file that was taken for it later, which waited forever
    7901,  # blocks of a life before were still in flight when the next one described the file
]
"""Seeds of histories that failed, and fail again if what they found comes back."""

_FOUND_BESIDE = [
    22004350,  # what was compared with others was closed, as these had to be opened
    7017490,  # a file that was rotated while it was empty was taken for its own copy
    13005604,  # what was to be judged anew had been closed, as others had to be opened to look at it
    5012541,  # an unlinked file that was held open was closed, to be found anew as what it might be a copy of
]
"""Likewise, where files are renamed while they are looked at."""


@pytest.mark.parametrize("first", range(0, _SEEDS, 50))
def test_seeded_histories(first: int) -> None:
    for seed in range(first, first + 50):
        play(seed, _LENGTH)


def test_long_histories() -> None:
    for seed in range(10):
        play(seed, 1000)


@pytest.mark.parametrize("seed", _FOUND)
def test_histories_that_once_failed(seed: int) -> None:
    play(seed, _LENGTH, beside=False)


@pytest.mark.parametrize("seed", _FOUND_BESIDE)
def test_histories_with_renames_beside_that_once_failed(seed: int) -> None:
    play(seed, _LENGTH)


@pytest.mark.parametrize("lines", [0, 3], ids=["empty", "with lines"])
@pytest.mark.parametrize("instant", range(12))
def test_a_start_beside_a_rename_tells_of_no_loss(instant: int, lines: int) -> None:
    """Whichever look of the first step it comes before."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", lines)
    for _ in range(8):
        world.pass_by(1.0)
    world.kill()
    world.append(log, lines)
    world.disk.beside(instant, lambda: world.rotate(b"/logs/a.log", b"/logs/b.log"))
    world.start()
    world.finish()
    assert world.disk.names[b"/logs/b.log"] is log
    assert world.aggregator.lost == []


def test_what_was_truncated_before_its_collector_had_heard_of_it_does_not_stay_in_the_ledger() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    for _ in range(8):
        world.pass_by(1.0)
    world.kill()
    world.start()
    assert world.collector is not None
    world.collector.tailer.step()
    assert [follower.settled for follower in world.collector.tailer._followed] == [False]
    world.truncate(log)
    world.append(log, 1)
    world.finish()
    assert [row.finished for row in world.aggregator.ledger.values()] == [True, False]
    assert world.aggregator.lost == []


def test_what_a_file_may_go_on_as_that_waits_for_its_answer_is_not_told_as_gone() -> None:
    """The state is lost; and the description of the file is answered late, as that of one that is held up."""
    world = World(Random(0))
    world.add(b"/logs/a.log", 3)
    for _ in range(8):
        world.pass_by(1.0)
    world.kill()
    world.checkpoint.wipe()
    world.start()
    assert world.collector is not None
    held_up: list[FromCollector] = []
    while not held_up:
        world.settle()
        world.collector.tailer.step()
        held_up = [message for message in world.collector.sent if isinstance(message, Describe)]
    for message in held_up:
        world.collector.sent.remove(message)
    for _ in range(8):
        world.pass_by(1.0)
    world.collector.sent += held_up
    world.finish()
    assert len(held_up) == len(world.aggregator.ledger) == 1
    assert world.aggregator.lost == []


def test_of_no_file_is_asked_before_the_aggregator_has_told_what_it_remembers() -> None:
    """The state is lost. Whether it was there before, or comes meanwhile."""
    world = World(Random(0))
    world.add(b"/logs/a.log", 3)
    world.settle()
    world.kill()
    world.checkpoint.wipe()
    world.start()
    assert world.collector is not None
    asked: list[FromCollector] = []
    for name in (b"/logs/b.log", b"/logs/c.log"):
        world.collector.tailer.step()
        world.add(name, 1)
        world.now += 1.0
        world.collector.tailer.step()
        asked += world.collector.sent
        world.reconnect()
    assert {type(message) for message in asked} == {Inventory}
    world.finish()


def test_a_connection_that_has_ended_before_it_is_heard_of_does_not_end_the_asking() -> None:
    world = World(Random(0))
    world.start()
    assert world.collector is not None
    world.collector.disconnect()
    world.collector.tailer.step()
    assert world.collector.recollects


@pytest.mark.parametrize("wiped", [False, True])
@pytest.mark.parametrize("name", [b"/logs/a.log", b"/logs/a.log.1"])
def test_what_vanishes_when_it_is_to_be_opened_is_lost_once(wiped: bool, name: bytes) -> None:
    """It is remembered, by its name or by that which it had."""
    world = World(Random(0))
    world.add(b"/logs/a.log", 3)
    for _ in range(8):
        world.pass_by(1.0)
    world.kill()
    if wiped:
        world.checkpoint.wipe()
    world.disk.rename(b"/logs/a.log", name)
    open_it = world.disk.open

    def open_none(path: bytes) -> MemoryFile:
        world.disk.names.pop(path, None)
        return open_it(path)

    world.disk.open = open_none  # type: ignore[method-assign]
    world.start()
    for _ in range(40):
        world.pass_by(1.0)
    assert len(world.aggregator.lost) == 1


def test_what_is_compressed_when_it_is_to_be_opened_is_not_lost() -> None:
    world = World(Random(0))
    world.add(b"/logs/a.log", 3)
    open_it = world.disk.open

    def compress(path: bytes) -> MemoryFile:
        if path == b"/logs/a.log":
            plain = world.disk.names.pop(path)
            world.disk.append(world.disk.create(path + b".gz"), gzip.compress(plain.generation.content))
        return open_it(path)

    world.disk.open = compress  # type: ignore[method-assign]
    world.start()
    for _ in range(20):
        world.pass_by(1.0)
    assert world.aggregator.lost == []
    assert [len(row.shipped) for row in world.aggregator.ledger.values()] == [1]


def test_of_two_sources_of_a_file_the_one_that_came_farther_goes_on() -> None:
    """The state is lost; and the ledger has two sources of the file that have not ended."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    for _ in range(8):
        world.pass_by(1.0)
    world.kill()
    world.checkpoint.wipe()
    (row,) = world.aggregator.ledger.values()
    line = bytes(log.generation.content[: log.generation.content.index(b"\n") + 1])
    other = replace(row.source, id=b"\xff" * 16)
    world.aggregator.ledger[other.id] = Row(other, len(line), Marker.of(line))
    world.start()
    world.append(log, 1)
    for _ in range(20):
        world.pass_by(1.0)
    assert [source.id for source in world.aggregator.lost] == [other.id]
    assert (row.position, row.gone) == (len(log.generation.content), False)


def test_what_rests_while_the_aggregator_is_started_anew_is_not_told_as_gone() -> None:
    world = World(Random(0))
    world.add(b"/logs/a.log", 3)
    for _ in range(8):
        world.pass_by(1.0)
    world.kill_aggregator()
    world.finish()
    assert world.aggregator.lost == []
    assert [row.gone for row in world.aggregator.ledger.values()] == [False]


@pytest.mark.parametrize("passes", range(0, 15, 2))
def test_what_comes_to_light_while_it_is_sought_goes_on_and_is_not_told_as_gone(passes: int) -> None:
    """The state is lost; and the files are mounted late, when the aggregator may have told of them already."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    for _ in range(8):
        world.pass_by(1.0)
    world.kill()
    world.checkpoint.wipe()
    del world.disk.names[b"/logs/a.log"]
    world.start()
    for _ in range(passes):
        world.pass_by(0.3)
    # By then it may be gone for all that anybody knows.
    world.aggregator.lost.clear()
    world.disk.names[b"/logs/a.log"] = log
    world.append(log, 1)
    world.finish()
    assert [row.gone for row in world.aggregator.ledger.values()] == [False]
    assert world.aggregator.lost == []


def test_what_only_the_aggregator_remembers_is_read_on_where_it_lies_now() -> None:
    """The state is lost; and the file was renamed, to what no pattern matches, with a line that nobody has read."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    for _ in range(8):
        world.pass_by(1.0)
    world.kill()
    world.checkpoint.wipe()
    world.append(log, 1)
    world.disk.rename(b"/logs/a.log", b"/logs/old")
    world.finish()
    (row,) = world.aggregator.ledger.values()
    assert (row.position, row.finished) == (len(log.generation.content), True)


def test_of_what_the_aggregator_says_no_file_is_read_that_does_not_lie_where_the_patterns_look() -> None:
    world = World(Random(0))
    world.start()
    secret = world.disk.create(b"/secrets/key")
    world.append(secret, 3)
    head = Marker.of(bytes(secret.generation.content[:1]))
    stranger = Source(b"stranger", b"/secrets/another", DEVICE, secret.number, head)
    odd = Source(b"odd", b"/logs/\0.log", DEVICE, 1, head)
    world.aggregator.ledger = {each.id: Row(each, 0) for each in (stranger, odd)}
    for _ in range(8):
        world.pass_by(1.0)
    assert [row.gone for row in world.aggregator.ledger.values()] == [True, True]
    assert [row.shipped for row in world.aggregator.ledger.values()] == [[], []]
    assert world.collector is not None
    assert list(world.collector.tailer._inventories._search._remembered) == [], "nor is anything of it kept"


@settings(max_examples=60)
@given(
    names=st.lists(st.sampled_from(sorted(OPERATIONS)), max_size=40),
    batch_age=st.sampled_from([0.0, 15.0]),
    random=st.randoms(use_true_random=False),
)
def test_histories_that_can_be_shrunk(names: list[str], batch_age: float, random: Random) -> None:
    world = World(random, batch_age=batch_age)
    for name in names:
        world.perform(name)
    world.finish()


@pytest.mark.parametrize("instant", range(3))
def test_a_file_that_is_moved_again_while_it_is_sought_is_found(instant: int) -> None:
    """It was closed for being idle, and has lost its name in the pattern."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    for _ in range(2 * int(CLOSE_INACTIVE)):
        world.pass_by(1.0)
    assert log.open == 0, "it is closed"
    world.disk.rename(b"/logs/a.log", b"/logs/z")
    world.append(log, 3)
    world.disk.beside(instant, lambda: world.rotate(b"/logs/z", b"/logs/0", reopen=False))
    world.finish()
    assert b"/logs/0" in world.disk.names
