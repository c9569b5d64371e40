"""A dead letter goes through the pipeline: to the destination once, whatever is killed in between."""

from collections.abc import Iterable, Iterator, Sequence, Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path

import pytest

from blocks import make_block, make_source
from harness.until import until
from mega_collector.aggregator.batcher import Batcher
from mega_collector.aggregator.ingest_buffer import IngestBuffer, Item
from mega_collector.aggregator.ledger import DISCARDED, Advance, Ledger, LedgerError, Range
from mega_collector.aggregator.peers import Peers
from mega_collector.aggregator.pipeline import Pipeline
from mega_collector.aggregator.replay import Replay, Replayed
from mega_collector.batch import Batch
from mega_collector.block import Block, Source
from mega_collector.emitter.dead_letter import read
from mega_collector.emitter.dead_letters import DeadLetters
from mega_collector.emitter.discard import DiscardEmitter
from mega_collector.emitter.file import FileEmitter
from mega_collector.emitter.protocol import OutputState, Taken
from mega_collector.emitter.retry import RetryEmitter
from mega_collector.errors import EmitError, MegaCollectorError
from mega_collector.protocol import Passage, Record

A = make_source("a", collector="me")
FULL = EmitError("the disk is full")


class Killed(BaseException):
    """Ends the pipeline where it stands."""


class Output:
    """The file destination, which fails or kills when it is told to."""

    def __init__(self, file: FileEmitter) -> None:
        self._file = file
        self.failing = False
        self.room = 1000
        """Batches that it takes yet."""
        self.attempts = 0

    def emit(self, batches: Sequence[Batch]) -> Taken:
        self.attempts += 1
        if self.failing or not self.room:
            raise FULL
        taken = self._file.emit(batches[: self.room])
        self.room -= taken.count
        return taken

    def close(self) -> None:
        self._file.close()


class DyingLedger(Ledger):
    """The real one; the process dies before, or behind, the commit that clears something."""

    dies = ""
    unreadable = False

    def record(self, source_id: bytes) -> Record | None:
        if self.unreadable:
            raise LedgerError("the disk fails")
        return super().record(source_id)

    def commit(
        self,
        advances: Iterable[Advance],
        ranges: Sequence[Range] = (),
        outputs: Sequence[OutputState] = (),
        cleared: Sequence[Range] = (),
        closed: Sequence[str] = (),
    ) -> None:
        if cleared and self.dies == "before":
            raise Killed
        super().commit(advances, ranges, outputs, cleared, closed)
        if cleared and self.dies == "behind":
            raise Killed


