"""Being told by the kernel where to look: inotify(7) on directories."""

import ctypes
import errno
import os
import struct
from contextlib import suppress
from dataclasses import dataclass, field

_WRITTEN = 0x00000002 | 0x00000008  # IN_MODIFY, IN_CLOSE_WRITE
_ATTRIBUTES = 0x00000004  # IN_ATTRIB: perhaps it can be read from now on
_NAMES = 0x00000040 | 0x00000080 | 0x00000100 | 0x00000200  # IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE
_SELF = 0x00000400 | 0x00000800  # IN_DELETE_SELF, IN_MOVE_SELF
_ENDED = 0x00002000 | 0x00008000  # IN_UNMOUNT, IN_IGNORED
_OVERFLOW = 0x00004000  # IN_Q_OVERFLOW
_DIRECTORY = 0x40000000  # IN_ISDIR
_ONLY_DIRECTORIES = 0x01000000  # IN_ONLYDIR

_WANTED = _WRITTEN | _ATTRIBUTES | _NAMES | _SELF | _ONLY_DIRECTORIES
_CHANGES = _ATTRIBUTES | _NAMES | _SELF | _ENDED

_EVENT = struct.Struct("iIII")
_BUFFER = 64 << 10
_LONGEST = _EVENT.size + 256

# What is written on another machine is not told: statfs(2) names their filesystems so.
_REMOTE = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB2",
    0x01021997: "9p",
    0x00C36400: "Ceph",
    0x65735546: "FUSE",
    0x5346414F: "AFS",
    0x6B414653: "AFS",
    0x73757245: "Coda",
    0x0BD00BD0: "Lustre",
    0x47504653: "GPFS",
    0x7461636F: "OCFS2",
    0x01161970: "GFS2",
    0x786F4256: "a VirtualBox folder",
}

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True)
class Events:
    """What has happened since the last look."""

    changed: set[bytes] = field(default_factory=set)
    """Files that were written to, by path."""
    named: set[bytes] = field(default_factory=set)
    """Names that came, went or moved, or that may be readable from now on; none of directories."""
    rescan: bool = False
    """Directories changed, or events were lost: only a scan can tell."""
    more: bool = False
    """Whether there may be more to read."""


class Watch:
    """Watches directories. Where it cannot, or is not `enabled`, `failure` says why, and scanning must do.

    Used by one thread.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self._watches: dict[bytes, int] = {}
        self._names: dict[int, set[bytes]] = {}
        """One directory by several names is one watch. Each ends with a slash, ready for what is in it."""
        self._remote: dict[int, str] = {}
        self._added = False
        """Whether a watch is new: what came between the scan that named the directory and the watch is not told."""
        self._last, self._again = b"", Events()
        """What was read last, if it was little, and what that says: one log that grows tells the same each time."""
        self.enabled = enabled
        self._closed = False
        self._descriptor = -1
        self.failure: str | None = None if enabled else "it was asked for"
        self._open()

    @property
    def trusted(self) -> bool:
        """Whether everything that is to be watched is."""
        return self.failure is None

    def fileno(self) -> int:
        """Readable while there is something to `read`; negative until the kernel gives an inotify."""
        return int(self._descriptor)

    def update(self, directories: set[bytes]) -> None:
        """Watch these, and no others. What is not there is passed over: it is seen where it is made."""
        if not self._open():
            return
        self.failure = None
        for directory in self._watches.keys() - directories:
            self._drop(directory)
        for directory in directories:
            self._watch(directory)
        for filesystem in self._remote.values():
            self.failure = f"on {filesystem} the kernel does not tell what other machines write"

    def read(self) -> Events:
        """What has happened, as far as it fits one read: the descriptor stays readable while there is more."""
        events = Events(rescan=self._added)
        self._added = False
        if self._descriptor >= 0:
            with suppress(BlockingIOError):
                data = os.read(self._descriptor, _BUFFER)
                if data == self._last:
                    return self._again
                events.more = len(data) > _BUFFER - _LONGEST
                self._parse(data, events)
                if len(data) <= _LONGEST and not events.rescan:
                    self._last, self._again = data, events
        return events

    def close(self) -> None:
        self._closed = True
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> bool:
        """Whether there is an inotify: what the kernel refused it may give later."""
        if self._descriptor < 0 and self.enabled and not self._closed:
            self._descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            if self._descriptor < 0:
                self.failure = _why(b"")
        return bool(self._descriptor >= 0)

    def _watch(self, directory: bytes) -> None:
        # Every time anew, which changes nothing while the name is that of the same directory: a parent may have been
        # renamed and made again, of which the watch of what was there before tells nothing.
        watch = _libc.inotify_add_watch(self._descriptor, ctypes.c_char_p(directory), _WANTED)
        if watch == self._watches.get(directory):
            return
        number = ctypes.get_errno()
        self._drop(directory)
        if watch >= 0:
            self._keep(directory, watch)
        elif number not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            self.failure = _why(directory, number)

    def _keep(self, directory: bytes, watch: int) -> None:
        self._added = True
        self._last = b""
        self._watches[directory] = watch
        if watch not in self._names and (filesystem := _remote(directory)) is not None:
            self._remote[watch] = filesystem
        self._names.setdefault(watch, set()).add(_with_slash(directory))

    def _drop(self, directory: bytes) -> None:
        """The name is not to be watched any more."""
        watch = self._watches.pop(directory, None)
        if watch is None:
            return
        self._last = b""
        self._names[watch].discard(_with_slash(directory))
        if not self._names[watch]:
            del self._names[watch]
            self._remote.pop(watch, None)
            # If the directory is gone, so is its watch: then this changes nothing.
            _libc.inotify_rm_watch(self._descriptor, watch)

    def _parse(self, data: bytes, events: Events) -> None:
        offset, changed, named = 0, events.changed, events.named
        while offset < len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, offset)
            offset += _EVENT.size + length
            if mask & _OVERFLOW:
                events.rescan = True
            directories = self._names.get(watch)
            if directories is None:
                # What was still in the queue of a watch that was given up. Numbers are not used again.
                continue
            if mask & _CHANGES and (mask & _DIRECTORY or not length):
                events.rescan = True
            elif length:
                name = data[offset - length : offset].rstrip(b"\0")
                paths = changed if mask & _WRITTEN else named
                for directory in directories:
                    paths.add(directory + name)


def _with_slash(directory: bytes) -> bytes:
    return directory.rstrip(b"/") + b"/"


class _StatFS(ctypes.Structure):
    # struct statfs begins with f_type, a long but on s390x, where this finds nothing; the rest is not looked at.
    _fields_ = (("type", ctypes.c_long), ("rest", ctypes.c_byte * 248))


def _remote(directory: bytes) -> str | None:
    result = _StatFS()
    if _libc.statfs(ctypes.c_char_p(directory), ctypes.byref(result)) != 0:
        return None
    return _REMOTE.get(result.type & 0xFFFFFFFF)


def _why(directory: bytes, number: int | None = None) -> str:
    number = ctypes.get_errno() if number is None else number
    hints = {errno.ENOSPC: " (fs.inotify.max_user_watches)", errno.EMFILE: " (fs.inotify.max_user_instances)"}
    where = f" of {directory.decode('utf-8', 'backslashreplace')}" if directory else ""
    reason = "too many watches" if number == errno.ENOSPC else os.strerror(number)
    return f"inotify{where}: {reason}{hints.get(number, '')}"
