"""Whether an output file is the one that the ledger knows, and what may be done with it."""

from dataclasses import dataclass
from enum import Enum

from mega_collector.emitter.protocol import OutputState
from mega_collector.marker import TAIL_SIZE


@dataclass(frozen=True, slots=True)
class Found:
    """A file as it is now. `before` are up to `TAIL_SIZE` bytes that end at the committed length, if it has them.

    `stamp` is the length that the file itself says was committed, 0 if it says nothing.
    """

    device: int
    inode: int
    size: int
    before: bytes
    stamp: int = 0


class Verdict(Enum):
    COMMITTED = "as committed"
    UNCOMMITTED = "longer than committed after an unclean end: the rest will be sent again"
    UNKNOWN = "no record of it"
    REPLACED = "another file than the recorded one"
    SHORTER = "shorter than recorded"
    CHANGED = "other bytes than recorded"
    GROWN = "grown by others since a clean end"
    AHEAD = "more of it was committed than the ledger knows: that was restored from an older copy"

    @property
    def is_same(self) -> bool:
        """Whether it is the file that the ledger knows, whatever became of it."""
        return self not in {Verdict.UNKNOWN, Verdict.REPLACED}


def recognise(known: OutputState | None, found: Found, *, clean: bool) -> Verdict:
    """Compare what the ledger knows with what is there. Only what is UNCOMMITTED may be cut.

    A device number may change over a reboot, so another one is believed if a full marker matches.
    """
    if known is None:
        return Verdict.UNKNOWN
    matches = known.before.matches_tail(found.before)
    moved = found.device != known.device and not (matches and known.before.length == TAIL_SIZE)
    if found.inode != known.inode or moved:
        return Verdict.REPLACED
    if found.size < known.length:
        return Verdict.SHORTER
    if not matches:
        return Verdict.CHANGED
    if found.size == known.length:
        return Verdict.COMMITTED
    if found.stamp > known.length:
        return Verdict.AHEAD
    return Verdict.GROWN if clean else Verdict.UNCOMMITTED
