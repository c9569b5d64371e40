"""The gRPC service: streams, their threads, and how many there may be."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
import structlog

from mega_collector import __version__, wire
from mega_collector.aggregator.acquaintances import Acquaintance, Acquaintances
from mega_collector.aggregator.conversation import Conversation, Refused, StreamEnded
from mega_collector.aggregator.holder import Holders
from mega_collector.aggregator.ingest_buffer import BufferClosed, IngestBuffer
from mega_collector.aggregator.ledger import Ledger, LedgerError
from mega_collector.aggregator.outbox import Outbox
from mega_collector.aggregator.peers import Peers
from mega_collector.api import api_pb2 as pb, api_pb2_grpc
from mega_collector.block import Source
from mega_collector.boot import boot_id
from mega_collector.errors import WireError
from mega_collector.protocol import Ack, FromAggregator, Hello, Open, Refusal, Welcome
from mega_collector.telemetry.once import Once

_SHUTTING_DOWN = "the aggregator is shutting down: try again"
_NO_LEDGER = "the aggregator cannot use its ledger: try again"
_NOBODYS = (
    "the id is nobody's yet, and what is held under it is told to its holder alone: try again when it has connected"
)

_HELLO_TIMEOUT = 10.0
"""Seconds in which a stream must say who it is: until then it costs a slot for nothing."""

_REPORT_INTERVAL = 5
"""Seconds between two reports of a collector's: often enough for people, and nothing beside its blocks."""
_INTERVAL = 60.0
"""Seconds between two tellings that a machine's streams are refused."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ServerStatistics:
    streams: int
    streams_refused: int
    blocks_refused: int
    blocks_duplicate: int
    collectors: int


class AggregatorServicer(api_pb2_grpc.AggregatorServicer):
    """Serves at most `max_streams` calls at once, and refuses further ones with a reason.

    A stream has two threads: one that gRPC lends, which says what is in its outbox, and one that reads. `writes_to`
    gives device and inode of each file that the destination is. `batch_age` is how many seconds a batch may wait to be
    full, which collectors are told. `is_stale` and `is_output` are as for `Conversation`.
    """

    def __init__(
        self,
        *,
        buffer: IngestBuffer,
        ledger: Ledger,
        peers: Peers,
        max_streams: int,
        hello_timeout: float = _HELLO_TIMEOUT,
        writes_to: Callable[[], Sequence[tuple[int, int]]] = lambda: (),
        is_stale: Callable[[bytes], bool] = lambda _: False,
        is_output: Callable[[Source], bool] = lambda _: False,
        batch_age: float = 0.0,
    ) -> None:
        self._writes_to = writes_to
        self._is_stale = is_stale
        self._is_output = is_output
        self._batch_age = batch_age
        self._buffer = buffer
        self._ledger = ledger
        self._peers = peers
        self._holders = Holders(ledger)
        self._max_streams = max_streams
        self._hello_timeout = hello_timeout
        self._slots = threading.Semaphore(max_streams)
        self._outboxes: set[Outbox] = set()
        self._lock = threading.Lock()
        self._stopping = False
        self._refused = Refused()
        self._refused_streams = 0
        self._acquaintances = Acquaintances()
        self._told = Once(interval=_INTERVAL)

    def PublishStream(  # noqa: N802 - the name in api.proto
        self, request_iterator: Iterator[wire.Heard], context: grpc.ServicerContext
    ) -> Iterator[pb.AggregatorMessage]:
        """Blocks in, acknowledgements out; see api.proto."""
        with self._slot(context), self._outbox(context) as outbox:
            try:
                hello = self._hello(request_iterator, context)
                self._holders.require(hello, context)
                yield from self._serve(hello, request_iterator, outbox, peer=context.peer())
            except WireError as error:
                self._tell_refused(context, str(error))
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            except LedgerError as error:
                self._tell_failed(error)
                context.abort(grpc.StatusCode.UNAVAILABLE, _NO_LEDGER)
            if self._stopping:
                context.abort(grpc.StatusCode.UNAVAILABLE, _SHUTTING_DOWN)

    def Publish(  # noqa: N802 - the name in api.proto
        self, request: pb.PublishRequest, context: grpc.ServicerContext
    ) -> pb.PublishResponse:
        """One block in, answered when it is committed; see api.proto."""
        with self._slot(context), self._outbox(context) as outbox:
            try:
                hello = wire.decode_hello(request.collector)
                self._holders.require(hello, context)
                position = self._publish(request, hello, outbox)
            except WireError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            except LedgerError as error:
                self._tell_failed(error)
                context.abort(grpc.StatusCode.UNAVAILABLE, _NO_LEDGER)
            except (BufferClosed, StreamEnded):
                context.abort(grpc.StatusCode.UNAVAILABLE, _SHUTTING_DOWN)
            if isinstance(position, Refusal):
                code = grpc.StatusCode.FAILED_PRECONDITION if position.retry else grpc.StatusCode.INVALID_ARGUMENT
                context.abort(code, position.message)
            if position is None:
                context.abort(grpc.StatusCode.UNAVAILABLE, _SHUTTING_DOWN)
            return pb.PublishResponse(position=position)

    def Audit(  # noqa: N802 - the name in api.proto
        self, request: pb.AuditRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.AuditResponse]:
        """What is committed of a collector's own sources; see api.proto."""
        with self._slot(context):
            try:
                hello = wire.decode_hello(request.collector)
                own = self._holders.may_read(hello, context)
                if request.whose:
                    return
                if request.files:
                    files = wire.decode_asked_files(request, hello)
                    yield pb.AuditResponse(own=[each.id for each in files if self._writes(each, hello)])
                    return
                if own:
                    yield from wire.encode_records(self._ledger.records(hello.collector))
                elif self._ledger.holds(hello.collector):
                    context.abort(grpc.StatusCode.PERMISSION_DENIED, _NOBODYS)
            except WireError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            except LedgerError as error:
                self._tell_failed(error)
                context.abort(grpc.StatusCode.UNAVAILABLE, _NO_LEDGER)

    def stop(self) -> None:
        """End every stream once all is said that is to be said. Called when all that was taken in is committed."""
        with self._lock:
            self._stopping = True
            for outbox in self._outboxes:
                outbox.close()

    def statistics(self) -> ServerStatistics:
        return ServerStatistics(
            streams=self._peers.streams,
            streams_refused=self._refused_streams,
            blocks_refused=self._refused.blocks,
            blocks_duplicate=self._refused.duplicates,
            collectors=len(self._peers),
        )

    def collectors(self) -> list[Acquaintance]:
        """Those that are or were connected, whoever is behind most first."""
        return self._acquaintances.all()

    def _writes(self, source: Source, hello: Hello) -> bool:
        """Whether the file is one that the aggregator writes."""
        identity = source.device, source.inode
        return _is_here(hello) and (identity in self._writes_to() or self._is_output(source))

    def _converse(self, hello: Hello, outbox: Outbox) -> Conversation:
        return Conversation(
            hello,
            outbox,
            buffer=self._buffer,
            ledger=self._ledger,
            peers=self._peers,
            refused=self._refused,
            is_stale=self._is_stale,
            is_output=self._is_output if _is_here(hello) else lambda _: False,
            on_report=lambda report: self._acquaintances.reported(hello.collector, report),
        )

    def _hello(self, messages: Iterator[wire.Heard], context: grpc.ServicerContext) -> Hello:
        watchdog = threading.Timer(self._hello_timeout, self._give_up, (context,))
        watchdog.daemon = True
        watchdog.start()
        try:
            first = next(messages, wire.Heard(pb.CollectorMessage()))
        finally:
            watchdog.cancel()
        if first.kind != "hello":
            raise WireError("a stream begins with hello")
        return wire.decode_hello(first.message.hello)

    def _tell_refused(self, context: grpc.ServicerContext, reason: str) -> None:
        """Once in a while for each machine: each of its connections is from another port."""
        peer = context.peer()
        withheld = self._told.due(peer.rpartition(":")[0], time.monotonic())
        if withheld is not None:
            _log.warning("stream_refused", peer=peer, reason=reason, withheld=withheld)

    def _tell_failed(self, error: LedgerError) -> None:
        withheld = self._told.due(str(error), time.monotonic())
        if withheld is not None:
            _log.error("ledger_failed", error=str(error), withheld=withheld)

    def _give_up(self, context: grpc.ServicerContext) -> None:
        self._tell_refused(context, f"no hello in {self._hello_timeout:g} s")
        context.cancel()

    def _serve(
        self, hello: Hello, messages: Iterator[wire.Heard], outbox: Outbox, *, peer: str
    ) -> Iterator[pb.AggregatorMessage]:
        conversation = self._converse(hello, outbox)
        self._acquaintances.came(hello)
        _log.info("collector_connected", collector=hello.collector, host=hello.host, peer=peer)
        try:
            outbox.say(self._welcome(conversation))
            self._peers.welcomed(outbox)
            reader = _Reader(messages, conversation, outbox)
            reader.start()
            yield from map(wire.encode_answers, outbox.drain_together())
        finally:
            conversation.end()
            self._acquaintances.went(hello.collector)
            _log.info("collector_disconnected", collector=hello.collector, host=hello.host, peer=peer)
        if reader.error is not None:
            raise reader.error

    def _welcome(self, conversation: Conversation) -> Welcome:
        outputs, limits = tuple(self._writes_to()), (wire.MAX_MESSAGE_SIZE, conversation.window)
        return Welcome(*limits, __version__, boot_id(), outputs, self._batch_age, _REPORT_INTERVAL, inventory=True)

    def _publish(self, request: pb.PublishRequest, hello: Hello, outbox: Outbox) -> int | Refusal | None:
        source = wire.decode_source(request.source, hello)
        if request.block.source != source.id:
            raise WireError("the block is of another source than the one described")
        # Before anything is opened or noted: what is refused leaves no trace.
        wire.decode_block(request.block, request.block.payload, source)
        conversation = self._converse(hello, outbox)
        try:
            conversation.open(Open(source, request.block.start))
            conversation.blocks([(request.block, request.block.payload)])
            conversation.hear(wire.Heard(pb.CollectorMessage(flush=pb.Flush())))
            return _outcome(outbox.drain(), source.id, request.block.start + request.block.size)
        finally:
            conversation.end()
            conversation.forget()

    @contextmanager
    def _slot(self, context: grpc.ServicerContext) -> Iterator[None]:
        if not self._slots.acquire(blocking=False):
            self._refused_streams += 1
            self._tell_refused(context, f"{self._max_streams} are served already (AGGREGATOR_MAX_STREAMS)")
            context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{self._max_streams} connections are served already (AGGREGATOR_MAX_STREAMS): try again later",
            )
        try:
            yield
        finally:
            self._slots.release()

    @contextmanager
    def _outbox(self, context: grpc.ServicerContext) -> Iterator[Outbox]:
        outbox = Outbox()
        with self._lock:
            self._outboxes.add(outbox)
            if self._stopping:
                outbox.close()
        # Called at once if the call has ended already.
        if not context.add_callback(outbox.close):
            outbox.close()
        try:
            yield outbox
        finally:
            outbox.close()
            with self._lock:
                self._outboxes.discard(outbox)


