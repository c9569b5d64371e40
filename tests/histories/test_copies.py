"""Copies that a rotation makes before it cuts the log: whoever is killed or cut off meanwhile, lines come once."""

import sys
from random import Random

import pytest

from histories import disk
from histories.collector import CLOSE_INACTIVE, ROTATE_WAIT
from histories.disk import Inode
from histories.scenes import count_lines, count_lost, let_pass, look, make_archive, make_copy, make_copy_of, note_opened
from histories.world import World


@pytest.mark.parametrize("lines", [0, 3], ids=["empty", "with lines"])
def test_a_copy_that_got_the_inode_of_a_log_that_was_closed_is_shipped_once(lines: int) -> None:
    world = World(Random(0))
    log, old = world.add(b"/logs/a.log", 5), world.add(b"/logs/b.log.8", lines)
    let_pass(world, 2 * int(CLOSE_INACTIVE))
    assert old.open == 0, "it is closed"
    world.disk.unlink(b"/logs/b.log.8")
    copy = world.disk.create(b"/logs/a.log.1")
    assert copy.number == old.number
    world.disk.append(copy, bytes(log.generation.content))
    world.truncate(log)
    let_pass(world, 30)
    assert count_lines(world) == 5 + lines
    assert count_lost(world) == 0


@pytest.mark.parametrize("deleted", [False, True])
def test_a_copy_waits_while_nobody_takes_its_original_which_is_longer_again_than_it_was(deleted: bool) -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    let_pass(world, 8)
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
        look(world, 3)
    world.reconnect()
    let_pass(world, 30)
    assert count_lines(world) == 3 + 9
    assert count_lost(world) == 0


def test_the_archive_of_what_may_be_a_copy_is_not_gone_through_before_that_is_seen() -> None:
    """Or what was not read of the original comes of the archive, and the copy whole."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    let_pass(world, 8)
    opened = note_opened(world)
    world.disk.append(world.disk.create(b"/logs/a.log.1"), bytes(log.generation.content))
    make_archive(world, b"/logs/a.log.1.gz", bytes(log.generation.content))
    let_pass(world, 2)
    assert opened.count(b"/logs/a.log.1.gz") == 1, "to see that it is one"
    let_pass(world, 30)
    assert opened.count(b"/logs/a.log.1.gz") == 2
    assert count_lines(world) == 2 * 3, "the copy is a file of its own: its original was not truncated"


@pytest.mark.parametrize("read", [0, 3], ids=["at first", "later"])
@pytest.mark.parametrize(("copied", "compressed"), [(True, False), (False, True), (True, True)])
def test_what_was_read_and_not_acknowledged_before_a_truncation_is_read_in_the_copy_by_the_next_process(
    read: int, copied: bool, compressed: bool
) -> None:
    """Or in the archive, which may be made of the copy while that waits."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", read)
    let_pass(world, 8)
    world.append(log, 5)
    look(world, 2)
    content = bytes(log.generation.content)
    if copied:
        world.disk.append(world.disk.create(b"/logs/a.log.1"), content)
    world.truncate(log)
    look(world, 3)
    if compressed:
        make_archive(world, b"/logs/a.log.1.gz", content)
    if copied and compressed:
        world.disk.unlink(b"/logs/a.log.1")
    for _ in range(5):
        look(world, 1)
        world.speak()
        world.listen()
    world.kill_aggregator()
    world.kill()
    world.start()
    let_pass(world, 40)
    assert count_lines(world) == read + 5


