"""The compressor and the decompressor.

One of each for a thread: making one costs as much as using it, and neither may be used by two threads at once.
"""

import threading

import zstandard


class _PerThread(threading.local):
    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=1)
        self.decompressor = zstandard.ZstdDecompressor()


zstd = _PerThread()
