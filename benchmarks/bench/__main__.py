"""Measures, and makes the report of what was measured."""

import argparse
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import workload
from bench.process import ROOT
from bench.record import Record
from bench.report import report
from bench.scenarios import backlog, growth, live, memory, stages, starting
from bench.scenarios.following import FOLLOWING
from bench.session import Session, default_disk

Scenario = Callable[[Session], Record]

SCENARIOS: dict[str, Scenario] = {
    "backlog": backlog.headline,
    "disk": backlog.disk,
    "tls": partial(backlog.wire, features=frozenset({"tls"})),
    "zstd": partial(backlog.wire, features=frozenset({"zstd"})),
    "tls-zstd": partial(backlog.wire, features=frozenset({"tls", "zstd"})),
    "short-lines": partial(backlog.lines, name="short-lines", line=workload.short),
    "long-lines": partial(backlog.lines, name="long-lines", line=workload.long),
    "many-files": backlog.many_files,
    "many-collectors": backlog.many_collectors,
    "json": backlog.json_lines,
    "steady": live.steady,
    "latency": live.latency,
    "start": starting.starting,
    "stages": stages.stages,
    "outage": memory.outage,
    "hanging": memory.hanging,
    "growth-bytes": growth.by_bytes,
    "growth-files": growth.by_files,
}
"""Those of the report, in its order. The others are run by name only."""


def main() -> None:
    arguments = argparse.ArgumentParser(
        prog="scripts/bench",
        description="How fast, and at what cost, beside the peers found on PATH. Takes up to an hour.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"scenarios: {', '.join(SCENARIOS)}\nby name only: {', '.join(FOLLOWING)}",
    )
    add = arguments.add_argument
    add("--scenario", action="append", metavar="NAME", help="only this one; may be given several times")
    add("--only", action="append", metavar="CONTENDER", help="only this one; likewise")
    add("--quick", action="store_true", help="a twentieth of it, once, into build/bench: whether all works")
    add("--runs", type=int, help="of each contender, instead of 5 for the backlog and 3 elsewhere")
    add("--minutes", type=float, default=55, help="no run is begun after these (%(default)g)")
    add("--disk", type=Path, default=default_disk(), help="a directory on a real disk (%(default)s)")
    add("--into", type=Path, help="where results and report go, instead of benchmarks")
    add("--report", action="store_true", help="make the report of what is there, and measure nothing")
    options = arguments.parse_args()
    known = {**SCENARIOS, **FOLLOWING}
    if unknown := set(options.scenario or ()) - known.keys():
        arguments.error(f"no such scenario: {', '.join(sorted(unknown))}")
    into = options.into or ROOT / ("build/bench" if options.quick else "benchmarks")
    if not options.report:
        measure(options, {name: known[name] for name in options.scenario or SCENARIOS}, into)
    report(into, list(known))


def measure(options: argparse.Namespace, scenarios: dict[str, Scenario], into: Path) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # as Ctrl-C: whatever runs is ended
    began = time.monotonic()
    session = Session(
        quick=options.quick,
        only=options.only,
        runs=options.runs,
        minutes=options.minutes,
        disk=options.disk,
        results=into / "results",
    )
    try:
        for scenario in scenarios.values():
            scenario(session)
            session.clear()
    finally:
        session.close()
    if session.failed:
        raise SystemExit("\n".join(session.failed))
    print(f"measured in {(time.monotonic() - began) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
