"""What the halves say to each other, as values. Blocks and skips are said as they are; `wire` encodes all of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from mega_collector.block import Block, Skip, Source
from mega_collector.marker import Marker

_NOTHING = Marker()

DISCARDED = "discarded"
"""The reason of a passage that was given up after all retries, and may come back."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Who the collector is: the first message of a stream."""

    collector: str
    host: str
    tags: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    life: bytes = b""
    """Which of the collector's processes says so; empty: unknown."""
    boot: bytes = b""
    """The boot id of its kernel; empty: unknown."""


@dataclass(frozen=True, slots=True)
class Describe:
    """What have you committed of this source, or of earlier ones with its device and inode?"""

    source: Source


@dataclass(frozen=True, slots=True)
class Open:
    """The collector goes on with the source from this position; `before` marks the bytes that end there, if known."""

    source: Source
    position: int
    before: Marker = _NOTHING


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing more will come of the source, which ends at this position.

    `lost`: what was written behind it, if anything, is gone, and nobody knows how much that was.
    """

    source: Source
    position: int
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant holds from here on: what was sent before was sent under those before it."""

    window: int


@dataclass(frozen=True, slots=True)
class Inventory:
    """Which sources of the collector's have not ended, behind `after` (None: from the beginning)?

    Those that the asking process has opened on its streams are left out.
    """

    after: Source | None = None
    ended: bool = False
    """All that have ended instead, the latest first."""


@dataclass(frozen=True, slots=True)
class Flush:
    """Publish what you have: the window is full, or the collector wants to end."""


@dataclass(frozen=True, slots=True)
class Welcome:
    """The aggregator's limits, in bytes: the largest message, and what may be in flight on this stream.

    `outputs` are the device and inode of each file that it writes to, under the kernel whose boot id is `boot`.
    """

    max_message_size: int
    window: int
    version: str = ""
    boot: bytes = b""
    outputs: tuple[tuple[int, int], ...] = ()
    batch_age: float = 0.0
    """Seconds that a batch may wait to be full."""
    report_interval: int = 0
    """Seconds between two reports that it wants at the least; 0: it knows none."""
    inventory: bool = False
    """Whether it answers `Inventory`."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Up to where a source was sent, and the bytes that end there."""

    position: int
    before: Marker


@dataclass(frozen=True, slots=True)
class Known:
    """What the aggregator has committed of a source; `finished` if nothing more was to come of it."""

    source_id: bytes
    position: int
    before: Marker
    head: Marker
    finished: bool = False
    sent: Sent | None = None
    """Where what is before the position was lost; None: it was not, or nobody knows."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Bytes of a source that are not at the destination, with the reason in words.

    `end` as `start`: it is not known how many.
    """

    start: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class Record:
    """All that the ledger holds of a source.

    `first` is where the ledger first saw it: what came before is unknown to it. `checksum` is the CRC-32 of the bytes
    between `first` and `position` that were sent: those in `ranges` that were given up after retries are among them,
    those that were passed over are not.
    """

    source: Source
    first: int
    position: int
    entries: int
    checksum: int
    before: Marker
    finished: bool
    gone: bool
    """Whether its file cannot be found. If it is found after all, the source goes on."""
    updated_at: int
    """Nanoseconds since the epoch."""
    ranges: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True)
class Resume:
    """The answer to Describe: nothing known means that the collector goes on from its checkpoint."""

    source_id: bytes
    known: tuple[Known, ...]


@dataclass(frozen=True, slots=True)
class Holding:
    """A source, as far as the aggregator has committed it; or, where what is before that was lost, as it was sent."""

    source: Source
    position: int
    before: Marker


@dataclass(frozen=True, slots=True)
class Holdings:
    """The answer to Inventory, up to `last`, behind which there may be more; None: that was all.

    `others`: other processes of the collector's are connected, and what has not ended may be theirs.
    """

    holdings: tuple[Holding, ...] = ()
    last: Source | None = None
    others: bool = False


@dataclass(frozen=True, slots=True)
class Ack:
    """Everything before these positions, by source id, is committed."""

    positions: Mapping[bytes, int]


class RefusalReason(Enum):
    """Why a message was refused."""

    WRONG_START = "wrong start"
    NOT_OPEN = "not open"
    MALFORMED = "malformed"
    TOO_LARGE = "too large"
    NOT_YOURS = "not yours"
    HELD_UP = "held up"
    OWN_OUTPUT = "own output"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A block, skip or open of this source was not accepted; `retry` says whether sending again can help."""

    source_id: bytes
    start: int
    expected: int
    reason: RefusalReason
    retry: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """How many bytes may be in flight on this stream from now on. One block may always be, but at 0."""

    window: int


BLOCK_SIZE: Final = 1 << 20
"""Bytes that a block has at the most, unless a line is longer: beyond it nothing is gained."""

_SMALL = 128 << 10
"""Bytes of a block below which it costs more than it gains to have several in flight."""


def block_size(window: int) -> int:
    """How many bytes a block has, if there are as many, where `window` bytes may be in flight: so that several fit."""
    return max(min(BLOCK_SIZE, max(window // 4, min(window, _SMALL))), 1)


@dataclass(frozen=True, slots=True)
class Behind:
    """A file with `lag` bytes that are not acknowledged, whose oldest line is `oldest` seconds old (0: not known).

    `stage` is where it waits, and `cause` for what, in words.
    """

    path: bytes
    lag: int
    oldest: float = 0.0
    stage: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """How far the collector's files are behind: all of them, and the worst."""

    files: int
    lag: int
    oldest: float = 0.0
    behind: tuple[Behind, ...] = ()


class Stage(Enum):
    """Where lines wait, on their way from the file to the acknowledgement."""

    READING = "reading"
    WINDOW = "window"
    CONNECTION = "connection"
    INGEST_BUFFER = "ingest buffer"
    DESTINATION = "destination"
    COMMIT = "commit"


@dataclass(frozen=True, slots=True)
class Status:
    """What keeps the aggregator from committing what it has; no stage: nothing does.

    `cause` is the same for as long as that is. `tries` have failed in a row; the next is in so many seconds, if that is
    known.
    """

    stage: Stage | None = None
    cause: str = ""
    tries: int = 0
    next_try_in: float | None = None

    @property
    def words(self) -> str:
        """For people: `/x: No space left on device, 14th try, next in 60 s`."""
        tries = f", {_ordinal(self.tries)} try" if self.tries else ""
        return self.cause + tries + ("" if self.next_try_in is None else f", next in {self.next_try_in:.0f} s")


def _ordinal(number: int) -> str:
    special = 10 <= number % 100 <= 20
    return f"{number}{'th' if special else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


FromCollector = Hello | Describe | Open | Block | Skip | Finish | Flush | Granted | Report | Inventory
FromAggregator = Welcome | Resume | Ack | Refusal | Grant | Status | Holdings
