"""What stands between a collector and its aggregator: it can be cut, and can keep back what the aggregator says."""

import contextlib
import socket
import threading
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

_SIZE = 1 << 16


class Relay:
    """Passes on between its own unix socket and another. A context manager."""

    def __init__(self, own: Path, to: Path) -> None:
        self.address = f"unix:{own}"
        self._to = to
        self._answers = threading.Event()
        self._answers.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
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
                other.sendall(data)
        except OSError:
            pass  # one of the two is gone, and so is the connection
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        ends.wait()

    def _close(self, *pair: socket.socket) -> None:
        with self._lock:
            self._open -= set(pair)
        for each in pair:
            each.close()
