"""What an operator, or a tool of theirs, asks over HTTP: the page, /metrics, /healthz and /readyz.

One thread serves all clients, each within a deadline, so that one who is slow or silent holds up nobody.
"""

import asyncio
import os
import socket
from contextlib import suppress
from ipaddress import ip_address
from threading import Thread

from mega_collector.errors import StartError
from mega_collector.telemetry.answers import Answers
from mega_collector.telemetry.half import Half
from mega_collector.telemetry.printable import text

DEADLINE = 5.0
"""Seconds for a whole request and its answer. Prometheus itself gives up after ten."""

MAX_CLIENTS = 64
"""Connections at once; a further one is closed. Each costs a descriptor, which the files need too."""

MAX_REQUEST = 16 * 1024
"""Bytes of a request. None of ours has a body."""


class Endpoint:
    """Serves until it is closed."""

    def __init__(self, listener: socket.socket, half: Half, *, deadline: float = DEADLINE) -> None:
        host, self.port, *_ = listener.getsockname()
        self._listener = listener
        self._deadline = deadline
        self._clients: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._answers = Answers(half, self._loop.call_later, private=ip_address(host).is_loopback)
        self._closing = asyncio.Event()
        self._thread = Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End at once, with the connections that are open. May be called again."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        with self._listener:
            self._listen()
            await self._closing.wait()
            self._loop.remove_reader(self._listener)

    def _listen(self) -> None:
        if not self._closing.is_set():
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:  # no descriptor is left: without a pause this would be called again at once
            self._loop.remove_reader(self._listener)
            self._loop.call_later(1.0, self._listen)
            return
        if len(self._clients) >= MAX_CLIENTS:
            connection.close()
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._attend(connection))
        self._clients.add(task)
        task.add_done_callback(lambda task: self._leave(task, connection))

    def _leave(self, task: asyncio.Task[None], connection: socket.socket) -> None:
        connection.close()
        self._clients.discard(task)

    async def _attend(self, connection: socket.socket) -> None:
        # A client that goes, or never asks, is its own affair.
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(self._deadline):
                request = await _request(self._loop, connection)
                await self._loop.sock_sendall(connection, self._answers.to(request))


def serve(
    address: tuple[str, int], half: Half, *, variable: str = "METRICS_ADDRESS", deadline: float = DEADLINE
) -> Endpoint:
    """Bind `address` (port 0: any free one) and answer until the endpoint is closed.

    The half is asked from a thread of the endpoint's own. `variable` is where the address came from. `deadline` is in
    seconds, for a whole request and its answer.

    Raises:
        StartError: the address cannot be bound.
    """
    return Endpoint(listen(address, variable=variable), half, deadline=deadline)


def listen(address: tuple[str, int], *, variable: str) -> socket.socket:
    """Bind an address, which nobody answers on yet.

    Raises:
        StartError: the address cannot be bound.
    """
    host, port = address
    try:
        family, *_, resolved = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        listener = socket.create_server(resolved[:2], family=family)
    except OSError as error:
        # socket adds to strerror what is said already; resolver errors have numbers of their own.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise StartError(f"{variable}: cannot listen on {text(host)}:{port}: {reason}. Choose another one") from error
    listener.setblocking(False)
    return listener


async def _request(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> bytes | None:
    """Read a request's head; None if it is too long."""
    head = bytearray()
    while b"\r\n\r\n" not in head:
        if len(head) > MAX_REQUEST:
            return None
        piece = await loop.sock_recv(connection, MAX_REQUEST)
        if not piece:
            raise ConnectionAbortedError
        head += piece
    return bytes(head)
