"""Between the files and the connection: says what the window decides, and notes what is acknowledged."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import chain, starmap

import structlog

from mega_collector import wire
from mega_collector.block import Block, Skip, Source
from mega_collector.boot import boot_id
from mega_collector.collector.finding.roster import Identity
from mega_collector.collector.sending.inbox import Answered, Connected, Disconnected, Inbox
from mega_collector.collector.sending.publisher import Publisher
from mega_collector.collector.sending.window import Acknowledged, Decide, Item, Outcome, Stopped, Told, Window
from mega_collector.collector.state.checkpoint import Checkpoint, CheckpointError, Entry
from mega_collector.marker import Marker
from mega_collector.protocol import (
    Ack,
    Finish,
    Flush,
    FromAggregator,
    FromCollector,
    Grant,
    Granted,
    Holdings,
    Inventory,
    Open,
    Refusal,
    Resume,
    Status,
    Welcome,
)

_SAVE_INTERVAL = 1.0
"""Seconds between writes of the checkpoint: what was acknowledged in between, the aggregator's ledger knows."""

_SLOWEST_SAVE_INTERVAL = 10.0
"""Likewise, where writing takes long: of ten thousand files that all grow, a tenth of a second."""

_SAVE_SHARE = 100
"""The checkpoint is written at least so many times as long after the last time as that took: 1% of a core."""

_TOGETHER = wire.MAX_GROUP
"""Messages that are handed over at once: as many as go out together. Each time wakes the sending thread, which costs as
much as three lines do, and a message of its own costs each half as much as ten."""

_MUCH = 128 << 10
"""Bytes of blocks for which that does not count, and which the sending thread should have soon."""

_UNKNOWN = Marker()

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reconnected:
    """A new connection stands: every source needs its handshake again before its next block.

    `outputs` are the files of this machine that the aggregator writes to.
    """

    outputs: frozenset[Identity]


@dataclass(frozen=True, slots=True)
class Resumed:
    """The handshake of a source is done: it can be shipped on."""

    source_id: bytes


Task = Decide | Reconnected | Resumed | Stopped | Holdings
"""What only the tailer can do, who has the files."""


@dataclass(frozen=True, slots=True)
class ShipperStatistics:
    blocks_in_flight: int
    bytes_in_flight: int
    window: int
    bytes_acknowledged: int
    sources: int
    sources_stopped: int
    bytes_refused: int
    """Of stopped sources: read, and never to be acknowledged."""
    checkpoint_failing: bool