def test_a_copy_goes_on_though_its_original_had_ended_just_before_a_kill() -> None:
    """The checkpoint has no more of that than that its end is to be told."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    let_pass(world, 8)
    world.append(log, 5)
    look(world, 2)
    copy = world.disk.create(b"/logs/a.log.1")
    world.disk.append(copy, bytes(log.generation.content))
    world.truncate(log)
    look(world, 1)
    world.settle()
    assert world.collector is not None
    world.collector.tailer.step()
    world.collector.shipper.save(now=True)
    assert world.collector.follower(copy.number) is None, "it waits"
    world.kill()
    world.start()
    let_pass(world, 30)
    assert count_lines(world) == 3 + 5
    assert count_lost(world) == 0


def test_what_was_begun_as_a_source_that_has_ended_leaves_that_to_its_copy() -> None:
    """The checkpoint knows of that source only that its file was empty."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 0)
    let_pass(world, 8)
    stale = dict(world.checkpoint.durable)
    assert [entry.position for entry in stale.values()] == [0]
    world.append(log, 5)
    let_pass(world, 3)
    world.disk.append(world.disk.create(b"/logs/a.log.1"), bytes(log.generation.content))
    world.truncate(log)
    look(world, 1)
    world.settle()
    assert [row.finished for row in world.aggregator.ledger.values()] == [True]
    world.checkpoint.durable = stale
    world.kill()
    world.append(log, 2)
    world.start()
    let_pass(world, 30)
    assert count_lines(world) == 5 + 2
    assert count_lost(world) == 0


@pytest.mark.parametrize("passes", range(6))
def test_a_copy_that_got_the_inode_of_what_was_empty_goes_on_as_the_copy_that_it_is(passes: int) -> None:
    """What was empty agrees with anything; and is remembered until it is known what became of it."""
    world = World(Random(0))
    log, empty = world.add(b"/logs/a.log", 5), world.add(b"/logs/b.log.8", 0)
    let_pass(world, 8)
    world.kill()
    world.disk.unlink(b"/logs/b.log.8")
    world.start()
    let_pass(world, passes)
    assert make_copy(world, b"/logs/a.log.1", log).number == empty.number
    world.truncate(log)
    let_pass(world, 30)
    assert count_lines(world) == 5


def test_a_copy_goes_on_as_what_has_ended_in_the_ledger_and_not_in_the_checkpoint() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    let_pass(world, 8)
    before = dict(world.checkpoint.durable)
    make_copy(world, b"/logs/a.log.1", log)
    world.truncate(log)
    look(world, 1)
    world.settle()
    assert [row.finished for row in world.aggregator.ledger.values()] == [True]
    world.checkpoint.durable = before
    world.kill()
    world.start()
    let_pass(world, 30)
    assert count_lines(world) == 3
    assert count_lost(world) == 0


@pytest.mark.parametrize("unread", [0, 2])
@pytest.mark.parametrize("noted", [False, True], ids=["the ledger", "the checkpoint"])
def test_a_copy_that_went_on_just_before_a_second_kill_goes_on_once_whoever_knows_of_it(
    noted: bool, unread: int
) -> None:
    """At the first one only the ledger knew that its original had ended."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    let_pass(world, 8)
    before = dict(world.checkpoint.durable)
    world.append(log, unread)
    copy = make_copy(world, b"/logs/a.log.1", log)
    world.truncate(log)
    look(world, 1)
    world.settle()
    assert [row.finished for row in world.aggregator.ledger.values()] == [True]
    world.checkpoint.durable = before
    world.kill()
    world.start()
    assert world.collector is not None
    while not ((follower := world.collector.follower(copy.number)) and follower.settled):
        world.settle()
        look(world, 1)
    if noted:
        world.collector.shipper.save(now=True)
    else:
        world.settle()
        world.checkpoint.durable = before
    world.kill()
    world.start()
    let_pass(world, 30)
    assert count_lines(world) == 3 + unread
    assert count_lost(world) == 0
    standing = {each for each, row in world.aggregator.ledger.items() if not row.finished}
    assert standing <= world.collector.sources


@pytest.mark.parametrize("read", [0, 3], ids=["empty", "read"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("max_open_files", [1, 100])
def test_what_was_not_read_of_a_log_is_not_lost_if_its_copy_or_the_archive_of_that_lies_near(
    max_open_files: int, compressed: bool, read: int
) -> None:
    """However many files may be open. Nobody has looked since it was written."""
    world = World(Random(0), max_open_files=max_open_files)
    log = world.add(b"/logs/a.log", read)
    let_pass(world, 8)
    world.disconnect()
    world.append(log, 40)
    look(world, 3)
    content = bytes(log.generation.content)
    if compressed:
        make_archive(world, b"/logs/a.log.1.gz", content)
    else:
        make_copy(world, b"/logs/a.log.1", log)
    world.truncate(log)
    world.reconnect()
    let_pass(world, 40)
    assert count_lines(world) == read + 40
    assert count_lost(world) == 0


@pytest.mark.parametrize("found", [False, True])
def test_what_is_cut_just_before_its_handshake_goes_on_in_its_copy(found: bool) -> None:
    """Whether the copy is found before that, or lies there."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    let_pass(world, 8)
    world.kill()
    world.start()
    look(world, 1)
    make_copy(world, b"/logs/a.log.1", log)
    world.truncate(log)
    world.append(log, 9)
    if found:
        look(world, 1)
    let_pass(world, 30)
    assert count_lines(world) == 3 + 9
    assert count_lost(world) == 0


