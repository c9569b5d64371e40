"""When files were made: statx(2), which Python does not have."""

import ctypes
import struct

_AT_FDCWD = -100
_BIRTH = 0x800  # STX_BTIME
_INODE_AND_BIRTH = 0x100 | _BIRTH
_SIZE = 256
_MASK = struct.Struct("=I")
_INODE, _INODE_AT = struct.Struct("=Q"), 32
_TIME, _TIME_AT = struct.Struct("=qI"), 80

_statx = getattr(ctypes.CDLL(None), "statx", None)
"""None: the C library is too old."""


def born(path: bytes, inode: int) -> int | None:
    """When the file of that name and inode was made, in nanoseconds; 0: nobody can tell; None: there is none."""
    if _statx is None:
        return 0
    found = ctypes.create_string_buffer(_SIZE)
    if _statx(_AT_FDCWD, ctypes.c_char_p(path), 0, _INODE_AND_BIRTH, found) != 0:
        return None
    if _INODE.unpack_from(found, _INODE_AT)[0] != inode:
        return None
    if not _MASK.unpack_from(found)[0] & _BIRTH:
        return 0
    seconds, nanoseconds = _TIME.unpack_from(found, _TIME_AT)
    return int(seconds * 1_000_000_000 + nanoseconds)
