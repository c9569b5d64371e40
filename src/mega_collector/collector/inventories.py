"""What only the aggregator remembers: that is asked for, and what it tells is recognised, or sought."""

import structlog

from mega_collector.collector.finding.finder import Finder
from mega_collector.collector.rotation.archives import Archives
from mega_collector.collector.rotation.newcomers import Newcomers
from mega_collector.collector.rotation.search import Search
from mega_collector.collector.rotation.waiting import WaitingFiles
from mega_collector.collector.sending.shipper import Shipper
from mega_collector.collector.sources.recollected import Recollected
from mega_collector.collector.state.recollection import Recollection
from mega_collector.collector.state.stocktaking import Stocktaking
from mega_collector.protocol import Holdings

_log = structlog.get_logger(__name__)


class Inventories:
    """Asks before anything else is begun, and again when all is known that this side knows, and each day.

    `hurried`: somebody waits for its end.
    """

    def __init__(
        self,
        *,
        finder: Finder,
        shipper: Shipper,
        recollected: Recollected,
        archives: Archives,
        waiting: WaitingFiles,
        recollection: Recollection,
        search: Search,
        newcomers: Newcomers,
        hurried: bool,
    ) -> None:
        self._finder = finder
        self._shipper = shipper
        self._recollected = recollected
        self._archives = archives
        self._waiting = waiting
        self._recollection = recollection
        self._search = search
        self._newcomers = newcomers
        self._stocktaking = Stocktaking(hurried=hurried)

    def pending(self, now: float) -> bool:
        """Whether something is still to be told or looked into."""
        pending = self._recollection.pending or self._search.pending or self._stocktaking.pending(now)
        return self._shipper.takes_stock and pending

    def ask(self, now: float) -> None:
        """For all, or once all is known that the checkpoint does."""
        if not self._shipper.takes_stock:
            return
        inventory = self._recollection.ask()
        if not self._recollection.pending and self._looked_through and not self._search.pending:
            inventory = self._stocktaking.ask(now)
        if inventory is not None:
            self._shipper.ask(inventory)

    def hear(self, holdings: Holdings, now: float) -> None:
        if not self._recollection.hear(holdings, self._search.wanted):
            self._stocktaking.hear(holdings, now, self._recollected.unknown)
        elif not self._recollection.pending:
            self._recollect(now)

    def reconnected(self, now: float) -> None:
        """What was asked before is not answered any more; and whoever answers now may not remember anything."""
        self._stocktaking.interrupt()
        self._recollection.interrupt()
        if self._recollection.pending and self._shipper.connected and not self._shipper.takes_stock:
            self._recollection.give_up()
            self._recollect(now)

    def poll(self, now: float) -> None:
        """Seek what became of what a process before knew, once all is known that a scan has found."""
        if not self._looked_through:
            return
        if self._search.pending:
            self._search.poll(now)
        elif strangers := self._stocktaking.strangers:
            self._stocktaking.strangers = self._search.seek_strangers(strangers, now)

    @property
    def _looked_through(self) -> bool:
        """Whether all that a scan has found is known."""
        return self._finder.scanned and not (self._archives.busy or self._waiting)

    def _recollect(self, now: float) -> None:
        """All is known that there is to know: what was found is begun."""
        entries = self._recollection.take()
        (_log.info if entries else _log.debug)("recollected", sources=len(entries))
        self._search.recollect(entries, others=self._recollection.others)
        self._newcomers.reconsider(now, known=bool(entries))
