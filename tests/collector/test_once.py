"""The end of a run that ends with the files. All but the disk and the clock is the real thing."""

import errno
import gzip
from random import Random

import pytest

from blocks import make_source
from histories.aggregator import MemoryAggregator, Row
from histories.collector import MemoryCheckpoint, MemoryCollector
from histories.disk import MemoryDisk
from mega_collector.collector.reading import gzip_file

_LOG = b"/logs/a.log"


def test_a_file_that_is_shipped_is_not_taken_up_again_by_a_scan_while_others_are_still_read() -> None:
    disk, aggregator, now = MemoryDisk(), MemoryAggregator(), 1000.0
    for name, lines in ((b"/logs/short.log", 1), (b"/logs/long.log", 500)):
        inode = disk.create(name)
        disk.append(inode, b"".join(inode.generation.next_line() for _ in range(lines)))
    collector = MemoryCollector(disk, MemoryCheckpoint(), aggregator, lambda: now, once=True)
    collector.connect()
    scans_between = 0
    while not collector.tailer.ended() and now < 1200:
        now += 1.0
        scans_between += len(collector.tailer._followed) == 1
        collector.tailer.step()
        collector.speak(1000)
        aggregator.commit(2)
        collector.listen(1000)
    assert scans_between > 2
    assert collector.tailer.ended()
    shipped = [b"".join(data for _, data in row.shipped) for row in aggregator.ledger.values()]
    assert sorted(shipped) == sorted(bytes(each.content) for each in disk.generations)


def test_a_run_ends_when_it_has_told_what_became_of_what_the_aggregator_alone_remembers() -> None:
    """A process before had begun it, and noted nothing. It is asked for last."""
    disk, aggregator, now = MemoryDisk(), MemoryAggregator(), 1000.0
    inode = disk.create(b"/logs/a.log")
    disk.append(inode, inode.generation.next_line())
    ended = [make_source(f"b{number:02}", inode=number) for number in range(100, 150)]
    aggregator.ledger.update({source.id: Row(source, 7, finished=True) for source in ended})
    gone = make_source("c", inode=99)
    aggregator.ledger[gone.id] = Row(gone, 7)
    collector = MemoryCollector(disk, MemoryCheckpoint(), aggregator, lambda: now, once=True)
    collector.connect()
    while not collector.tailer.ended() and now < 1200:
        now += 0.1
        collector.tailer.step()
        collector.speak(1000)
        aggregator.commit(1000)
        collector.listen(1000)
    assert collector.tailer.ended()
    assert aggregator.ledger[gone.id].gone


@pytest.mark.parametrize("seed", range(40))
def test_runs_end_and_ship_all_lines_once_however_their_log_is_rotated_between_them(seed: int) -> None:
    random, disk, aggregator, checkpoint = Random(seed), MemoryDisk(), MemoryAggregator(), MemoryCheckpoint()
    disk.create(_LOG)
    written: list[bytes] = []
    now = _run(disk, checkpoint, aggregator, 1000.0)
    for rotation in range(4):
        written += _write(disk, random.choice([0, 1, 9]))
        _rotate(disk, b"%s.%d" % (_LOG, rotation), random)
        written += _write(disk, random.choice([0, 1, 9]))
        if random.random() < 0.6:
            now = _run(disk, checkpoint, aggregator, now)
    _run(disk, checkpoint, aggregator, now)
    shipped = b"".join(data for row in aggregator.ledger.values() for _, data in row.shipped)
    assert sorted(shipped.splitlines(keepends=True)) == sorted(written)


def _write(disk: MemoryDisk, count: int) -> list[bytes]:
    log = disk.names[_LOG]
    lines = [log.generation.next_line() for _ in range(count)]
    disk.append(log, b"".join(lines))
    return lines


def _rotate(disk: MemoryDisk, new: bytes, random: Random) -> None:
    """By renaming, or by copying and cutting; and it is compressed, or not."""
    log, compressed = disk.names[_LOG], random.random() < 0.5
    content = bytes(log.generation.content)
    if random.random() < 0.5:
        disk.rename(_LOG, new)
        disk.create(_LOG)
    else:
        disk.append(disk.create(new), content)
        disk.truncate(log)
    if compressed:
        disk.append(disk.create(new + b".gz"), gzip.compress(content))
        disk.unlink(new)


def _run(disk: MemoryDisk, checkpoint: MemoryCheckpoint, aggregator: MemoryAggregator, now: float) -> float:
    """When it has ended."""
    collector = MemoryCollector(disk, checkpoint, aggregator, lambda: now, once=True)
    collector.connect()
    end = now + 100
    while not collector.tailer.ended() and now < end:
        now += 0.25
        collector.tailer.step()
        collector.speak(1000)
        aggregator.commit(1000)
        collector.listen(1000)
    assert collector.tailer.ended()
    collector.shipper.save(now=True)
    collector.die()
    return now


@pytest.mark.parametrize("shipped", [0, 1], ids=["from the first look on", "while it is shipped"])
def test_a_run_ends_though_an_archive_cannot_be_read_and_says_so(shipped: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gzip_file, "_IN", 100)
    disk, aggregator, now = MemoryDisk(), MemoryAggregator(), 1000.0
    archive = disk.create(b"/logs/a.log.1.gz")
    disk.append(archive, gzip.compress(b"".join(b"%d\n" % (line**7) for line in range(200))))
    collector = MemoryCollector(disk, MemoryCheckpoint(), aggregator, lambda: now, once=True)
    collector.connect()
    while not collector.tailer.ended() and now < 1200:
        now += 0.1
        collector.tailer.step()
        if len(aggregator.ledger) >= shipped:
            disk.failing[archive] = errno.EIO, 100
        collector.speak(1000)
        aggregator.commit(1000)
        collector.listen(1000)
    assert collector.tailer.ended()
    assert collector.tailer.failed
