"""What lies there is shipped: how fast, and at what cost."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import orjson

from bench import check, workload
from bench.contenders.contender import Contender, Job, require_fit, start
from bench.contenders.floors import BareStream, Copy, Dd
from bench.contenders.ours import MegaCollector, Unsynced
from bench.destination import Arrival, await_size, watch
from bench.process import Processes, Unfit
from bench.record import Record, Run
from bench.session import Session
from bench.traffic import Traffic

_SLOW = {"rsyslog", "rsyslog-relp", "syslog-ng"}
_SHARE = 4
"""Slow ones get one part in so many of the bytes, but in the first scenario: the time is bounded."""


@dataclass(frozen=True, slots=True)
class Logs:
    """What is to be shipped."""

    paths: list[Path]
    patterns: tuple[str, ...]
    lines: int

    @property
    def size(self) -> int:
        return sum(path.stat().st_size for path in self.paths)


def one_log(path: Path, size: int, line: workload.Line = workload.access) -> Logs:
    return Logs([path], (str(path),), workload.write(path, size, line))


def headline(session: Session) -> Record:
    """One access log of 1 GB from tmpfs to tmpfs."""
    logs = one_log(session.memory / "access.log", session.megabytes(1000))
    few = one_log(session.memory / "few.log", session.megabytes(100))  # RELP is slower still
    every: list[Contender] = [MegaCollector(), Unsynced(), *session.peers, BareStream(), Copy()]
    cases = [Case(each, few if each.name == "rsyslog-relp" else logs) for each in every]
    return _in_turns(session, "backlog", cases, session.runs(5))


def disk(session: Session) -> Record:
    """The same to a disk, and safe there at the end."""
    logs = one_log(session.memory / "access.log", session.megabytes(1000))
    fewer = one_log(session.memory / "fewer.log", session.megabytes(1000) // _SHARE)
    shares = [*_beside_peers(session.peers, logs, fewer), (Dd(), logs)]
    cases = [Case(each, what, frozenset({"sync"}), session.disk) for each, what in shares]
    return _in_turns(session, "disk", cases, session.runs())


def wire(session: Session, features: frozenset[str]) -> Record:
    """The same with TLS, compression, or both."""
    logs = one_log(session.memory / "access.log", session.megabytes(1000))
    fewer = one_log(session.memory / "fewer.log", session.megabytes(1000) // _SHARE)
    cases = [Case(each, what, features) for each, what in _beside_peers(session.peers, logs, fewer)]
    if "tls" in features:  # with which fluent-bit is slow too
        cases = [case if case.contender.name == MegaCollector.name else replace(case, logs=fewer) for case in cases]
    return _in_turns(session, "-".join(sorted(features)), cases, session.runs())


def lines(session: Session, name: str, line: workload.Line) -> Record:
    """The same bytes in lines of another length."""
    logs = one_log(session.memory / "lines.log", session.megabytes(1000), line)
    fewer = one_log(session.memory / "fewer.log", session.megabytes(1000) // _SHARE, line)
    cases = [Case(each, what) for each, what in _beside_peers(_without_acks(session), logs, fewer)]
    return _in_turns(session, name, cases, session.runs())


def many_files(session: Session) -> Record:
    """A hundred logs at once, by one collector."""
    logs = _directory(session.memory / "many", 100, session.megabytes(1000))
    fewer = _directory(session.memory / "fewer", 100, session.megabytes(1000) // _SHARE)
    cases = [Case(each, what) for each, what in _beside_peers(_without_acks(session), logs, fewer)]
    return _in_turns(session, "many-files", cases, session.runs())


def many_collectors(session: Session) -> Record:
    """Fifty collectors at once with a log each: when all are connected, their logs appear."""
    count = 5 if session.quick else 50
    logs = _directory(session.memory / "many", count, session.megabytes(1000))
    fewer = _directory(session.memory / "fewer", count, session.megabytes(1000) // _SHARE)
    cases = [Case(each, what) for each, what in _beside_peers(_without_acks(session), logs, fewer)]
    measures = [(case.contender, partial(_together, session, case)) for case in cases]
    return session.rounds("many-collectors", measures, session.runs())


def json_lines(session: Session) -> Record:
    """JSON lines with tags."""
    logs = one_log(session.memory / "access.log", session.megabytes(500))
    return _in_turns(session, "json", [Case(MegaCollector(), logs, frozenset({"json"}))], session.runs())


def _beside_peers(peers: Sequence[Contender], logs: Logs, fewer: Logs) -> list[tuple[Contender, Logs]]:
    return [(MegaCollector(), logs), *((peer, fewer if peer.name in _SLOW else logs) for peer in peers)]


def _without_acks(session: Session) -> list[Contender]:
    """RELP is measured once, in the headline: it costs rsyslog the same everywhere."""
    return [peer for peer in session.peers if peer.name != "rsyslog-relp"]


@dataclass(frozen=True, slots=True)
class Case:
    """Who ships what, and how."""

    contender: Contender
    logs: Logs
    features: frozenset[str] = frozenset()
    directory: Path | None = None
    """Where the output goes, if not to memory."""


def _in_turns(session: Session, name: str, cases: Sequence[Case], runs: int) -> Record:
    return session.rounds(name, [(case.contender, partial(_alone, session, case)) for case in cases], runs)


def _alone(session: Session, case: Case, round_: int) -> Run:
    """All there is, from the start."""
    with session.job(case.logs.patterns, case.features, case.directory) as job, Processes() as processes:
        require_fit(case.contender, job)
        begin = time.monotonic()
        start(case.contender, job, processes)
        return _measure(case, job, processes, begin=begin, round_=round_)


def _together(session: Session, case: Case, round_: int) -> Run:
    """All there is, from when every sender has delivered a first line."""
    with session.job(()) as plain, Processes() as processes:
        job, places = _with_places(plain, len(case.logs.paths))
        require_fit(case.contender, job)
        begin = time.monotonic()
        start(case.contender, job, processes)
        await_size(job.output, sum(place.stat().st_size for place in places), processes, 120)
        for path, place in zip(case.logs.paths, places, strict=True):
            (place.parent / "access.log").hardlink_to(path)
        return _measure(case, job, processes, begin=begin, round_=round_, hello=places)


def _with_places(job: Job, count: int) -> tuple[Job, list[Path]]:
    """A directory for each sender, with a line in it."""
    places = []
    for number in range(count):
        place = job.work / "logs" / f"{number:05d}" / "hello.log"
        place.parent.mkdir(parents=True)
        place.write_bytes(b"h%05d hello\n" % number)
        places.append(place)
    return replace(job, patterns=tuple(str(place.parent / "*.log") for place in places)), places


def _measure(
    case: Case, job: Job, processes: Processes, *, begin: float, round_: int, hello: Sequence[Path] = ()
) -> Run:
    traffic, before = Traffic(job.port), 0.0

    def at_first() -> None:
        nonlocal before
        before = sum(processes.cpu().values())

    empty = sum(path.stat().st_size for path in hello)
    arrival = watch(
        job.output,
        case.logs.size + empty,
        processes,
        empty=empty,
        at_first=at_first,
        during=traffic.look,
        quiet=1.0 if "json" in case.features else None,
    )
    if "sync" in case.features:
        arrival = _synced(case, job, begin, arrival)
    traffic.look()
    usage = processes.end()
    figures: dict[str, float] = {
        "bytes": case.logs.size,
        "lines": case.logs.lines,
        "start_up": arrival.first - begin,
        "seconds": arrival.last - arrival.first,
        "cpu_start_up": before,
    }
    if (wire_bytes := traffic.total()) is not None:
        figures["wire_bytes"] = wire_bytes
    return Run(case.contender.name, round_, _verdict(job, case.logs, hello), figures, usage)


def _synced(case: Case, job: Job, begin: float, arrival: Arrival) -> Arrival:
    """Until all is safe, where that can be told: dd ends, and this project marks its output with what is committed."""
    if case.contender.name == Dd.name:
        return Arrival(begin, _await(job.output.with_name(job.output.name + ".done").exists), arrival.size)
    if case.contender.name == MegaCollector.name:
        return replace(arrival, last=_await(lambda: _committed(job.output) >= arrival.size))
    return arrival


def _await(done: Callable[[], bool]) -> float:
    end = time.monotonic() + 120
    while not done():
        if time.monotonic() > end:
            raise Unfit("it was not synced")
        time.sleep(0.002)
    return time.monotonic()


def _committed(output: Path) -> int:
    try:
        return int(os.getxattr(output, "user.mega-collector.committed"))
    except OSError:
        return 0


def _verdict(job: Job, logs: Logs, hello: Sequence[Path]) -> str:
    if "json" in job.features:
        return _compare_json(logs.paths[0], job.output)
    if len(logs.paths) == 1:
        return check.compare(logs.paths[0], job.output)
    return check.compare_many([*logs.paths, *hello], job.output)


def _compare_json(source: Path, output: Path) -> str:
    """Every message in order, and all that is said of it."""
    with source.open("rb") as lines_, output.open("rb") as objects:
        for number, (line, text) in enumerate(zip(lines_, objects, strict=False)):
            said = orjson.loads(text)
            tags = said["tags"]
            if said["message"].encode() != line[:-1] or said["path"] != str(source) or tags["service"] != "shop":
                return f"line {number} is {text[:200]!r}"
        return check.IN_ORDER if not lines_.read(1) and not objects.read(1) else "lines are missing, or too many"


def _directory(path: Path, count: int, size: int) -> Logs:
    path.mkdir(exist_ok=True)
    paths = workload.write_many(path, count, size)
    return Logs(paths, (str(path / "*.log"),), sum(written.read_bytes().count(b"\n") for written in paths))