def test_a_copy_of_what_nothing_was_shipped_of_tells_that_it_is_not_lost() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    while world.checkpoint.durable == {}:
        world.settle()
        look(world, 1)
    assert [entry.position for entry in world.checkpoint.durable.values()] == [0]
    world.kill()
    assert world.aggregator.ledger == {}
    make_copy(world, b"/logs/a.log.1", log)
    world.truncate(log)
    world.start()
    let_pass(world, 30)
    assert count_lines(world) == 3
    assert count_lost(world) == 0


@pytest.mark.parametrize("lines", [2, 5, 9])
def test_a_copy_that_got_the_name_and_the_inode_of_the_copy_before_it_is_known_as_one(lines: int) -> None:
    """Of which only one is kept. It may be shorter, as long, or longer."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 5)
    let_pass(world, 8)
    old = make_copy(world, b"/logs/a.log.1", log)
    world.truncate(log)
    let_pass(world, 2 * int(CLOSE_INACTIVE))
    assert old.open == 0, "it is closed"
    world.append(log, lines)
    let_pass(world, 8)
    world.disk.unlink(b"/logs/a.log.1")
    assert make_copy(world, b"/logs/a.log.1", log).number == old.number
    world.truncate(log)
    let_pass(world, 30)
    assert count_lines(world) == 5 + lines
    assert count_lost(world) == 0


@pytest.mark.parametrize("again", [False, True], ids=["read", "another"])
def test_what_was_not_read_of_a_copy_is_not_lost_if_it_is_in_an_archive_that_is_counted_on(again: bool) -> None:
    """As of renamecopy with delaycompress: a.log.1 is a.log.2.gz by then, and the next copy has its name and inode.

    `again`: so it was before, and of the one between the two nothing was read.
    """
    world = World(Random(0))
    old = world.add(b"/logs/a.log.1", 3)
    let_pass(world, 2 * int(CLOSE_INACTIVE))
    assert old.open == 0, "it is closed"
    world.disk.most_open = 0
    logs = [world.disk.create(b"/logs/of.%d" % number) for number in range(2)]
    for number, log in enumerate(logs):
        world.append(log, 40 - 30 * number)
    copy = old
    if again:
        world.disk.unlink(b"/logs/a.log.1")
        copy = make_copy(world, b"/logs/a.log.1", logs[0])
        assert copy.number == old.number
    else:
        world.append(old, 40)
    look(world, 3)
    make_archive(world, b"/logs/a.log.2.gz", bytes(copy.generation.content))
    world.disk.unlink(b"/logs/a.log.1")
    assert make_copy(world, b"/logs/a.log.1", logs[1]).number == old.number
    look(world, 3)
    world.disk.most_open = 100
    let_pass(world, 60)
    assert count_lines(world) == 3 + 40 + 10
    assert count_lost(world) == 0


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("looks", range(3))
def test_a_copy_that_is_written_over_the_copy_before_it_is_known_as_one(looks: int, closed: bool) -> None:
    """As by cp(1), which writes it a part at a time: with a look between these."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 5)
    let_pass(world, 8)
    copy = make_copy(world, b"/logs/a.log.1", log)
    world.truncate(log)
    let_pass(world, 2 * int(CLOSE_INACTIVE) if closed else 3)
    world.append(log, 9)
    let_pass(world, 8)
    content = bytes(log.generation.content)
    world.truncate(copy)
    for part in (content[:40], content[40:]):
        if looks:
            let_pass(world, looks)
        world.disk.append(copy, part)
    world.truncate(log)
    let_pass(world, 30)
    assert count_lines(world) == 5 + 9
    assert count_lost(world) == 0


