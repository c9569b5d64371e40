"""What is held in memory while nothing flows."""

import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import IO

from bench import check, workload
from bench.contenders.contender import start, start_receiver
from bench.contenders.ours import MegaCollector
from bench.destination import await_size, size_of
from bench.process import Process, Processes, await_port
from bench.record import Record, Run
from bench.session import Session

_PACE = 0.25
_TOGETHER = 10
"""Collectors that share a process: what is measured is the aggregator."""


def outage(session: Session) -> Record:
    """The aggregator is down for a minute, and 5 GB wait."""
    log = session.memory / "waiting.log"
    workload.write(log, session.megabytes(5000))
    return session.rounds("outage", [(MegaCollector(), partial(_outage, session, log))], session.runs())


def _outage(session: Session, log: Path, round_: int) -> Run:
    ours, size = MegaCollector(), log.stat().st_size
    with session.job((str(log),)) as job, Processes() as processes:
        start(ours, job, processes)
        await_size(job.output, size // 50, processes)
        processes.end_one("aggregator")
        waiting = size - size_of(job.output)
        resident = _watch(processes, "collector", session.seconds(60))
        start_receiver(ours, job, processes)
        back = time.monotonic()
        await_size(job.output, size, processes, 300)
        figures = {"waiting": waiting, "resident_most": max(resident), "drained": time.monotonic() - back}
        usage = processes.end()
        return Run(ours.name, round_, check.compare(log, job.output), figures, usage, {"resident": resident})


def hanging(session: Session) -> Record:
    """1, 10, 50 and 200 collectors send, and the destination hangs: when they come, and when half has flown."""
    record = session.record("hanging")
    for round_ in range(session.runs()):
        for count in (1, 10, 50, 200):
            session.once(record, MegaCollector.name, partial(_hanging, session, count, round_))
    record.save(session.results)
    return record


def _hanging(session: Session, count: int, round_: int) -> Run:
    with session.job(()) as job, Processes() as processes:
        names = [f"c{number:03d}" for number in range(count)]
        logs = {name: _write(job.work / f"{name}.log", name, session.megabytes(8)) for name in names}
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb", 1 << 20) as output:
            settings = {**MegaCollector().aggregator_settings(job), "AGGREGATOR_TEXT_CONFIGURATION": "1"}
            del settings["AGGREGATOR_FILE_CONFIGURATION"]
            command = [sys.executable, "-m", "mega_collector", "aggregator"]
            log = job.work / "aggregator.log"
            aggregator = processes.add(Process("aggregator", command, log, settings, stdout=writing))
            os.close(writing)
            await_port(job.port, aggregator)
            for at in range(0, count, _TOGETHER):
                command = [sys.executable, "-m", "bench.collectors", str(job.port), str(job.work)]
                processes.add(
                    Process("collectors", command + names[at : at + _TOGETHER], job.work / f"collectors-{at}.log")
                )
            arrivals = _Arrivals(output, logs)
            return _hang_twice(session, count, round_, processes, arrivals)


def _hang_twice(session: Session, count: int, round_: int, processes: Processes, arrivals: "_Arrivals") -> Run:
    seconds = session.seconds(10)
    come = _watch(processes, "aggregator", seconds + count / 20)  # so many must start
    arrivals.take(arrivals.total // 2)
    flown = _watch(processes, "aggregator", seconds)
    arrivals.take(arrivals.total - arrivals.total // 2)
    usage = processes.end()
    figures = {
        "when_they_come": come[-1],
        "after_half": flown[-1],
        "most": usage["aggregator"].memory,
    }
    return Run(MegaCollector.name, round_, check.IN_ORDER, figures, usage, {"resident": [*come, *flown]}, x=count)


def _watch(processes: Processes, name: str, seconds: float) -> list[float]:
    """Resident bytes over time."""
    seen, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        processes.require_alive()
        seen.append(float(processes.resident()[name]))
        time.sleep(_PACE)
    return seen


def _write(path: Path, name: str, size: int) -> int:
    """Write a log whose lines say whose and which they are; their number."""
    lines = size // 200
    path.write_bytes(b"".join(b"%s %08d %s\n" % (name.encode(), number, b"x" * 185) for number in range(lines)))
    return lines


class _Arrivals:
    """What comes out, of which each line must be the next one of its log."""

    def __init__(self, output: IO[bytes], lines: dict[str, int]) -> None:
        self.total = sum(lines.values())
        self._output = output
        self._following = dict.fromkeys((name.encode() for name in lines), 0)

    def take(self, lines: int) -> None:
        """Read so many."""
        following = self._following
        for _ in range(lines):
            name, number, _ = self._output.readline().split(b" ", 2)
            if following[name] != int(number):
                raise SystemExit(f"{name.decode()}: line {int(number)} came instead of {following[name]}")
            following[name] += 1
