"""When collectors are told what holds up the aggregator: a machine."""

import math

from mega_collector.protocol import Stage, Status

_INTERVAL = 3.0
"""Seconds between two tellings: it is for people, and a full ingest buffer may come and go many times a second."""


class Announcement:
    """Says so when it has changed since it was told last: another cause, another try, or nothing any more."""

    def __init__(self) -> None:
        self._told: tuple[Stage | None, str, int] = (None, "", 0)
        self._at = -math.inf

    def due(self, status: Status, now: float) -> bool:
        """Whether to tell this now."""
        fact = status.stage, status.cause, status.tries
        if fact == self._told or now < self._at + _INTERVAL:
            return False
        self._told, self._at = fact, now
        return True
