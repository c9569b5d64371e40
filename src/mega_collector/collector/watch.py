"""Being told by the kernel where to look: inotify(7) on directories."""

import ctypes
import errno
import os
import struct
from dataclasses import dataclass, field

_CHANGED = 0x00000002 | 0x00000004 | 0x00000008  # IN_MODIFY, IN_ATTRIB, IN_CLOSE_WRITE
_MOVED = 0x00000040 | 0x00000080 | 0x00000100 | 0x00000200  # IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE
_SELF = 0x00000400 | 0x00000800  # IN_DELETE_SELF, IN_MOVE_SELF
_GONE = 0x00002000 | 0x00008000  # IN_UNMOUNT, IN_IGNORED
_OVERFLOW = 0x00004000  # IN_Q_OVERFLOW
_ONLY_DIRECTORIES = 0x01000000  # IN_ONLYDIR

_EVENT = struct.Struct("iIII")
_BUFFER = 256 << 10

# What is written on another machine is not told: statfs(2) names them so.
_REMOTE = {
    0x6969: "NFS",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB2",
    0x01021997: "9p",
    0x00C36400: "Ceph",
    0x65735546: "FUSE",
    0x5346414F: "AFS",
}

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True)
class Events:
    """What has happened since the last look."""

    changed: set[bytes] = field(default_factory=set)
    """Files that were written to, or whose attributes changed, by path."""
    rescan: bool = False
    """Names came, went or moved, or events were lost: only a scan can tell."""


class Watch:
    """Watches directories. Where it cannot, `failure` says why, and scanning must do.

    Used by one thread.
    """

    def __init__(self) -> None:
        self._paths: dict[int, bytes] = {}
        self._watches: dict[bytes, int] = {}
        self._descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self.failure: str | None = None if self._descriptor >= 0 else _why()

    @property
    def trusted(self) -> bool:
        """Whether everything that is to be watched is."""
        return self.failure is None

    def fileno(self) -> int:
        """Readable while there is something to `read`; negative if the kernel gave no inotify."""
        return int(self._descriptor)

    def update(self, directories: set[bytes]) -> None:
        """Watch these, and no others."""
        if self._descriptor < 0:
            return
        self.failure = None
        for directory in self._watches.keys() - directories:
            _libc.inotify_rm_watch(self._descriptor, self._watches.pop(directory))
        for directory in directories - self._watches.keys():
            self._add(directory)
        remote = next((name for name in map(_remote, self._watches) if name), None)
        if remote is not None:
            self.failure = f"on {remote} the kernel does not tell what other machines write"

    def read(self) -> Events:
        """What has happened. Never waits."""
        events = Events()
        while self._descriptor >= 0:
            try:
                data = os.read(self._descriptor, _BUFFER)
            except BlockingIOError:
                break
            self._parse(data, events)
        return events

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _add(self, directory: bytes) -> None:
        watch = _libc.inotify_add_watch(
            self._descriptor, ctypes.c_char_p(directory), _CHANGED | _MOVED | _SELF | _ONLY_DIRECTORIES
        )
        if watch < 0:
            if ctypes.get_errno() not in {errno.ENOENT, errno.ENOTDIR}:
                self.failure = _why()
            return
        # One directory by two names has one watch: events come by the latest name, and the file's identity tells.
        self._paths[watch] = directory
        self._watches[directory] = watch

    def _parse(self, data: bytes, events: Events) -> None:
        offset = 0
        while offset < len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, offset)
            offset += _EVENT.size + length
            if mask & (_MOVED | _SELF | _GONE | _OVERFLOW):
                events.rescan = True
            if mask & (_SELF | _GONE):
                self._forget(watch)
            elif mask & _CHANGED and watch in self._paths and length:
                name = data[offset - length : offset].rstrip(b"\0")
                events.changed.add(self._paths[watch].rstrip(b"/") + b"/" + name)

    def _forget(self, watch: int) -> None:
        """The directory is gone or has another name: the next update watches what is there then."""
        directory = self._paths.pop(watch, None)
        if directory is not None and self._watches.get(directory) == watch:
            del self._watches[directory]
            _libc.inotify_rm_watch(self._descriptor, watch)


class _StatFS(ctypes.Structure):
    # struct statfs begins with f_type on every Linux architecture; the rest is not looked at.
    _fields_ = (("type", ctypes.c_long), ("rest", ctypes.c_byte * 248))


def _remote(directory: bytes) -> str | None:
    result = _StatFS()
    if _libc.statfs(ctypes.c_char_p(directory), ctypes.byref(result)) != 0:
        return None
    return _REMOTE.get(result.type & 0xFFFFFFFF)


def _why() -> str:
    number = ctypes.get_errno()
    hints = {errno.ENOSPC: " (fs.inotify.max_user_watches)", errno.EMFILE: " (fs.inotify.max_user_instances)"}
    return f"inotify: {os.strerror(number)}{hints.get(number, '')}"
