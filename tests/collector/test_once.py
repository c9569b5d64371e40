"""The end of a run that ends with the files. All but the disk and the clock is the real thing."""

from blocks import make_source
from histories.aggregator import MemoryAggregator, Row
from histories.collector import MemoryCheckpoint, MemoryCollector
from histories.disk import MemoryDisk


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
