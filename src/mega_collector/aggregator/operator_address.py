"""Where operators on other machines look at an aggregator: with TLS, and a list of their own of who may."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import structlog

from mega_collector.address import Address
from mega_collector.aggregator.listener import require_free
from mega_collector.aggregator.operator_server import AggregatorOnlooker
from mega_collector.api import api_pb2_grpc
from mega_collector.errors import StartError

_VARIABLE = "AGGREGATOR_OPERATOR_ADDRESS"

_WORKERS = 8
"""Calls at once, half of them for those who tap; further ones are refused."""

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # two servers on one port would share its connections silently
    ("grpc.max_receive_message_length", 64 << 10),  # what is asked is a few patterns
    ("grpc.server_handshake_timeout_ms", 10_000),
    # Who has gone without a word is found by these pings.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)

_log = structlog.get_logger(__name__)


class OperatorAddress:
    """Binds at once, serves from `start` on. `credentials` let nobody in but operators.

    Raises:
        StartError: the address cannot be listened on.
    """

    def __init__(self, address: Address, credentials: grpc.ServerCredentials) -> None:
        require_free(address, variable=_VARIABLE)
        workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="operators")
        self._server = grpc.server(workers, options=_OPTIONS, maximum_concurrent_rpcs=_WORKERS)
        try:
            port = self._server.add_secure_port(address.target, credentials)
        except RuntimeError:
            raise StartError(f"{_VARIABLE}: cannot listen on {address}: choose another") from None
        self.address = Address(address.host, port)

    def start(self, servicer: AggregatorOnlooker) -> None:
        api_pb2_grpc.add_OperatorServicer_to_server(servicer, self._server)
        self._server.start()
        _log.info("operators_listening", address=str(self.address))

    def stop(self, timeout: float) -> None:
        self._server.stop(timeout).wait(timeout + 1)
