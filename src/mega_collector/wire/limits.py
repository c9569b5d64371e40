"""How large what is said may be."""

from typing import Final

MAX_MESSAGE_SIZE: Final = 16 << 20
"""Bytes of the largest message that either side takes: several times the largest block by default, and small enough
that a hostile peer cannot make the aggregator hold much."""

_BESIDE_DATA: Final = 64 << 10
"""Bytes of a message that are left for a path of 4 KiB, the other fields, and what compression may add to noise."""

MAX_BLOCK_SIZE: Final = MAX_MESSAGE_SIZE - _BESIDE_DATA
"""Bytes of plain data in the largest block."""

MAX_GROUP: Final = 1024
"""Messages in a group."""

MAX_GROUP_SIZE: Final = 256 << 10
"""Bytes of a group, and of everything else that is not a block: of what has many fields protobuf makes many times the
memory that it has on the wire."""

MAX_RECORDS: Final = 256
"""Records in a page of an audit, which has at most about `MAX_GROUP_SIZE` bytes too; and files that are asked for."""

MAX_PASSAGES: Final = 1024
"""Ranges in one of them."""

MAX_HOLDINGS: Final = 256
"""Sources in the answer to an inventory: with the longest paths that is a megabyte."""

MAX_SOURCE_ID: Final = 64
MAX_LIFE: Final = 64
MAX_PATH: Final = 4096
MAX_NAME: Final = 255
MAX_TAGS: Final = 64
MAX_BEHIND: Final = 8
"""Files in a report."""

MAX_WORDS: Final = 512
"""Characters of what one of them says."""

MAX_CAUSE: Final = 1000
MAX_POSITION: Final = (1 << 63) - 1
"""Offsets are signed 64 bits to the kernel and to SQLite."""


def largest_block(max_message_size: int) -> int:
    """Bytes of plain data in the largest block for a peer that takes messages of that size."""
    return max(min(max_message_size, MAX_MESSAGE_SIZE) - _BESIDE_DATA, _BESIDE_DATA)
