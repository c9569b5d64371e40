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


@dataclass(frozen=True, slots=True)
class Stuck:
    """Some wait for the same cause, and have for too long: how many, and which of them has for the longest time.

    Of a cause that is over: how many there were at the most, and which was the first.
    """

    first: Waiting
    number: int


class Watchdog:
    """Finds what has waited for more than `after` seconds, by cause: one cause may hold up ten thousand files.

    A cause begins when it holds up something for too long, and is over when it holds up nothing for so long any more.
    """

    def __init__(self, after: float) -> None:
        self._after = after
        self._stuck: dict[tuple[Stage, str], Stuck] = {}
        self.number = 0
        """How many were stuck at the last look."""

    def look(self, waiting: Iterable[Waiting], now: float) -> tuple[list[Stuck], list[Stuck]]:
        """The causes that have begun since the last look, and those that are over."""
        found = self._found(waiting, now)
        self.number = sum(each.number for each in found.values())
        begun = [each for cause, each in found.items() if cause not in self._stuck]
        over = [each for cause, each in self._stuck.items() if cause not in found]
        for cause, each in found.items():
            before = self._stuck.get(cause, each)
            found[cause] = Stuck(before.first, max(before.number, each.number))
        self._stuck = found
        return begun, over

    def _found(self, waiting: Iterable[Waiting], now: float) -> dict[tuple[Stage, str], Stuck]:
        found: dict[tuple[Stage, str], Stuck] = {}
        for each in waiting:
            if now - each.since < self._after + each.patience:
                continue
            before = found.get((each.stage, each.cause))
            first = each if before is None or each.since < before.first.since else before.first
            found[each.stage, each.cause] = Stuck(first, 1 if before is None else before.number + 1)
        return found
