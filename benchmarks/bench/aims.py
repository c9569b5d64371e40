"""What was aimed at, and whether it was reached."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.figures import OURS, cpu_per_gigabyte, figure, most_memory, of, rate, ratio
from bench.record import Record, Run

Records = Mapping[str, Record]


@dataclass(frozen=True, slots=True)
class Aim:
    """A bound on a figure."""

    scenario: str
    text: str
    bound: Callable[[Records], float | None]
    """What it may be at the most, or must be at the least; None: there is nothing to compare with."""
    measured: Callable[[Records], float | None]
    at_least: bool = True

    def row(self, records: Records) -> str | None:
        """A row of the table, if it was measured."""
        if self.scenario not in records:
            return None
        bound, measured = self.bound(records), self.measured(records)
        if bound is None or measured is None:
            return f"| {self.scenario} | {self.text} | not measured | |"
        met = measured >= bound if self.at_least else measured <= bound
        return f"| {self.scenario} | {self.text} | {measured:.3g} | {'yes' if met else '**no**'} |"


Value = Callable[[Records], float | None]


def _median(scenario: str, what: Callable[[Run], float], name: str = OURS) -> Value:
    def measured(records: Records) -> float | None:
        found = of(records[scenario], name, what) if scenario in records else None
        return found.median if found else None

    return measured


def _ratio(name: str) -> Value:
    def measured(records: Records) -> float | None:
        found = ratio(records["backlog"], name)
        return found.median if found else None

    return measured


def _is(value: float) -> Value:
    return lambda _: value


def _part(share: float, *of_these: Value) -> Value:
    def bound(records: Records) -> float | None:
        found = [value for each in of_these if (value := each(records)) is not None]
        return share * min(found) if found else None

    return bound


def _milliseconds(name: str) -> Value:
    return _median("latency", figure(name, 1e3))


_TMPFS = _median("backlog", rate)
_PEAK = figure("resident_most", 1e-6)

AIMS = (
    Aim("backlog", "at least 450 MB/s", _is(450), _TMPFS),
    Aim("backlog", "at least 3.5 times Fluent Bit", _is(3.5), _ratio("fluent-bit")),
    Aim("backlog", "at least 9 times rsyslog", _is(9), _ratio("rsyslog")),
    Aim(
        "backlog",
        "MB/s: at least 85% of the same without sync, ledger and checksum",
        _part(0.85, _median("backlog", rate, "unsynced")),
        _TMPFS,
    ),
    Aim("backlog", "at most 4.5 CPU s/GB", _is(4.5), _median("backlog", cpu_per_gigabyte), at_least=False),
    Aim("backlog", "at most 90 MB a process", _is(90), _median("backlog", most_memory), at_least=False),
    Aim(
        "disk",
        "MB/s: at least 75% of dd, or of tmpfs where that is less",
        _part(0.75, _median("disk", rate, "dd"), _TMPFS),
        _median("disk", rate),
    ),
    *(Aim(each, "at least 300 MB/s", _is(300), _median(each, rate)) for each in ("tls", "zstd", "tls-zstd")),
    *(
        Aim(each, "MB/s: at least 75% of the usual line's", _part(0.75, _TMPFS), _median(each, rate))
        for each in ("short-lines", "long-lines")
    ),
    *(
        Aim(each, "MB/s: at least 80% of one file's", _part(0.8, _TMPFS), _median(each, rate))
        for each in ("many-files", "many-collectors")
    ),
    Aim("json", "at least 150 MB/s", _is(150), _median("json", rate)),
    Aim("steady", "at most 4% of a core", _is(4), _median("steady", figure("core", 100)), at_least=False),
    Aim("latency", "idle p50 under 3 ms", _is(3), _milliseconds("idle_p50"), at_least=False),
    Aim("latency", "idle p99 under 15 ms", _is(15), _milliseconds("idle_p99"), at_least=False),
    Aim("latency", "loaded p99 under 100 ms", _is(100), _milliseconds("loaded_p99"), at_least=False),
    *(
        Aim("start", f"{half}: under 0.6 s", _is(0.6), _median("start", figure(half)), at_least=False)
        for half in ("collector", "aggregator")
    ),
    Aim("outage", "at most 90 MB", _is(90), _median("outage", _PEAK), at_least=False),
)
