"""What one collector says on one call, and what becomes of it."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import structlog

from mega_collector import wire
from mega_collector.aggregator.admission import Duplicate, held_up
from mega_collector.aggregator.ingest_buffer import Anew, IngestBuffer, Item
from mega_collector.aggregator.ledger import Committed, Ledger
from mega_collector.aggregator.outbox import Outbox
from mega_collector.aggregator.peers import Peers
from mega_collector.api import api_pb2 as pb
from mega_collector.block import Block, Skip, Source
from mega_collector.errors import WireError
from mega_collector.protocol import (
    Finish,
    Flush,
    Hello,
    Inventory,
    Open,
    Refusal,
    RefusalReason,
    Report,
    Resume,
)
from mega_collector.telemetry.once import Once

_MOST_SOURCES = 200_000
"""Sources that a collector may have open, on however many streams, one after the other too: beyond what a machine's log
directories hold."""

_OWN_OUTPUT = "the file is one that the aggregator writes: exclude it (COLLECTOR_EXCLUDE)"

_NO_HANDSHAKE = "no handshake on this stream"

_INTERVAL = 60.0
"""Seconds between two tellings of one reason for refusals on one stream."""

_log = structlog.get_logger(__name__)


class StreamEnded(Exception):
    """Nobody listens any more, and nothing more is taken in."""


@dataclass(slots=True)
class Refused:
    """Counted over all conversations."""

    blocks: int = 0
    duplicates: int = 0


class Conversation:
    """Hears messages one at a time, in order, from one thread.

    A message that contradicts itself is refused and leaves no trace; the conversation goes on. What makes no sense as
    a conversation raises `WireError`, which ends it. `BufferClosed` says that the aggregator is ending, `StreamEnded`
    that the stream has ended: what comes behind that is sent again, perhaps by another process of the collector's.
    """

    def __init__(
        self,
        hello: Hello,
        outbox: Outbox,
        *,
        buffer: IngestBuffer,
        ledger: Ledger,
        peers: Peers,
        refused: Refused,
        on_report: Callable[[Report], None] = lambda _: None,
        is_stale: Callable[[bytes], bool] = lambda _: False,
        is_output: Callable[[Source], bool] = lambda _: False,
        most_sources: int = _MOST_SOURCES,
    ) -> None:
        """`is_stale` says whether what is on its way of a source is passed over: see `TurnedBack`.

        `is_output` says whether the file of a source is one that the aggregator writes.
        """
        self._hello = hello
        self._outbox = outbox
        self._buffer = buffer
        self._ledger = ledger
        self._peers = peers
        self._refused = refused
        self._on_report = on_report
        self._is_stale = is_stale
        self._is_output = is_output
        self._most_sources = most_sources
        self._life = hello.life or os.urandom(wire.MAX_LIFE)
        self._opened: dict[bytes, Source] = {}
        self._told = Once(interval=_INTERVAL)
        self._peer, self.window = peers.join(hello.collector, outbox, self._life)

    def end(self) -> None:
        """Nothing more is said; what is in flight is committed all the same."""
        self._peers.leave(self._hello.collector, self._outbox)

    def forget(self) -> None:
        """Nothing more is heard either: what is expected of the collector need not be kept for this stream."""
        self._peers.release(self._hello.collector, self._life)

    def hear(self, heard: wire.Heard) -> None:
        kind = heard.kind
        if kind == "block":
            self.blocks([(heard.message.block, heard.payload)])
        elif kind == "group":
            for each, messages in groupby(wire.heard_in(heard.message.group), wire.kind_of):
                self._hear(each, messages)
        else:
            self._hear(kind, [heard.message])

    def _hear(self, kind: str | None, messages: Iterable[pb.CollectorMessage]) -> None:
        """Messages of one kind, in order."""
        match kind:
            case "block":
                self.blocks([(each.block, each.block.payload) for each in messages])
            case "describe":
                for each in messages:
                    self._describe(wire.decode_source(each.describe.source, self._hello))
            case "open":
                for each in messages:
                    self.open(wire.decode_open(each.open, self._hello))
            case "skip":
                self._skips(each.skip for each in messages)
            case "finish":
                for each in messages:
                    self._finish(each.finish)
            case "flush":
                self._buffer.put(Flush())
            case "granted":
                for each in messages:
                    self._peers.confirm(self._outbox, each.granted.window)
            case "report":
                for each in messages:
                    self._on_report(wire.decode_report(each.report))
            case "inventory":
                for each in messages:
                    self._take_stock(wire.decode_inventory(each.inventory, self._hello))
            case "hello":
                raise WireError("a second hello on one stream")
            case "group":
                raise WireError("a group in a group")
            case _:
                raise WireError("a message of a kind that this aggregator does not know: is the collector newer?")

    def open(self, opening: Open) -> None:
        """The collector goes on with a source at a position."""
        source, position = opening.source, opening.position
        if self._is_output(source):
            unsound = self._unsound(source.id, position, RefusalReason.OWN_OUTPUT, _OWN_OUTPUT)
            self._answer(source.id, self._refusal(unsound))
            return
        with self._peer.lock:
            self._require_listener()
            self._peer.sweep()
            self._require_room(source.id)
            # Asked under the lock, behind the sweep: of what was just forgotten only the ledger knows how far it came.
            committed, theirs = self._committed(source)
            at = None if committed is None else committed.position
            begins = self._peer.admission.begins(source.id, at, self._life)
            new = committed is None and begins and not theirs
            elsewhere = committed is not None and not theirs and _is_elsewhere(source, committed)
            if begins and not theirs and self._is_stale(source.id):
                self._buffer.put(Anew(source.id))
            refusal = None if theirs else self._peer.admission.open(source, position, at, self._life)
            if refusal is None and ((new and position) or elsewhere):
                # Noted, so that it is known of what came before that it is not known; or by which file to know it now.
                self._buffer.put(opening)
        if theirs:
            unsound = self._unsound(source.id, position, RefusalReason.NOT_YOURS, "the source is another collector's")
            self._answer(source.id, self._refusal(unsound))
            return
        self._opened[source.id] = source
        if refusal is not None:
            self._outbox.say(refusal)

    def _require_room(self, source_id: bytes) -> None:
        for known in (self._opened, self._peer.admission):
            if source_id not in known and len(known) >= self._most_sources:
                raise WireError(f"a collector may have {self._most_sources} sources open, and no more")

    def _committed(self, source: Source) -> tuple[Committed | None, bool]:
        """What the ledger has of a source, and whether that is another collector's."""
        committed = self._ledger.committed(source.id)
        if committed is None:
            if not self._peers.claim(source.collector, source.id):
                return None, True
            # Again: another's claim is over as soon as it is committed.
            committed = self._ledger.committed(source.id)
            if committed is not None:
                self._peers.disclaim(source.id)
        return committed, committed is not None and committed.collector != source.collector

    def blocks(self, messages: Iterable[tuple[pb.Block, bytes]]) -> None:
        """Blocks arrive, with their payloads: each goes to the ingest buffer, waiting for room, or is refused."""
        received = time.time_ns()
        blocks = [self._decode_block(*each, received) for each in messages]
        self._peers.receive(self._outbox, [len(block.data) for block in blocks if isinstance(block, Block)] or [0])
        self._take(blocks)

    def _describe(self, source: Source) -> None:
        self._settle(lambda: self._peer.admission.left(source, self._life))
        if self._peers.wait(self._outbox, source):
            # It has let go of nothing yet if this stream is a new one.
            self._outbox.say(held_up(source.id, 0, 0))
            return
        known = self._ledger.known(source.collector, source.id, source.device, source.inode)
        self._outbox.say(Resume(source.id, known))

    def _settle(self, in_flight: Callable[[], dict[bytes, int]]) -> None:
        """Have published what an earlier process of the collector's has left in flight, and wait for it.

        That process is dead, and this one does not know what it sent: told now, it would send the same under another
        id, or something else under the same, or go on as what has ended.
        """
        with self._peer.lock:
            left = in_flight()
        if not left:
            return
        self._buffer.put(Flush())
        if not self._outbox.wait_for(lambda: self._peer.admission.committed(left)):
            raise StreamEnded

    def _take_stock(self, inventory: Inventory) -> None:
        """Tell what is held of the collector that this process of it does not show to know, and if there are others."""
        if inventory.ended:
            self._recall(inventory)
            return
        with self._peer.lock:
            self._require_listener()
            # Under the lock, as the sweep is: what this process ends meanwhile still stands as its own.
            page = self._ledger.holdings(self._hello.collector, inventory.after, wire.MAX_HOLDINGS)
            opened, others = self._peer.admission.opened, not self._peer.alone(self._life)
            unknown = tuple(each for each in page.holdings if not opened(each.source.id, self._life))
        self._outbox.say(replace(page, holdings=unknown, others=others), alone=True)

    def _recall(self, inventory: Inventory) -> None:
        """Tell what has ended, so that it is recognised."""
        if inventory.after is None:
            # This process does not know what is in flight, and is to hear of it next.
            self._settle(lambda: self._peer.admission.left(None, self._life))
        with self._peer.lock:
            # One at a time of each collector, however many of its streams ask: others are to have their turn.
            answer = self._ledger.ended(self._hello.collector, inventory.after, wire.MAX_HOLDINGS)
        self._outbox.say(answer, alone=True)

    def _require_listener(self) -> None:
        if self._outbox.closed:
            raise StreamEnded

    def _skips(self, messages: Iterable[pb.Skip]) -> None:
        self._take([self._decode_skip(each) for each in messages])

    def _finish(self, message: pb.Finish) -> None:
        source = self._opened.pop(message.source, None)
        if source is None:
            return
        with self._peer.lock:
            if self._peer.admission.finish(source.id, message.position):
                self._buffer.put(Finish(source, message.position, message.lost))

    def _decode_block(self, message: pb.Block, payload: bytes, received: int) -> "Block | _Unsound":
        source = self._opened.get(message.source)
        if source is None:
            return self._unsound(message.source, message.start, RefusalReason.NOT_OPEN, _NO_HANDSHAKE)
        try:
            return wire.decode_block(message, payload, source, received)
        except WireError as error:
            return self._unsound(source.id, message.start, RefusalReason.MALFORMED, str(error))

    def _decode_skip(self, message: pb.Skip) -> "Skip | _Unsound":
        source = self._opened.get(message.source)
        if source is None:
            return self._unsound(message.source, message.start, RefusalReason.NOT_OPEN, _NO_HANDSHAKE)
        try:
            return wire.decode_skip(message, source)
        except WireError as error:
            return self._unsound(source.id, message.start, RefusalReason.MALFORMED, str(error))

    def _take(self, items: "Sequence[Block | Skip | _Unsound]") -> None:
        """Have what is new of them taken in, in order, and answer what must be answered at once.

        Not under the lock: whoever does not listen would hold up other streams.
        """
        taken: list[Item] = []
        answers: list[tuple[bytes, Duplicate | Refusal]] = []
        with self._peer.lock:
            self._require_listener()
            for item in items:
                admitted = self._admit(item)
                if isinstance(admitted, Block | Skip):
                    taken.append(admitted)
                else:
                    answers.append((_source_id(item), admitted))
            self._buffer.put(*taken)
        for answer in answers:
            self._answer(*answer)

    def _admit(self, item: "Block | Skip | _Unsound") -> Block | Skip | Duplicate | Refusal:
        if isinstance(item, Block):
            return self._peer.admission.admit(item)
        if isinstance(item, Skip):
            return self._peer.admission.skip(item)
        return self._refusal(item)

    def _answer(self, source_id: bytes, answer: Duplicate | Refusal) -> None:
        if isinstance(answer, Duplicate):
            self._refused.duplicates += 1
            self._outbox.ack({source_id: answer.committed})
        else:
            self._refused.blocks += 1
            self._outbox.say(answer)

    def _unsound(self, source_id: bytes, start: int, reason: RefusalReason, message: str) -> "_Unsound":
        withheld = self._told.due(reason, time.monotonic())
        if withheld is not None:
            who = {"collector": self._hello.collector, "host": self._hello.host}
            _log.warning("block_refused", **who, start=start, reason=message, withheld=withheld)
        return _Unsound(source_id, start, reason, message)

    def _refusal(self, unsound: "_Unsound") -> Refusal:
        """Of something unsound, when it is its turn: what came before it counts."""
        expected = self._peer.admission.expected(unsound.source_id) or 0
        retry = unsound.reason is RefusalReason.NOT_OPEN
        source_id = unsound.source_id[: wire.MAX_SOURCE_ID]
        return Refusal(source_id, unsound.start, expected, unsound.reason, retry, unsound.message)


@dataclass(frozen=True, slots=True)
class _Unsound:
    """What cannot be taken as it is."""

    source_id: bytes
    start: int
    reason: RefusalReason
    message: str


def _is_elsewhere(source: Source, committed: Committed) -> bool:
    """Whether it goes on in another file than the ledger says, in a copy of the one that was perhaps; or was gone."""
    # A file that is not there any more has no inode: that may be another's by now.
    return bool(source.inode) and (committed.gone or committed.file != (source.device, source.inode))


def _source_id(item: Block | Skip | _Unsound) -> bytes:
    return item.source_id if isinstance(item, _Unsound) else item.source.id