class Life:
    """One process, from its start to its end: pipeline, ledger and file."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.ledger = DyingLedger(directory / "state")
        self.file = FileEmitter(
            directory / "out",
            known=self.ledger.output(str(directory / "out")),
            clean=self.ledger.clean,
            state_directory=directory / "state",
            remember=lambda output: self.ledger.commit((), outputs=[output]),
        )
        self.output = Output(self.file)
        self.buffer = IngestBuffer(100_000)
        self.replays: list[AbstractSet[str]] = []
        """The outputs of those that delivered everything."""
        retry = RetryEmitter(self.output, count=0, delay=1, pause=lambda _: True)
        self.pipeline = Pipeline(
            buffer=self.buffer,
            batcher=Batcher(max_entries=2, max_bytes=1 << 20, max_age=60),
            emitter=DiscardEmitter(retry, DeadLetters(directory / "letters", 1 << 20)),
            destination=self.output,
            ledger=self.ledger,
            peers=Peers(1 << 20),
            pause=lambda _: True,
            on_replayed=self.replays.append,
            on_failure=lambda: None,
        )
        self.pipeline.start()

    def discard(self, *blocks: Block) -> None:
        """Have blocks come while the destination fails."""
        self.output.failing = True
        self.buffer.put(*blocks)
        until(self.letters, "a dead letter")
        ends = {block.source.id: block.end for block in blocks}
        until(lambda: all(self.position(source_id) == end for source_id, end in ends.items()), "the commit")
        self.output.failing = False

    def letters(self) -> list[Path]:
        return sorted((self._directory / "letters").glob("*.dead"))

    def replay(self, letter: Path) -> Replay:
        item = Replay(read(letter).blocks)
        self.buffer.put(item)
        return item

    def replayed(self, letter: Path) -> Replayed:
        return self.replay(letter).outcome.result(20)

    def put(self, *items: Item) -> None:
        self.buffer.put(*items)

    def position(self, source_id: bytes) -> int:
        committed = self.ledger.committed(source_id)
        return -1 if committed is None else committed.position

    def ranges(self, source: Source = A) -> tuple[Passage, ...]:
        record = self.ledger.record(source.id)
        return () if record is None else record.ranges

    def written(self) -> bytes:
        return (self._directory / "out").read_bytes()

    def end(self, *, clean: bool = True) -> None:
        self.buffer.close()
        assert self.pipeline.join(20)
        if clean:
            self.file.close()
        else:
            self.file._output.close()  # as the kernel does it
        self.ledger.close(clean=clean)


@contextmanager
def life(directory: Path) -> Iterator[Life]:
    lives = Life(directory)
    try:
        yield lives
    finally:
        lives.end()


def test_what_was_discarded_comes_back_and_a_second_time_it_is_known(tmp_path: Path) -> None:
    with life(tmp_path) as now:
        now.discard(make_block(b"one\ntwo\n", 0, A))
        (letter,) = now.letters()
        assert now.ranges() == (Passage(0, 8, DISCARDED),)
        assert now.replayed(letter) == Replayed(2, 8, 0, 0)
        assert now.written() == b"one\ntwo\n"
        assert now.ranges() == ()
        assert now.replayed(letter) == Replayed(0, 0, 8, 0)
        assert now.written() == b"one\ntwo\n"


def test_neither_position_nor_entries_nor_checksum_move_by_it(tmp_path: Path) -> None:
    with life(tmp_path) as now:
        now.discard(make_block(b"one\ntwo\n", 0, A))
        before = now.ledger.record(A.id)
        now.replayed(now.letters()[0])
        after = now.ledger.record(A.id)
        assert before is not None
        assert after is not None
        assert (before.position, before.entries, before.checksum) == (after.position, after.entries, after.checksum)


def test_it_keeps_its_place_among_what_comes_before_and_behind_it(tmp_path: Path) -> None:
    with life(tmp_path) as now:
        now.discard(make_block(b"one\ntwo\n", 0, A))
        now.put(make_block(b"three\n", 8, A))
        item = now.replay(now.letters()[0])
        now.put(make_block(b"four\nfive\n", 14, A))
        assert item.outcome.result(20).entries == 2
        until(lambda: now.position(A.id) == 24, "the last")
        assert now.written() == b"three\none\ntwo\nfour\nfive\n"


def test_what_was_delivered_meanwhile_is_left_out(tmp_path: Path) -> None:
    """A kill between laying and committing: the collector sends the same again, and it may be cut otherwise."""
    with life(tmp_path) as now:
        letter = DeadLetters(tmp_path / "letters", 1 << 20).lay(Batch((make_block(b"1\n2\n3\n4\n", 0, A),), 4, 8))
        assert now.replayed(letter) == Replayed(0, 0, 0, 8)
        now.put(make_block(b"1\n2\n", 0, A))
        until(lambda: now.position(A.id) == 4, "the commit")
        now.ledger.commit([], [Range(A, 4, 6, DISCARDED)])
        assert now.replayed(letter) == Replayed(1, 2, 4, 2)
        assert now.written() == b"1\n2\n3\n"


def test_one_that_fails_is_tried_once_and_not_laid_again(tmp_path: Path) -> None:
    with life(tmp_path) as now:
        now.discard(make_block(b"one\ntwo\n", 0, A))
        now.output.failing, attempts = True, now.output.attempts
        (letter,) = now.letters()
        with pytest.raises(EmitError, match="the disk is full"):
            now.replayed(letter)
        assert now.output.attempts == attempts + 1
        assert (now.letters(), now.ranges()) == ([letter], (Passage(0, 8, DISCARDED),))
        now.output.failing = False
        assert now.replayed(letter).entries == 2
        assert now.written() == b"one\ntwo\n"


def test_more_than_a_batch_holds_comes_back_in_several(tmp_path: Path) -> None:
    with life(tmp_path) as now:
        lines = [b"%d\n" % number for number in range(7)]
        letter = DeadLetters(tmp_path / "letters", 1 << 20).lay(Batch((make_block(b"".join(lines), 0, A),), 7, 14))
        now.ledger.commit([Advance(A, 0, 14, 7, A.head)], [Range(A, 0, 14, DISCARDED)])
        before = now.pipeline.statistics().batches_emitted
        assert now.replayed(letter).entries == 7
        assert now.pipeline.statistics().batches_emitted == before + 4
        assert now.written() == b"".join(lines)


def test_only_one_that_delivers_all_says_that_the_destination_works_again(tmp_path: Path) -> None:
    with life(tmp_path) as now:
        letter = DeadLetters(tmp_path / "letters", 1 << 20).lay(Batch((make_block(b"1\n2\n3\n4\n", 0, A),), 4, 8))
        now.ledger.commit([Advance(A, 0, 8, 4, A.head)], [Range(A, 0, 8, DISCARDED)])
        now.output.room = 1
        with pytest.raises(EmitError, match="the disk is full"):
            now.replayed(letter)
        assert (now.written(), now.replays) == (b"1\n2\n", [])
        now.output.room = 1000
        assert now.replayed(letter) == Replayed(2, 4, 4, 0)
        assert now.replays == [{str(tmp_path / "out")}]
        assert now.replayed(letter) == Replayed(0, 0, 8, 0)
        assert len(now.replays) == 1, "where nothing was pushed, nobody knows"


def test_one_that_was_withdrawn_in_time_is_not_pushed(tmp_path: Path) -> None:
    with life(tmp_path) as now:
        now.discard(make_block(b"one\ntwo\n", 0, A))
        item = Replay(read(now.letters()[0]).blocks)
        assert item.outcome.cancel()
        now.put(item, make_block(b"3\n4\n", 8, A))
        until(lambda: now.position(A.id) == 12, "what came behind it")
        assert now.written() == b"3\n4\n"


def test_a_ledger_that_cannot_be_read_refuses_and_does_not_stop_the_rest(tmp_path: Path) -> None:
    with life(tmp_path) as now:
        now.discard(make_block(b"one\ntwo\n", 0, A))
        now.ledger.unreadable = True
        with pytest.raises(MegaCollectorError, match="the disk fails"):
            now.replayed(now.letters()[0])
        now.put(make_block(b"3\n4\n", 8, A))
        until(lambda: now.position(A.id) == 12, "what came behind it")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("dies", ["before", "behind"])
def test_killed_around_the_commit_it_is_there_once_all_the_same(tmp_path: Path, dies: str) -> None:
    now = Life(tmp_path)
    now.discard(make_block(b"one\ntwo\n", 0, A))
    now.put(make_block(b"three\nfour\n", 8, A))
    until(lambda: now.position(A.id) == 19, "more")
    (letter,) = now.letters()
    now.ledger.dies = dies
    with pytest.raises(Killed):
        now.replayed(letter)
    assert now.written() == b"three\nfour\none\ntwo\n"
    now.end(clean=False)
    with life(tmp_path) as later:
        expected = Replayed(2, 8, 0, 0) if dies == "before" else Replayed(0, 0, 8, 0)
        assert later.replayed(letter) == expected
        assert later.written() == b"three\nfour\none\ntwo\n"
        assert later.ranges() == ()