@pytest.mark.parametrize("acknowledged", [False, True])
@pytest.mark.parametrize("looks", [0, 1, 2])
def test_a_copy_holds_nothing_new_if_what_was_written_behind_it_was_read_before_the_cut(
    looks: int, acknowledged: bool
) -> None:
    """It ends before what is remembered of its original."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 10)
    let_pass(world, 8)
    make_copy(world, b"/logs/a.log.1", log)
    look(world, looks)
    world.append(log, 1)
    look(world, 1)
    if acknowledged:
        world.settle()
    world.truncate(log)
    world.append(log, 2)
    let_pass(world, 30)
    assert count_lines(world) == 10 + 1 + 2
    assert count_lost(world) == 0


def test_a_copy_that_was_seen_before_the_cut_and_not_as_what_it_is_then_is_shipped() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 10)
    let_pass(world, 8)
    copy = make_copy(world, b"/logs/a.log.1", log)
    look(world, 1)
    world.append(log, 5)
    look(world, 1)
    world.truncate(log)
    world.append(copy, 1)
    let_pass(world, 30)
    assert count_lines(world) == 10 + 5 + 10 + 1


def test_a_copy_holds_what_was_not_read_though_more_was_of_what_its_original_held_before() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 0)
    let_pass(world, 8)
    world.append(log, 10)
    let_pass(world, 8)
    world.disconnect()
    world.truncate(log)
    world.append(log, 2)
    look(world, 1)
    make_copy(world, b"/logs/a.log.1", log)
    look(world, 1)
    world.truncate(log)
    look(world, 2)
    world.reconnect()
    let_pass(world, 30)
    assert count_lines(world) == 10 + 2
    assert count_lost(world) == 0


def test_what_begins_as_a_log_and_grows_all_the_time_is_no_copy_for_long() -> None:
    """Though it grows again before a line of it was read."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 5)
    let_pass(world, 8)
    other = make_copy(world, b"/logs/a.log.debug", log)
    for _ in range(4 * int(ROTATE_WAIT)):
        world.append(other, 1)
        world.pass_by(1.0)
    assert count_lines(world) > 5


@pytest.mark.parametrize("unread", [0, 2])
@pytest.mark.parametrize("deleted", [False, True])
@pytest.mark.parametrize("archived", [False, True])
def test_a_copy_of_a_log_that_is_gone_and_their_archive_do_not_wait_for_each_other(
    archived: bool, deleted: bool, unread: int
) -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    let_pass(world, 2 * int(CLOSE_INACTIVE))
    assert log.open == 0, "it is closed"
    world.append(log, unread)
    make_copy(world, b"/logs/a.log.1", log)
    world.disk.unlink(b"/logs/a.log")
    assert world.disk.create(b"/logs/none").number == log.number, "so that nobody opens it any more"
    if archived:
        make_archive(world, b"/logs/a.log.1.gz", bytes(log.generation.content))
    look(world, 2)
    if deleted:
        world.disk.unlink(b"/logs/a.log.1")
    let_pass(world, 60)
    assert count_lines(world) == 3 + unread
    assert count_lost(world) == 0


@pytest.mark.parametrize("looks", [1, 2])
@pytest.mark.parametrize("deleted", [False, True])
def test_what_is_gone_goes_on_in_its_copy_and_not_in_the_archive_of_that_which_was_renamed(
    deleted: bool, looks: int
) -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 5)
    let_pass(world, 2 * int(CLOSE_INACTIVE))
    make_copy(world, b"/logs/a.log.1", log)
    world.disk.unlink(b"/logs/a.log")
    assert world.disk.create(b"/logs/none").number == log.number
    world.add(b"/logs/a.log", 1)
    look(world, looks)
    world.disk.rename(b"/logs/a.log.1", b"/logs/a.log.2")
    make_archive(world, b"/logs/a.log.2.gz", bytes(log.generation.content))
    if deleted:
        world.disk.unlink(b"/logs/a.log.2")
    let_pass(world, 60)
    assert count_lines(world) == 5 + 1


