"""A network between collector and aggregator that can be bad: it counts, cuts, and withholds."""

import select
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_CHUNK = 1 << 16
_PACE = 0.01
"""Seconds after which it notices at the latest what a test wants of it."""


@dataclass(slots=True, eq=False)
class _Way:
    """One direction of one connection. Nothing more is read while something waits to be written."""

    source: socket.socket
    sink: socket.socket
    answers: bool
    waiting: bytes = b""


class Proxy:
    """A context manager. Whoever connects to `address` speaks with `upstream`: `host:port` or `unix:PATH`.

    Where nobody listens upstream, it cuts the connection off. Cutting off is a RST, in the middle of whatever is said.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        """How many were made by clients."""
        self.carried = 0
        """How many bytes came from clients."""
        self.withholds = False
        """Whether the clients hear nothing: what is answered waits."""
        self._ways: list[_Way] = []
        self._cut_after: int | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._thread.join()
        for way in list(self._ways):
            self._cut(way)
        self._listener.close()

    def cut_after(self, size: int) -> None:
        """Cut all connections off when that many more bytes have come from clients."""
        self._cut_after = self.carried + size

    @property
    def cut(self) -> bool:
        """Whether that has happened."""
        return self._cut_after is None

    def _run(self) -> None:
        while not self._closing:
            silent = {way.source for way in self._ways if not way.waiting and not (way.answers and self.withholds)}
            full = {way.sink for way in self._ways if way.waiting}
            readable, writable = _ready({self._listener, *silent}, full)
            if self._listener in readable:
                self._accept()
            for way in [way for way in self._ways if way.source in readable and not way.waiting]:
                self._read(way)
            for way in [way for way in self._ways if way.sink in writable and way.waiting]:
                self._write(way)
            if self._cut_after is not None and self.carried >= self._cut_after:
                for way in list(self._ways):
                    self._cut(way)
                self._cut_after = None

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        self.connections += 1
        try:
            server = self._connect()
        except OSError:
            _reset(client)
            return
        self._ways += [_Way(client, server, answers=False), _Way(server, client, answers=True)]

    def _connect(self) -> socket.socket:
        path = self._upstream.removeprefix("unix:")
        if path == self._upstream:
            host, port = self._upstream.rsplit(":", 1)
            return socket.create_connection((host, int(port)))
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(path)
        except OSError:
            server.close()
            raise
        return server

    def _read(self, way: _Way) -> None:
        try:
            way.waiting = way.source.recv(_CHUNK)
        except OSError:
            self._cut(way)
            return
        if not way.waiting:
            self._end(way, _close)
        elif not way.answers:
            self.carried += len(way.waiting)

    def _write(self, way: _Way) -> None:
        try:
            way.waiting = way.waiting[way.sink.send(way.waiting, socket.MSG_DONTWAIT) :]
        except BlockingIOError:
            pass
        except OSError:
            self._cut(way)

    def _cut(self, way: _Way) -> None:
        self._end(way, _reset)

    def _end(self, way: _Way, how: Callable[[socket.socket], None]) -> None:
        """End both directions of a connection."""
        ends = {way.source, way.sink}
        self._ways = [other for other in self._ways if other.source not in ends]
        for end in ends:
            how(end)


def _ready(readers: set[socket.socket], writers: set[socket.socket]) -> tuple[set[socket.socket], set[socket.socket]]:
    """Those from which something can be read, and those to which it can be written.

    Whatever their numbers: select() takes none beyond 1024.
    """
    by_number = {each.fileno(): each for each in readers | writers}
    poll = select.poll()
    for number, each in by_number.items():
        poll.register(number, select.POLLIN * (each in readers) | select.POLLOUT * (each in writers))
    ready = [(by_number[number], events) for number, events in poll.poll(_PACE * 1000)]
    readable = {each for each, events in ready if events & ~select.POLLOUT}
    writable = {each for each, events in ready if events & ~select.POLLIN}
    return readable & readers, writable & writers


def _close(end: socket.socket) -> None:
    end.close()


def _reset(end: socket.socket) -> None:
    """Close it so that the other side gets a RST and not an end of file."""
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()
