"""A gRPC server that answers what it is sent."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

import grpc

from certificates import Material
from mega_collector.tls import server_credentials

DEADLINE = 10.0


class Echo(grpc.GenericRpcHandler):
    """Answers every call with what it got, and counts them."""

    def __init__(self) -> None:
        self.calls = 0

    def service(self, handler_call_details: object) -> "grpc.RpcMethodHandler[bytes, bytes]":
        def echo(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.calls += 1
            return request

        return grpc.unary_unary_rpc_method_handler(echo)


def serving(material: Material | None, echo: Echo) -> AbstractContextManager[int]:
    if material is None:
        return serving_with(None, echo)
    return serving_with(server_credentials(material.ca, material.certificate, material.key), echo)


@contextmanager
def serving_with(credentials: grpc.ServerCredentials | None, echo: Echo) -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(1), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((echo,))
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def echo_on(channel: grpc.Channel) -> bytes:
    return channel.unary_unary("/test/Echo", bytes, bytes)(b"line", timeout=DEADLINE)
