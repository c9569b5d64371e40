"""From the ingest buffer to the destination, and back with what is committed: one thread does it all, in order."""

import threading
import time
from collections.abc import Callable, Sequence, Set as AbstractSet
from dataclasses import dataclass, replace
from functools import partial

import structlog

from mega_collector.aggregator.batcher import Batcher
from mega_collector.aggregator.checksums import Checksums
from mega_collector.aggregator.ingest_buffer import Anew, IngestBuffer, Item
from mega_collector.aggregator.ledger import DISCARDED, Advance, Ledger, LedgerError, Range
from mega_collector.aggregator.outbox import Outbox
from mega_collector.aggregator.peers import Peers
from mega_collector.aggregator.recall import recall
from mega_collector.aggregator.replay import Replay, Replayed
from mega_collector.aggregator.taps import Taps
from mega_collector.aggregator.turned_back import TurnedBack
from mega_collector.batch import Batch
from mega_collector.block import Block, Skip, SkipReason, Source
from mega_collector.emitter.protocol import Emitter, Left, OutputState, Reopenable, Taken
from mega_collector.errors import DestinationGone, EmitError, MegaCollectorError, RetriesExhausted, Stopping
from mega_collector.marker import HEAD_SIZE, TAIL_SIZE, Marker
from mega_collector.protocol import Finish, Flush, Open, Resume

_LEDGER_PACE = 1.0
"""Seconds between two tries to write the ledger: what is emitted must not be acknowledged before."""

