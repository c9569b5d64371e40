"""A pipe that is read when the test says so: a destination that hangs until then."""

import array
import fcntl
import os
import select
import termios
import threading
from types import TracebackType
from typing import Self


class Pipe:
    """A context manager. What the process writes to gets `writing`; `drain` begins to read for good."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()
        self._open = [self._reading, self.writing]
        self._data = bytearray()
        self._thread = threading.Thread(target=self._drain)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close_writing()
        if self._thread.ident is not None:
            self._thread.join()
        self.close_reading()

    @property
    def waiting(self) -> int:
        """How many bytes lie in it, unread."""
        size = array.array("i", [0])
        fcntl.ioctl(self._reading, termios.FIONREAD, size)
        return size[0]

    @property
    def full(self) -> bool:
        """Whether nothing more goes into it."""
        # This process may have closed its end for writing.
        end = os.open(f"/proc/self/fd/{self._reading}", os.O_WRONLY | os.O_NONBLOCK)
        try:
            poll = select.poll()
            poll.register(end, select.POLLOUT)
            return not poll.poll(0)
        finally:
            os.close(end)

    @property
    def data(self) -> bytes:
        """What was read."""
        return bytes(self._data)

    @property
    def size(self) -> int:
        """How much was read, in bytes."""
        return len(self._data)

    def read(self, size: int) -> None:
        """Read that much and no more: a reader that is slow. Not beside `drain`."""
        left = size
        while left:
            chunk = os.read(self._reading, left)
            self._data += chunk
            left -= len(chunk)

    def drain(self) -> None:
        """Read from now on, until nobody writes any more."""
        self._thread.start()

    def close_writing(self) -> None:
        """This process's end: the other's stays open."""
        self._close(self.writing)

    def close_reading(self) -> None:
        """Whoever writes to it gets EPIPE."""
        self._close(self._reading)

    def _close(self, descriptor: int) -> None:
        if descriptor in self._open:
            self._open.remove(descriptor)
            os.close(descriptor)

    def _drain(self) -> None:
        while chunk := os.read(self._reading, 1 << 16):
            self._data += chunk
