"""A gRPC server whose streams go as a test says, in bytes: it can say what no aggregator would."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import grpc

from mega_collector import wire
from mega_collector.api import api_pb2 as pb
from mega_collector.protocol import FromAggregator, Welcome

SERVICE = pb.DESCRIPTOR.services_by_name["Aggregator"].full_name
WELCOME = Welcome(1 << 20, 1000, "1.0")

Stream = Callable[["Call"], Iterable[bytes]]


class Call:
    """One stream, seen from the server."""

    def __init__(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> None:
        self.context = context
        self.heard: list[wire.Heard] = []
        self.is_over = Event()
        self._grouped: list[wire.Heard] = []
        self._requests = requests
        context.add_callback(self.is_over.set)

    def hear(self) -> wire.Heard:
        """The next message of the collector, by itself or in a group."""
        if not self._grouped:
            heard = wire.parse(next(self._requests))
            group = wire.heard_in(heard.message.group) if heard.kind == "group" else ()
            self._grouped = [wire.Heard(each, each.block.payload) for each in group] or [heard]
        self.heard.append(self._grouped.pop(0))
        return self.heard[-1]

    def abort(self, code: grpc.StatusCode, details: str = "as the test wants it") -> Iterable[bytes]:
        self.context.abort(code, details)
        return []


def said(*answers: FromAggregator) -> list[bytes]:
    return [wire.encode_answer(answer).SerializeToString() for answer in answers]


def stay(call: Call) -> Iterator[bytes]:
    """Welcome the collector, and listen until it goes."""
    call.hear()
    yield from said(WELCOME)
    try:
        while True:
            call.hear()
    except (StopIteration, grpc.RpcError):
        return


def silence(call: Call) -> Iterator[bytes]:
    """Say nothing until the collector goes."""
    call.is_over.wait(30)
    yield from ()


class ScriptedAggregator:
    """Streams go as `script` says, one after the other, and stay once it is over."""

    def __init__(self, *script: Stream, port: int = 0) -> None:
        self.calls: list[Call] = []
        self._script = iter(script)
        self._server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            "PublishStream": grpc.stream_stream_rpc_method_handler(self._serve)
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._server.stop(None).wait()

    def _serve(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        call = Call(requests, context)
        self.calls.append(call)
        yield from next(self._script, stay)(call)


@contextmanager
def scripted(*script: Stream) -> Iterator[ScriptedAggregator]:
    aggregator = ScriptedAggregator(*script)
    try:
        yield aggregator
    finally:
        aggregator.stop()
