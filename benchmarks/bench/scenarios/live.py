"""Logs that are being written: what following costs, and how soon a line arrives."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench import check
from bench.contenders.contender import Contender, Job, require_fit, start
from bench.contenders.ours import MegaCollector
from bench.destination import await_size
from bench.marked import Lookout, Writer
from bench.process import Processes, Unfit
from bench.record import Record, Run
from bench.session import Session

_WARM = 2.0
"""Seconds before anything is measured."""


def steady(session: Session) -> Record:
    """10 000 lines a second: what both halves together take of a core."""
    every: list[Contender] = [MegaCollector(), *session.peers]
    return session.rounds("steady", [(each, partial(_steady, session, each)) for each in every], session.runs())


def _steady(session: Session, contender: Contender, round_: int) -> Run:
    with _live(session, contender, frozenset()) as (job, writer, processes):
        writer.pace(_WARM, 0.01, 100)
        before, began = processes.cpu(), time.monotonic()
        writer.pace(session.seconds(15), 0.01, 100)
        seconds = time.monotonic() - began
        used = {half: cpu - before[half] for half, cpu in processes.cpu().items()}
        await_size(job.output, writer.size, processes)
        figures = {"seconds": seconds, "lines": writer.lines}
        figures |= {f"{half}_core": cpu / seconds for half, cpu in used.items()}
        figures["core"] = sum(used.values()) / seconds
        usage = processes.end()
        return Run(contender.name, round_, _verdict(job), figures, usage)


def latency(session: Session) -> Record:
    """From the write of a line until it can be read at the destination: idle, and at 50 000 lines a second."""
    every: list[Contender] = [MegaCollector(), *_low_latency(session)]
    return session.rounds("latency", [(each, partial(_latency, session, each)) for each in every], session.runs())


def _low_latency(session: Session) -> list[Contender]:
    return [peer for peer in session.peers if peer.name != "rsyslog-relp"]


def _latency(session: Session, contender: Contender, round_: int) -> Run:
    with _live(session, contender, frozenset({"latency"})) as (job, writer, processes):
        writer.pace(_WARM, 0.05, 1)
        await_size(job.output, writer.size, processes)
        idle = _seen(job, writer, processes, lambda: _now_and_then(writer, session.seconds(8)))
        loaded = _seen(job, writer, processes, lambda: writer.pace(session.seconds(8), 0.001, 50))
        figures = {**_percentiles("idle", idle), **_percentiles("loaded", loaded)}
        usage = processes.end()
        return Run(contender.name, round_, _verdict(job), figures, usage, {"idle": idle, "loaded": loaded[::10]})


def _now_and_then(writer: Writer, seconds: float) -> None:
    """A line every 50 ms or so, at no moment that anybody's timer could be in step with."""
    moments, end = random.Random(1), time.monotonic() + seconds
    while time.monotonic() < end:
        writer.write()
        time.sleep(moments.uniform(0.02, 0.08))


def _seen(job: Job, writer: Writer, processes: Processes, write: Callable[[], None]) -> list[float]:
    lookout = Lookout(job.output)
    writing = threading.Thread(target=write)
    try:
        writing.start()
        end = time.monotonic() + 120
        while writing.is_alive() or lookout.size < writer.size:
            lookout.look(0.2)
            if time.monotonic() > end:
                raise Unfit(f"{lookout.size} of {writer.size} bytes arrived")
        processes.require_alive()
        return lookout.latencies
    finally:
        writing.join()
        lookout.close()


def _percentiles(name: str, latencies: list[float]) -> dict[str, float]:
    ordered = sorted(latencies)
    return {
        f"{name}_p50": ordered[len(ordered) // 2],
        f"{name}_p99": ordered[len(ordered) * 99 // 100],
        f"{name}_max": ordered[-1],
    }


@contextmanager
def _live(session: Session, contender: Contender, features: frozenset[str]) -> Iterator[tuple[Job, Writer, Processes]]:
    """Both halves run, and a first line has arrived."""
    with session.job((), features) as plain, Processes() as processes:
        log = plain.work / "logs" / "live.log"
        log.parent.mkdir()
        writer = Writer(log)
        job = replace(plain, patterns=(str(log),))
        try:
            require_fit(contender, job)
            writer.write()
            start(contender, job, processes)
            await_size(job.output, writer.size, processes)
            yield job, writer, processes
        finally:
            writer.close()


def _verdict(job: Job) -> str:
    return check.compare(Path(job.patterns[0]), job.output)
