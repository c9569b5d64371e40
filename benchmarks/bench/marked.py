"""Lines that carry the moment of their writing, and who writes them and looks out for them."""

import ctypes
import os
import select
import time
from collections.abc import Callable
from pathlib import Path

_MARK = b"@"
_LENGTH = 100
_IN_MODIFY = 0x2
_PLAIN = b"." * (_LENGTH - 1) + b"\n"


def marked() -> bytes:
    """A line that says when it was made."""
    return (_MARK + b"%d " % time.monotonic_ns()).ljust(_LENGTH - 1, b".") + b"\n"


class Writer:
    """Appends to a log at a steady pace, and knows how much it has written."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.size = 0
        self.lines = 0

    def write(self, lines: int = 1) -> None:
        """Append so many lines with one write, of which the first is marked."""
        self.size += os.write(self._file, marked() + _PLAIN * (lines - 1))
        self.lines += lines

    def pace(self, seconds: float, interval: float, lines: int, between: Callable[[], None] = lambda: None) -> None:
        """Append so many lines every `interval` seconds; if it was kept waiting, all that is due at once."""
        began, done = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            due = int(passed / interval) + 1
            self.write(lines * (due - done)) if due > done else None
            done = due
            between()
            time.sleep(max(0.0, began + done * interval - time.monotonic()))

    def close(self) -> None:
        os.close(self._file)


class Lookout:
    """Sees marked lines arrive in an output, as soon as the kernel tells that it was written to."""

    def __init__(self, output: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._libc.inotify_add_watch(self._inotify, os.fsencode(output), _IN_MODIFY) < 0:
            raise OSError(ctypes.get_errno(), f"inotify on {output}")
        self._output = os.open(output, os.O_RDONLY)
        self._read = os.lseek(self._output, 0, os.SEEK_END)
        self._rest = b""
        self.latencies: list[float] = []
        """Of each marked line, in seconds."""

    @property
    def size(self) -> int:
        """Bytes seen so far."""
        return self._read

    def look(self, timeout: float) -> None:
        """Wait for a change, and take what has come."""
        if select.select([self._inotify], [], [], timeout)[0]:
            os.read(self._inotify, 1 << 16)
        while data := os.pread(self._output, 1 << 20, self._read):
            now = time.monotonic_ns()
            self._read += len(data)
            self._take(self._rest + data, now)

    def _take(self, data: bytes, now: int) -> None:
        whole = data.rfind(b"\n") + 1
        self._rest = data[whole:]
        at = data.find(_MARK, 0, whole)
        while at >= 0:
            self.latencies.append((now - int(data[at + 1 : data.index(b" ", at)])) / 1e9)
            at = data.find(_MARK, at + 1, whole)

    def close(self) -> None:
        os.close(self._inotify)
        os.close(self._output)
