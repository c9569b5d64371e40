"""Files that are passed over, and in which state: a machine. Eight bytes each, since there may be millions."""

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterator

_STATE_BITS = 24
"""The rest is for which file it is. Should two states look the same, once in 16 million changes, the next one tells."""

_STATE = (1 << _STATE_BITS) - 1
_FILE = (1 << 64) - 1 - _STATE


class PassedOver:
    """Device, inode, size and time of each, as one number."""

    def __init__(self) -> None:
        self._known = array("Q")
        """Sorted."""
        self._found = array("Q")
        """What the scan that runs has found; not sorted."""

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, identity: tuple[int, int]) -> bool:
        return any(True for _ in self._states(identity))

    def changed(self, identity: tuple[int, int], size: int, mtime_ns: int) -> bool | None:
        """Whether it is in another state than when it was passed over; None: it was not."""
        states = list(self._states(identity))
        return _number(identity, size, mtime_ns) not in states if states else None

    def add(self, identity: tuple[int, int], size: int, mtime_ns: int) -> None:
        """Looked at alone, it is passed over."""
        if self.changed(identity, size, mtime_ns) is not False:
            insort(self._known, _number(identity, size, mtime_ns))

    def find(self, identity: tuple[int, int], size: int, mtime_ns: int) -> None:
        """A scan has found it, and it is passed over."""
        self._found.append(_number(identity, size, mtime_ns))

    def turn(self, *, keep: bool) -> None:
        """The scan has ended. What it has not found is forgotten, unless it may have missed some: then `keep`."""
        if keep:
            self._found.extend(self._known)
        if len(self._found) > 1:
            self._found = array("Q", sorted(set(self._found) if keep else self._found))
        self._known, self._found = self._found, array("Q")

    def _states(self, identity: tuple[int, int]) -> Iterator[int]:
        file = hash(identity) & _FILE
        at = bisect_left(self._known, file)
        while at < len(self._known) and self._known[at] & _FILE == file:
            yield self._known[at]
            at += 1


def _number(identity: tuple[int, int], size: int, mtime_ns: int) -> int:
    return hash(identity) & _FILE | hash((size, mtime_ns)) & _STATE
