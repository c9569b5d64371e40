"""When files were made: statx(2), which Python does not have."""

import ctypes
import errno
import struct

_AT_FDCWD = -100
_BIRTH = 0x800  # STX_BTIME
_CHANGE = 0x80  # STX_CTIME
_INODE = 0x100  # STX_INO
_SIZE = 256
_MASK = struct.Struct("=I")
_NUMBER, _INODE_AT = struct.Struct("=Q"), 32
_TIME, _BIRTH_AT, _CHANGE_AT = struct.Struct("=qI"), 80, 96

_GONE = {errno.ENOENT, errno.ENOTDIR}

_statx = getattr(ctypes.CDLL(None, use_errno=True), "statx", None)
"""None: the C library is too old."""


def born(path: bytes, inode: int) -> int | None:
    """When the file of that name and inode was made, in nanoseconds; 0: nobody can tell; None: there is none.

    Nobody can where the system refuses to say, as sandboxes do that do not know statx(2): what is there is not gone for
    that. Of a file that was changed before it was made the times are not the kernel's own: exFAT takes the one for the
    other.
    """
    if _statx is None:
        return 0
    found = ctypes.create_string_buffer(_SIZE)
    if _statx(_AT_FDCWD, ctypes.c_char_p(path), 0, _INODE | _BIRTH | _CHANGE, found) != 0:
        return None if ctypes.get_errno() in _GONE else 0
    if _NUMBER.unpack_from(found, _INODE_AT)[0] != inode:
        return None
    if not _MASK.unpack_from(found)[0] & _BIRTH:
        return 0
    birth, change = _time(found, _BIRTH_AT), _time(found, _CHANGE_AT)
    return birth if birth <= change else 0


def _time(found: ctypes.Array[ctypes.c_char], at: int) -> int:
    seconds, nanoseconds = _TIME.unpack_from(found, at)
    return int(seconds * 1_000_000_000 + nanoseconds)
