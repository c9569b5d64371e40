"""How time grows with what there is to ship: with bytes it may, with files it should not."""

import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bench import check, workload
from bench.contenders.contender import start
from bench.contenders.ours import MegaCollector
from bench.destination import watch
from bench.process import Processes
from bench.record import Record, Run
from bench.session import Session

_NAME = MegaCollector.name


def by_bytes(session: Session) -> Record:
    """One log of 10, 5, 2 and 1 GB, on a disk."""
    record = session.record("growth-bytes")
    log = session.disk / "growth.log"
    workload.write(log, session.megabytes(10_000))
    for gigabytes in (10, 5, 2, 1):
        os.truncate(log, _whole_lines(log, session.megabytes(gigabytes * 1000)))
        os.sync()  # what it takes to write this log back is not measured
        for round_ in range(session.runs()):
            session.once(record, _NAME, partial(_ship, session, [log], str(log), gigabytes, round_))
    record.save(session.results)
    return record


def _whole_lines(log: Path, size: int) -> int:
    with log.open("rb") as lines:
        lines.seek(max(0, size - 1))
        return min(log.stat().st_size, size - 1 + len(lines.readline()))


def by_files(session: Session) -> Record:
    """1 to 10 000 logs of 1 GB altogether, on a disk."""
    record = session.record("growth-files")
    sets = {}
    for count in (1, 10, 100, 1000, 10_000):
        directory = session.disk / f"files-{count}"
        directory.mkdir()
        sets[count] = workload.write_many(directory, count, session.megabytes(1000))
    os.sync()
    for round_ in range(session.runs()):
        for count, logs in sets.items():
            pattern = str(logs[0].parent / "*.log")
            session.once(record, _NAME, partial(_ship, session, logs, pattern, count, round_))
    record.save(session.results)
    return record


def _ship(session: Session, logs: Sequence[Path], pattern: str, x: float, round_: int) -> Run:
    size = sum(log.stat().st_size for log in logs)
    with session.job((pattern,), directory=session.disk) as job, Processes() as processes:
        began = time.monotonic()
        start(MegaCollector(), job, processes)
        arrival = watch(job.output, size, processes)
        usage = processes.end()
        verdict = check.compare(logs[0], job.output) if len(logs) == 1 else check.compare_many(list(logs), job.output)
    figures = {"bytes": size, "start_up": arrival.first - began, "seconds": arrival.last - arrival.first}
    return Run(_NAME, round_, verdict, figures, usage, x=x)
