"""What one collector says on one call, and what becomes of it."""

import time
from dataclasses import dataclass

import structlog

from mega_collector import wire
from mega_collector.aggregator.admission import Duplicate
from mega_collector.aggregator.ingest_buffer import IngestBuffer
from mega_collector.aggregator.ledger import Ledger
from mega_collector.aggregator.outbox import Outbox
from mega_collector.aggregator.peers import Peers
from mega_collector.api import api_pb2 as pb
from mega_collector.block import Block, Skip, Source
from mega_collector.errors import WireError
from mega_collector.protocol import Finish, Flush, Hello, Refusal, RefusalReason, Resume
from mega_collector.telemetry.once import Once

_MOST_SOURCES = 200_000
"""Sources that one stream may have open: beyond what a machine's log directories hold."""

_INTERVAL = 60.0
"""Seconds between two tellings of one reason for refusals on one stream."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Refused:
    """Counted over all conversations."""

    blocks: int = 0
    duplicates: int = 0


class Conversation:
    """Hears messages one at a time, in order, from one thread.

    A message that contradicts itself is refused and leaves no trace; the conversation goes on. What makes no sense as
    a conversation raises `WireError`, which ends it. `BufferClosed` says that the aggregator is ending.
    """

    def __init__(
        self, hello: Hello, outbox: Outbox, *, buffer: IngestBuffer, ledger: Ledger, peers: Peers, refused: Refused
    ) -> None:
        self._hello = hello
        self._outbox = outbox
        self._buffer = buffer
        self._ledger = ledger
        self._peers = peers
        self._refused = refused
        self._opened: dict[bytes, Source] = {}
        self._told = Once(interval=_INTERVAL)
        self._peer, self.window = peers.join(hello.collector, outbox)

    def end(self) -> None:
        """Nothing more is said; what is in flight is committed all the same."""
        self._peers.leave(self._hello.collector, self._outbox)

    def forget(self) -> None:
        """Nothing more is heard either: what is expected of the collector need not be kept for this stream."""
        self._peers.release(self._hello.collector)

    def hear(self, heard: wire.Heard) -> None:
        message = heard.message
        match message.WhichOneof("kind"):
            case "block":
                self.block(message.block, heard.payload)
            case "describe":
                self._describe(wire.decode_source(message.describe.source, self._hello))
            case "open":
                source = wire.decode_source(message.open.source, self._hello)
                self.open(source, message.open.position)
            case "skip":
                self._skip(message.skip)
            case "finish":
                self._finish(message.finish)
            case "flush":
                self._buffer.put(Flush())
            case "hello":
                raise WireError("a second hello on one stream")
            case _:
                raise WireError("a message of a kind that this aggregator does not know: is the collector newer?")

    def open(self, source: Source, position: int) -> None:
        """The collector goes on with a source at a position."""
        if position > wire.MAX_POSITION:
            raise WireError(f"a position is at most {wire.MAX_POSITION}")
        if len(self._opened) >= _MOST_SOURCES:
            raise WireError(f"more than {_MOST_SOURCES} sources on one stream")
        owner = self._ledger.owner(source.id)
        if owner not in {None, self._hello.collector}:
            self._refuse(source.id, position, RefusalReason.NOT_YOURS, "the source is another collector's")
            return
        with self._peer.lock:
            self._peer.sweep()
            # Asked under the lock, behind the sweep: of what was just forgotten only the ledger knows how far it came.
            known = self._ledger.known(source.collector, source.id, source.device, source.inode)
            committed = next((each.position for each in known if each.source_id == source.id), None)
            refusal = self._peer.admission.open(source, position, committed)
        self._opened[source.id] = source
        if refusal is not None:
            self._outbox.say(refusal)

    def block(self, message: pb.Block, payload: bytes) -> None:
        """A block arrives: it goes to the ingest buffer, waiting for room, or is refused."""
        source = self._opened.get(message.source)
        if source is None:
            self._refuse(message.source, message.start, RefusalReason.NOT_OPEN, "no handshake on this stream")
            return
        try:
            block = wire.decode_block(message, payload, source)
        except WireError as error:
            self._refuse(source.id, message.start, RefusalReason.MALFORMED, str(error))
            return
        with self._peer.lock:
            admitted = self._peer.admission.admit(block)
            if isinstance(admitted, Block):
                self._buffer.put(admitted)
        self._answer(source, admitted)

    def _describe(self, source: Source) -> None:
        known = self._ledger.known(source.collector, source.id, source.device, source.inode)
        self._outbox.say(Resume(source.id, known))

    def _skip(self, message: pb.Skip) -> None:
        source = self._opened.get(message.source)
        if source is None:
            self._refuse(message.source, message.start, RefusalReason.NOT_OPEN, "no handshake on this stream")
            return
        try:
            skip = wire.decode_skip(message, source)
        except WireError as error:
            self._refuse(source.id, message.start, RefusalReason.MALFORMED, str(error))
            return
        with self._peer.lock:
            admitted = self._peer.admission.skip(skip)
            if isinstance(admitted, Skip):
                self._buffer.put(admitted)
        self._answer(source, admitted)

    def _finish(self, message: pb.Finish) -> None:
        source = self._opened.pop(message.source, None)
        if source is None:
            return
        with self._peer.lock:
            if self._peer.admission.expected(source.id) == message.position:
                self._buffer.put(Finish(source, message.position))

    def _answer(self, source: Source, admitted: Block | Skip | Duplicate | Refusal) -> None:
        """Say what must be said at once. Not under the lock: whoever does not listen would hold up other streams."""
        match admitted:
            case Duplicate():
                self._refused.duplicates += 1
                self._outbox.ack({source.id: admitted.committed})
            case Refusal():
                self._refused.blocks += 1
                self._outbox.say(admitted)

    def _refuse(self, source_id: bytes, start: int, reason: RefusalReason, message: str) -> None:
        expected = self._peer.admission.expected(source_id) or 0
        self._refused.blocks += 1
        retry = reason is RefusalReason.NOT_OPEN
        withheld = self._told.due(reason, time.monotonic())
        if withheld is not None:
            who = {"collector": self._hello.collector, "host": self._hello.host}
            _log.warning("block_refused", **who, start=start, reason=message, withheld=withheld)
        self._outbox.say(Refusal(source_id[: wire.MAX_SOURCE_ID], start, expected, reason, retry, message))