_IDLE = 1.0
"""Seconds of sleep at the most: by its steps it is known to live."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PipelineStatistics:
    batches_emitted: int
    entries_emitted: int
    bytes_emitted: int
    batches_discarded: int
    entries_discarded: int
    bytes_discarded: int
    sources_lost: int
    bytes_lost: int
    """That vanished where they were read: as the collectors told."""
    commits: int
    committing: bool
    """False while the ledger cannot be written."""
    emitting: float
    """Seconds that the emit under way has lasted; 0 if there is none."""
    steps: int
    """How often it went round, or tried the ledger again: it hangs if that stays as it is and no emit is under way."""
    ledger_error: str | None = None
    """Why the ledger could not be written the last time."""
    refused: str | None = None
    """Why what is to be emitted can neither be taken nor given up at present: the dead letters do not take it."""


class Pipeline:
    """Takes from the ingest buffer, seals batches, emits them, commits, acknowledges.

    `destination` is what the emitter stands around: there goes what comes back of the dead letters, in one attempt, and
    nobody is alerted or gives it up again if that fails; `on_replayed` is called with the outputs of a letter of which
    all was taken. `taps` are offered what is committed. `pause(seconds)` waits and says whether there is still time to
    try again. `on_outputs` is called when the ledger has the state of outputs that an emit has changed. `failure` is
    set if it cannot go on, and `on_failure` is called then.
    """

    def __init__(
        self,
        *,
        buffer: IngestBuffer,
        batcher: Batcher,
        emitter: Emitter,
        destination: Emitter | None = None,
        ledger: Ledger,
        peers: Peers,
        pause: Callable[[float], bool],
        taps: Taps | None = None,
        on_outputs: Callable[[], None] = lambda: None,
        on_replayed: Callable[[AbstractSet[str]], None] = lambda _: None,
        on_failure: Callable[[], None],
        turned_back: TurnedBack | None = None,
    ) -> None:
        self._buffer = buffer
        self._batcher = batcher
        self._emitter = emitter
        self._destination = destination or emitter
        self._ledger = ledger
        self._peers = peers
        self._pause = pause
        self._taps = taps or Taps()
        self._on_outputs = on_outputs
        self._on_replayed = on_replayed
        self._on_failure = on_failure
        self._turned_back = turned_back or TurnedBack()
        self._checksums = Checksums(self._committed_checksum)
        self._thread = threading.Thread(target=self._run, name="pipeline", daemon=True)
        self.failure: MegaCollectorError | None = None
        self.complete = False
        """Whether it ended with nothing left: all that was taken in is committed."""
        self._emitted = _Count()
        self._discarded = _Count()
        self._sources_lost = self._bytes_lost = 0
        self._commits = 0
        self._committing = True
        self._emitting_since: float | None = None
        self._steps = 0
        self._reopening = False
        self._ledger_error: str | None = None
        self._refused: str | None = None
        self.settled = True
        """Whether the ledger knows of all that the destination took."""

    def start(self) -> None:
        self._thread.start()

    def reopen(self) -> None:
        """Have the destination, if it has files, turn to what their paths name now. From any thread.

        An emit that is under way goes on as it is: it looks at the path itself, at each try.
        """
        self._reopening = True
        self._buffer.wake()

    def join(self, timeout: float) -> bool:
        """Wait for the end, which comes when the ingest buffer is closed and empty; False if it did not come."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def statistics(self) -> PipelineStatistics:
        since = self._emitting_since
        return PipelineStatistics(
            *self._emitted.values(),
            *self._discarded.values(),
            sources_lost=self._sources_lost,
            bytes_lost=self._bytes_lost,
            commits=self._commits,
            committing=self._committing,
            emitting=0 if since is None else time.monotonic() - since,
            steps=self._steps,
            ledger_error=self._ledger_error,
            refused=self._refused,
        )

    def _run(self) -> None:
        try:
            while not self._buffer.closed:
                self._step()
                # Of a collector that cannot be let in yet nothing comes that a commit could fail for.
                self._insist(self._ledger.bind_again, wanted=lambda: not self._buffer.closed)
            self._step()
            self._emit(self._batcher.flush())
            self.complete = not self._turned_back.waits
            if not self.complete:
                _log.warning("shutdown_incomplete", reason="some outputs take nothing")
        except Stopping:
            unwritten = "the ledger could not be written in time"
            untaken = "the destination did not take everything in time"
            _log.warning("shutdown_incomplete", reason=untaken if self._committing else unwritten)
        except MegaCollectorError as error:
            self.failure = error
            self._on_failure()
        except BaseException:
            # A defect: without this thread nothing would be acknowledged again, and nobody would know why.
            self.failure = MegaCollectorError("the pipeline failed, which is a defect: see the log")
            self._on_failure()
            raise

    def _step(self) -> None:
        self._steps += 1
        deadline = min(self._batcher.deadline, self._turned_back.next_due, self._peers.next_turn)
        timeout = min(max(deadline - time.monotonic(), 0), _IDLE)
        sealed: list[Batch] = []
        moves: list[Move] = []
        items = self._buffer.take(timeout)
        if self._reopening:
            self._reopening = False
            self._reopen()
        for item in items:
            if self._turned_back.waits and self._pass_over(item):
                continue
            if isinstance(item, Skip | Finish | Open):
                # Positions move in order: what came before is committed first.
                sealed += self._batcher.flush()
                self._emit(sealed)
                if not self._turned_back.is_stale(item.source.id):
                    moves.append(item)
                continue
            self._commit_moves(moves)
            if isinstance(item, Replay):
                sealed += self._batcher.flush()
                self._emit(sealed)
                self._replay(item)
                continue
            sealed += self._batcher.add(item, time.monotonic()) if isinstance(item, Block) else self._batcher.flush()
        self._commit_moves(moves)
        sealed += self._batcher.flush() if self._buffer.full else self._batcher.due(time.monotonic())
        self._emit(sealed)
        self._let_come()
        self._peers.take_turns()

    def _reopen(self) -> None:
        if not isinstance(self._destination, Reopenable):
            return
        try:
            self._destination.reopen()
        except EmitError as error:
            # The next emit tries it too, and fails if it must.
            _log.warning("reopen_failed", error=str(error))

    def _emit(self, batches: list[Batch]) -> None:
        """Emit, commit and acknowledge until the list is empty."""
        while batches:
            self._emitting_since = time.monotonic()
            try:
                taken = self._emitter.emit(batches)
            except (DestinationGone, Stopping):
                raise
            except (EmitError, RetriesExhausted) as error:
                # Not even the dead-letter directory took it: it stays at the head of the queue.
                if str(error) != self._refused:
                    _log.error("emit_failed", error=str(error))
                self._refused = str(error)
                self._wait(_LEDGER_PACE)
                continue
            finally:
                self._emitting_since = None
            self._refused = None
            self.settled = False
            advances = self._record_batches(batches[: taken.count], taken)
            self.settled = True
            size = self._count(batches[: taken.count], taken)
            if self._taps.open and not taken.discarded:
                self._taps.offer(_delivered(batches[: taken.count], taken))
            # Let go of before anybody hears of it: what they send next comes at once, and takes its place.
            del batches[: taken.count]
            self._buffer.release(size)
            self._acknowledge(advances)
            if taken.left:
                self._turn_back(taken.left, batches)

    def _record_batches(self, batches: Sequence[Batch], taken: Taken) -> Sequence[Advance]:
        blocks = _taken_of(batches, taken)
        given_up = blocks if taken.discarded else [block for batch in taken.given_up for block in batch.blocks]
        advances = self._advances(blocks)
        discarded = [Range(block.source, block.start, block.end, DISCARDED) for block in given_up]
        self._record(advances, discarded, taken.outputs, closed=taken.closed)
        return advances

    # Outputs that take nothing while others do

    def _turn_back(self, left: Sequence[Left], batches: list[Batch]) -> None:
        """Let go of all that is in flight of these sources: their collectors have it, and send it when it may come."""
        sources = {block.source.id: (block.source, each.again) for each in left for block in each.blocks}
        released = 0
        for source, again in sources.values():
            # Noted first: whoever opens it anew, once it is turned back, must find it so.
            self._turned_back.turn(source.collector, source.id, again)
            self._peers.turn_back(source.collector, source.id)
            released += self._batcher.drop(source.id)
        for index, batch in enumerate(batches):
            kept = tuple(block for block in batch.blocks if block.source.id not in sources)
            if len(kept) < len(batch.blocks):
                size = sum(len(block.data) for block in kept)
                released += batch.size - size
                batches[index] = Batch(kept, sum(block.entries for block in kept), size)
        batches[:] = [batch for batch in batches if batch.blocks]
        self._buffer.release(released)

    def _pass_over(self, item: Item) -> bool:
        """Whether it is of a source that was turned back, and was sent before that."""
        if isinstance(item, Anew):
            self._turned_back.begin(item.source_id)
            return True
        if isinstance(item, Flush | Replay) or not self._turned_back.is_stale(item.source.id):
            return False
        if isinstance(item, Block):
            self._buffer.release(len(item.data))
        return True

    def _let_come(self) -> None:
        """Answer the descriptions of those sources whose time has come."""
        for collector, source_ids in self._turned_back.due(time.monotonic()).items():
            for outbox, source in self._peers.let_come(collector, source_ids):
                self._insist(partial(self._answer, outbox, source))

    def _answer(self, outbox: Outbox, source: Source) -> None:
        known = self._ledger.known(source.collector, source.id, source.device, source.inode)
        outbox.urge(Resume(source.id, known))

    def _advances(self, blocks: Sequence[Block]) -> list[Advance]:
        """The last position of each source, with all its entries."""
        by_source: dict[bytes, list[Block]] = {}
        for block in blocks:
            by_source.setdefault(block.source.id, []).append(block)
        self._insist(lambda: self._checksums.look_up(by_source))
        return [
            Advance(
                _with_head(each[-1].source, each[0]),
                each[0].start,
                each[-1].end,
                sum(block.entries for block in each) if len(each) > 1 else each[0].entries,
                Marker.of(each[-1].data[-TAIL_SIZE:]),
                checksum=checksum,
                alone=alone,
            )
            for source_id, each in by_source.items()
            for checksum, alone in [self._checksums.extend(source_id, each)]
        ]

    def _committed_checksum(self, source_id: bytes) -> int | None:
        committed = self._ledger.committed(source_id)
        return None if committed is None else committed.checksum

    def _commit_moves(self, moves: "list[Move]") -> None:
        """Commit until the list is empty: in one transaction, since each costs a sync, and rotations bring many."""
        if not moves:
            return
        passed = [each for each in map(_passed, moves) if each is not None]
        for each in passed:
            if each.reason == SkipReason.LOST.value:
                self._lose(each)
        advances = [_move(each) for each in moves]
        self._record(advances, passed)
        # Not what is only opened: nobody waits for that, and it would answer the end that comes next.
        self._acknowledge([each for move, each in zip(moves, advances, strict=True) if not isinstance(move, Open)])
        for move in moves:
            if isinstance(move, Finish):
                self._checksums.forget(move.source.id)
        moves.clear()

    def _lose(self, lost: Range) -> None:
        self._sources_lost += 1
        self._bytes_lost += lost.end - lost.start
        _tell_lost(lost)

    def _replay(self, replay: Replay) -> None:
        if not replay.outcome.set_running_or_notify_cancel():
            return
        try:
            replay.outcome.set_result(self._push_again(replay.blocks))
        except BaseException as error:
            replay.outcome.set_exception(error)
            if isinstance(error, DestinationGone) or not isinstance(error, EmitError | LedgerError):
                raise

    def _push_again(self, blocks: Sequence[Block]) -> Replayed:
        """Push what of the blocks was given up: it moves no position, and is in the sources' checksums already."""
        found = [self._ledger.record(source_id) for source_id in {block.source.id for block in blocks}]
        recalled = recall(blocks, {record.source.id: record for record in found if record is not None})
        batches = [batch for piece in recalled.pieces for batch in self._batcher.add(piece, time.monotonic())]
        batches += self._batcher.flush()
        entries, size = sum(batch.entries for batch in batches), sum(batch.size for batch in batches)
        outputs: set[str] = set()
        while batches:
            taken = self._emit_again(batches)
            pushed = _taken_of(batches[: taken.count], taken)
            cleared = [Range(block.source, block.start, block.end, DISCARDED) for block in pushed]
            self.settled = False
            self._record((), outputs=taken.outputs, cleared=cleared, closed=taken.closed)
            self.settled = True
            outputs |= {output.path for output in taken.outputs}
            self._count(batches[: taken.count], taken)
            if self._taps.open:
                self._taps.offer(_delivered(batches[: taken.count], taken))
            del batches[: taken.count]
            if taken.left:
                raise taken.left[0].cause
        if entries:
            self._on_replayed(outputs)
        return Replayed(entries, size, recalled.known, recalled.unknown)

    def _emit_again(self, batches: Sequence[Batch]) -> Taken:
        self._emitting_since = time.monotonic()
        try:
            return self._destination.emit(batches)
        finally:
            self._emitting_since = None

    def _record(
        self,
        advances: Sequence[Advance],
        ranges: Sequence[Range] = (),
        outputs: Sequence[OutputState] = (),
        cleared: Sequence[Range] = (),
        closed: Sequence[str] = (),
    ) -> None:
        """Write it into the ledger."""
        self._insist(lambda: self._ledger.commit(advances, ranges, outputs, cleared, closed))
        self._commits += 1
        if outputs or closed:
            self._on_outputs()

    def _insist(self, use_ledger: Callable[[], None], wanted: Callable[[], bool] = lambda: True) -> None:
        """Use the ledger, however long that takes, while it is wanted."""
        told: str | None = None
        while wanted():
            try:
                use_ledger()
            except LedgerError as error:
                self._committing = False
                if str(error) != told:
                    told = self._ledger_error = str(error)
                    _log.error("ledger_failed", error=told)
                self._wait(_LEDGER_PACE)
                continue
            if told is not None:
                _log.info("ledger_recovered")
            self._committing = True
            return

    def _acknowledge(self, advances: Sequence[Advance]) -> None:
        positions: dict[str, dict[bytes, int]] = {}
        finished: dict[str, set[bytes]] = {}
        for advance in advances:
            positions.setdefault(advance.source.collector, {})[advance.source.id] = advance.position
            if advance.finished:
                finished.setdefault(advance.source.collector, set()).add(advance.source.id)
        self._peers.commit(positions, finished)

    def _wait(self, seconds: float) -> None:
        self._steps += 1
        if not self._pause(seconds):
            raise Stopping("the shutdown allows no other try")

    def _count(self, batches: Sequence[Batch], taken: Taken) -> int:
        """Count what was taken; the bytes of all that was done with."""
        (self._discarded if taken.discarded else self._emitted).add(batches)
        if taken.left or taken.given_up:
            left = [block for each in taken.left for block in each.blocks]
            self._emitted.remove([*left, *(block for batch in taken.given_up for block in batch.blocks)])
            self._discarded.add(taken.given_up)
        return sum(batch.size for batch in batches)


