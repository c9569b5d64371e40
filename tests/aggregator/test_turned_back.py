"""What the pipeline does with what one of several outputs leaves."""

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event

from blocks import make_block, make_source
from harness.until import until
from mega_collector.aggregator.batcher import Batcher
from mega_collector.aggregator.ingest_buffer import Anew, IngestBuffer, Item
from mega_collector.aggregator.ledger import DISCARDED, Ledger
from mega_collector.aggregator.outbox import Outbox
from mega_collector.aggregator.peers import Peers
from mega_collector.aggregator.pipeline import Pipeline
from mega_collector.aggregator.turned_back import TurnedBack
from mega_collector.batch import Batch
from mega_collector.block import Block, Skip, SkipReason, Source
from mega_collector.emitter.protocol import Left, Taken
from mega_collector.errors import EmitError
from mega_collector.protocol import Finish, Refusal, RefusalReason, Resume


class Outputs:
    """One for each source; those that are `failing` take nothing, and are worth another try after `rest` seconds."""

    def __init__(self) -> None:
        self.failing: set[bytes] = set()
        self.gives_up = False
        self.rest = 1000.0
        self.taken: list[Block] = []

    def emit(self, batches: Sequence[Batch]) -> Taken:
        blocks = [block for batch in batches for block in batch.blocks]
        stuck = [block for block in blocks if block.source.id in self.failing]
        self.taken += [block for block in blocks if block not in stuck]
        if not stuck:
            return Taken(len(batches))
        part = Batch(tuple(stuck), sum(block.entries for block in stuck), sum(len(block.data) for block in stuck))
        if self.gives_up:
            return Taken(len(batches), given_up=(part,))
        left = Left("x", EmitError("x: No space left on device"), (part,), again=time.monotonic() + self.rest)
        return Taken(len(batches), left=(left,))

    def close(self) -> None:
        pass


class Rig:
    def __init__(self, state: Path) -> None:
        self.outputs = Outputs()
        self.buffer = IngestBuffer(1 << 20)
        self.ledger = Ledger(state)
        self.peers = Peers(1 << 20)
        self.outbox = Outbox()
        self.peer, _ = self.peers.join("me", self.outbox)
        self.turned_back = TurnedBack()
        self.pipeline = Pipeline(
            buffer=self.buffer,
            batcher=Batcher(max_entries=2, max_bytes=1 << 20, max_age=0.0),
            emitter=self.outputs,
            ledger=self.ledger,
            peers=self.peers,
            pause=lambda _: True,
            on_failure=Event().set,
            turned_back=self.turned_back,
        )

    def put(self, *items: Item) -> None:
        for item in items:
            if isinstance(item, Block | Skip):
                self.peer.admission.open(item.source, item.start, None)
                self.peer.admission.admit(item) if isinstance(item, Block) else self.peer.admission.skip(item)
        self.buffer.put(*items)

    def end(self) -> None:
        self.buffer.close()
        assert self.pipeline.join(20)
        self.ledger.close(clean=True)

    def position(self, source: Source) -> int:
        committed = self.ledger.committed(source.id)
        return 0 if committed is None else committed.position


A, B = make_source("a", collector="me"), make_source("b", collector="me", inode=3)


def test_what_is_left_is_let_go_of_and_everything_else_of_its_source_with_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.outputs.failing = {A.id}
    blocks = [make_block(b"xx\n", start, A) for start in range(0, 15, 3)]
    rig.put(*blocks, make_block(b"b\n", 0, B), Skip(A, 15, 20, SkipReason.HOLE), Finish(A, 20))
    rig.pipeline.start()
    until(lambda: rig.position(B) == 2, "the other should be taken")
    assert rig.position(A) == 0
    rig.end()
    assert [block.source for block in rig.outputs.taken] == [B]
    assert rig.buffer.statistics().size == 0
    assert not rig.pipeline.complete
    assert rig.peer.admission.settled
    rig.outbox.close()
    (refusal,) = [each for each in rig.outbox.drain() if isinstance(each, Refusal)]
    assert (refusal.source_id, refusal.reason, refusal.retry) == (A.id, RefusalReason.HELD_UP, True)


def test_what_comes_before_it_begins_anew_is_passed_over_and_what_comes_behind_that_is_taken(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.outputs.failing = {A.id}
    rig.put(make_block(b"1\n", 0, A))
    rig.pipeline.start()
    until(lambda: rig.turned_back.is_stale(A.id), "it should be turned back")
    rig.outputs.failing = set()
    rig.buffer.put(make_block(b"2\n", 2, A), Anew(A.id), make_block(b"1\n", 0, A))
    until(lambda: rig.position(A) == 2, "it should be taken")
    rig.end()
    assert [block.start for block in rig.outputs.taken] == [0]
    assert rig.pipeline.complete


def test_a_description_is_answered_when_its_output_is_worth_another_try(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.outputs.failing, rig.outputs.rest = {A.id}, 0.2
    rig.put(make_block(b"1\n", 0, A))
    rig.pipeline.start()
    until(lambda: rig.turned_back.is_stale(A.id), "it should be turned back")
    until(lambda: rig.peers.wait(rig.outbox, A), "it should have to wait")
    answers = rig.outbox.drain()
    assert isinstance(next(answers), Refusal)
    assert next(answers) == Resume(A.id, ())
    assert not rig.peers.wait(rig.outbox, A)
    rig.end()


def test_what_is_given_up_is_committed_as_discarded_beside_what_is_taken(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.outputs.failing, rig.outputs.gives_up = {A.id}, True
    rig.put(make_block(b"1\n", 0, A), make_block(b"2\n", 0, B))
    rig.pipeline.start()
    until(lambda: rig.position(A) == 2 == rig.position(B), "both should be committed")
    record = rig.ledger.record(A.id)
    assert record is not None
    assert [(each.start, each.end, each.reason) for each in record.ranges] == [(0, 2, DISCARDED)]
    statistics = rig.pipeline.statistics()
    assert (statistics.entries_discarded, statistics.entries_emitted) == (1, 1)
    rig.end()
