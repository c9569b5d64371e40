"""Which sources the ledger forgets: those that ended long ago, and of which nothing can come back."""

from pathlib import Path

from mega_collector.aggregator.ledger import Ledger
from mega_collector.emitter.dead_letters import kept_sources


class Forgetting:
    """Something was discarded of a source: it is kept for as long as a dead letter of it is, or may be.

    `after` is in seconds. `dead_letters` is where they are laid; None: nowhere.
    """

    def __init__(self, ledger: Ledger, *, after: float, dead_letters: Path | None) -> None:
        self._ledger = ledger
        self._after = int(after * 1e9)
        self._dead_letters = dead_letters

    def forget(self, now: int) -> int:
        """How many it was. `now` is in nanoseconds since the epoch.

        Raises:
            LedgerError: the ledger cannot be read or written.
        """
        before = now - self._after
        # The dead letters are looked through only where something hangs on them.
        return self._ledger.forget(before, self._kept() if self._ledger.may_come_back(before) else None)

    def _kept(self) -> set[bytes] | None:
        if self._dead_letters is None:
            return set()
        try:
            return kept_sources(self._dead_letters)
        except (OSError, ValueError):
            # What cannot be read may be of any source.
            return None
