"""The port: gRPC with or without TLS, health and reflection."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from mega_collector import wire
from mega_collector.address import Address
from mega_collector.aggregator import reflection
from mega_collector.aggregator.reflection import Reflection
from mega_collector.api import api_pb2 as pb, api_pb2_grpc
from mega_collector.errors import StartError

SERVICE = pb.DESCRIPTOR.services_by_name["Aggregator"].full_name

_VARIABLE = "AGGREGATOR_LISTEN_ADDRESS"

_SPARE_THREADS = 32
"""Beside those of the streams: for health checks, reflection, and for refusing streams that are too many."""

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # two servers on one port would share its connections silently
    ("grpc.max_receive_message_length", wire.MAX_MESSAGE_SIZE),
    ("grpc.max_send_message_length", wire.MAX_MESSAGE_SIZE),
    # A stream that is not read must not fill the transport: no measuring of the bandwidth, which grows its window to
    # many megabytes, but one fixed size. It is told that there is room again when half of it was used: a log that grows
    # sends 100 KB at a time, and would be told each time with half of this.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 256 << 10),
    # A collector that hangs is found by these pings.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
)

_HANDSHAKE_TIMEOUT = 10.0
"""Seconds after which connections are dropped that have not finished their handshake."""


class Listener:
    """Binds at once, serves from `start` on.

    Raises:
        StartError: the address cannot be listened on.
    """

    def __init__(
        self,
        address: Address,
        *,
        max_streams: int,
        credentials: grpc.ServerCredentials | None,
        handshake_timeout: float = _HANDSHAKE_TIMEOUT,
    ) -> None:
        workers = ThreadPoolExecutor(max_workers=max_streams + _SPARE_THREADS, thread_name_prefix="grpc")
        handshake = ("grpc.server_handshake_timeout_ms", int(handshake_timeout * 1000))
        self._server = grpc.server(workers, options=(*_OPTIONS, handshake))
        self._health = health.HealthServicer(
            experimental_non_blocking=True, experimental_thread_pool=ThreadPoolExecutor(max_workers=4)
        )
        self._ready: bool | None = None
        self.address = self._bind(address, credentials)

    def start(self, servicer: api_pb2_grpc.AggregatorServicer) -> None:
        """Serve the aggregator, its health (not serving until told so) and reflection."""
        self.serving(ready=False)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, _methods(servicer)),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        Reflection((SERVICE, health.SERVICE_NAME, reflection.NAME)).add_to(self._server)
        self._server.start()

    def serving(self, *, ready: bool) -> None:
        """What health checks answer from now on; who watches hears of changes only."""
        if ready == self._ready:
            return
        self._ready = ready
        status = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", SERVICE):
            self._health.set(name, status)

    def refuse(self) -> None:
        """Take no new calls; those that are served go on. Health answers NOT_SERVING from now on, for good."""
        self._health.enter_graceful_shutdown()

    def stop(self, timeout: float) -> None:
        """Take no new calls, wait for those that are served, at most so long, and release the port."""
        self._server.stop(timeout).wait(timeout + 1)

    def _bind(self, address: Address, credentials: grpc.ServerCredentials | None) -> Address:
        require_free(address)
        try:
            if credentials is None:
                port = self._server.add_insecure_port(address.target)
            else:
                port = self._server.add_secure_port(address.target, credentials)
        except RuntimeError:
            raise _refusal(address, "choose another") from None
        return address if address.path is not None else Address(address.host, port)


def _methods(servicer: api_pb2_grpc.AggregatorServicer) -> "dict[str, grpc.RpcMethodHandler[Any, Any]]":
    """As `add_AggregatorServicer_to_server` has them, but for how the messages of a stream are parsed."""
    return {
        "Publish": grpc.unary_unary_rpc_method_handler(
            servicer.Publish,
            request_deserializer=pb.PublishRequest.FromString,
            response_serializer=pb.PublishResponse.SerializeToString,
        ),
        "PublishStream": grpc.stream_stream_rpc_method_handler(
            servicer.PublishStream,
            request_deserializer=wire.parse,
            response_serializer=pb.AggregatorMessage.SerializeToString,
        ),
        "Audit": grpc.unary_stream_rpc_method_handler(
            servicer.Audit,
            request_deserializer=pb.AuditRequest.FromString,
            response_serializer=pb.AuditResponse.SerializeToString,
        ),
    }


def require_free(address: Address, *, variable: str = _VARIABLE) -> None:
    """Find out whether it can be had: of a failure gRPC tells the cause only to its own log.

    Raises:
        StartError: it cannot.
    """
    if address.path is not None:
        _require_free_path(address, address.path)
        return
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, where = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gRPC: what lingers in TIME_WAIT is free
            probe.bind(where)
    except OSError as error:
        advice = "is another aggregator running? Free the port or choose another"
        raise _refusal(address, f"{error.strerror}; {advice}", variable=variable) from None


def _require_free_path(address: Address, path: Path) -> None:
    """GRPC takes an existing socket's place without asking whether somebody listens there."""
    if os.path.lexists(path) and not path.is_socket():
        raise _refusal(address, "something is there that is no socket: move it away, or choose another path")
    if not os.access(path.absolute().parent, os.W_OK | os.X_OK, effective_ids=True):
        raise _refusal(address, "its directory must exist and be writable")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.fsencode(path))
        except OSError:
            return
    raise _refusal(address, "another process listens there: is another aggregator running?")


def _refusal(address: Address, why: str, *, variable: str = _VARIABLE) -> StartError:
    return StartError(f"{variable}: cannot listen on {address}: {why}")
