"""With `--once`: what is shipped to its end is let go of, and when nothing is left, all has been said."""

import math
from typing import TYPE_CHECKING

from mega_collector.collector.finding.finder import Finder
from mega_collector.collector.inventories import Inventories
from mega_collector.collector.reading.followed import Followed
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.rotation.archives import Archives
from mega_collector.collector.rotation.departures import Departures
from mega_collector.collector.rotation.missed import Missed
from mega_collector.collector.rotation.search import Search
from mega_collector.collector.rotation.waiting import WaitingFiles
from mega_collector.collector.sending.shipper import Shipper
from mega_collector.collector.sources.losses import Losses
from mega_collector.collector.sources.sources import Sources
from mega_collector.collector.sources.turns import Turns

if TYPE_CHECKING:
    from mega_collector.collector.finding.roster import Identity

_LAST_WORDS = 10.0
"""Seconds that the end waits for an answer to what is told last."""


class Once:
    """Sees the files to the end that each had when it was found."""

    def __init__(
        self,
        *,
        finder: Finder,
        followed: Followed,
        shipper: Shipper,
        sources: Sources,
        turns: Turns,
        departures: Departures,
        waiting: WaitingFiles,
        archives: Archives,
        search: Search,
        missed: Missed,
        losses: Losses,
        inventories: Inventories,
    ) -> None:
        self._finder = finder
        self._followed = followed
        self._shipper = shipper
        self._sources = sources
        self._turns = turns
        self._departures = departures
        self._waiting = waiting
        self._archives = archives
        self._search = search
        self._missed = missed
        self._losses = losses
        self._inventories = inventories
        self.done: set[Identity] = set()
        """Files that are shipped, or cannot be."""
        self._failed = False
        self._answers_by = math.inf
        """Until when the answer to what was told last is waited for."""

    @property
    def failed(self) -> bool:
        """Whether a file could not be shipped to its end."""
        return self._failed or self._archives.unreadable

    def ended(self, now: float) -> bool:
        """Whether there is nothing more to do."""
        if not self._finder.scanned:
            return False
        undecided = self._archives.busy or self._waiting or self._missed.doubtful or self._search.doubtful
        if self._followed or undecided or self._losses:
            self._answers_by = math.inf
            return False
        if not (self._shipper.telling_loss or self._inventories.pending(now)):
            return True
        self._answers_by = min(self._answers_by, now + _LAST_WORDS)
        return now >= self._answers_by

    def poll(self, now: float) -> None:
        """Let go of the files whose end is shipped, or that cannot be shipped."""
        for follower in self._followed:
            source = follower.source
            if self._shipper.stopped(source):
                self.give_up(follower)
            elif not follower.settled or (follower.position < follower.until and not follower.exhausted):
                self._turns.mark(follower, now)
            elif self._shipper.acknowledged(source):
                self._leave(follower)
                self._sources.remember(source)

    def give_up(self, follower: Follower) -> None:
        """It cannot be shipped."""
        self._failed = True
        self._leave(follower)

    def _leave(self, follower: Follower) -> None:
        """Nothing more is to come of its file, though a scan finds it."""
        self.done.add(follower.identity)
        self._departures.let_go(follower)
