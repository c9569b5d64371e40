"""The collectors that are connected, and those that were lately: who they are, and how far behind they say they are."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mega_collector.protocol import Hello, Report
from mega_collector.telemetry.metrics import Sample
from mega_collector.telemetry.printable import printable

_MOST_GONE = 64
"""Of those that have gone the latest are remembered: ids may come without end."""


_MOST_SHOWN = 100
"""Collectors that /metrics shows each by itself."""


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """One collector. Times in seconds."""

    hello: Hello
    connected: bool
    since: float
    """How long it has been so."""
    report: Report | None
    """What it said last; None: it has said nothing yet, or is of an earlier version."""
    reported: float
    """How long ago that was."""


@dataclass(slots=True)
class _Known:
    hello: Hello
    since: float
    streams: int = 0
    report: Report | None = None
    reported_at: float = 0.0


class Acquaintances:
    """Told by the streams, from their threads: when they begin, when they end, and what is reported."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, _Known] = {}
        """By id, those that have gone in the order in which they went, before or among those that are here."""
        self._lock = threading.Lock()

    def came(self, hello: Hello) -> None:
        with self._lock:
            known = self._known.setdefault(hello.collector, _Known(hello, self._clock()))
            if not known.streams:
                known.since = self._clock()
            known.hello = hello
            known.streams += 1

    def went(self, collector: str) -> None:
        with self._lock:
            known = self._known[collector]
            known.streams -= 1
            if not known.streams:
                known.since = self._clock()
                self._known[collector] = self._known.pop(collector)
                self._forget()

    def reported(self, collector: str, report: Report) -> None:
        with self._lock:
            known = self._known.get(collector)
            if known is not None:
                known.report, known.reported_at = report, self._clock()

    def all(self) -> list[Acquaintance]:
        """Everybody, whoever is behind most first."""
        now = self._clock()
        with self._lock:
            everybody = [
                Acquaintance(each.hello, each.streams > 0, now - each.since, each.report, now - each.reported_at)
                for each in self._known.values()
            ]
        return sorted(everybody, key=lambda each: each.report.lag if each.report else 0, reverse=True)

    def _forget(self) -> None:
        gone = [collector for collector, known in self._known.items() if not known.streams]
        for collector in gone[:-_MOST_GONE]:
            del self._known[collector]


def acquaintance_samples(collectors: Sequence[Acquaintance]) -> Iterator[Sample]:
    """For /metrics: of so many of the collectors, those that lag most, each by itself."""
    named = "mega_collector_aggregator_collector"
    shown: set[str] = set()
    for each in collectors[:_MOST_SHOWN]:
        # Ids that look alike would be one series twice, and Prometheus would refuse all of it.
        if (name := printable(each.hello.collector)) in shown:
            continue
        shown.add(name)
        labels = {"collector": name, "host": each.hello.host}
        yield Sample(f"{named}_connected", "gauge", "Whether a collector is connected", each.connected, labels)
        if each.report is not None:
            yield Sample(f"{named}_files", "gauge", "Files that a collector follows", each.report.files, labels)
            lag = each.report.lag, each.report.oldest
            yield Sample(f"{named}_lag_bytes", "gauge", "Bytes that a collector has not got delivered", lag[0], labels)
            yield Sample(f"{named}_lag_seconds", "gauge", "Age of the oldest line of these", lag[1], labels)
