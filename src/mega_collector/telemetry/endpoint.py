"""What an operator's tools ask over HTTP: /metrics, /healthz and /readyz.

One thread serves all clients, each within a deadline, so that one who is slow or silent holds up nobody.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from threading import Thread

import structlog

from mega_collector.errors import StartError
from mega_collector.telemetry.metrics import Sample, exposition
from mega_collector.telemetry.once import Once
from mega_collector.telemetry.printable import text

DEADLINE = 5.0
"""Seconds for a whole request and its answer. Prometheus itself gives up after ten."""

MAX_CLIENTS = 64
"""Connections at once; a further one is closed. Each costs a descriptor, which the files need too."""

MAX_REQUEST = 16 * 1024
"""Bytes of a request. None of ours has a body."""

_INTERVAL = 60.0
"""Seconds between two tellings of one failure: a scraper comes again and again."""

_log = structlog.get_logger(__name__)

Statistics = Callable[[], Iterable[Sample]]
Ready = Callable[[], tuple[bool, str]]


class Endpoint:
    """Serves until it is closed."""

    def __init__(
        self, listener: socket.socket, statistics: Statistics, ready: Ready, *, deadline: float = DEADLINE
    ) -> None:
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        self._answers = _Answers(statistics, ready)
        self._deadline = deadline
        self._clients: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
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
    address: tuple[str, int],
    statistics: Statistics,
    ready: Ready,
    *,
    variable: str = "METRICS_ADDRESS",
    deadline: float = DEADLINE,
) -> Endpoint:
    """Bind `address` (port 0: any free one) and answer until the endpoint is closed.

    `statistics` gives the samples and `ready` whether the process does its work, with the reason if not. Both are
    called at each request, from a thread of the endpoint's own, and must not block. `variable` is where the address
    came from. `deadline` is in seconds, for a whole request and its answer.

    Raises:
        StartError: the address cannot be bound.
    """
    return Endpoint(listen(address, variable=variable), statistics, ready, deadline=deadline)


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


@dataclass(frozen=True, slots=True)
class _Answer:
    status: HTTPStatus
    body: bytes
    media_type: str = "text/plain; charset=utf-8"

    def head(self) -> bytes:
        allow = "Allow: GET, HEAD\r\n" if self.status is HTTPStatus.METHOD_NOT_ALLOWED else ""
        return (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n"
            f"Content-Type: {self.media_type}\r\n"
            f"Content-Length: {len(self.body)}\r\n"
            f"{allow}Cache-Control: no-store\r\nConnection: close\r\n\r\n"
        ).encode("ascii")


class _Answers:
    """Which answer a request gets."""

    def __init__(self, statistics: Statistics, ready: Ready) -> None:
        self._statistics = statistics
        self._ready = ready
        self._told = Once(interval=_INTERVAL)

    def to(self, head: bytes | None) -> bytes:
        """Give the bytes of the answer to a request's head."""
        if head is None:
            return _bytes(_plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        parts = head.split(b"\r\n", 1)[0].split(b" ")
        if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
            return _bytes(_plain(HTTPStatus.BAD_REQUEST))
        method, target, _ = parts
        if method not in {b"GET", b"HEAD"}:
            return _bytes(_plain(HTTPStatus.METHOD_NOT_ALLOWED))
        return _bytes(self._get(target.split(b"?")[0]), with_body=method == b"GET")

    def _get(self, path: bytes) -> _Answer:
        try:
            match path:
                case b"/metrics":
                    return _Answer(HTTPStatus.OK, *exposition(self._statistics()))
                case b"/healthz":
                    return _plain(HTTPStatus.OK)
                case b"/readyz":
                    return self._readiness()
                case _:
                    return _plain(HTTPStatus.NOT_FOUND, "There are /metrics, /healthz and /readyz")
        except Exception:  # noqa: BLE001  # a mistake in a part must not take away what an operator looks at
            withheld = self._told.due(path, time.monotonic())
            if withheld is not None:
                _log.exception("metrics_failed", path=path, withheld=withheld)
            return _plain(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _readiness(self) -> _Answer:
        ready, reason = self._ready()
        return _plain(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, reason)


def _plain(status: HTTPStatus, words: str = "") -> _Answer:
    return _Answer(status, f"{text(words) or status.phrase}\n".encode())


def _bytes(answer: _Answer, *, with_body: bool = True) -> bytes:
    return answer.head() + (answer.body if with_body else b"")
