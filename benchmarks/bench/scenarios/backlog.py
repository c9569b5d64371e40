"""What lies there is shipped: how fast, and at what cost."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from bench import check, workload
from bench.contenders.contender import Contender, Job, start, start_receiver
from bench.contenders.floors import BareStream, Copy, Dd
from bench.contenders.ours import MegaCollector, Unsynced
from bench.destination import Arrival, await_size, settle, size_of, watch
from bench.process import Processes, Unfit
from bench.record import Record, Run
from bench.session import Session
from bench.traffic import Traffic

_PEERS_SHARE = 4
"""Of the bytes peers get one part in so many, where it is not said otherwise: they are slower, and the time is bounded."""


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
    cases = [(each, few if each.name == "rsyslog-relp" else logs, frozenset[str]()) for each in every]
    return _in_turns(session, "backlog", cases, session.runs(5))


def disk(session: Session) -> Record:
    """The same to a disk, and safe there at the end."""
    logs = one_log(session.memory / "access.log", session.megabytes(1000))
    fewer = one_log(session.memory / "fewer.log", session.megabytes(1000) // _PEERS_SHARE)
    sync = frozenset({"sync"})
    ours: list[Contender] = [MegaCollector(), Dd()]
    cases = [(each, logs, sync) for each in ours] + [(peer, fewer, sync) for peer in session.peers]
    return _in_turns(session, "disk", cases, session.runs(), session.disk)


def wire(session: Session, features: frozenset[str]) -> Record:
    """The same with TLS, compression, or both."""
    logs = one_log(session.memory / "access.log", session.megabytes(1000))
    fewer = one_log(session.memory / "fewer.log", session.megabytes(1000) // _PEERS_SHARE)
    cases: list[Case] = [(MegaCollector(), logs, features)]
    cases += [(peer, fewer, features) for peer in session.peers]
    return _in_turns(session, "-".join(sorted(features)), cases, session.runs())


def lines(session: Session, name: str, line: workload.Line) -> Record:
    """The same bytes in lines of another length."""
    logs = one_log(session.memory / "lines.log", session.megabytes(1000), line)
    fewer = one_log(session.memory / "fewer.log", session.megabytes(1000) // _PEERS_SHARE, line)
    cases: list[Case] = [(MegaCollector(), logs, frozenset())]
    cases += [(peer, fewer, frozenset()) for peer in _without_acks(session)]
    return _in_turns(session, name, cases, session.runs())


def many_files(session: Session) -> Record:
    """A hundred logs at once, by one collector."""
    logs = _directory(session.memory / "many", 100, session.megabytes(1000))
    fewer = _directory(session.memory / "fewer", 100, session.megabytes(1000) // _PEERS_SHARE)
    cases: list[Case] = [(MegaCollector(), logs, frozenset())]
    cases += [(peer, fewer, frozenset()) for peer in _without_acks(session)]
    return _in_turns(session, "many-files", cases, session.runs())


def many_collectors(session: Session) -> Record:
    """Fifty collectors at once with a log each: when all are connected, their logs appear."""
    count = 5 if session.quick else 50
    logs = _directory(session.memory / "many", count, session.megabytes(1000))
    fewer = _directory(session.memory / "fewer", count, session.megabytes(1000) // _PEERS_SHARE)
    pairs: list[tuple[Contender, Logs]] = [(MegaCollector(), logs)]
    pairs += [(peer, fewer) for peer in _without_acks(session)]
    cases = [(each, partial(_together, session, each, what)) for each, what in pairs]
    return session.rounds("many-collectors", cases, session.runs())


def json_lines(session: Session) -> Record:
    """JSON lines with tags."""
    logs = one_log(session.memory / "access.log", session.megabytes(500))
    return _in_turns(session, "json", [(MegaCollector(), logs, frozenset({"json"}))], session.runs())


def _without_acks(session: Session) -> list[Contender]:
    """RELP is measured once, in the headline: it costs rsyslog the same everywhere."""
    return [peer for peer in session.peers if peer.name != "rsyslog-relp"]


Case = tuple[Contender, Logs, frozenset[str]]


def _in_turns(
    session: Session, name: str, cases: Sequence[Case], runs: int, directory: Path | None = None
) -> Record:
    measures: list[tuple[Contender, Callable[[int], Run]]] = [
        (each, partial(_alone, session, each, logs, features, directory)) for each, logs, features in cases
    ]
    return session.rounds(name, measures, runs)


def _alone(
    session: Session, contender: Contender, logs: Logs, features: frozenset[str], directory: Path | None, round_: int
) -> Run:
    """All there is, from the start."""
    with session.job(logs.patterns, features, directory) as job, Processes() as processes:
        _require_fit(contender, job)
        begin = time.monotonic()
        start(contender, job, processes)
        return _measure(contender, job, logs, processes, round_, begin)


def _together(session: Session, contender: Contender, logs: Logs, round_: int) -> Run:
    """All there is, from when every sender has delivered a first line."""
    with session.job(()) as plain, Processes() as processes:
        job, places = _with_places(plain, len(logs.paths))
        _require_fit(contender, job)
        begin = time.monotonic()
        start(contender, job, processes)
        hello = sum(place.stat().st_size for place in places)
        await_size(job.output, hello, processes, 120)
        for path, place in zip(logs.paths, places, strict=True):
            (place.parent / "access.log").hardlink_to(path)
        return _measure(contender, job, logs, processes, round_, begin, hello=places)


def _with_places(job: Job, count: int) -> tuple[Job, list[Path]]:
    """A directory for each sender, with a line in it."""
    places = []
    for number in range(count):
        place = job.work / "logs" / f"{number:05d}" / "hello.log"
        place.parent.mkdir(parents=True)
        place.write_bytes(b"h%05d hello\n" % number)
        places.append(place)
    patterns = tuple(str(place.parent / "*.log") for place in places)
    return Job(patterns, job.output, job.work, job.port, job.features, job.certificates), places


def _measure(
    contender: Contender,
    job: Job,
    logs: Logs,
    processes: Processes,
    round_: int,
    begin: float,
    hello: Sequence[Path] = (),
) -> Run:
    traffic, before = Traffic(job.port), 0.0

    def at_first() -> None:
        nonlocal before
        before = sum(processes.cpu().values())

    empty = sum(path.stat().st_size for path in hello)
    if "json" in job.features:
        arrival = settle(job.output, processes)
    else:
        arrival = watch(
            job.output, logs.size + empty, processes, empty=empty, at_first=at_first, during=traffic.look
        )
    if contender.name == Dd.name:
        arrival = Arrival(begin, _await_done(job.output), arrival.size)
    traffic.look()
    usage = processes.end()
    figures: dict[str, float] = {
        "bytes": logs.size,
        "lines": logs.lines,
        "start_up": arrival.first - begin,
        "seconds": arrival.last - arrival.first,
        "cpu_start_up": before,
    }
    if (wire_bytes := traffic.total()) is not None:
        figures["wire_bytes"] = wire_bytes
    return Run(contender.name, round_, _verdict(job, logs, hello), figures, usage)


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


def _await_done(output: Path) -> float:
    done = output.with_name(output.name + ".done")
    while not done.exists():
        time.sleep(0.002)
    return time.monotonic()


def _require_fit(contender: Contender, job: Job) -> None:
    reason = contender.unfit(job)
    if reason is not None:
        raise Unfit(reason)


def _directory(path: Path, count: int, size: int) -> Logs:
    path.mkdir(exist_ok=True)
    paths = workload.write_many(path, count, size)
    return Logs(paths, (str(path / "*.log"),), sum(written.read_bytes().count(b"\n") for written in paths))
