"""How far behind the files are, in bytes and in time: a machine."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

_MOST_MARKS = 32
"""Marks of one file, of which each costs about a hundred bytes: half of them go when there are more."""


class Hold(Enum):
    """What a file waits for, as far as this side knows."""

    UNREADABLE = auto()
    REFUSED = auto()
    """The aggregator refuses it for good."""
    DESCRIBED = auto()
    """The aggregator is to say where it goes on."""
    SENT = auto()
    READABLE = auto()
    """It is to be read: when it is its turn, or there is room in the window."""


class Seen(NamedTuple):
    """A file with something that is not acknowledged: of `size` bytes, those before `acknowledged` are."""

    key: Hashable
    """The same for as long as it is the same source."""
    path: bytes
    size: int
    acknowledged: int
    hold: Hold
    reason: str = ""
    """Why it is unreadable or refused."""


@dataclass(frozen=True, slots=True)
class FileLag:
    """How far behind a file is. Times are on the monotonic clock."""

    path: bytes
    size: int
    """Bytes that are not acknowledged; 0 of a file that could not be opened: it is not known."""
    oldest_at: float
    """When the first of them was seen."""
    progressed_at: float
    """When something of it was acknowledged last, or else when it fell behind."""
    hold: Hold
    reason: str


class Lags:
    """Told once in a while of all files that are behind, it knows how long each has been.

    A mark says how large a file was when. So the age of a byte is exact to the time between two tellings, or of a file
    that grows for very long without an acknowledgement, to a share of that.
    """

    def __init__(self) -> None:
        self._lags: dict[Hashable, _Lag] = {}
        self.files: tuple[FileLag, ...] = ()
        """As they were told last."""

    def observe(self, seen: Iterable[Seen], now: float) -> None:
        """These are behind, and no others."""
        before, self._lags = self._lags, {}
        files = []
        for each in seen:
            lag = self._lags[each.key] = before.get(each.key) or _Lag(each.acknowledged, now)
            lag.observe(each.size, each.acknowledged, now)
            unacknowledged = max(each.size - each.acknowledged, 0)
            files.append(FileLag(each.path, unacknowledged, lag.oldest_at, lag.progressed_at, each.hold, each.reason))
        self.files = tuple(files)


class _Lag:
    __slots__ = ("_acknowledged", "_marks", "progressed_at")

    def __init__(self, acknowledged: int, now: float) -> None:
        self._acknowledged = acknowledged
        self._marks: tuple[tuple[int, float], ...] = ()
        """A tuple: nearly all are of one, and a list takes twice the memory."""
        self.progressed_at = now

    @property
    def oldest_at(self) -> float:
        return self._marks[0][1]

    def observe(self, size: int, acknowledged: int, now: float) -> None:
        if acknowledged > self._acknowledged:
            self.progressed_at = now
            self._marks = tuple(mark for mark in self._marks if mark[0] > acknowledged)
        self._acknowledged = acknowledged
        if not self._marks or size > self._marks[-1][0]:
            self._marks = (*self._marks, (size, now))
        if len(self._marks) > _MOST_MARKS:
            # What came with the second of two is taken for as old as the first.
            pairs = zip(self._marks[::2], self._marks[1::2], strict=False)
            self._marks = tuple((size, at) for (_, at), (size, _) in pairs)
