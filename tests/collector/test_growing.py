"""When what grows is read: as often as its batch needs it. All but disk, watch and clock is the real thing."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from histories.aggregator import MemoryAggregator
from histories.collector import MemoryCheckpoint, MemoryCollector
from histories.disk import Inode, MemoryDisk, NoWatch
from mega_collector.collector.finding.watch import Events

_LOG, _OTHER = b"/logs/a.log", b"/logs/b.log"


@dataclass
class Telling(NoWatch):
    """Tells what it was told."""

    failure: str | None = None
    trusted: bool = True
    events: Events = field(default_factory=Events)

    def read(self) -> Events:
        events, self.events = self.events, Events()
        return events


class Rig:
    """A file that is followed, of which all is shipped, and the collector's time."""

    def __init__(self, batch_age: float) -> None:
        self.now = 1000.0
        self.disk, self.watch, self.aggregator = MemoryDisk(), Telling(), MemoryAggregator()
        self.inode = self.disk.create(_LOG)
        self.collector = MemoryCollector(
            self.disk,
            MemoryCheckpoint(),
            self.aggregator,
            lambda: self.now,
            batch_age=batch_age,
            watch=self.watch,
        )
        self.collector.connect()
        self.write(1)
        self.until(lambda: self.unread() == 0)
        self.step(1.0)

    def write(self, lines: int, inode: Inode | None = None, name: bytes = _LOG) -> None:
        inode = inode or self.inode
        self.disk.append(inode, b"".join(inode.generation.next_line() for _ in range(lines)))
        self.watch.events.changed.add(name)

    def step(self, seconds: float) -> None:
        self.now += seconds
        self.collector.tailer.step()
        self.collector.speak(1000)
        self.aggregator.commit(1000)
        self.collector.listen(1000)

    def until(self, done: Callable[[], bool]) -> None:
        for _ in range(10):
            self.step(0.001)
        assert done()

    def unread(self) -> int:
        follower = self.collector.follower(self.inode.number)
        assert follower is not None
        return len(self.inode.generation.content) - follower.position


def waiting() -> Rig:
    """With a line that is not read yet."""
    rig = Rig(15.0)
    for _ in range(2):
        rig.write(1)
        rig.step(0.001)
    assert rig.unread() > 0
    return rig


@pytest.mark.parametrize(("batch_age", "pace"), [(15.0, 0.1), (0.1, 0.05)])
def test_what_grows_is_read_once_in_a_part_of_the_time_that_its_batch_waits(batch_age: float, pace: float) -> None:
    rig = Rig(batch_age)
    reads = 0
    for _ in range(100):
        rig.write(1)
        rig.step(0.01)
        reads += rig.unread() == 0
    assert reads == pytest.approx(1 / pace, abs=2)


def test_where_batches_do_not_wait_what_grows_is_read_at_once() -> None:
    rig = Rig(0.01)
    for _ in range(10):
        rig.write(1)
        rig.step(0.001)
        assert rig.unread() == 0


def test_what_was_not_read_yet_is_read_though_nothing_more_is_written() -> None:
    rig = waiting()
    rig.step(0.1)
    assert rig.unread() == 0
    assert rig.collector.tailer._wake_at(rig.now) > rig.now + 0.1, "nothing is left to be done"


def test_what_comes_after_a_pause_is_read_at_once() -> None:
    rig = Rig(15.0)
    for _ in range(10):
        rig.write(1)
        rig.step(0.2)
        assert rig.unread() == 0


def test_a_whole_block_is_read_at_once() -> None:
    rig = waiting()
    rig.write(40)
    before = rig.unread()
    rig.step(0.001)
    assert rig.unread() < before


def test_beside_a_backlog_of_another_file_what_grows_is_read_at_once() -> None:
    """It would come behind so many more of its bytes."""
    rig = Rig(15.0)
    other = rig.disk.create(_OTHER)
    rig.watch.events.named.add(_OTHER)
    rig.until(lambda: rig.collector.follower(other.number) is not None)
    rig.step(1.0)
    for _ in range(2):
        rig.write(1)
        rig.step(0.001)
    assert rig.unread() > 0
    rig.write(40, other, _OTHER)
    rig.step(0.001)
    assert rig.unread() == 0


def test_what_was_closed_as_idle_is_opened_at_once_since_it_may_be_deleted() -> None:
    rig = Rig(15.0)
    other = rig.disk.create(_OTHER)
    rig.watch.events.named.add(_OTHER)
    rig.until(lambda: rig.collector.follower(other.number) is not None)
    rig.step(400.0)
    rig.collector.tailer._poll(rig.now)
    assert len(rig.collector.tailer._files) == 0
    for _ in range(3):
        rig.write(1)
        rig.step(0.001)
    rig.write(1, other, _OTHER)
    rig.step(0.001)
    follower = rig.collector.follower(other.number)
    assert follower is not None
    assert follower.lag > 0, "it waits until it is due"
    assert follower in rig.collector.tailer._files


def test_when_a_name_comes_or_goes_what_grew_is_read_at_once() -> None:
    """It may be the copy that is made before the file is truncated."""
    rig = waiting()
    rig.watch.events.named.add(b"/logs/copy")
    rig.step(0.001)
    assert rig.unread() == 0


def test_a_file_that_is_truncated_while_it_waits_for_its_turn_goes_on_as_another_source() -> None:
    rig = waiting()
    rig.disk.truncate(rig.inode)
    rig.write(1)
    rig.until(lambda: rig.unread() == 0)
    assert len(rig.aggregator.ledger) == 2
