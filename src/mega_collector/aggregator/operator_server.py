"""The operator's gRPC service: on a socket in the state directory, for those who may read that, and nobody else."""

import os
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from pathlib import Path

import grpc
import structlog

from mega_collector.aggregator import replay
from mega_collector.aggregator.ingest_buffer import BufferClosed, IngestBuffer
from mega_collector.aggregator.operator_socket import OperatorSocket
from mega_collector.api import api_pb2 as pb, api_pb2_grpc
from mega_collector.block import Block
from mega_collector.emitter.dead_letter import decode
from mega_collector.errors import MegaCollectorError, Stopping

_WORKERS = 4
"""Calls that are served at once; further ones wait. Threads are made when they are needed."""

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),  # a dead letter is as large as the batch was
    ("grpc.so_reuseport", 0),
)

_PRIVATE = 0o177
"""The umask under which a socket is made that only its owner may connect to (unix(7))."""

_PATIENCE = 30.0
"""Seconds that a replay waits for its turn: longer means that the destination takes nothing."""

_SHUTTING_DOWN = "the aggregator is shutting down: try again when it runs"
_BUSY = "what came before has not been delivered for {:.0f}s: try again when the destination works"

_log = structlog.get_logger(__name__)


class OperatorServer:
    """Serves from `start` to `stop`. Where it cannot, it says so: the aggregator does all else without it."""

    def __init__(self, directory: Path, buffer: IngestBuffer, *, patience: float = _PATIENCE) -> None:
        self._directory = directory
        self._servicer = OperatorServicer(buffer, patience)
        self._socket: OperatorSocket | None = None
        self._server: grpc.Server | None = None

    def start(self) -> None:
        """Listen, in the place of whatever socket a killed process has left: the state directory is ours."""
        try:
            self._socket = OperatorSocket(self._directory)
            self._server = _serving(self._socket, self._servicer)
        except (OSError, RuntimeError) as error:
            _log.warning("operator_unavailable", directory=str(self._directory), error=str(error))

    def stop(self, timeout: float) -> None:
        """Refuse what waits, end, and remove the socket."""
        self._servicer.stop()
        if self._server is not None:
            self._server.stop(timeout).wait(timeout + 1)
        if self._socket is not None:
            self._socket.close()


def _serving(at: OperatorSocket, servicer: "OperatorServicer") -> grpc.Server:
    server = grpc.server(ThreadPoolExecutor(_WORKERS, thread_name_prefix="operator"), options=_OPTIONS)
    api_pb2_grpc.add_OperatorServicer_to_server(servicer, server)
    before = os.umask(_PRIVATE)
    try:
        server.add_insecure_port(at.address.target)
    finally:
        os.umask(before)
    server.start()
    return server


class OperatorServicer(api_pb2_grpc.OperatorServicer):
    """See api.proto. `stop` is called when nothing that was put into the buffer will be done any more."""

    def __init__(self, buffer: IngestBuffer, patience: float) -> None:
        self._buffer = buffer
        self._patience = patience
        self._one = threading.Lock()
        """Held by the one replay under way: so many bytes are in memory beside the ingest buffer's."""
        self._end: Future[replay.Replayed] = Future()
        """The outcome of whatever has none when all is over."""

    def Replay(  # noqa: N802 - the name in api.proto
        self, request: pb.ReplayRequest, context: grpc.ServicerContext
    ) -> pb.ReplayResponse:
        """A discarded batch comes back; see api.proto."""
        with self._one:
            try:
                replayed = self._replay(decode(request.dead_letter).blocks, context)
            except ValueError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            except (BufferClosed, Stopping):
                context.abort(grpc.StatusCode.UNAVAILABLE, _SHUTTING_DOWN)
            except CancelledError:
                context.abort(grpc.StatusCode.UNAVAILABLE, _BUSY.format(self._patience))
            except MegaCollectorError as error:
                context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        _log.info(
            "replayed",
            entries=replayed.entries,
            size=replayed.size,
            known=replayed.known,
            unknown=replayed.unknown,
        )
        return pb.ReplayResponse(
            entries=replayed.entries, bytes=replayed.size, bytes_known=replayed.known, bytes_unknown=replayed.unknown
        )

    def stop(self) -> None:
        if not self._end.done():
            self._end.set_exception(Stopping(_SHUTTING_DOWN))

    def _replay(self, blocks: Sequence[Block], context: grpc.ServicerContext) -> replay.Replayed:
        """Put it where everything goes, and wait. Who has gone, or waited too long, has it withdrawn if it can be."""
        item = replay.Replay(blocks)
        outcome = item.outcome

        def withdraw() -> None:
            outcome.cancel()

        if not context.add_callback(withdraw):
            raise CancelledError
        self._buffer.put(item)
        wait((outcome, self._end), self._patience, FIRST_COMPLETED)
        if not outcome.done() and not self._end.done() and not outcome.cancel():
            wait((outcome, self._end), return_when=FIRST_COMPLETED)
        return (outcome if outcome.done() else self._end).result()
