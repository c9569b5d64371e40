"""What is on its way: whole lines of one source, and the places where bytes are passed over."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from mega_collector.marker import Marker

NEWLINE = b"\n"

_NOTHING = Marker()


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One generation of one file on one collector: it ends when the file is truncated or replaced.

    Compared by identity: whoever holds sources keeps one object for each id.
    """

    id: bytes
    path: bytes
    device: int
    inode: int
    head: Marker
    """The marker of the file's first bytes, at most `HEAD_SIZE`, as far as they were written when it was opened."""
    collector: str = ""
    host: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The path, fit to be shown."""
        return self.path.decode("utf-8", "backslashreplace")


class Block(NamedTuple):
    """Whole consecutive entries of one source, with the byte range that they occupy.

    A tuple, as one is made for each line of files that grow slowly: a frozen dataclass takes three times as long.

    Every entry ends with a newline, but the last one if the block is `unterminated`: the end of a finished file, or a
    piece of an over-long line. A destination gives that entry a newline, which no position counts.
    """

    source: Source
    start: int
    data: bytes | memoryview
    entries: int
    unterminated: bool = False
    received: int = 0
    """When the aggregator took it in, in nanoseconds since the epoch; 0 before it has."""

    @property
    def end(self) -> int:
        """The position after the last byte."""
        return self.start + len(self.data)


class SkipReason(Enum):
    """Why bytes of a source are not shipped."""

    HOLE = "hole"
    NULS = "nuls"
    LOST = "lost"
    START_AT_END = "start at end"


@dataclass(frozen=True, slots=True)
class Skip:
    """The bytes from `start` to `end` of a source are passed over; `before` marks those that end there, if known."""

    source: Source
    start: int
    end: int
    reason: SkipReason
    before: Marker = _NOTHING
