"""The operator's gRPC service: on a socket in the state directory, for those who may read that, and nobody else."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import structlog

from mega_collector.api import api_pb2 as pb, api_pb2_grpc
from mega_collector.operator_socket import OperatorSocket
from mega_collector.telemetry.view import View

_WORKERS = 8
"""Calls that are served at once; further ones wait. Threads are made when they are needed. Half of them are left where
as many tap as may."""

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),  # a dead letter is as large as the batch was
    ("grpc.so_reuseport", 0),
)

_PRIVATE = 0o177
"""The umask under which a socket is made that only its owner may connect to (unix(7))."""

_log = structlog.get_logger(__name__)


class OperatorServicer(api_pb2_grpc.OperatorServicer):
    """What both halves serve; see api.proto. `view` gives what is to be shown."""

    def __init__(self, view: Callable[[], View]) -> None:
        self._view = view

    def Top(  # noqa: N802 - the name in api.proto
        self,
        request: pb.TopRequest,  # noqa: ARG002
        context: grpc.ServicerContext,  # noqa: ARG002
    ) -> pb.TopResponse:
        """What the page shows; see api.proto."""
        return pb.TopResponse(view=self._view().encode())

    def stop(self) -> None:
        """Refuse what waits."""


class OperatorServer:
    """Serves from `start` to `stop`. Where it cannot, it says so: the half does all else without it."""

    def __init__(self, directory: Path, servicer: OperatorServicer) -> None:
        self._directory = directory
        self._servicer = servicer
        self._socket: OperatorSocket | None = None
        self._server: grpc.Server | None = None

    def start(self) -> None:
        """Listen, in the place of whatever socket a killed process has left: the state directory is ours."""
        try:
            self._socket = OperatorSocket(self._directory)
            self._socket.require_free()
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


def _serving(at: OperatorSocket, servicer: OperatorServicer) -> grpc.Server:
    server = grpc.server(ThreadPoolExecutor(_WORKERS, thread_name_prefix="operator"), options=_OPTIONS)
    api_pb2_grpc.add_OperatorServicer_to_server(servicer, server)
    before = os.umask(_PRIVATE)
    try:
        server.add_insecure_port(at.address.target)
    finally:
        os.umask(before)
    server.start()
    return server
