"""From the ingest buffer to the destination and back: nothing is acknowledged that is not committed."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest
from structlog.testing import capture_logs

from blocks import entries_of, make_block, make_source
from harness.until import quiet, until
from mega_collector.aggregator.batcher import Batcher
from mega_collector.aggregator.ingest_buffer import IngestBuffer, Item
from mega_collector.aggregator.ledger import Advance, Ledger, LedgerError, Range
from mega_collector.aggregator.outbox import Outbox
from mega_collector.aggregator.peers import Peers
from mega_collector.aggregator.pipeline import Pipeline
from mega_collector.aggregator.taps import Taps
from mega_collector.batch import Batch
from mega_collector.block import Block, Skip, SkipReason, Source
from mega_collector.checksum import crc32
from mega_collector.emitter.protocol import OutputState, Taken
from mega_collector.errors import DestinationGone, EmitError, RetriesExhausted, Stopping
from mega_collector.marker import TAIL_SIZE, Marker
from mega_collector.protocol import Ack, Finish, Flush, Sent

A, B = make_source("a", collector="me"), make_source("b", collector="me", inode=3)
FULL = EmitError("the disk is full")

Step = Exception | Callable[[Sequence[Batch]], Taken]


def everything(batches: Sequence[Batch]) -> Taken:
    return Taken(len(batches))


class Destination:
    """Does as its script says, and takes everything when that is over."""

    def __init__(self, *script: Step) -> None:
        self._script: Iterator[Step] = iter(script)
        self.taken: list[Block] = []
        self.discarded: list[Block] = []
        self.attempts = 0

    def emit(self, batches: Sequence[Batch]) -> Taken:
        self.attempts += 1
        assert batches
        step = next(self._script, everything)
        if isinstance(step, Exception):
            raise step
        taken = step(batches)
        into = self.discarded if taken.discarded else self.taken
        into += [block for batch in batches[: taken.count] for block in batch.blocks]
        return taken

    def close(self) -> None:
        pass


class FailingLedger(Ledger):
    """The real one, on a disk that fails so many times. If told to, it forgets what has ended right before a commit."""

    failures = 0
    forgets = False

    def commit(
        self,
        advances: Iterable[Advance],
        ranges: Sequence[Range] = (),
        outputs: Sequence[OutputState] = (),
        cleared: Sequence[Range] = (),
        closed: Sequence[str] = (),
    ) -> None:
        if self.failures:
            self.failures -= 1
            raise LedgerError("the disk fails")
        if self.forgets:
            self.forget(time.time_ns() + 1)
        super().commit(advances, ranges, outputs, cleared, closed)


class CountingTaps(Taps):
    """Real ones, that count how often they are made to do something."""

    offers = 0

    def offer(self, batches: Sequence[Batch]) -> None:
        self.offers += 1
        super().offer(batches)


class Rig:
    """A pipeline with real parts around it, of which a test plays the streams and the destination."""

    def __init__(self, state: Path, *script: Step, max_entries: int = 1000, max_age: float = 0.0) -> None:
        self.destination = Destination(*script)
        self.buffer = IngestBuffer(1000)
        self.ledger = FailingLedger(state)
        self.peers = Peers(1 << 20)
        self.outbox = Outbox()
        self.peers.join("me", self.outbox)
        self.pauses: list[float] = []
        self.steps_at_pauses: list[int] = []
        self.may_pause = True
        self.failed = Event()
        self.taps = CountingTaps()
        self.pipeline = Pipeline(
            buffer=self.buffer,
            batcher=Batcher(max_entries=max_entries, max_bytes=1 << 20, max_age=max_age),
            emitter=self.destination,
            ledger=self.ledger,
            peers=self.peers,
            pause=self._pause,
            taps=self.taps,
            on_failure=self.failed.set,
        )

    def put(self, *items: Item) -> "Rig":
        for item in items:
            self.buffer.put(item)
        return self

    def run(self) -> "Rig":
        """Run until all that was put is done with, and end."""
        self.pipeline.start()
        self.buffer.close()
        assert self.pipeline.join(20)
        return self

    def acknowledged(self) -> dict[bytes, int]:
        """The positions that the collector has heard of."""
        self.outbox.close()
        acks = [answer.positions for answer in self.outbox.drain() if isinstance(answer, Ack)]
        return {source_id: position for positions in acks for source_id, position in positions.items()}

    def committed(self, source: Source = A) -> int | None:
        known = self.ledger.known("me", source.id, source.device, source.inode)
        return next((each.position for each in known if each.source_id == source.id), None)

    def close(self) -> None:
        self.buffer.close()
        assert self.pipeline.join(20)
        self.ledger.close(clean=True)

    def _pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        self.steps_at_pauses.append(self.pipeline.statistics().steps)
        return self.may_pause


def _blocks(count: int, source: Source = A) -> list[Block]:
    return [make_block(b"line %d\n" % number, 7 * number, source) for number in range(count)]


def test_what_was_taken_is_committed_acknowledged_and_released(tmp_path: Path) -> None:
    with closing(Rig(tmp_path).put(*_blocks(3)).run()) as rig:
        assert entries_of(rig.destination.taken) == [b"line 0\n", b"line 1\n", b"line 2\n"]
        assert rig.acknowledged() == {A.id: 21}
        assert rig.committed() == 21
        assert rig.buffer.statistics().size == 0
        assert rig.pipeline.complete
        statistics = rig.pipeline.statistics()
        assert (statistics.entries_emitted, statistics.bytes_emitted, statistics.entries_discarded) == (3, 21, 0)


def test_the_ledger_knows_the_bytes_before_each_position(tmp_path: Path) -> None:
    data = b"first line\n" + b"x" * 100 + b"\n"
    with closing(Rig(tmp_path, max_entries=1).put(make_block(data, 0, A)).run()) as rig:
        (known,) = rig.ledger.known("me", A.id, 0, 0)
        assert known.before == Marker.of(data[-TAIL_SIZE:])


def test_sources_are_committed_each_to_its_own_position(tmp_path: Path) -> None:
    blocks = [block for pair in zip(_blocks(3, A), _blocks(3, B), strict=True) for block in pair]
    with closing(Rig(tmp_path, max_entries=4).put(*blocks).run()) as rig:
        assert rig.acknowledged() == {A.id: 21, B.id: 21}
        assert (rig.committed(A), rig.committed(B)) == (21, 21)
        assert entries_of(rig.destination.taken) == entries_of(blocks)


def test_what_is_taken_in_parts_is_committed_in_parts_and_the_rest_is_tried_again(tmp_path: Path) -> None:
    script: list[Step] = [lambda _: Taken(1), FULL, lambda _: Taken(2)]
    with closing(Rig(tmp_path, *script, max_entries=1).put(*_blocks(5)).run()) as rig:
        assert entries_of(rig.destination.taken) == entries_of(_blocks(5))
        assert rig.acknowledged() == {A.id: 35}
        assert rig.buffer.statistics().size == 0
        assert len(rig.pauses) == 1


def test_nothing_is_acknowledged_while_the_destination_takes_nothing(tmp_path: Path) -> None:
    gate = Event()

    def hang(batches: Sequence[Batch]) -> Taken:
        gate.wait(20)
        return Taken(len(batches))

    with closing(Rig(tmp_path, hang).put(*_blocks(3))) as rig:
        rig.pipeline.start()
        until(lambda: rig.destination.attempts, "an attempt")
        quiet(rig.committed, "the ledger", 0.05)
        assert rig.committed() is None
        assert rig.buffer.statistics().size == 21
        gate.set()
        until(lambda: rig.committed() == 21, "the commit")


def test_a_source_that_goes_on_while_it_is_forgotten_has_the_checksum_of_what_the_ledger_knows(tmp_path: Path) -> None:
    """Else an audit would say that its file differs."""
    first, second, third = _blocks(3)
    with closing(Rig(tmp_path).put(first, Finish(A, 7)).run()) as rig:
        assert rig.committed() == 7
    with closing(Rig(tmp_path)) as rig:
        rig.ledger.forgets = True
        rig.put(second, Flush(), third).run()
        (record,) = rig.ledger.records()
        assert (record.first, record.position) == (7, 21)
        assert record.checksum == crc32(bytes(second.data) + bytes(third.data))


@pytest.mark.case(67)
@pytest.mark.parametrize("error", [FULL, RetriesExhausted(3, FULL)])
def test_a_failure_that_nobody_gave_up_stays_at_the_head_of_the_queue(tmp_path: Path, error: Exception) -> None:
    with closing(Rig(tmp_path, error, error).put(*_blocks(3)).run()) as rig:
        assert entries_of(rig.destination.taken) == entries_of(_blocks(3))
        assert rig.destination.attempts == 3
        assert rig.acknowledged() == {A.id: 21}


def test_what_nobody_takes_is_told_of_once_and_is_its_state_until_it_is_taken(tmp_path: Path) -> None:
    refused = EmitError("/letters: No space left on device")
    seen = list[str | None]()

    def look(batches: Sequence[Batch]) -> Taken:
        seen.append(rig.pipeline.statistics().refused)
        return everything(batches)

    with capture_logs() as logs, closing(Rig(tmp_path, *[refused] * 4, look).put(*_blocks(3))) as rig:
        rig.run()
        assert rig.pipeline.statistics().refused is None
    assert seen == [str(refused)]
    assert [log["error"] for log in logs if log["event"] == "emit_failed"] == [str(refused)]


def test_what_was_discarded_is_recorded_acknowledged_and_counted_apart(tmp_path: Path) -> None:
    script: list[Step] = [lambda _: Taken(1, discarded=True)]
    with closing(Rig(tmp_path, *script, max_entries=2).put(*_blocks(3)).run()) as rig:
        assert entries_of(rig.destination.discarded) == entries_of(_blocks(2))
        assert entries_of(rig.destination.taken) == [b"line 2\n"]
        assert rig.acknowledged() == {A.id: 21}
        assert rig.buffer.statistics().size == 0
        statistics = rig.pipeline.statistics()
        assert (statistics.entries_discarded, statistics.bytes_discarded, statistics.entries_emitted) == (2, 14, 1)
        ranges = rig.ledger._reader.read("SELECT source, start, end, reason FROM ranges")
        assert ranges == [(A.id, 0, 14, "discarded")]


def test_a_shutdown_that_allows_no_other_try_leaves_the_rest_unacknowledged(tmp_path: Path) -> None:
    script: list[Step] = [lambda _: Taken(1), Stopping("no more")]
    with closing(Rig(tmp_path, *script, max_entries=1).put(*_blocks(3)).run()) as rig:
        assert (rig.pipeline.complete, rig.pipeline.failure, rig.failed.is_set()) == (False, None, False)
        assert rig.acknowledged() == {A.id: 7}
        assert rig.committed() == 7


def test_a_failure_while_there_is_no_time_left_is_not_tried_again(tmp_path: Path) -> None:
    with closing(Rig(tmp_path, FULL).put(*_blocks(3))) as rig:
        rig.may_pause = False
        rig.run()
        assert (rig.pipeline.complete, rig.destination.attempts) == (False, 1)
        assert rig.acknowledged() == {}


def test_a_destination_that_is_gone_ends_it_with_the_cause(tmp_path: Path) -> None:
    gone = DestinationGone("the pipe is closed")
    with closing(Rig(tmp_path, gone).put(*_blocks(3))) as rig:
        rig.pipeline.start()
        assert rig.failed.wait(20)
        assert rig.pipeline.failure is gone
        assert rig.acknowledged() == {}
        assert not rig.pipeline.complete


def test_a_ledger_that_fails_is_tried_until_it_heals_and_nothing_is_acknowledged_or_emitted_before(
    tmp_path: Path,
) -> None:
    with closing(Rig(tmp_path, max_entries=1).put(*_blocks(3))) as rig:
        rig.ledger.failures = 3
        rig.run()
        assert len(rig.pauses) == 3
        assert entries_of(rig.destination.taken) == entries_of(_blocks(3))
        assert rig.acknowledged() == {A.id: 21}
        assert rig.pipeline.statistics().committing


def test_whoever_tries_a_failing_ledger_again_does_not_hang(tmp_path: Path) -> None:
    with closing(Rig(tmp_path).put(*_blocks(1))) as rig:
        rig.ledger.failures = 3
        rig.run()
        assert len(set(rig.steps_at_pauses)) == 3


def test_what_a_failing_ledger_never_took_is_not_acknowledged(tmp_path: Path) -> None:
    with closing(Rig(tmp_path).put(*_blocks(3))) as rig:
        rig.ledger.failures = 1
        rig.may_pause = False
        rig.run()
        assert rig.acknowledged() == {}
        assert not rig.pipeline.complete
        assert not rig.pipeline.statistics().committing
        rig.ledger.failures = 0
        assert rig.committed() is None


def test_positions_move_in_order_over_skips_and_ends(tmp_path: Path) -> None:
    items: list[Item] = [
        Skip(A, 0, 100, SkipReason.START_AT_END),
        make_block(b"a line\n", 100, A),
        Skip(A, 107, 200, SkipReason.LOST),
        make_block(b"the end", 200, A),
        Finish(A, 207),
    ]
    with closing(Rig(tmp_path, max_age=60).put(*items).run()) as rig:
        assert entries_of(rig.destination.taken) == [b"a line\n", b"the end\n"]
        assert rig.acknowledged() == {A.id: 207}
        rows = rig.ledger._reader.read("SELECT start, end, reason FROM ranges ORDER BY start")
        assert rows == [(0, 100, "start at end"), (107, 200, "lost")]
        assert rig.ledger._reader.read("SELECT finished, position FROM sources") == [(1, 207)]


def test_of_what_was_lost_behind_what_was_sent_it_is_known_up_to_where_that_was(tmp_path: Path) -> None:
    hole = Skip(A, 7, 100, SkipReason.HOLE, Marker.of(b"a hole"))
    items: list[Item] = [make_block(b"a line\n", 0, A), hole, Skip(A, 100, 150, SkipReason.LOST)]
    with closing(
        Rig(tmp_path, max_age=60).put(*items, Skip(A, 150, 200, SkipReason.LOST), Finish(A, 200)).run()
    ) as rig:
        (known,) = rig.ledger.known(A.collector, A.id, A.device, A.inode)
        assert (known.position, known.finished, known.before) == (200, True, Marker())
        assert known.sent == Sent(100, hole.before)
        (holding,) = rig.ledger.ended(A.collector, None, 8).holdings
        assert (holding.position, holding.before) == (100, hole.before)
        (record,) = rig.ledger.records()
        assert (record.position, record.before) == (200, Marker())


@pytest.mark.parametrize("item", [Skip(A, 7, 100, SkipReason.HOLE), Finish(A, 7)])
def test_no_position_moves_past_what_the_destination_has_not_taken(tmp_path: Path, item: Item) -> None:
    with closing(Rig(tmp_path, FULL, max_age=60).put(*_blocks(1), item)) as rig:
        rig.may_pause = False
        rig.run()
        assert rig.acknowledged() == {}
        assert rig.committed() is None


def test_a_flush_publishes_what_is_there_before_its_time(tmp_path: Path) -> None:
    with closing(Rig(tmp_path, max_age=3600)) as rig:
        rig.pipeline.start()
        rig.put(*_blocks(2))
        quiet(lambda: rig.destination.attempts, "the destination", 0.05)
        assert rig.destination.attempts == 0
        rig.put(Flush())
        until(lambda: rig.committed() == 14, "the commit")


def test_a_full_buffer_publishes_what_is_there_before_its_time(tmp_path: Path) -> None:
    with closing(Rig(tmp_path, max_age=3600)) as rig:
        rig.pipeline.start()
        for number in range(20):
            rig.put(make_block(b"x" * 199 + b"\n", 200 * number, A))
        until(lambda: (rig.committed() or 0) >= 3000, "most of it to be committed")


def test_a_batch_is_published_when_its_time_has_come(tmp_path: Path) -> None:
    with closing(Rig(tmp_path, max_age=0.02)) as rig:
        rig.pipeline.start()
        rig.put(*_blocks(1))
        until(lambda: rig.committed() == 7, "the commit")


@pytest.mark.case(70)
def test_where_nothing_comes_nothing_is_emitted_or_committed(tmp_path: Path) -> None:
    with closing(Rig(tmp_path).put(Flush(), Flush()).run()) as rig:
        assert rig.destination.attempts == 0
        assert rig.pipeline.statistics().commits == 0
        assert rig.pipeline.complete


def test_what_the_outputs_became_is_committed_with_the_positions(tmp_path: Path) -> None:
    state = OutputState("/out", 1, 2, 21, Marker.of(b"x"))
    script: list[Step] = [lambda batches: Taken(len(batches), outputs=(state,))]
    with closing(Rig(tmp_path, *script).put(*_blocks(3)).run()) as rig:
        assert rig.ledger.output("/out") == state
        assert rig.committed() == 21


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_ends_it_and_does_not_pass_unseen(tmp_path: Path) -> None:
    with closing(Rig(tmp_path, ZeroDivisionError("a defect")).put(*_blocks(1))) as rig:
        rig.pipeline.start()
        assert rig.failed.wait(20)
        assert rig.pipeline.failure is not None
        assert rig.acknowledged() == {}


def test_while_nobody_watches_nothing_is_done_for_them(tmp_path: Path) -> None:
    with closing(Rig(tmp_path, max_entries=1).put(*_blocks(10)).run()) as rig:
        assert rig.committed() == 70
        assert rig.taps.offers == 0


def test_whoever_watches_sees_what_is_committed_and_not_what_is_given_up(tmp_path: Path) -> None:
    def discard(batches: Sequence[Batch]) -> Taken:
        return Taken(1, discarded=True)

    with closing(Rig(tmp_path, FULL, discard, max_entries=1)) as rig:
        tap = rig.taps.begin()
        blocks = _blocks(3)
        rig.put(*blocks).run()
        assert [tap.take(), tap.take()] == blocks[1:]
