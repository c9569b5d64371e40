"""How memory is handed out and taken back: by the C library, and by Python's collector of garbage."""

import ctypes
import gc

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_YOUNG = 50_000
"""Objects more than at the last time, after which garbage is looked for; if left alone, Python does it at 700."""

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


def collect_rarely() -> None:
    """Look for garbage in cycles more rarely: there is hardly any, and looking means to visit all that is kept.

    What is in flight lives for as long as it takes to be acknowledged, which looks like growth: with ten thousand files
    a tenth of all the time was spent so.
    """
    gc.set_threshold(_YOUNG)
