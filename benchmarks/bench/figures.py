"""Medians, spreads and ratios of what was measured."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.contenders.ours import MegaCollector
from bench.record import Record, Run

OURS = MegaCollector.name


@dataclass(frozen=True, slots=True)
class Spread:
    """Of several runs: the median, and the lowest and the highest."""

    median: float
    low: float
    high: float

    def text(self, digits: int = 0, factor: float = 1.0) -> str:
        middle, low, high = (f"{value * factor:,.{digits}f}" for value in (self.median, self.low, self.high))
        return middle if low == high else f"{middle} ({low} to {high})"


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


def contenders(record: Record) -> list[str]:
    """In the order in which they came."""
    return list(dict.fromkeys(run.contender for run in record.runs))


def of(record: Record, name: str, figure: Callable[[Run], float], x: float | None = None) -> Spread | None:
    """A figure of all runs of a contender, if it has any."""
    values = [figure(run) for run in record.runs if run.contender == name and x in {None, run.x}]
    return spread(values) if values else None


def ratio(record: Record, name: str) -> Spread | None:
    """How many times as fast as that one this project is: run by run, as they were interleaved."""
    theirs = {run.round: rate(run) for run in record.runs if run.contender == name}
    values = [rate(run) / theirs[run.round] for run in record.runs if run.contender == OURS and run.round in theirs]
    return spread(values) if values else None


def rate(run: Run) -> float:
    """MB/s from the first to the last byte."""
    return run.figures["bytes"] / run.figures["seconds"] / 1e6


def cpu_per_gigabyte(run: Run) -> float:
    """Seconds, start-up and end included, of all processes."""
    return sum(usage.cpu for usage in run.usage.values()) / run.figures["bytes"] * 1e9


def most_memory(run: Run) -> float:
    """MB of the larger half at its peak."""
    return max(usage.memory for usage in run.usage.values()) / 1e6


def figure(name: str, factor: float = 1.0) -> Callable[[Run], float]:
    return lambda run: run.figures[name] * factor


def halves(record: Record, name: str) -> str:
    """Peak memory of each half."""
    seen: dict[str, list[float]] = {}
    for run in record.runs:
        if run.contender == name:
            for half, usage in run.usage.items():
                seen.setdefault(half, []).append(usage.memory / 1e6)
    return ", ".join(f"{half} {statistics.median(values):.0f} MB" for half, values in seen.items())