class _Reader:
    """The reading side of a stream, in a thread of its own."""

    def __init__(self, messages: Iterator[wire.Heard], conversation: Conversation, outbox: Outbox) -> None:
        self._messages = messages
        self._conversation = conversation
        self._outbox = outbox
        self.error: WireError | LedgerError | None = None
        """Why the stream ends, if the collector is at fault or nobody can say where its sources stand."""

    def start(self) -> None:
        threading.Thread(target=self._read, name="stream", daemon=True).start()

    def _read(self) -> None:
        try:
            self._hear()
        finally:
            self._conversation.forget()

    def _hear(self) -> None:
        try:
            for message in self._messages:
                self._conversation.hear(message)
                # It may take long until the next one comes.
                del message
        except BufferClosed:
            # What was taken in before is still to be acknowledged on this stream: `stop` ends it.
            return
        except (WireError, LedgerError) as error:
            self.error = error
        except (StreamEnded, grpc.RpcError):
            # The collector has gone.
            pass
        except Exception:  # noqa: BLE001 - whatever it is
            # A defect: the collector comes again, and the log says what it was.
            _log.exception("stream_failed")
        self._outbox.close()


def _is_here(hello: Hello) -> bool:
    """Whether the collector is on this machine."""
    return bool(hello.boot) and hello.boot == boot_id()


def _outcome(answers: Iterator[FromAggregator], source_id: bytes, end: int) -> int | Refusal | None:
    """The position that was committed, or the refusal; None if the answers ended without either."""
    for answer in answers:
        if isinstance(answer, Refusal):
            return answer
        if isinstance(answer, Ack) and answer.positions.get(source_id, 0) >= end:
            return answer.positions[source_id]
    return None
