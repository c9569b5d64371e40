"""How the C library hands out the memory of blocks."""

import ctypes

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_LARGEST_MMAP_THRESHOLD = 32 << 20
_KEPT = 32 << 20
"""Bytes of free memory that the process keeps."""


def keep_for_blocks() -> None:
    """Have freed blocks reused instead of returned to the kernel, which clears each page that it gives out anew.

    Left alone, glibc gives the memory of a block back as soon as it is freed: at hundreds of blocks a second, clearing
    pages was a quarter of all the time spent (mallopt(3)). One arena: what one thread has freed, another can use.
    Does nothing where the C library is another one.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
        mallopt(_M_ARENA_MAX, 1)
