"""A long scan in short slices: the files are read meanwhile."""

import time
from collections.abc import Callable, Iterator

from mega_collector.collector.finding.discovery import Discovery, Scan

_SLICE = 0.02
"""Seconds: what a line may have to wait for, once a scan takes longer."""


class Slices:
    """A `Discovery` whose scan returns after a slice of time, and goes on from there when it is called again."""

    def __init__(
        self, discovery: Discovery, *, seconds: float = _SLICE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._discovery = discovery
        self.look, self.matches = discovery.look, discovery.matches
        self._seconds = seconds
        self._clock = clock
        self._scan = Scan()
        self._steps: Iterator[None] = iter(())

    def scan(self) -> Scan:
        """What was found so far: all of it when it is `finished`."""
        if self._scan.finished:
            self._scan = Scan(finished=False)
            self._steps = self._discovery.steps(self._scan)
        end = self._clock() + self._seconds
        for _ in self._steps:
            if self._clock() >= end:
                return self._scan
        self._scan.finished = True
        return self._scan
