"""What stands between a collector and its aggregator: it can be cut, be slow, and keep back what is answered."""

import contextlib
import socket
import threading
import time
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

_SIZE = 1 << 16


class Relay:
    """Passes on between its own unix socket and another. A context manager."""

    def __init__(self, own: Path, to: Path) -> None:
        self.address = f"unix:{own}"
        self.delay = 0.0
        """Seconds that everything takes, in both directions."""
        self._to = to
        self._cut_after: int | None = None
        self._answers = threading.Event()
        self._answers.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._near: set[socket.socket] = set()
        self._ended = False
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(own))
        self._listening.listen()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self.release()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._threads[0].join()
        self.cut()
        for thread in self._threads[1:]:
            thread.join()

    def cut(self) -> None:
        """Every connection ends here and now."""
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def cut_after(self, size: int | None) -> None:
        """Every connection ends when that many more bytes have passed, wherever that is in what is said. None: none."""
        with self._lock:
            self._cut_after = size

    def half_close(self, *, near: bool) -> None:
        """One side (near: the collector) is told that the other has ended, and is heard on until it ends likewise."""
        with self._lock:
            for each in self._open & self._near if near else self._open - self._near:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_WR)

    def keep_back(self) -> None:
        """What the aggregator says waits for `release`: its acknowledgements come late."""
        self._answers.clear()

    def release(self) -> None:
        self._answers.set()

    def _accept(self) -> None:
        while not self._ended:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(str(self._to))
            except OSError:
                near.close()
                far.close()
                continue
            with self._lock:
                self._open |= {near, far}
                self._near.add(near)
            ends = threading.Barrier(2, partial(self._close, near, far))
            self._threads += [
                threading.Thread(target=self._pass_on, args=(near, far, ends, None)),
                threading.Thread(target=self._pass_on, args=(far, near, ends, self._answers)),
            ]
            for thread in self._threads[-2:]:
                thread.start()

    def _pass_on(
        self, one: socket.socket, other: socket.socket, ends: threading.Barrier, gate: threading.Event | None
    ) -> None:
        try:
            while data := one.recv(_SIZE):
                if gate is not None:
                    gate.wait()
                time.sleep(self.delay)
                allowed = self._allowed(len(data))
                other.sendall(data[:allowed])
                if allowed < len(data):
                    self.cut()
        except OSError:
            pass  # one of the two is gone, and so is the connection
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        ends.wait()

    def _allowed(self, size: int) -> int:
        """How many of so many bytes may pass before the cut."""
        with self._lock:
            if self._cut_after is None or size <= self._cut_after:
                self._cut_after = None if self._cut_after is None else self._cut_after - size
                return size
            allowed, self._cut_after = self._cut_after, None
            return allowed

    def _close(self, *pair: socket.socket) -> None:
        with self._lock:
            self._open -= set(pair)
            self._near -= set(pair)
        for each in pair:
            each.close()