def test_of_two_copies_between_two_looks_each_is_known_by_what_it_holds() -> None:
    """The later one is found first, and is the log's beginning as that is now; the log was cut before."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 9)
    let_pass(world, 8)
    make_copy(world, b"/logs/a.log.1", log)
    world.truncate(log)
    world.append(log, 1)
    make_copy(world, b"/logs/a.log.2", log)
    world.disk.rename(b"/logs/a.log.1", b"/logs/a.log.3")
    world.disk.unlink(b"/logs/a.log")
    world.add(b"/logs/a.log", 1)
    let_pass(world, 60)
    assert count_lines(world) == 9 + 1 + 1
    assert count_lost(world) == 0


def test_a_copy_waits_while_its_original_cannot_be_opened_and_nothing_is_known_of_that() -> None:
    world = World(Random(0), max_open_files=1)
    log = world.add(b"/logs/a.log", 3)
    let_pass(world, 8)
    world.kill()
    make_copy(world, b"/logs/a.log.1", log)
    world.add(b"/logs/b.log", 9)
    world.start()
    look(world, 1)
    world.disk.unlink(b"/logs/b.log")
    for _ in range(3 * int(ROTATE_WAIT)):
        look(world, 1)
        world.speak()
        world.listen()
    world.truncate(log)
    let_pass(world, 30)
    assert count_lines(world) == 3 + 9
    assert count_lost(world) == 0


def test_what_is_rewritten_before_it_goes_on_as_what_has_ended_leaves_that_to_an_archive() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    let_pass(world, 8)
    copy = make_copy(world, b"/logs/a.log.1", log)
    look(world, 1)
    world.truncate(log)
    look(world, 1)
    world.disconnect()
    look(world, 2)
    make_archive(world, b"/logs/a.log.2.gz", bytes(copy.generation.content))
    world.disk.truncate(copy)
    world.append(copy, 9)
    world.reconnect()
    let_pass(world, 30)
    assert count_lines(world) == 3 + 9
    assert count_lost(world) == 0


def test_an_archive_that_got_the_inode_of_a_log_is_known_as_one_though_no_more_files_can_be_opened() -> None:
    world = World(Random(0), max_open_files=1)
    log = world.add(b"/logs/a.log", 3)
    let_pass(world, 8)
    world.add(b"/logs/b.log", 9)
    look(world, 1)
    assert log.open == 0, "it is closed"
    world.disk.unlink(b"/logs/b.log")
    world.append(log, 20)
    look(world, 1)
    world.disk.unlink(b"/logs/a.log")
    archive = make_archive(world, b"/logs/c.log.1.gz", b"of a file\nthat nobody saw\n")
    assert archive.number == log.number
    make_archive(world, b"/logs/a.log.1.gz", bytes(log.generation.content))
    look(world, 1)
    let_pass(world, 30)
    assert count_lines(world) == 3 + 9 + 20 + 2
    assert count_lost(world) == 0


@pytest.mark.case(94)
@pytest.mark.parametrize("max_open_files", [1, 4])
@pytest.mark.parametrize("deaf", [False, True], ids=["answered", "cut off"])
def test_many_copies_that_wait_take_half_of_the_descriptors_and_come_once(max_open_files: int, deaf: bool) -> None:
    world = World(Random(0), max_open_files=max_open_files)
    logs = [world.add(b"/logs/%d.log" % number, 3) for number in range(12)]
    let_pass(world, 60)
    if deaf:
        world.disconnect()
    copies = [make_copy(world, b"/logs/%d.log.1" % number, log) for number, log in enumerate(logs)]
    look(world, 2)
    assert sum(copy.open for copy in copies) == max_open_files // 2
    for log in logs:
        world.truncate(log)
        world.append(log, 1)
    look(world, 3)
    assert sum(each.open for each in (*copies, *logs)) <= max_open_files
    world.reconnect()
    let_pass(world, 60)
    assert count_lines(world) == 12 * (3 + 1)
    assert count_lost(world) == 0


def test_a_copy_that_was_deleted_while_it_was_closed_for_others_is_not_lost_if_its_log_had_all_of_it() -> None:
    world = World(Random(0), max_open_files=4)
    logs = [world.add(b"/logs/%d.log" % number, 3) for number in range(3)]
    let_pass(world, 20)
    copies = [make_copy(world, b"/logs/%d.log.1" % number, log) for number, log in enumerate(logs)]
    look(world, 2)
    assert [copy.open for copy in copies] == [1, 1, 0]
    world.disk.unlink(b"/logs/2.log.1")
    look(world, 1)
    for log in logs:
        world.truncate(log)
    let_pass(world, 30)
    assert count_lines(world) == 3 * 3
    assert count_lost(world) == 0


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_what_was_refused_for_good_is_not_taken_for_shipped_when_its_copy_may_come(
    compressed: bool, restarted: bool
) -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 0)
    let_pass(world, 3)
    world.aggregator.refused.add(log.number)
    world.append(log, 3)
    let_pass(world, 3)
    content = bytes(log.generation.content)
    make_copy(world, b"/logs/a.log.1", log)
    world.truncate(log)
    let_pass(world, 8)
    if compressed:
        make_archive(world, b"/logs/a.log.1.gz", content)
        world.disk.unlink(b"/logs/a.log.1")
        let_pass(world, 3)
    world.aggregator.refused.clear()
    if restarted:
        world.kill()
        world.start()
    let_pass(world, 60)
    assert count_lines(world) == 3


@pytest.mark.parametrize("first", [b"a", b"z"])
def test_a_log_that_was_not_opened_is_not_lost_if_its_copy_got_the_inode_of_another(first: bytes) -> None:
    """As of renamecopy, one log after the other, where there are more than can be opened."""
    world = World(Random(0))
    world.disk.most_open = 0
    logs = [world.add(b"/logs/%s.log" % each, 5) for each in (first, b"m")]
    look(world, 3)
    for each, log in zip((first, b"m"), logs, strict=True):
        copy = make_copy(world, b"/logs/%s.log.1" % each, log)
        world.disk.unlink(b"/logs/%s.log" % each)
    assert copy.number == logs[0].number
    look(world, 3)
    world.disk.most_open = 100
    let_pass(world, 60)
    assert count_lines(world) == 5 + 5
    assert count_lost(world) == 0


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_a_log_that_is_gone_when_it_can_be_opened_is_not_lost_if_its_copy_lies_near(looks: int) -> None:
    world = World(Random(0))
    world.disk.most_open = 0
    logs = {each: world.add(b"/logs/%s.log" % each, 5) for each in (b"a", b"m", b"k")}
    look(world, 1)
    for each in (b"a", b"m"):
        make_copy(world, b"/logs/%s.log.1" % each, logs[each])
        world.disk.unlink(b"/logs/%s.log" % each)
    world.disk.most_open = 2
    look(world, looks)
    world.disk.most_open = 100
    let_pass(world, 40)
    assert count_lines(world) == 5 + 5 + 5
    assert count_lost(world) == 0


def test_what_was_refused_for_good_and_is_gone_comes_of_its_archive() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 0)
    let_pass(world, 3)
    world.aggregator.refused.add(log.number)
    world.append(log, 3)
    let_pass(world, 3)
    make_archive(world, b"/logs/a.log.1.gz", bytes(log.generation.content))
    world.disk.unlink(b"/logs/a.log")
    let_pass(world, 30)
    world.aggregator.refused.clear()
    world.kill()
    world.start()
    let_pass(world, 30)
    assert count_lines(world) == 3


def test_a_copy_waits_on_if_its_log_was_removed_since_the_last_scan() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    let_pass(world, 8)
    copy = make_copy(world, b"/logs/a.log.1", log)
    look(world, 1)
    assert copy.open
    assert world.collector is not None
    world.collector.tailer._finder._scan_at += 60.0  # as where scans take long
    world.disk.unlink(b"/logs/a.log")
    let_pass(world, 10)
    assert log.open, "no scan has told that it is gone"
    let_pass(world, 80)
    assert count_lines(world) == 3
    assert count_lost(world) == 0


def test_a_copy_that_is_deleted_is_held_open_though_others_have_no_descriptor() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 6)
    let_pass(world, 8)
    world.disconnect()
    world.append(log, 30)
    look(world, 2)
    copy = make_copy(world, b"/logs/a.log.1", log)
    world.truncate(log)
    world.append(log, 30)
    look(world, 2)
    world.disk.unlink(b"/logs/a.log.1")
    look(world, 3)
    assert copy.open
    world.disk.most_open = 0
    for number in range(3):
        world.add(b"/logs/%d.log" % number, 1)
    look(world, 3)
    world.disk.most_open = sys.maxsize
    world.reconnect()
    let_pass(world, 60)
    assert count_lines(world) == 36 + 30 + 3
    assert count_lost(world) == 0


@pytest.mark.parametrize("shipped", [0, 2])
def test_a_copy_takes_the_place_of_a_log_that_is_refused_for_good_and_gone(shipped: int) -> None:
    """And what else is missing is sought."""
    world = World(Random(0))
    log, other = world.add(b"/logs/a.log", shipped), world.add(b"/logs/b.log", 1)
    let_pass(world, 8)
    world.kill()
    world.append(other, 1)
    world.disk.unlink(b"/logs/b.log")
    world.start()
    world.aggregator.refused.add(log.number)
    world.append(log, 3)
    let_pass(world, 5)
    world.append(log, 2)
    let_pass(world, 2)
    make_copy(world, b"/logs/a.log.1", log)
    let_pass(world, 1)
    world.disk.unlink(b"/logs/a.log")
    let_pass(world, 30)
    assert count_lines(world) == shipped + 1 + 3 + 2
    assert [each.path for each in world.aggregator.lost] == [b"/logs/b.log"]
    assert not log.open


@pytest.mark.parametrize("archived", [b"/logs/a.log.1.gz", b"/logs/a-2.log.gz"])
def test_an_archive_that_begins_with_all_that_a_log_has_is_shipped_if_that_is_too_short_to_be_its_own(
    archived: bytes,
) -> None:
    """As where each begins with the same words."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 1)
    make_archive(world, archived, bytes(log.generation.content) + b"and another line\n")
    opened = note_opened(world)
    let_pass(world, 60)
    assert count_lines(world) == 1 + 2
    assert opened.count(archived) < 5, "nor does anything wait for more of it"