Move = Skip | Finish | Open
"""What moves a position, or says where one stands, without bytes. An `Open` comes here of a source that the ledger does
not know and that goes on behind its beginning: what is before is unknown to it from now on. And of one that goes on in
another file than the ledger has, or though it was gone."""


def _delivered(batches: Sequence[Batch], taken: Taken) -> Sequence[Batch]:
    """What of these batches is at the destination."""
    if not taken.left and not taken.given_up:
        return batches
    given_up = {(block.source.id, block.start) for batch in taken.given_up for block in batch.blocks}
    blocks = [block for block in _taken_of(batches, taken) if (block.source.id, block.start) not in given_up]
    return [Batch(tuple(blocks), sum(block.entries for block in blocks), sum(len(block.data) for block in blocks))]


def _taken_of(batches: Sequence[Batch], taken: Taken) -> list[Block]:
    """The blocks of these batches without what was left: of each source all from some block on."""
    blocks = [block for batch in batches for block in batch.blocks]
    if not taken.left:
        return blocks
    begins: dict[bytes, int] = {}
    for left in (block for each in taken.left for block in each.blocks):
        begins[left.source.id] = min(left.start, begins.get(left.source.id, left.start))
    return [block for block in blocks if block.start < begins.get(block.source.id, block.end)]


