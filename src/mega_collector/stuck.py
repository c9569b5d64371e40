"""What has waited for so long that it is to be told: a machine."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from mega_collector.protocol import Stage


class Waiting(NamedTuple):
    """Something waits in a stage, for a cause, and has come no further since a moment."""

    what: str
    stage: Stage
    cause: str
    """The same words for as long as it is the same cause."""
    since: float
    patience: float = 0.0
    """Seconds that it may wait so beyond what is usual."""
    words: str = ""
    """What else is to be said of the cause by now: how often it was tried, for one."""


Cause = tuple[Stage, str]
"""The stage, and the words by which causes are told apart."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """Some wait for the same cause, and have for too long: how many, and which of them has for the longest time."""

    first: Waiting
    number: int


class Watchdog:
    """Finds what has waited for more than `after` seconds, by cause: one cause may hold up ten thousand files.

    A cause begins when it holds up something for too long, and is over when it holds up nothing for so long any more.
    """

    def __init__(self, after: float) -> None:
        self._after = after
        self.stuck: dict[Cause, Stuck] = {}
        """At the last look, by cause: the one that has waited for longest, and how many do."""

    @property
    def number(self) -> int:
        """How many were stuck at the last look."""
        return sum(each.number for each in self.stuck.values())

    def look(self, waiting: Iterable[Waiting], now: float) -> tuple[set[Cause], dict[Cause, Stuck]]:
        """The causes that have begun since the last look, and those that are over, as they were at the last look."""
        before, self.stuck = self.stuck, self._found(waiting, now)
        over = {cause: stuck for cause, stuck in before.items() if cause not in self.stuck}
        return set(self.stuck) - set(before), over

    def _found(self, waiting: Iterable[Waiting], now: float) -> dict[Cause, Stuck]:
        found: dict[Cause, Stuck] = {}
        for each in waiting:
            if now - each.since < self._after + each.patience:
                continue
            before = found.get((each.stage, each.cause))
            first = each if before is None or each.since < before.first.since else before.first
            found[each.stage, each.cause] = Stuck(first, 1 if before is None else before.number + 1)
        return found
