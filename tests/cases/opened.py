"""Who opens what in a directory, as the kernel tells: also what is closed again at once."""

import ctypes
import os
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

_OPEN = 0x00000020  # IN_OPEN
_EVENT = struct.Struct("iIII")

_libc = ctypes.CDLL(None, use_errno=True)


class Opened:
    """A context manager, from whose beginning on it is told."""

    def __init__(self, directory: Path) -> None:
        self._descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._descriptor >= 0
        assert _libc.inotify_add_watch(self._descriptor, bytes(directory), _OPEN) >= 0
        self._names: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    @property
    def names(self) -> set[str]:
        """What was opened so far, by name."""
        while data := self._read():
            offset = 0
            while offset < len(data):
                *_, length = _EVENT.unpack_from(data, offset)
                offset += _EVENT.size + length
                self._names.add(os.fsdecode(data[offset - length : offset].rstrip(b"\0")))
        return self._names - {""}

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, 64 << 10)
        except BlockingIOError:
            return b""
