"""Archives that cannot be read here: compressed, and not by gzip."""

import os
import re

_NAME = re.compile(rb"\.(xz|lzma|bz2|zst|lz4|Z|zip)(?=[^a-zA-Z0-9/][^/]*$|$)")
"""As of those that gzip makes: at the end of a name, or before what is appended to it meanwhile."""

_KINDS = {
    b"xz": (b"\xfd7zXZ\0", "xz"),
    b"lzma": (b"\x5d\0\0", "lzma"),
    b"bz2": (b"BZh", "bzip2"),
    b"zst": (b"\x28\xb5\x2f\xfd", "zstd"),
    b"lz4": (b"\x04\x22\x4d\x18", "lz4"),
    b"Z": (b"\x1f\x9d", "compress"),
    b"zip": (b"PK", "zip"),
}
"""How each begins, and what makes it."""


def compressed_by(path: bytes) -> str | None:
    """What has compressed the regular file of that name, by its name and its first bytes, as far as there are any.

    Nothing else is opened for that.

    Raises:
        OSError: it cannot be read.
    """
    named = _NAME.search(path)
    if named is None:
        return None
    begin, what = _KINDS[named[1]]
    # Not blocking: the name may be a FIFO's by now.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        return what if begin.startswith(os.pread(descriptor, len(begin), 0)) else None
    finally:
        os.close(descriptor)
