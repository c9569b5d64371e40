"""What is told as lost, and what is not, where files are compressed, deleted, and made anew between two looks."""

import gzip
from collections.abc import Callable
from random import Random

import pytest

from histories.collector import CLOSE_INACTIVE
from histories.disk import DEVICE, Inode, MemoryFile
from histories.scenes import count_lines, count_lost, let_pass, look, make_archive, make_copy, make_copy_of, note_opened
from histories.world import World


def test_an_archive_that_is_passed_over_and_renamed_is_opened_once_more() -> None:
    world = World(Random(0), start_at_end=True)
    archive = make_archive(world, b"/logs/a.log.1.gz", b"old\n")
    let_pass(world, 10)
    world.disk.rename(b"/logs/a.log.1.gz", b"/logs/a.log.2.gz")
    world.disk.append(archive, b"")  # which changes its time
    opened = note_opened(world)
    let_pass(world, 30)
    assert opened == [b"/logs/a.log.2.gz"]


def test_what_was_empty_is_lost_though_an_archive_that_was_passed_over_is_named_after_it() -> None:
    world = World(Random(0), start_at_end=True)
    log = world.add(b"/logs/a.log", 0)
    make_archive(world, b"/logs/a.log.gz", b"old\n")
    let_pass(world, 10)
    world.kill()
    world.append(log, 3)
    world.disk.unlink(b"/logs/a.log")
    world.start()
    let_pass(world, 30)
    assert count_lost(world) == 1


@pytest.mark.parametrize("name", [b"/logs/a.log", b"/logs/a.log.1"])
@pytest.mark.parametrize("waits", range(8))
def test_an_empty_log_that_is_compressed_is_not_lost_though_all_is_killed_before_it_is_let_go(
    waits: int, name: bytes
) -> None:
    world = World(Random(0))
    world.add(b"/logs/a.log", 0)
    let_pass(world, 8)
    world.rotate(b"/logs/a.log", b"/logs/a.log.1")
    make_archive(world, name + b".gz", b"")
    world.disk.unlink(b"/logs/a.log.1")
    let_pass(world, waits)
    world.kill()
    world.start()
    let_pass(world, 40)
    assert world.aggregator.lost == []


def test_what_is_written_to_an_empty_log_after_it_was_compressed_comes() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 0)
    let_pass(world, 8)
    world.rotate(b"/logs/a.log", b"/logs/a.log.1")
    make_archive(world, b"/logs/a.log.1.gz", b"")
    world.disk.unlink(b"/logs/a.log.1")
    let_pass(world, 3)
    world.append(log, 3)
    let_pass(world, 20)
    assert count_lines(world) == 3
    world.kill()
    world.start()
    let_pass(world, 40)
    assert world.aggregator.lost == []


def test_what_vanishes_when_it_is_to_be_opened_is_lost_though_its_inode_was_that_of_another_that_was() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    let_pass(world, 8)
    world.kill()
    world.disk.unlink(b"/logs/a.log")
    world.start()
    let_pass(world, 30)
    assert count_lost(world) == 1
    _vanishes_when_opened(world, b"/logs/b.log")
    assert world.add(b"/logs/b.log", 2).number == log.number
    let_pass(world, 30)
    assert count_lost(world) == 2


def test_an_archive_that_nobody_has_looked_into_is_lost_though_the_name_of_its_original_is_another_s() -> None:
    world = World(Random(0))
    let_pass(world, 3)
    world.disconnect()
    world.kill()
    world.add(b"/logs/a.log", 2)
    make_archive(world, b"/logs/a.log.gz", b"what was in the log before\n")
    world.start()
    world.disconnect()
    for _ in range(3):
        world.poll()
    world.disk.unlink(b"/logs/a.log.gz")
    for _ in range(5):
        world.poll()
    world.reconnect()
    let_pass(world, 20)
    assert count_lost(world) == 1


def test_what_vanishes_when_it_is_to_be_opened_is_lost_though_an_archive_from_before_is_named_after_it() -> None:
    world = World(Random(0))
    make_archive(world, b"/logs/a.log.gz", b"what was in the log before\n")
    let_pass(world, 10)
    _vanishes_when_opened(world, b"/logs/a.log")
    world.add(b"/logs/a.log", 2)
    let_pass(world, 30)
    assert count_lost(world) == 1