@pytest.mark.parametrize("most", [1, 2, 100])
def test_a_copy_that_is_deleted_while_it_waits_does_not_come_where_files_are_polled(most: int) -> None:
    """Each time that it is looked at again it is as if it had just been found, but for what the scans have missed."""
    world = World(Random(0), max_open_files=most)
    log = world.add(b"/logs/a.log", 6)
    let_pass(world, 8)
    make_copy(world, b"/logs/a.log.1", log)
    let_pass(world, 1)
    world.disk.unlink(b"/logs/a.log.1")
    let_pass(world, 40)
    assert count_lines(world) == 6
    assert count_lost(world) == 0


@pytest.fixture
def hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """The patterns do not find what is renamed to be copied."""
    is_matched = disk.is_matched
    monkeypatch.setattr(disk, "is_matched", lambda name: is_matched(name) and not name.endswith(b".tmp"))


@pytest.mark.usefixtures("hidden")
@pytest.mark.parametrize("looks", [0, 1, 3])
def test_a_copy_does_not_come_whole_if_its_log_waits_for_a_descriptor_by_a_name_that_no_pattern_finds(
    looks: int,
) -> None:
    """As of renamecopy: what is copied is called a.log.tmp."""
    world = World(Random(0))
    world.disk.most_open = 0
    log = world.add(b"/logs/a.log", 6)
    look(world, 2)
    world.disk.rename(b"/logs/a.log", b"/logs/a.log.tmp")
    look(world, looks)
    content = bytes(log.generation.content)
    copy = make_copy_of(world, b"/logs/a.log.1", content[:10])
    world.disk.most_open = 100
    look(world, 1)
    world.disk.append(copy, content[10:])
    look(world, 1)
    world.disk.unlink(b"/logs/a.log.tmp")
    let_pass(world, 60)
    assert count_lines(world) == 6
    assert count_lost(world) == 0


