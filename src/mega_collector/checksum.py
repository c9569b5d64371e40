"""The CRC-32 of blocks: zlib's, computed with the processor's own instructions where there is a library for it.

zlib's took a tenth of all the time spent, ISA-L's takes a hundredth (docs/performance.md).
"""

try:
    from isal.isal_zlib import crc32
except ImportError:
    from zlib import crc32

__all__ = ["crc32"]