def _vanishes_when_opened(world: World, name: bytes) -> None:
    open_it = world.disk.open

    def open_none(path: bytes) -> MemoryFile:
        if path == name:
            world.disk.names.pop(path, None)
        return open_it(path)

    world.disk.open = open_none  # type: ignore[method-assign]


def test_what_waits_for_a_descriptor_and_is_deleted_is_not_lost_if_its_archive_lies_near() -> None:
    world = World(Random(0), max_open_files=1)
    world.add(b"/logs/a.log", 3)
    let_pass(world, 2)
    world.disconnect()
    log = world.add(b"/logs/b.log", 5)
    world.add(b"/logs/c.log", 5)
    look(world, 3)
    assert log.open == 0, "it waits"
    make_archive(world, b"/logs/b.log.gz", bytes(log.generation.content))
    world.disk.unlink(b"/logs/b.log")
    look(world, 3)
    world.disk.unlink(b"/logs/c.log")
    world.reconnect()
    let_pass(world, 30)
    assert count_lines(world) == 3 + 5
    assert count_lost(world) == 1, "c.log"


@pytest.mark.parametrize("copied", [False, True])
def test_what_was_not_read_before_the_handshake_and_is_cut_and_longer_again_is_lost_if_no_copy_has_it(
    copied: bool,
) -> None:
    world = World(Random(0))
    let_pass(world, 3)
    log = world.add(b"/logs/a.log", 5)
    look(world, 1)
    if copied:
        make_copy(world, b"/logs/a.log.1", log)
    world.truncate(log)
    world.append(log, 9)
    let_pass(world, 30)
    assert count_lines(world) == 9 + copied * 5
    assert count_lost(world) == 1 - copied


def test_what_waits_for_a_descriptor_and_is_deleted_is_lost_though_what_was_rotated_before_lies_near() -> None:
    world = World(Random(0), max_open_files=1)
    busy = world.add(b"/logs/a.log", 3)
    let_pass(world, 2)
    world.disconnect()
    world.append(busy, 5)
    world.add(b"/logs/b.log.1", 9)
    log = world.add(b"/logs/b.log", 5)
    look(world, 3)
    assert log.open == 0, "it waits"
    world.disk.unlink(b"/logs/b.log")
    look(world, 3)
    world.reconnect()
    let_pass(world, 30)
    assert count_lines(world) == 3 + 5 + 9
    assert count_lost(world) == 1


@pytest.mark.parametrize("cut", [8, 20, None], ids=["damaged", "cut off", "begun"])
@pytest.mark.parametrize("name", [b"/logs/a.log.2.gz", b"/logs/a.log.gz.tmp"])
def test_what_is_truncated_without_a_copy_is_lost_though_an_archive_from_before_is_not_whole(
    name: bytes, cut: int | None
) -> None:
    """Nothing is known of the log but that it was empty."""
    world = World(Random(0))
    data = gzip.compress(b"".join(b"what was in the log before: %d\n" % line for line in range(60)))
    world.disk.append(world.disk.create(name), data[:30] if cut is None else data[:-cut] + b"12345678")
    log = world.add(b"/logs/a.log", 0)
    let_pass(world, 8)
    _write_unread(world, log)
    world.truncate(log)
    world.reconnect()
    let_pass(world, 30)
    assert count_lost(world) == 1


def test_what_is_truncated_without_a_copy_is_lost_though_an_archive_is_shipped_beside_it() -> None:
    world = World(Random(0))
    make_archive(
        world, b"/logs/a.log.1.gz", b"".join(b"what was in the log before: %d\n" % line for line in range(150))
    )
    log = world.add(b"/logs/a.log", 0)
    let_pass(world, 8)
    assert 0 < count_lines(world) < 150
    _write_unread(world, log)
    world.truncate(log)
    world.reconnect()
    let_pass(world, 60)
    assert count_lines(world) == 150
    assert count_lost(world) == 1