def stop_and_rename() -> tuple[World, Inode]:
    """Six lines were found, and nothing of them is shipped when the collector is stopped and the log renamed."""
    world = World(Random(0), batch_age=15.0)
    log = world.add(b"/logs/a.log", 6)
    let_pass(world, 3)
    assert world.collector is not None
    world.collector.tailer.step()
    world.collector.shipper.save(now=True)
    world.kill()
    assert count_lines(world) == 0
    world.disk.rename(b"/logs/a.log", b"/logs/a.log.tmp")
    return world, log


@pytest.mark.usefixtures("hidden")
@pytest.mark.parametrize("looks", [0, 1, 3])
def test_a_copy_does_not_come_whole_if_its_log_was_renamed_while_the_collector_was_stopped(looks: int) -> None:
    """To a name that no pattern finds, and before anything of it was shipped."""
    world, log = stop_and_rename()
    content = bytes(log.generation.content)
    copy = make_copy_of(world, b"/logs/a.log.1", content[:10])
    world.start()
    look(world, 1)
    world.disk.append(copy, content[10:])
    look(world, looks)
    world.disk.unlink(b"/logs/a.log.tmp")
    let_pass(world, 60)
    assert count_lines(world) == 6
    assert count_lost(world) == 0


@pytest.mark.usefixtures("hidden")
def test_a_file_does_not_wait_for_a_log_of_which_it_may_be_a_copy_if_that_is_hidden_and_cannot_be_read() -> None:
    world, log = stop_and_rename()
    world.disk.forbidden.add(log)
    make_copy_of(world, b"/logs/a.log.1", b"another\n")
    world.start()
    let_pass(world, 60)
    assert count_lines(world) == 1


