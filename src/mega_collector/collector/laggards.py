"""The files that are behind: measured about once a second."""

import os
from collections.abc import Callable, Iterator
from itertools import chain

from mega_collector.collector.reading.followed import Followed
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.lag import FileLag, Hold, Lags, Seen
from mega_collector.collector.rotation.newcomers import Newcomers
from mega_collector.collector.sending.shipper import Shipper
from mega_collector.collector.sources.sources import Sources
from mega_collector.collector.sources.turns import Turns

_INTERVAL = 1.0
"""Seconds between two looks at how far behind the files are."""

_SHARE = 200
"""Likewise, at least so many times as long as a look takes: half a percent of a core, if thousands are behind."""


class Laggards:
    """Those that have something to be read or acknowledged, or cannot be opened."""

    def __init__(
        self,
        *,
        followed: Followed,
        shipper: Shipper,
        sources: Sources,
        turns: Turns,
        newcomers: Newcomers,
        clock: Callable[[], float],
    ) -> None:
        self._followed = followed
        self._shipper = shipper
        self._sources = sources
        self._turns = turns
        self._newcomers = newcomers
        self._clock = clock
        self._lags = Lags()
        self.due = 0.0
        """When they are to be measured next."""

    @property
    def files(self) -> tuple[FileLag, ...]:
        """As they were measured last. From any thread."""
        return self._lags.files

    def measure(self, now: float) -> None:
        began = self._clock()
        self._lags.observe(chain(self._behind(now), self._newcomers.behind()), now)
        took = self._clock() - began
        self.due = now + max(_INTERVAL, took * _SHARE)

    def _behind(self, now: float) -> Iterator[Seen]:
        for follower in self._turns.behind.union(self._sources.unsettled):
            seen = self._seen(follower, now) if self._followed.of(follower.source.id) is follower else None
            if seen is None:
                self._turns.behind.discard(follower)
            else:
                yield seen

    def _seen(self, follower: Follower, now: float) -> Seen | None:
        """How far behind it is; None if it is not."""
        source, unread = follower.source, follower.size > follower.position and not follower.vanished
        if not unread and self._shipper.at_rest(source):
            return None
        acknowledged = self._shipper.committed(source)
        position = follower.position if acknowledged is None else acknowledged
        refusal = self._shipper.refusal(source)
        reason = ""
        if refusal is not None:
            hold, reason = Hold.REFUSED, refusal
        elif not self._shipper.acknowledged(source):
            hold = Hold.SENT
        elif not unread or not (follower.readable(now) or not follower.settled):
            return None
        elif follower.failure is not None:
            hold, reason = Hold.UNREADABLE, os.strerror(follower.failure)
        else:
            hold = Hold.READABLE if follower.settled else Hold.DESCRIBED
        return Seen(source.id, source.path, max(follower.size, follower.position), position, hold, reason)
