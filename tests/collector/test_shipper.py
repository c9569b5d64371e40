"""What is noted of acknowledgements, and when: real parts, but for a publisher that only listens."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from blocks import make_block, make_source
from mega_collector.block import Source
from mega_collector.boot import boot_id
from mega_collector.collector.sending.inbox import Answered, Connected, Disconnected, Inbox
from mega_collector.collector.sending.publisher import Publisher
from mega_collector.collector.sending.shipper import Reconnected, Shipper
from mega_collector.collector.sending.window import Window
from mega_collector.collector.state.checkpoint import Checkpoint, CheckpointError
from mega_collector.marker import Marker
from mega_collector.protocol import Ack, Describe, Finish, FromCollector, Hello, Resume, Welcome

LINE = b"a line\n"
A, B = make_source("a"), make_source("b")


class Listener(Publisher):
    """Never connects: keeps what is said."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__(target="nowhere", hello=Hello("me", "here"), deliver=inbox.put)
        self.said: list[FromCollector] = []
        self.sessions: list[int] = []

    def send(self, session: int, *messages: FromCollector) -> None:
        self.said += messages
        self.sessions += [session] * len(messages)


class Writing(Checkpoint):
    """Takes as long as it is told, on the test's clock, and fails if told to."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.now = 100.0
        self.takes = 0.0
        self.fails = False
        self.flushes = 0

    def flush(self) -> None:
        self.now += self.takes
        if self.fails:
            raise CheckpointError("the disk is full")
        self.flushes += 1
        super().flush()


class Rig:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.checkpoint = Writing(directory)
        self.inbox = Inbox()
        self.listener = Listener(self.inbox)
        self.shipper = Shipper(
            window=Window(limit=1 << 20, largest_block=1 << 16),
            publisher=self.listener,
            checkpoint=self.checkpoint,
            inbox=self.inbox,
            clock=lambda: self.checkpoint.now,
        )
        self.inbox.put(Connected(1, Welcome(1 << 20, 1 << 20)))
        self.shipper.hear()

    def follow(self, source: Source) -> None:
        self.shipper.begin(source)
        self.hear(Resume(source.id, ()))
        self.shipper.settle(source, source, 0, Marker())

    def hear(self, answer: Ack | Resume) -> None:
        self.inbox.put(Answered(1, answer))
        self.shipper.hear()

    def ship(self, source: Source, start: int = 0) -> None:
        self.shipper.ship(make_block(LINE, start, source))
        self.hear(Ack({source.id: start + len(LINE)}))

    def kept(self) -> dict[bytes, tuple[int, Marker]]:
        """What is in the file."""
        self.checkpoint.close()
        with closing(Checkpoint(self.directory)) as found:
            return {source_id: (entry.position, entry.before) for source_id, entry in found.entries.items()}

    def wait(self, seconds: float) -> int:
        """Let time pass; how often the checkpoint was written."""
        before = self.checkpoint.flushes
        self.checkpoint.now += seconds
        self.shipper.save()
        return self.checkpoint.flushes - before


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.inbox.close()
    rig.checkpoint.close()


@pytest.mark.parametrize(
    ("boot", "outputs"),
    [(boot_id(), {(1, 2)}), (b"another", set()), (b"", set())],
    ids=["here", "elsewhere", "unknown"],
)
def test_what_an_aggregator_writes_to_is_heard_of_where_it_runs_on_this_machine(
    rig: Rig, boot: bytes, outputs: set[tuple[int, int]]
) -> None:
    rig.inbox.put(Connected(1, Welcome(1 << 20, 1 << 20, boot=boot, outputs=((1, 2),))))
    assert rig.shipper.hear() == [Reconnected(frozenset(outputs))]


def test_what_is_acknowledged_is_kept_with_the_bytes_before_it(rig: Rig) -> None:
    rig.follow(A)
    rig.follow(B)
    rig.ship(A)
    rig.ship(A, 7)
    rig.ship(B)
    rig.shipper.save(now=True)
    assert rig.kept() == {A.id: (14, Marker.of(LINE)), B.id: (7, Marker.of(LINE))}


def test_a_source_that_has_ended_is_kept_no_longer(rig: Rig) -> None:
    rig.follow(A)
    rig.ship(A)
    rig.shipper.ship(make_block(LINE, 7, A))
    rig.shipper.end(A)
    rig.hear(Ack({A.id: 14}))
    rig.shipper.say()
    assert rig.listener.said[-1] == Finish(A, 14)
    rig.hear(Ack({A.id: 14}))
    rig.shipper.save(now=True)
    assert rig.kept() == {}


def test_what_was_acknowledged_of_a_source_does_not_outlive_its_end(rig: Rig) -> None:
    rig.follow(A)
    rig.ship(A)
    rig.shipper.end(A)
    rig.hear(Ack({A.id: 7}))
    rig.shipper.save(now=True)
    assert rig.kept() == {}


@pytest.mark.parametrize("in_flight", [False, True])
def test_until_an_end_is_answered_the_checkpoint_knows_that_it_is_to_be_told(rig: Rig, in_flight: bool) -> None:
    rig.follow(A)
    rig.ship(A)
    if in_flight:
        rig.shipper.ship(make_block(LINE, 7, A))
    rig.shipper.end(A)
    if in_flight:
        rig.hear(Ack({A.id: 14}))
    rig.shipper.save(now=True)
    entry = rig.checkpoint.entries[A.id]
    assert (entry.position, entry.untold) == (14 if in_flight else 7, True)
    # Of what was in flight nothing else is kept by which to recognise a copy of it.
    assert rig.kept() == {A.id: (entry.position, Marker.of(LINE) if in_flight else Marker())}


def test_the_answer_to_an_end_is_not_written_for_its_own_sake(rig: Rig) -> None:
    rig.follow(A)
    rig.ship(A)
    rig.shipper.end(A)
    assert rig.wait(2) == 1
    rig.hear(Ack({A.id: 7}))
    assert rig.shipper.save_at is None
    assert rig.wait(20) == 0
    rig.shipper.save(now=True)
    assert rig.kept() == {}


def test_the_end_of_a_source_that_has_lost_something_is_not_told_without_its_loss(rig: Rig) -> None:
    """Whoever comes after a kill finds it gone once more, and tells all of it."""
    rig.follow(A)
    rig.ship(A)
    rig.shipper.end(A, lost=True)
    rig.shipper.save(now=True)
    assert not rig.checkpoint.entries[A.id].ended
    rig.hear(Ack({A.id: 7}))
    assert A.id not in rig.checkpoint.entries


def test_the_checkpoint_is_written_once_a_second_while_that_is_quick(rig: Rig) -> None:
    rig.follow(A)
    assert rig.wait(0) == 1
    rig.ship(A)
    assert rig.wait(0.9) == 0
    assert rig.shipper.save_at == pytest.approx(rig.checkpoint.now + 0.1)
    assert rig.wait(0.2) == 1
    assert rig.wait(5) == 0  # nothing has changed
    assert rig.shipper.save_at is None


@pytest.mark.parametrize(("takes", "rests"), [(0.05, 5.0), (60.0, 10.0)])
def test_the_checkpoint_is_written_more_rarely_where_that_takes_long(rig: Rig, takes: float, rests: float) -> None:
    rig.checkpoint.takes = takes
    rig.follow(A)
    assert rig.wait(0) == 1
    rig.ship(A)
    assert rig.wait(rests - 0.1) == 0
    assert rig.wait(0.2) == 1


def test_a_new_source_is_written_within_a_second_however_long_that_takes(rig: Rig) -> None:
    rig.checkpoint.takes = 0.1
    rig.follow(A)
    assert rig.wait(0) == 1
    rig.ship(A)
    assert rig.wait(1.1) == 0
    rig.follow(B)
    assert rig.wait(0) == 1
    assert rig.kept().keys() == {A.id, B.id}


def test_a_new_source_is_written_as_soon_as_writing_has_had_no_more_than_its_share(rig: Rig) -> None:
    rig.checkpoint.takes = 0.005
    rig.follow(A)
    assert rig.wait(0) == 1
    rig.follow(B)
    assert rig.wait(0.4) == 0
    assert rig.wait(0.2) == 1
    assert rig.kept().keys() == {A.id, B.id}


def test_at_the_end_it_is_written_whatever_the_time(rig: Rig) -> None:
    rig.checkpoint.takes = 0.1
    rig.follow(A)
    rig.wait(0)
    rig.ship(A)
    rig.shipper.save(now=True)
    assert rig.kept() == {A.id: (7, Marker.of(LINE))}


def test_what_could_not_be_written_is_written_later(rig: Rig) -> None:
    rig.follow(A)
    rig.wait(0)
    rig.ship(A)
    rig.checkpoint.fails = True
    rig.wait(2)
    assert rig.shipper.statistics().checkpoint_failing
    rig.checkpoint.fails = False
    assert rig.wait(2) == 1
    assert not rig.shipper.statistics().checkpoint_failing
    assert rig.kept() == {A.id: (7, Marker.of(LINE))}


def test_what_is_noted_of_a_source_is_its_last_acknowledgement_before_that_is_written(rig: Rig) -> None:
    rig.follow(A)
    rig.shipper.save(now=True)
    rig.ship(A)
    entry = rig.shipper.noted(A)
    assert entry is not None
    assert (entry.position, entry.before) == (7, Marker.of(LINE))
    rig.shipper.save(now=True)
    assert rig.kept() == {A.id: (7, Marker.of(LINE))}


def test_what_is_small_is_handed_over_together_and_what_is_large_at_once(rig: Rig) -> None:
    rig.follow(A)
    rig.shipper.say()
    said = rig.listener.said
    said.clear()
    small = [make_block(LINE, at * len(LINE), A) for at in range(1200)]
    for block in small:
        rig.shipper.ship(block)
    assert 0 < len(said) < len(small)
    rig.shipper.say()
    assert said == small
    large = make_block(b"x" * 200_000 + b"\n", small[-1].end, A)
    rig.shipper.ship(large)
    assert said == [*small, large]


def test_what_was_to_be_said_on_one_connection_is_not_said_on_the_next(rig: Rig) -> None:
    rig.follow(A)
    rig.shipper.say()
    block = make_block(LINE, 0, A)
    rig.shipper.ship(block)
    rig.inbox.put(Disconnected(1))
    rig.inbox.put(Connected(2, Welcome(1 << 20, 1 << 20)))
    rig.shipper.hear()
    rig.shipper.say()
    assert (rig.listener.said[-2:], rig.listener.sessions[-2:]) == ([block, Describe(A)], [1, 2])


def test_bytes_are_counted_when_they_are_acknowledged(rig: Rig) -> None:
    rig.follow(A)
    rig.ship(A)
    rig.ship(A, 7)
    rig.hear(Ack({A.id: 14}))
    assert rig.shipper.statistics().bytes_acknowledged == 14