@pytest.mark.usefixtures("hidden")
def test_a_log_that_has_another_name_which_the_patterns_find_is_followed_by_that_and_no_other() -> None:
    """A file that may be its copy is found before that name is; and one that has ended had its first lines."""
    world = World(Random(0))
    first = bytes(world.add(b"/logs/a.log", 3).generation.content)
    let_pass(world, 20)
    world.disk.unlink(b"/logs/a.log")
    make_copy_of(world, b"/logs/a.log", first + b"fourth\nfifth\n")
    let_pass(world, 60)
    assert count_lines(world) == 8
    assert world.collector is not None
    world.collector.shipper.save(now=True)
    world.kill()
    world.disk.rename(b"/logs/a.log", b"/logs/a.log.tmp")
    world.disk.link(b"/logs/a.log.tmp", b"/logs/a.log.10")
    make_copy_of(world, b"/logs/a.log.3", b"another\n")
    world.start()
    let_pass(world, 60)
    assert count_lines(world) == 9
    assert count_lost(world) == 0


def test_a_copy_that_got_the_inode_of_one_that_waits_has_what_was_not_read_of_its_log() -> None:
    """Nobody has seen all that the log had before it was copied."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 5)
    old = make_copy_of(world, b"/logs/a.log.1", b"what was there before\n")
    world.disk.most_open = 1
    while count_lines(world) < 5:
        let_pass(world, 1)
    world.disk.most_open = 0
    let_pass(world, 2 * int(CLOSE_INACTIVE))
    assert log.open == old.open == 0
    world.append(log, 5)
    look(world, 2)
    world.append(log, 4)
    world.disk.unlink(b"/logs/a.log.1")
    assert make_copy(world, b"/logs/a.log.1", log).number == old.number
    world.disk.unlink(b"/logs/a.log")
    assert world.add(b"/logs/b.log", 1).number == log.number
    look(world, 3)
    world.disk.most_open = 100
    let_pass(world, 60)
    assert count_lines(world) == 5 + 5 + 4 + 1
    assert b"/logs/a.log" not in {each.path for each in world.aggregator.lost}
