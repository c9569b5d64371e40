"""One gRPC stream of blocks from a file to a file, without any of a log shipper's work: a floor."""

import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

_BLOCK = 1 << 20
_METHOD = "/bare/Stream"
_OPTIONS = (("grpc.max_receive_message_length", 1 << 22), ("grpc.max_send_message_length", 1 << 22))
_AHEAD = 16
"""Blocks that may be under way: a receiver that is slower must not make the sender's memory grow."""


def receive(port: int, path: str) -> None:
    def stream(blocks: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
        with open(path, "ab", buffering=0) as output:  # noqa: PTH123
            for block in blocks:
                output.write(block)
                yield b""

    server = grpc.server(ThreadPoolExecutor(2), options=_OPTIONS)
    handler: Any = grpc.stream_stream_rpc_method_handler(stream)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bare", {"Stream": handler}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    signal.sigwait({signal.SIGTERM})


def send(port: int, path: str) -> None:
    room = threading.Semaphore(_AHEAD)

    def blocks() -> Iterator[bytes]:
        with open(path, "rb", buffering=0) as source:  # noqa: PTH123
            while block := source.read(_BLOCK):
                room.acquire()
                yield block

    with grpc.insecure_channel(f"127.0.0.1:{port}", options=_OPTIONS) as channel:
        call: Any = channel.stream_stream(_METHOD)
        for _ in call(blocks(), wait_for_ready=True):
            room.release()
        signal.sigwait({signal.SIGTERM})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    {"receive": receive, "send": send}[sys.argv[1]](int(sys.argv[2]), sys.argv[3])