def test_what_is_truncated_without_a_copy_is_lost_though_what_is_too_old_to_be_followed_lies_near() -> None:
    world = World(Random(0), ignore_older=60.0)
    world.add(b"/logs/a.log.1", 60)
    log = world.add(b"/logs/a.log", 0)
    let_pass(world, 2)
    world.disk.append(log, b"")  # which changes its time
    let_pass(world, 8)
    assert log.open == 1, "it is followed"
    _write_unread(world, log)
    world.truncate(log)
    world.reconnect()
    let_pass(world, 30)
    assert count_lines(world) == 0
    assert count_lost(world) == 1


def test_what_is_truncated_without_a_copy_is_lost_though_the_copy_of_what_it_held_before_waits() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    let_pass(world, 8)
    world.append(log, 5)
    look(world, 2)
    world.disconnect()
    make_copy(world, b"/logs/a.log.1", log)
    world.truncate(log)
    look(world, 2)
    world.append(log, 7)
    look(world, 2)
    world.truncate(log)
    look(world, 1)
    world.reconnect()
    let_pass(world, 30)
    assert count_lines(world) == 3 + 5
    assert count_lost(world) == 1


def test_what_was_written_behind_a_copy_and_not_read_is_lost() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    let_pass(world, 8)
    _write_unread(world, log)
    make_copy(world, b"/logs/a.log.1", log)
    look(world, 1)
    world.append(log, 7)
    look(world, 1)
    world.truncate(log)
    world.reconnect()
    let_pass(world, 30)
    assert count_lines(world) == 3 + 5
    assert count_lost(world) == 1


def test_what_a_read_finds_truncated_is_lost_as_far_as_it_was_seen() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 60)
    while not count_lines(world):
        world.pass_by(1.0)
    world.truncate(log)
    world.settle()
    # No scan is due.
    world.pass_by(0.01)
    assert count_lost(world) == 1


def test_what_is_cut_just_before_its_handshake_is_lost_as_far_as_it_was_seen_and_the_copy_does_not_have_it() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    look(world, 1)
    make_copy(world, b"/logs/a.log.1", log)
    look(world, 1)
    world.append(log, 5)
    look(world, 1)
    world.truncate(log)
    while not count_lost(world) and world.now < 1020:
        world.settle()
        # No scan is due.
        world.pass_by(0.01)
    assert count_lost(world) == 1


def test_what_vanished_is_told_though_an_archive_waits_for_what_is_refused_for_good() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    world.add(b"/logs/b.log", 3)
    let_pass(world, 8)
    world.kill()
    world.disk.unlink(b"/logs/b.log")
    world.append(log, 5)
    make_archive(world, b"/logs/a.log.1.gz", bytes(log.generation.content))
    world.aggregator.refused.add(log.number)
    world.start()
    let_pass(world, 30)
    assert count_lines(world) == 3 + 3
    assert count_lost(world) == 1, "b.log"


def _write_unread(world: World, log: Inode) -> None:
    world.disconnect()
    world.append(log, 5)
    look(world, 3)


def test_what_is_truncated_without_a_copy_is_lost_though_what_was_rotated_before_begins_with_the_same_header() -> None:
    """Of which only that was read."""
    header = b"#Fields: date time s-ip cs-method cs-uri-stem\n"
    world = World(Random(0))
    world.disk.append(world.disk.create(b"/logs/a.log.1"), header + b"older line\n" * 50)
    log = world.disk.create(b"/logs/a.log")
    world.disk.append(log, header)
    let_pass(world, 8)
    _write_unread(world, log)
    world.truncate(log)
    look(world, 1)
    world.reconnect()
    let_pass(world, 30)
    assert count_lost(world) == 1