class Shipper:
    """Owns the window, the checkpoint and this side of the publisher. Used by the tailer's thread."""

    def __init__(
        self,
        *,
        window: Window,
        publisher: Publisher,
        checkpoint: Checkpoint,
        inbox: Inbox,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._window = window
        # As these are asked for each line of files that grow slowly, they are the window's own.
        self.ready = window.ready
        """Whether a source's handshake is done on this connection."""
        self.next_size = window.next_size
        """How many bytes the next block should have; 0: none can be sent."""
        self.at_rest = window.at_rest
        """Whether nothing of a source is in flight, and it may go on."""
        self._publisher = publisher
        self._checkpoint = checkpoint
        self._inbox = inbox
        self._clock = clock
        self._session = 0
        self._flushing = False
        self._unsaved = False
        self._saved_at = -math.inf
        self._rest = 0.0
        """Seconds between writes of the checkpoint that would be their share."""
        self._save_at = 0.0
        self._failing = False
        self._notes: dict[bytes, Acknowledged] = {}
        """What is acknowledged and not in the checkpoint yet: most of it is outdated before that is written."""
        self._unsaid: list[FromCollector] = []
        """What is to be said on the stream of the session, and was not handed over yet."""
        self._unsaid_size = 0
        self._tasks: list[Task] = []
        self.batch_age = 0.0
        """Seconds that the aggregator may wait for a batch to be full; 0 if it does not say so, or is not there."""
        self._status = Status()
        self._told_at = 0.0
        self._takes_stock = False
        self._ending: set[bytes] = set()
        """Sources that are kept only until it is answered that they have ended: then the aggregator recognises them."""
        self.largest_block = wire.MAX_BLOCK_SIZE
        """How many bytes the aggregator takes in one block."""

    # What is there

    @property
    def open(self) -> bool:
        """Whether a block could be sent: there is a connection, and room in the window."""
        return self._window.connected and self._window.room

    @property
    def connected(self) -> bool:
        return self._window.connected

    @property
    def takes_stock(self) -> bool:
        """Whether there is an aggregator that tells what it holds."""
        return self._window.connected and self._takes_stock

    @property
    def room(self) -> bool:
        """Whether there is room in the window."""
        return self._window.room

    @property
    def waits(self) -> bool:
        """Whether the aggregator lets others send for now. From any thread."""
        return self._window.waits

    @property
    def status(self) -> Status:
        """What holds up the aggregator, by what it said last on this connection. From any thread."""
        status, passed = self._status, self._clock() - self._told_at
        if status.next_try_in is None:
            return status
        return replace(status, next_try_in=max(status.next_try_in - passed, 0.0))

    @property
    def block_size(self) -> int:
        """How many bytes a block should have."""
        return self._window.block_size

    @property
    def idle(self) -> bool:
        """Whether all that was sent is acknowledged."""
        return self._window.idle

    @property
    def telling_loss(self) -> bool:
        """Whether the aggregator has not answered the end of a source that is lost: the next process tells it again."""
        return self._window.telling_loss

    @property
    def save_at(self) -> float | None:
        """When the checkpoint is to be written; None: nothing has changed."""
        return self._save_at if self._unsaved else None

    def stopped(self, source: Source) -> bool:
        """Whether the aggregator refuses the source for good."""
        return self._window.stopped(source)

    def acknowledged(self, source: Source) -> bool:
        """Whether nothing of the source is in flight."""
        return self._window.acknowledged(source)

    def in_flight_of(self, source_id: bytes) -> bool:
        """Whether something of that source is in flight, ended or not."""
        return self._window.in_flight_of(source_id)

    def refusal(self, source: Source) -> str | None:
        """Why the aggregator refuses the source for good; None: it does not."""
        return self._window.refusal(source)

    def committed(self, source: Source) -> int | None:
        """Up to where the source is acknowledged; None: nobody has said it yet."""
        return self._window.committed(source)

    def position(self, source: Source) -> int:
        """Where the next block of a source that is ready begins."""
        return self._window.position(source)

    def knows(self, source_id: bytes) -> bool:
        """Whether a source is shipped, or remembered, or its end is to be answered."""
        return source_id in self._checkpoint.entries or self._window.knows(source_id)

    def noted(self, source: Source) -> Entry | None:
        """What the checkpoint holds of the source, or is about to."""
        if (acknowledged := self._notes.pop(source.id, None)) is not None:
            self._put(source, acknowledged.position, Marker.of(acknowledged.tail))
        return self._checkpoint.entries.get(source.id)

    def statistics(self) -> ShipperStatistics:
        window = self._window.statistics()
        return ShipperStatistics(
            blocks_in_flight=window.items,
            bytes_in_flight=window.in_flight,
            window=window.limit,
            bytes_acknowledged=window.acknowledged,
            sources=window.sources,
            sources_stopped=window.stopped,
            bytes_refused=window.refused,
            checkpoint_failing=self._failing,
        )

    # What the tailer tells

    def begin(self, source: Source) -> None:
        """Ask for the handshake of a source."""
        self._do(self._window.begin(source))

    def postpone(self, source: Source) -> None:
        """Where the source goes on cannot be said now: another `begin` asks again."""
        self._window.postpone(source)

    def settle(
        self, described: Source, source: Source, position: int, before: Marker, *, skip: Skip | None = None
    ) -> None:
        """What was described goes on as `source` at `position`, behind the bytes that `before` marks.

        `skip`: all before the position is passed over.
        """
        if described.id != source.id:
            self.forget(described)
        self._notes.pop(source.id, None)
        self._put(source, position, before)
        self._hurry()
        self._do(self._window.open(described, source, position if skip is None else skip.start))
        if skip is not None:
            self._do(self._window.send(skip))

    def ask(self, inventory: Inventory) -> None:
        """What does the aggregator hold? What it answers is a task."""
        self._unsaid.append(inventory)

    def abandon(self, source_id: bytes) -> None:
        """What was said and settled of the source until now does not count: it is begun anew."""
        self._window.abandon(source_id)

    def conclude(self, source: Source, position: int) -> None:
        """What was described has nothing more to give behind `position`: nothing new is noted of it."""
        self._do(self._window.open(source, source, position))

    def ship(self, item: Item) -> None:
        """Send a block, or pass over bytes, of a source that is ready."""
        self._unsaid += self._window.send(item)
        if isinstance(item, Block):
            self._unsaid_size += len(item.data)
        if len(self._unsaid) >= _TOGETHER or self._unsaid_size >= _MUCH:
            self.say()

    def say(self) -> None:
        """Hand over to the publisher what is to be said so far, behind each step: what is small goes out together."""
        if self._unsaid:
            unsaid, self._unsaid, self._unsaid_size = self._unsaid, [], 0
            self._publisher.send(self._session, *unsaid)

    def end(self, source: Source, *, keep: bool = False, lost: bool = False) -> None:
        """Nothing more will come of a source; what is in flight of it still counts. `keep` its entry.

        `lost`: it has more, nobody knows how much, that cannot be had.
        """
        acknowledged = self._window.acknowledged(source)
        outcomes = self._window.end(source, lost=lost)
        if acknowledged and not keep:
            self._let_go(source)
        self._do(outcomes)

    def leave(self, source: Source) -> None:
        """Nothing more will come of a source, all of it is acknowledged, and it has not ended: its file is there."""
        # What is noted of it must not be written over what is remembered of it next.
        self.noted(source)
        self._window.leave(source)

    def stand(self, source: Source, position: int) -> None:
        """Tell that a source, of which nothing is shipped, stands at a position."""
        self._do(self._window.stand(source, position))

    def finish_again(self, source: Source, position: int) -> None:
        """A process before has come to the end of the source, and may not have been heard."""
        self._do(self._window.finish_again(source, position))

    def note(self, entry: Entry) -> None:
        """Keep where a source is to begin, whatever the aggregator says of it and when."""
        self._unsaved = True
        self._checkpoint.put(entry)

    def forget(self, source: Source) -> None:
        """Nothing is to be kept of a source."""
        self._notes.pop(source.id, None)
        self._checkpoint.forget(source.id)
        self._unsaved = True

    def begun(self) -> None:
        """All that was there at the start was found: from now on a start is not the first."""
        self._checkpoint.begun()
        self.save(now=True)

    def changed(self) -> None:
        """Something else was put into the checkpoint, and is to be written with the rest."""
        self._unsaved = True

    def flush(self) -> None:
        """Have the aggregator publish what it has, once until it answers: nothing more comes before that."""
        if not self._flushing and self._window.connected and self._window.all_sent and not self._window.idle:
            self._unsaid.append(Flush())
            self._flushing = True

    # What the aggregator says

    def hear(self) -> list[Task]:
        """Take in what was said; what it leaves to do."""
        for event in self._inbox.take():
            match event:
                case Connected(session, welcome):
                    self.say()  # nobody hears it any more
                    self._session, self._flushing = session, False
                    self.largest_block = wire.largest_block(welcome.max_message_size)
                    self.batch_age, self._status = welcome.batch_age, Status()
                    self._takes_stock = welcome.inventory
                    self._do(self._window.connect(welcome.window, largest_block=self.largest_block))
                    self._tasks.append(Reconnected(_outputs_here(welcome)))
                case Disconnected():
                    self.batch_age, self._status = 0.0, Status()
                    self._window.disconnect()
                case Answered(session, message) if session == self._session:
                    self._answered(message)
                case _:
                    pass
        tasks, self._tasks = self._tasks, []
        return tasks

    def _answered(self, message: FromAggregator) -> None:
        match message:
            case Ack(positions):
                self._flushing = False
                self._do(chain.from_iterable(starmap(self._window.ack, positions.items())))
            case Resume():
                # What is sent again may be held back to fill a batch again.
                self._flushing = False
                self._do(self._window.resume(message))
                self._tasks.append(Resumed(message.source_id))
            case Refusal():
                self._flushing = False
                _log.debug("refused", at=message.start, expected=message.expected, reason=message.message)
                self._do(self._window.refuse(message))
            case Grant(window):
                self._window.grant(window)
                self._unsaid.append(Granted(window))
            case Holdings():
                self._tasks.append(message)
            case Status():
                self._status, self._told_at = message, self._clock()
            case _:
                pass

    def _do(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            match outcome:
                case Acknowledged():
                    self._note(outcome)
                case Decide():
                    self._tasks.append(outcome)
                case Told(source):
                    self._told(source)
                case Open():
                    self._unsaid.append(self._marked(outcome))
                case Stopped():
                    _log.error("source_stopped", path=outcome.source.name, at=outcome.position, reason=outcome.message)
                    self._tasks.append(outcome)
                case _:
                    self._unsaid.append(outcome)
        if len(self._unsaid) >= _TOGETHER:
            self.say()

    # What is kept

    def save(self, *, now: bool = False) -> None:
        """Write the checkpoint, if its time has come. If it cannot be written, shipping goes on."""
        if not now and (not self._unsaved or self._clock() < self._save_at):
            return
        began = self._clock()
        try:
            self._flush()
        except CheckpointError as error:
            if not self._failing:
                _log.error("checkpoint_failed", error=str(error))
            self._failing = True
        else:
            if self._failing:
                _log.info("checkpoint_recovered")
            self._failing = self._unsaved = False
        self._saved_at = self._clock()
        self._rest = (self._saved_at - began) * _SAVE_SHARE
        self._save_at = self._saved_at + min(max(self._rest, _SAVE_INTERVAL), _SLOWEST_SAVE_INTERVAL)

    def _flush(self) -> None:
        for acknowledged in self._notes.values():
            self._put(acknowledged.source, acknowledged.position, Marker.of(acknowledged.tail))
        self._notes.clear()
        self._checkpoint.flush()

    def _hurry(self) -> None:
        """There is a new source: until that is written, its file alone can tell the next process what was shipped."""
        self._save_at = min(self._save_at, self._saved_at + min(self._rest, _SAVE_INTERVAL))

    def _note(self, acknowledged: Acknowledged) -> None:
        if acknowledged.ended:
            self._let_go(acknowledged.source, Marker.of(acknowledged.tail))
        elif acknowledged.tail or not self._is_noted(acknowledged):
            self._notes[acknowledged.source.id] = acknowledged
            self._unsaved = True

    def _is_noted(self, acknowledged: Acknowledged) -> bool:
        """Whether the checkpoint has that position, and may know the bytes before it."""
        entry = self._checkpoint.entries.get(acknowledged.source.id)
        return entry is not None and entry.position == acknowledged.position

    def _let_go(self, source: Source, before: Marker = _UNKNOWN) -> None:
        """Nothing more is to be noted of it; but until its end is answered, whoever is killed must say it again.

        Of one that is lost that is the loss. `before` its end, by which the next process recognises a copy of it.
        """
        finish = self._window.unanswered(source.id)
        if finish is None:
            self.forget(source)
        elif not finish.lost:
            self._notes.pop(source.id, None)
            if before.length:
                self._ending.add(source.id)
            self.note(_end_of(finish, before))

    def _marked(self, opening: Open) -> Open:
        """With what is known of the bytes before its position: by that the ledger can tell the file from others."""
        source_id, position = opening.source.id, opening.position
        note, entry = self._notes.get(source_id), self._checkpoint.entries.get(source_id)
        if note is not None and note.position == position:
            return replace(opening, before=Marker.of(note.tail))
        return replace(opening, before=entry.before) if entry is not None and entry.position == position else opening

    def _told(self, source: Source) -> None:
        """Not written for its own sake: said once more, it does no harm."""
        entry = self._checkpoint.entries.get(source.id)
        if entry is not None and entry.ended and entry.recognises and source.id not in self._ending:
            self._checkpoint.put(replace(entry, untold=False))
        else:
            self._ending.discard(source.id)
            self._notes.pop(source.id, None)
            self._checkpoint.forget(source.id)

    def _put(self, source: Source, position: int, before: Marker) -> None:
        self.note(
            Entry(
                source_id=source.id,
                path=source.path,
                device=source.device,
                inode=source.inode,
                head=source.head,
                position=position,
                before=before,
            )
        )


def _end_of(finish: Finish, before: Marker) -> Entry:
    """What is remembered of a source to say that it has ended and, if `before` is known, to recognise it."""
    source, head = finish.source, finish.source.head if before.length else Marker()
    return Entry(source.id, source.path, source.device, 0, head, finish.position, before, ended=True, untold=True)


def _outputs_here(welcome: Welcome) -> frozenset[Identity]:
    here = welcome.boot and welcome.boot == boot_id()
    return frozenset(welcome.outputs if here else ())
