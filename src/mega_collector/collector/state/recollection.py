"""What a process asks the aggregator for before it begins anything that its checkpoint does not know: a machine."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from mega_collector.collector.state.record import Entry
from mega_collector.collector.state.stocktaking import entry_of_holding
from mega_collector.protocol import Holdings, Inventory

_MOST_ENDED: Final = 1000
"""As many as are remembered."""

_MOST_STANDING: Final = 100_000
"""Sources that have not ended: what is beyond that is found by its device and inode, and by the stocktaking."""

_MOST_PAGES: Final = 10_000
"""Of whatever they hold, so that it has an end whoever answers: more than two million sources."""

Wanted = Callable[[Sequence[Entry]], list[Entry]]
"""Those of some entries that are to be remembered."""


class Recollection:
    """Asks for a page at a time: what has ended, the latest first, and then what has not.

    While it is `pending`, nothing new is begun: what recognises it may be still to come.
    """

    def __init__(self) -> None:
        self.pending = True
        self.others = False
        """Whether what has not ended may be another process's."""
        self._asked = False
        self._next = Inventory(ended=True)
        self._told = self._pages = 0
        self._ended: list[Entry] = []
        self._standing: list[Entry] = []

    def ask(self) -> Inventory | None:
        """What is to be asked now; None: nothing."""
        if self._asked or not self.pending:
            return None
        self._asked = True
        return self._next

    def hear(self, holdings: Holdings, wanted: Wanted) -> bool:
        """Whether it was this that the aggregator has answered."""
        if not (self._asked and self.pending):
            return False
        self._asked = False
        self._pages += 1
        if self._next.ended:
            self._hear_ended(holdings, wanted)
        else:
            self.others = self.others or holdings.others
            self._standing += wanted([each for each in map(entry_of_holding, holdings.holdings) if _recognises(each)])
            self._go_on(holdings, more=len(self._standing) < _MOST_STANDING)
        return True

    def interrupt(self) -> None:
        """There is another connection: what was asked on the one before is asked again."""
        self._asked = False

    def give_up(self) -> None:
        """The aggregator answers no such questions."""
        self.pending = False

    def take(self) -> list[Entry]:
        """All that came of it, as the checkpoint would have it, the latest of what has ended first.

        Of one file that which came farthest is the last: it is the one that the aggregator's answer will be.
        """
        standing = sorted(self._standing[:_MOST_STANDING], key=lambda entry: entry.position)
        taken = [*self._ended, *standing]
        self._ended, self._standing = [], []
        return taken

    def _hear_ended(self, holdings: Holdings, wanted: Wanted) -> None:
        self._told += len(holdings.holdings)
        self._ended += wanted([_ended(entry_of_holding(each)) for each in holdings.holdings if each.before.length])
        if holdings.last is None or not holdings.holdings or self._told >= _MOST_ENDED:
            del self._ended[_MOST_ENDED:]
            self._next = Inventory()
        else:
            self._next = Inventory(holdings.last, ended=True)

    def _go_on(self, holdings: Holdings, *, more: bool) -> None:
        self._next = Inventory(holdings.last)
        self.pending = more and holdings.last is not None and self._pages < _MOST_PAGES


def _recognises(entry: Entry) -> bool:
    """Whether it tells its file from others: of what was passed over no byte is known."""
    return entry.before.length > 0


def _ended(entry: Entry) -> Entry:
    """Without its inode, which may be another's by now."""
    return replace(entry, ended=True, inode=0)
