"""When the aggregator is asked what it holds of this collector, and what of that nobody here remembers: a machine."""

import math
from collections.abc import Callable, Sequence

from mega_collector.collector.state.record import Entry
from mega_collector.protocol import Holding, Holdings, Inventory

_INTERVAL = 86400.0
"""Seconds from the end of one inventory to the next. The first finds what the process before has left, which is nearly
all."""

_PAUSE = 600.0
"""Seconds until it is tried again where another process of the collector's was connected."""

_PACE = 1.0
"""Seconds between two pages: nobody waits for them."""


class Stocktaking:
    """One page at a time is asked for, and looked into before the next. Times are the caller's, in seconds.

    `hurried`: somebody waits for its end.
    """

    def __init__(self, *, hurried: bool) -> None:
        self._pace = 0.0 if hurried else _PACE
        self._due = -math.inf
        self._asked = False
        self._next = Inventory()
        self.strangers: list[Entry] = []
        """What of the last page nobody here remembers, as the checkpoint would have it. Whoever has seen what became of
        these files leaves the others here."""

    def pending(self, now: float) -> bool:
        """Whether something is to be asked or answered now, or to be looked into."""
        return self._asked or bool(self.strangers) or now >= self._due

    def ask(self, now: float) -> Inventory | None:
        """What is to be asked now; None: nothing."""
        if self._asked or self.strangers or now < self._due:
            return None
        self._asked = True
        return self._next

    def hear(self, holdings: Holdings, now: float, unknown: Callable[[Sequence[Entry]], list[Entry]]) -> None:
        """The aggregator has answered. `unknown` says of what nothing here knows any more."""
        if not self._asked:
            return
        self._asked = False
        if holdings.others:
            # They know of it, perhaps.
            self._next, self._due = Inventory(), now + _PAUSE
            return
        self.strangers = unknown([entry_of_holding(each) for each in holdings.holdings])
        self._next = Inventory(holdings.last)
        self._due = now + (_INTERVAL if holdings.last is None else self._pace)

    def interrupt(self) -> None:
        """There is another connection: what was asked on the one before is asked again."""
        self._asked = False


def entry_of_holding(holding: Holding) -> Entry:
    """As the checkpoint would have it."""
    source = holding.source
    return Entry(
        source_id=source.id,
        path=source.path,
        device=source.device,
        inode=source.inode,
        head=source.head,
        position=holding.position,
        before=holding.before,
    )
