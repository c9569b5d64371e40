"""Instants that are worth dying at: the kernel tells of them by inotify(7)."""

import ctypes
import os
import select
import struct
import time
from contextlib import suppress
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

_OPEN, _MODIFY, _MOVED_TO, _CREATE = 0x20, 0x02, 0x80, 0x100


class When(Enum):
    """In a process's life."""

    BEGINNING = "beginning"
    ALWAYS = "always"
    ENDING = "ending"


class Event(NamedTuple):
    """What happens to a file. Told just after the call that does it."""

    half: str
    """Whose."""
    when: When
    directory: str
    """In the site's."""
    file: str
    mask: int


TRIGGERS = {
    "aggregator begins": Event("aggregator", When.BEGINNING, "aggregator", "lock", _OPEN),
    "output tail laid aside": Event("aggregator", When.BEGINNING, "aggregator", "out.log.cut-*", _CREATE),
    "output written": Event("aggregator", When.ALWAYS, "out", "out.log", _MODIFY),
    "ledger log written": Event("aggregator", When.ALWAYS, "aggregator", "ledger.sqlite3-wal", _MODIFY),
    "ledger written": Event("aggregator", When.ENDING, "aggregator", "ledger.sqlite3", _MODIFY),
    "collector begins": Event("collector", When.BEGINNING, "collector", "lock", _OPEN),
    "checkpoint begun": Event("collector", When.BEGINNING, "collector", "checkpoint.new", _CREATE),
    "checkpoint renamed": Event("collector", When.BEGINNING, "collector", "checkpoint", _MOVED_TO),
    "checkpoint written": Event("collector", When.ALWAYS, "collector", "checkpoint", _MODIFY),
    "checkpoint written at the end": Event("collector", When.ENDING, "collector", "checkpoint", _MODIFY),
}

_EVENT = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class Trigger:
    """Listens from when it is made until it is closed. A context manager. Hears nothing where there is no inotify."""

    def __init__(self, site: Path, name: str) -> None:
        event = TRIGGERS[name]
        self._file = event.file
        self._descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor >= 0:
            _libc.inotify_add_watch(self._descriptor, bytes(site / event.directory), event.mask)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def wait(self, times: int, timeout: float) -> bool:
        """Wait until it has happened so often, at most so many seconds; whether it has."""
        end, seen = time.monotonic() + timeout, 0
        poll = select.poll()
        if self._descriptor >= 0:
            poll.register(self._descriptor, select.POLLIN)
        while seen < times and (left := end - time.monotonic()) > 0:
            if poll.poll(left * 1000):
                seen += self._read()
        return seen >= times

    def _read(self) -> int:
        events, seen = b"", 0
        with suppress(BlockingIOError):
            events = os.read(self._descriptor, 1 << 16)
        while events:
            *_, size = _EVENT.unpack_from(events)
            name = events[_EVENT.size : _EVENT.size + size].rstrip(b"\0").decode()
            seen += fnmatchcase(name, self._file)
            events = events[_EVENT.size + size :]
        return seen