def _with_head(source: Source, first: Block) -> Source:
    """Whose first bytes are known better than when it was described, if that is its first block."""
    if first.start or len(first.data) <= source.head.length or source.head.length == HEAD_SIZE:
        return source
    return replace(source, head=Marker.of(first.data[:HEAD_SIZE]))


def _passed(item: Move) -> Range | None:
    """What of a source will not come."""
    match item:
        case Skip(source, start, end, reason):
            return Range(source, start, end, reason.value)
        case Finish(source, position, True):
            return Range(source, position, position, SkipReason.LOST.value)
        case _:
            return None


def _tell_lost(lost: Range) -> None:
    source, known = lost.source, lost.end > lost.start
    tell = _log.error if known else _log.warning
    tell("source_lost", path=source.name, host=source.host, start=lost.start, end=lost.end if known else None)


def _move(item: Move) -> Advance:
    match item:
        case Skip(source, start, end, reason, before):
            return Advance(source, start, end, 0, None if reason is SkipReason.LOST else before)
        case Finish(source, position, lost):
            return Advance(source, position, position, 0, Marker(), finished=True, gone=lost)
        case Open(source, position, before):
            return Advance(source, position, position, 0, before)


@dataclass(slots=True)
class _Count:
    batches: int = 0
    entries: int = 0
    bytes: int = 0

    def add(self, batches: Sequence[Batch]) -> None:
        self.batches += len(batches)
        self.entries += sum(batch.entries for batch in batches)
        self.bytes += sum(batch.size for batch in batches)

    def remove(self, blocks: Sequence[Block]) -> None:
        self.entries -= sum(block.entries for block in blocks)
        self.bytes -= sum(len(block.data) for block in blocks)

    def values(self) -> tuple[int, int, int]:
        return self.batches, self.entries, self.bytes
