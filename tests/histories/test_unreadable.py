"""Files that may not be opened, or of which reads fail: told once, nothing waits for them, and they come once."""

import errno
from collections.abc import Iterator, MutableMapping, Sequence
from random import Random
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from histories.scenes import count_lines, count_lost, let_pass, look, make_archive
from histories.world import World
from mega_collector.collector.reading import gzip_file

Logs = Sequence[MutableMapping[str, Any]]


@pytest.fixture
def logs() -> Iterator[Logs]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    with capture_logs() as logs:
        yield logs


@pytest.mark.case(7)
def test_a_log_that_may_not_be_opened_where_it_was_renamed_to_while_nobody_looked_is_told_once(logs: Logs) -> None:
    world = World(Random(0))
    log = world.add(b"/logs/a.log", 3)
    let_pass(world, 8)
    world.kill()
    world.append(log, 2)
    world.disk.rename(b"/logs/a.log", b"/logs/a.1")
    world.disk.forbidden.add(log)
    world.start()
    let_pass(world, 30)
    assert _count(logs, "cannot_look") == 1
    world.disk.forbidden.clear()
    let_pass(world, 30)
    assert count_lines(world) == 5
    assert count_lost(world) == 0
    assert _count(logs, "cannot_look") == 1


@pytest.mark.case(30)
def test_an_archive_that_may_not_be_opened_when_its_turn_comes_is_told_once_and_makes_no_busy_loop(logs: Logs) -> None:
    """Nor does what became of others wait for it."""
    world = World(Random(0))
    log = world.add(b"/logs/b.log", 3)
    let_pass(world, 8)
    world.kill()
    world.append(log, 1)
    archive = make_archive(world, b"/logs/a.log.1.gz", b"one\ntwo\n")
    world.disk.unlink(b"/logs/b.log")
    world.start()
    look(world, 1)
    world.disk.forbidden.add(archive)
    let_pass(world, 20)
    assert count_lost(world) == 1
    assert world.collector is not None
    scans = world.collector.tailer._finder.scans
    for _ in range(500):
        world.pass_by(0.01)
    assert world.collector.tailer._finder.scans - scans < 10
    world.disk.forbidden.clear()
    let_pass(world, 10)
    assert count_lines(world) == 3 + 2
    assert _count(logs, "cannot_open") == 1


@pytest.mark.case(91)
@pytest.mark.parametrize("error", [errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("least", [0, 1000], ids=["from its beginning", "behind that"])
def test_an_archive_of_which_reads_fail_is_not_damaged_and_comes_when_it_can_be_read(
    logs: Logs, error: int, least: int
) -> None:
    world = World(Random(0))
    let_pass(world, 8)
    archive = make_archive(world, b"/logs/a.log.1.gz", b"one\ntwo\n")
    look(world, 1)
    world.disk.failing[archive] = error, least
    let_pass(world, 20)
    make_archive(world, b"/logs/b.log.1.gz", b"of\nanother\nlog\n")
    let_pass(world, 10)
    assert count_lines(world) == 3, "nothing waits for it"
    world.disk.failing.clear()
    let_pass(world, 10)
    assert count_lines(world) == 3 + 2
    assert count_lost(world) == 0
    assert _count(logs, "cannot_read") == 1
    assert not _count(logs, "archive_damaged")


@pytest.mark.case(91)
@pytest.mark.parametrize("error", [errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("settled", [True, False], ids=["in its middle", "before it is settled"])
def test_an_archive_of_which_reads_fail_while_it_is_shipped_goes_on_through_a_new_descriptor(
    logs: Logs, error: int, settled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others come meanwhile."""
    monkeypatch.setattr(gzip_file, "_IN", 100)
    world = World(Random(0))
    let_pass(world, 8)
    archive = make_archive(world, b"/logs/a.log.1.gz", b"".join(b"%d\n" % (line**7) for line in range(200)))
    assert world.collector is not None
    shipped = world.collector.tailer._archives._shipped
    while not shipped.pending:
        look(world, 1)
    let_pass(world, 3 * settled)
    shipped_before = count_lines(world)
    assert (0 < shipped_before < 200) is settled
    world.disk.failing[archive] = error, 0
    let_pass(world, 20)
    make_archive(world, b"/logs/b.log.1.gz", b"of\nanother\nlog\n")
    let_pass(world, 10)
    assert count_lines(world) < 200
    assert any(row.source.path == b"/logs/b.log.1.gz" for row in world.aggregator.ledger.values())
    world.disk.failing.clear()
    let_pass(world, 60)
    assert count_lines(world) == 200 + 3
    assert count_lost(world) == 0
    assert _count(logs, "cannot_read") == 1
    assert not _count(logs, "archive_damaged")
    assert not shipped.pending


@pytest.mark.case(91)
@pytest.mark.parametrize("error", [errno.EIO, errno.ESTALE])
def test_of_an_archive_that_is_deleted_while_its_reads_fail_what_can_be_had_no_more_is_lost(
    error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gzip_file, "_IN", 100)
    world = World(Random(0))
    let_pass(world, 8)
    archive = make_archive(world, b"/logs/a.log.1.gz", b"".join(b"%d\n" % (line**7) for line in range(200)))
    while not 0 < count_lines(world) < 200:
        let_pass(world, 1)
    world.disk.unlink(b"/logs/a.log.1.gz")
    look(world, 3)
    world.disk.failing[archive] = error, 0
    let_pass(world, 20)
    world.disk.failing.clear()
    make_archive(world, b"/logs/b.log.1.gz", b"of\nanother\nlog\n")
    let_pass(world, 60)
    lost = error == errno.ESTALE
    assert count_lost(world) == lost
    assert (count_lines(world) < 200) if lost else (count_lines(world) == 200 + 3)
    assert any(row.source.path == b"/logs/b.log.1.gz" for row in world.aggregator.ledger.values())


def _count(logs: Logs, event: str) -> int:
    return [each["event"] for each in logs].count(event)