def test_what_an_archive_holds_all_of_is_not_lost_though_more_is_known_of_the_archive_than_of_its_original() -> None:
    """The ledger is lost, and the collector killed before its checkpoint says how far it came."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    let_pass(world, 8)
    before = dict(world.checkpoint.durable)
    world.append(log, 5)
    let_pass(world, 8)
    world.disk.rename(b"/logs/a.log", b"/logs/a.log.1")
    make_archive(world, b"/logs/a.log.1.gz", bytes(log.generation.content))
    let_pass(world, 8)
    standing = [row for row in world.aggregator.ledger.values() if row.source.path == b"/logs/a.log.1.gz"]
    assert len(standing) == 1
    world.disk.unlink(b"/logs/a.log.1")
    world.checkpoint.durable = before
    world.kill()
    world.aggregator.ledger = {row.source.id: row for row in standing}
    world.aggregator.crash()
    world.start()
    let_pass(world, 40)
    assert count_lost(world) == 0


@pytest.mark.parametrize("known", [False, True])
def test_what_was_empty_is_not_lost_if_an_empty_archive_that_was_made_since_is_named_after_it(known: bool) -> None:
    """Rather than one that was there before: then lines may have been written to it, and deleted."""
    world = World(Random(0))
    world.add(b"/logs/a.log.3", 0)
    world.add(b"/logs/a.log", 0)
    if known:
        make_archive(world, b"/logs/a.log.7.gz", b"")
    let_pass(world, 8)
    world.kill()
    world.disk.unlink(b"/logs/a.log")
    if not known:
        make_archive(world, b"/logs/a.log.7.gz", b"")
    world.start()
    let_pass(world, 30)
    assert count_lost(world) == known


def test_what_vanished_is_lost_though_an_archive_of_another_is_as_long_and_ends_alike() -> None:
    world = World(Random(0))
    logs = [world.disk.create(name) for name in (b"/logs/a.log", b"/logs/b.log")]
    for number, log in enumerate(logs):
        world.disk.append(log, b"".join(b"%d of %d %b\n" % (line, number, b"x" * 64) for line in range(20)))
    let_pass(world, 40)
    world.disk.rename(b"/logs/a.log", b"/logs/a.log.1")
    make_archive(world, b"/logs/a.log.1.gz", bytes(logs[0].generation.content))
    let_pass(world, 8)
    world.kill()
    world.disk.unlink(b"/logs/b.log")
    world.start()
    let_pass(world, 30)
    assert count_lost(world) == 1


@pytest.mark.parametrize("near", ["nothing", "an archive", "another log"])
def test_what_was_cut_without_a_copy_is_lost_though_what_was_before_it_was_copied(near: str) -> None:
    """And though something lies near that is as long: nobody knows what that holds."""
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    let_pass(world, 8)
    world.disconnect()
    world.append(log, 2)
    look(world, 2)
    make_copy(world, b"/logs/a.log.1", log)
    world.truncate(log)
    world.append(log, 30)
    look(world, 1)
    follower = world.collector.follower(log.number) if world.collector is not None else None
    assert follower is not None
    assert follower.position <= 20 < follower.size, "it is seen as what was before, longer"
    world.truncate(log)
    world.append(log, 1)
    if near == "an archive":
        make_archive(world, b"/logs/a.log.0.gz", b"x" * 1000 + b"\n")
    elif near == "another log":
        world.add(b"/logs/a.log.worker", 60)
    look(world, 2)
    world.reconnect()
    let_pass(world, 40)
    assert count_lost(world) >= 1


def _crowd(world: World) -> None:
    """There is one descriptor, which another file needs."""
    busy = world.add(b"/logs/x.log", 3)
    let_pass(world, 2)
    world.disconnect()
    world.append(busy, 5)
    look(world, 2)
    assert busy.open


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("name", [b"/logs/a.log", b"/logs/a.log.tmp"])
def test_what_was_read_in_part_and_is_deleted_while_it_is_closed_is_lost_if_no_copy_has_it(
    name: bytes, copied: bool
) -> None:
    """And under whatever name it was deleted."""
    world = World(Random(0), max_open_files=1)
    log = world.add(b"/logs/a.log", 3)
    let_pass(world, 8)
    _crowd(world)
    assert log.open == 0
    world.append(log, 4)
    look(world, 1)
    if name != b"/logs/a.log":
        world.disk.rename(b"/logs/a.log", name)
        look(world, 1)
    if copied:
        make_copy(world, b"/logs/a.log.1", log)
        look(world, 1)
    world.disk.unlink(name)
    look(world, 4)
    world.reconnect()
    let_pass(world, 60)
    assert count_lines(world) == 3 + copied * 4 + 8
    assert count_lost(world) == 1 - copied


@pytest.mark.parametrize("copied", ["not", "later", "before a look", "in the inode of another"])
@pytest.mark.parametrize("name", [b"/logs/a.log", b"/logs/a.log.tmp"])
def test_what_waits_for_a_descriptor_and_is_deleted_is_lost_if_no_copy_has_it(name: bytes, copied: str) -> None:
    world = World(Random(0), max_open_files=1)
    _crowd(world)
    rest = 0
    if copied == "in the inode of another":
        world.add(b"/logs/a.log.1", 2)
        look(world, 1)
    log = world.add(b"/logs/a.log", 4)
    if copied != "before a look":
        look(world, 2)
    assert log.open == 0
    if copied == "in the inode of another":
        world.disk.unlink(b"/logs/a.log.1")
    if copied != "not":
        make_copy(world, b"/logs/a.log.1", log)
        rest = 4
    if copied != "in the inode of another" or name != b"/logs/a.log":
        look(world, 2)
    if name != b"/logs/a.log":
        world.disk.rename(b"/logs/a.log", name)
        look(world, 2)
    world.disk.unlink(name)
    look(world, 4)
    world.reconnect()
    let_pass(world, 60)
    assert count_lines(world) == rest + 8
    # What had the inode of the copy before is lost itself.
    assert count_lost(world) == (copied in {"not", "in the inode of another"})


@pytest.mark.parametrize("sooner", [False, True])
@pytest.mark.parametrize("longer", [0, 1])
def test_what_waits_for_a_descriptor_and_is_deleted_is_lost_though_another_of_its_size_waits_beside_it(
    longer: int, sooner: bool
) -> None:
    """It is no copy, as it begins otherwise: so it is seen at a glance when the first of them is found."""
    world = World(Random(0), max_open_files=1)
    _crowd(world)
    contents = {b"/logs/a.log": b"1 mine\n", b"/logs/a.log.1": b"2 none\n" + longer * b"more\n"}
    for name in sorted(contents, reverse=sooner):
        world.disk.append(world.disk.create(name), contents[name])
        look(world, 1)
    world.disk.unlink(b"/logs/a.log")
    look(world, 4)
    world.reconnect()
    let_pass(world, 60)
    assert count_lines(world) == 1 + longer + 8
    assert count_lost(world) == 1


@pytest.mark.parametrize("name", [b"/logs/a.log", b"/logs/b.log", b"/logs/a.log.2"])
@pytest.mark.parametrize("copied", [False, True])
def test_what_waits_for_a_descriptor_and_is_deleted_is_lost_though_its_inode_is_another_s_at_once(
    name: bytes, copied: bool
) -> None:
    """And under whatever name that is found."""
    world = World(Random(0), max_open_files=1)
    _crowd(world)
    log = world.add(b"/logs/a.log.1", 4)
    look(world, 2)
    assert log.open == 0
    if copied:
        make_copy(world, b"/logs/a.log.1.old", log)
    world.disk.unlink(b"/logs/a.log.1")
    assert world.add(name, 5).number == log.number
    look(world, 4)
    world.reconnect()
    let_pass(world, 60)
    assert count_lines(world) == copied * 4 + 5 + 8
    assert count_lost(world) == 1 - copied


@pytest.mark.parametrize("copied", [False, True])
def test_what_waits_for_a_descriptor_and_is_made_anew_just_before_it_is_opened_is_lost_if_no_copy_has_it(
    copied: bool,
) -> None:
    world = World(Random(0), max_open_files=1)
    _crowd(world)
    log = world.add(b"/logs/a.log", 4)
    look(world, 1)
    assert log.open == 0
    open_it = world.disk.open

    def open_after_rotation(path: bytes) -> MemoryFile:
        if path == b"/logs/a.log" and world.disk.names[path] is log:
            if copied:
                make_copy(world, b"/logs/a.log.1", log)
            world.disk.unlink(path)
            world.disk._free.pop()  # a file elsewhere gets its inode
            world.add(path, 2)
        return open_it(path)

    world.disk.open = open_after_rotation  # type: ignore[method-assign]
    world.reconnect()
    let_pass(world, 60)
    assert count_lines(world) == copied * 4 + 2 + 8
    assert count_lost(world) == 1 - copied


def test_how_much_is_lost_of_what_could_not_be_opened_is_known_though_no_look_has_told_of_it_since() -> None:
    world = World(Random(0), max_open_files=1)
    _crowd(world)
    log = world.add(b"/logs/a.log", 4)
    world.pass_by(1.0)
    assert log.open == 0
    size = len(log.generation.content)
    assert world.collector is not None
    waiting = world.collector.tailer._waiting[DEVICE, log.number]
    assert waiting.size == size


@pytest.mark.parametrize("made", [make_archive, make_copy_of], ids=["an archive", "a copy"])
@pytest.mark.parametrize("noted", ["nothing", "that it was empty", "the first of it", "its end"])
def test_of_what_was_told_as_lost_a_copy_that_the_next_process_finds_comes_behind_what_was_sent(
    noted: str, made: Callable[[World, bytes, bytes], object]
) -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 0)
    checkpoints = {}
    for each, lines in {"that it was empty": 0, "the first of it": 2, "the rest": 3}.items():
        world.append(log, lines)
        let_pass(world, 8)
        checkpoints[each] = dict(world.checkpoint.durable)
    _write_unread(world, log)
    content = bytes(log.generation.content)
    world.truncate(log)
    world.append(log, 1)
    look(world, 1)
    world.reconnect()
    let_pass(world, 8)
    assert count_lost(world) == 1
    world.checkpoint.durable = checkpoints.get(noted, world.checkpoint.durable)
    (world.wipe if noted == "nothing" else world.kill)()
    made(world, b"/logs/a.log.1" + (b".gz" if made is make_archive else b""), content)
    world.start()
    let_pass(world, 40)
    assert count_lines(world) == 2 + 3 + 5 + 1


def test_what_waits_for_a_descriptor_is_lost_though_another_that_is_empty_at_first_has_its_name_and_inode() -> None:
    world = World(Random(0))
    let_pass(world, 3)
    world.disk.most_open = 0
    log = world.add(b"/logs/a.log", 5)
    look(world, 2)
    world.disk.unlink(b"/logs/a.log")
    other = world.add(b"/logs/a.log", 0)
    assert other.number == log.number
    look(world, 2)
    world.append(other, 9)
    look(world, 2)
    world.disk.most_open = 100
    let_pass(world, 30)
    assert count_lines(world) == 9
    assert count_lost(world) == 1


@pytest.mark.parametrize("read", [0, 3])
@pytest.mark.parametrize("name", [b"/logs/a.log", b"/logs/a.log.1"])
@pytest.mark.parametrize("lines", [0, 1, 9])
def test_what_was_not_read_of_a_log_that_is_closed_is_lost_though_another_has_its_inode_and_perhaps_its_name(
    lines: int, name: bytes, read: int
) -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", read)
    let_pass(world, 2 * int(CLOSE_INACTIVE))
    assert not log.open
    world.disk.most_open = 0
    world.append(log, 5)
    look(world, 2)
    world.disk.unlink(b"/logs/a.log")
    other = world.add(name, lines)
    assert other.number == log.number
    look(world, 2)
    world.append(other, 1)
    look(world, 2)
    world.disk.most_open = 100
    let_pass(world, 30)
    assert count_lines(world) == read + lines + 1
    assert count_lost(world) == 1


def test_what_was_not_read_of_a_log_that_was_empty_is_lost_though_a_later_one_is_called_as_its_copy_would_be() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 0)
    let_pass(world, 2 * int(CLOSE_INACTIVE))
    world.disk.most_open = 0
    world.append(log, 3)
    look(world, 2)
    world.disk.rename(b"/logs/a.log", b"/logs/a.log.2")
    world.add(b"/logs/a.log.1", 9)
    world.add(b"/logs/a.log", 9)
    look(world, 2)
    world.disk.unlink(b"/logs/a.log.2")
    assert world.add(b"/logs/b.log", 9).number == log.number
    look(world, 2)
    world.disk.most_open = 100
    let_pass(world, 30)
    assert count_lines(world) == 3 * 9
    assert count_lost(world) == 1


def test_what_waits_and_was_empty_when_it_was_found_is_lost_though_a_later_one_is_called_as_its_copy_would_be() -> None:
    world = World(Random(0))
    let_pass(world, 3)
    world.disk.most_open = 0
    log = world.add(b"/logs/a.log", 0)
    look(world, 2)
    world.append(log, 3)
    look(world, 2)
    world.disk.rename(b"/logs/a.log", b"/logs/a.log.2")
    world.add(b"/logs/a.log.1", 9)
    look(world, 2)
    world.disk.unlink(b"/logs/a.log.2")
    assert world.add(b"/logs/b.log", 9).number == log.number
    look(world, 2)
    world.disk.most_open = 100
    let_pass(world, 30)
    assert count_lines(world) == 2 * 9
    assert count_lost(world) == 1


@pytest.mark.parametrize("found", [False, True])
def test_what_is_not_open_is_lost_though_what_has_its_inode_is_seen_before_it_is_missed_itself(found: bool) -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 0) if found else None
    let_pass(world, 2 * int(CLOSE_INACTIVE))
    world.disk.most_open = 0
    if log is None:
        log = world.add(b"/logs/a.log", 0)
    world.append(log, 5)
    look(world, 2)
    world.disk.unlink(b"/logs/a.log")
    other = world.add(b"/logs/b.log", 0)
    assert other.number == log.number
    assert world.collector is not None
    world.collector.unwatched.written = frozenset({b"/logs/b.log"})
    world.collector.tailer.step()
    world.append(other, 9)
    look(world, 2)
    world.disk.most_open = 100
    let_pass(world, 30)
    assert count_lines(world) == 9
    assert count_lost(world) == 1


def test_what_waits_is_lost_by_its_own_name_though_what_has_its_inode_is_renamed_before_it_is_looked_at() -> None:
    world = World(Random(0))
    let_pass(world, 3)
    world.disk.most_open = 0
    log = world.add(b"/logs/a.log", 5)
    look(world, 2)
    world.disk.unlink(b"/logs/a.log")
    assert world.add(b"/logs/b.log", 9).number == log.number
    world.disk.beside(1, lambda: world.disk.rename(b"/logs/b.log", b"/logs/b.log.1"))
    look(world, 3)
    world.disk.most_open = 100
    let_pass(world, 30)
    assert count_lines(world) == 9
    assert [source.path for source in world.aggregator.lost] == [b"/logs/a.log"]


def test_what_vanishes_when_it_is_to_be_opened_is_lost_though_the_next_look_finds_another_by_its_inode() -> None:
    world = World(Random(0))
    let_pass(world, 3)
    log = world.add(b"/logs/a.log", 5)
    other = Inode(0, log.generation)

    def replace() -> None:
        nonlocal other
        world.disk.unlink(b"/logs/a.log")
        other = world.add(b"/logs/b.log", 9)

    world.disk.beside(1, replace)
    look(world, 1)
    assert other.number == log.number
    let_pass(world, 30)
    assert count_lines(world) == 9
    assert count_lost(world) == 1


def test_what_waits_and_was_empty_when_it_was_seen_is_lost_though_another_has_its_inode() -> None:
    """What was written to it since, if anything, nobody knows: it is so, too, if its inode is nobody's."""
    world = World(Random(0))
    let_pass(world, 3)
    world.disk.most_open = 0
    log = world.add(b"/logs/a.log", 0)
    look(world, 2)
    world.append(log, 5)
    world.disk.unlink(b"/logs/a.log")
    assert world.add(b"/logs/a.log", 9).number == log.number
    look(world, 3)
    world.disk.most_open = 100
    let_pass(world, 30)
    assert count_lines(world) == 9
    assert count_lost(world) == 1


def test_what_was_not_read_of_a_log_that_is_closed_is_lost_though_another_s_archive_has_its_inode() -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 0)
    let_pass(world, 2 * int(CLOSE_INACTIVE))
    assert not log.open
    world.disk.most_open = 0
    world.append(log, 5)
    look(world, 2)
    world.disk.unlink(b"/logs/a.log")
    assert make_archive(world, b"/logs/b.log.gz", b"another\n").number == log.number
    look(world, 2)
    world.disk.most_open = 100
    let_pass(world, 30)
    assert count_lines(world) == 1
    assert count_lost(world) == 1
