"""What following many, large and odd files costs: CPU and memory of both halves, and latency.

Latency runs from a line's write until it stands in the output, which is looked at every 10 ms. Every line must arrive,
once.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import check
from bench.contenders.contender import Job
from bench.contenders.ours import MegaCollector
from bench.destination import size_of
from bench.process import Process, Processes, Unfit
from bench.record import Record, Run
from bench.session import Session

_FILES = 10_000
_TIMEOUT = 300.0


class _Site:
    """A directory of logs, both halves, and what has arrived."""

    def __init__(self, session: Session, job: Job, processes: Processes) -> None:
        self.session = session
        self.logs = job.work / "logs"
        self.logs.mkdir()
        self._job = job
        self._processes = processes
        self._read = 0
        self._rest = b""
        self.arrived: dict[bytes, float] = {}
        """When each marked line was seen in the output."""
        self.written: dict[bytes, float] = {}
        """When each marked line was written."""

    def start(self, limit: int | None = None, **settings: str) -> None:
        ours, pattern, job = MegaCollector(), str(self.logs / "*.log"), self._job
        variables = ours.collector_settings(job, 0)
        variables |= {f"COLLECTOR_{name.upper()}": text for name, text in settings.items()}
        wrapper = [] if limit is None else ["prlimit", f"--nofile={limit}:{limit}"]
        command = [*wrapper, sys.executable, "-m", "mega_collector", "collector", pattern]
        self._processes.add(Process("collector", command, job.work / "collector.log", variables))
        self._processes.add(ours.receiver(job))

    def write(self, file: int, name: str) -> None:
        """Append a marked line."""
        line = b"@%s %d %s\n" % (name.encode(), len(self.written), b"." * 80)
        self.written[line] = time.monotonic()
        os.write(file, line)

    def files(self, count: int) -> list[Path]:
        """So many logs with one marked line each."""
        paths = [self.logs / f"{number:06d}.log" for number in range(count)]
        for path in paths:
            self.append(path)
        return paths

    def append(self, path: Path) -> None:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.write(file, path.name)
        os.close(file)

    def paced(self, paths: list[Path], interval: float, seconds: float) -> None:
        """Append a line to each file every so many seconds, spread evenly, and watch what arrives."""
        opened = [os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT) for path in paths]
        began, written = time.monotonic(), 0
        total = max(1, int(seconds / interval)) * len(paths)
        while written < total:
            due = min(int((time.monotonic() - began) / interval * len(paths)), total)
            for number in range(written, due):
                self.write(opened[number % len(paths)], paths[number % len(paths)].name)
            written = max(written, due)
            self._look()
            time.sleep(0.01)
        for file in opened:
            os.close(file)

    def forget(self) -> None:
        """What has arrived so far was not what is measured."""
        self.wait_for_marked()
        self.written.clear()
        self.arrived.clear()

    @property
    def size(self) -> int:
        return size_of(self._job.output)

    def wait(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _TIMEOUT
        while not done():
            self._processes.require_alive()
            if time.monotonic() > deadline:
                raise Unfit(f"not everything arrived: {self.size} bytes are there")
            time.sleep(0.01)

    def wait_for_marked(self) -> None:
        self.wait(lambda: self._look() >= len(self.written))
        if self.arrived.keys() != self.written.keys():
            raise Unfit("other lines arrived than were written")

    def measure(self, round_: int, during: Callable[[], object], *, since_start: bool = False) -> Run:
        """Run something, and say what the halves took meanwhile. The time ends when all marked lines have arrived."""
        before = {} if since_start else self._processes.cpu()
        began = time.monotonic()
        during()
        self.wait_for_marked()
        seconds = time.monotonic() - began
        cores = {half: (cpu - before.get(half, 0)) / seconds for half, cpu in self._processes.cpu().items()}
        latencies = sorted(self.arrived[line] - at for line, at in self.written.items())
        figures = {"seconds": seconds, "lines": len(latencies)} | {f"{half}_core": core for half, core in cores.items()}
        if latencies:
            places = {"p50": len(latencies) // 2, "p99": len(latencies) * 99 // 100, "max": -1}
            figures |= {name: latencies[at] for name, at in places.items()}
        return Run(MegaCollector.name, round_, check.ONCE, figures, self._processes.end())

    def _look(self) -> int:
        """Note what has arrived since the last look; how much there is."""
        if not self._job.output.exists():
            return 0
        now = time.monotonic()
        with self._job.output.open("rb") as output:
            output.seek(self._read)
            while data := output.read(1 << 24):
                self._read += len(data)
                # Of other lines, which have no @ and may be very many, nothing is kept.
                if b"@" in data or self._rest:
                    *lines, rest = (self._rest + data).split(b"\n")
                    self._rest = rest if b"@" in rest else b""
                    for line in lines:
                        self._note(line, now)
        return len(self.arrived)

    def _note(self, line: bytes, now: float) -> None:
        at = line.rfind(b"@")
        if at >= 0 and self.arrived.setdefault(line[at:] + b"\n", now) != now:
            raise Unfit(f"twice: {line!r}")


def _idle(site: _Site, round_: int) -> Run:
    """10 000 idle files, once they are shipped."""
    site.files(_FILES)
    site.start()
    site.forget()
    time.sleep(2)  # until the checkpoint is written
    return site.measure(round_, lambda: time.sleep(site.session.seconds(20)))


def _begin(site: _Site, round_: int) -> Run:
    """10 000 files, from the start of both halves until one line of each has arrived."""
    site.files(_FILES)
    site.written = dict.fromkeys(site.written, time.monotonic())
    site.start()
    return site.measure(round_, lambda: None, since_start=True)


def _growing(site: _Site, round_: int) -> Run:
    """10 000 files, a line a second in each."""
    paths = site.files(_FILES)
    site.start()
    site.forget()
    return site.measure(round_, lambda: site.paced(paths, 1.0, site.session.seconds(20)))


def _names(site: _Site, round_: int) -> Run:
    """10 logs among 1 000 000 other names, of which a hundred come and go each second."""
    where = os.open(site.logs, os.O_RDONLY)
    os.close(os.open("0.other", os.O_CREAT | os.O_WRONLY, dir_fd=where))
    for number in range(1, 50_000 if site.session.quick else 1_000_000):
        os.link("0.other", f"{number}.other", src_dir_fd=where, dst_dir_fd=where)
    os.close(where)
    paths = site.files(10)
    site.start()
    site.forget()
    busy = subprocess.Popen([sys.executable, "-c", _BUSY, str(site.logs)])
    try:
        return site.measure(round_, lambda: site.paced(paths, 0.1, site.session.seconds(20)))
    finally:
        busy.kill()
        busy.wait()


# A hundred files a second that come, are written to and go, beside ours.
_BUSY = """
import os, sys, time
path = sys.argv[1] + "/busy.other"
while True:
    with open(path, "ab", buffering=0) as file:
        for _ in range(10):
            file.write(b"x")
            time.sleep(0.001)
    os.unlink(path)
"""


def _beside(site: _Site, round_: int) -> Run:
    """100 logs with a line every 100 ms, beside a backlog of 1 GB."""
    size = site.session.megabytes(1000)
    part = b"".join(b"%07d %s\n" % (number, b"." * 180) for number in range(50_000))
    with (site.logs / "backlog.log").open("wb") as log:
        while log.tell() < size:
            log.write(part)
        size = log.tell()
    site.start()
    site.wait(lambda: site.size > 0)
    paths = [site.logs / f"{number}.log" for number in range(100)]

    def flow() -> None:
        while site.size < size:
            site.paced(paths, 0.1, 0.5)
        site.wait(lambda: site.size >= size + sum(map(len, site.written)))

    return site.measure(round_, flow, since_start=True)


def _line(site: _Site, round_: int) -> Run:
    """A line of 200 MB, then one more: from the start of both halves."""
    size = 200_000_000
    with (site.logs / "long.log").open("wb") as log:
        for _ in range(200):
            log.write(b"x" * 1_000_000)
        log.write(b"\n")
    site.append(site.logs / "long.log")
    site.start()
    run = site.measure(round_, lambda: None, since_start=True)
    # Pieces of 1 MiB, each with its newline.
    expected = size + -(-size // (1 << 20)) + sum(map(len, site.written))
    if site.size != expected:
        raise Unfit(f"{site.size} bytes arrived instead of {expected}")
    return run


def _sparse(site: _Site, round_: int) -> Run:
    """A hole of 10 GB before a line: from the start of both halves."""
    with (site.logs / "sparse.log").open("wb") as log:
        log.truncate(10_000_000_000)
    return _beside_another(site, site.logs / "sparse.log", round_)


def _lastlog(site: _Site, round_: int) -> Run:
    """A file like lastlog, records by user number, 10 GB of holes: from the start of both halves."""
    path = site.logs / "lastlog.log"
    with path.open("wb") as log:
        for user in (0, 1000, 65534, 10_000_000_000 // 292):
            log.seek(user * 292)
            log.write(b"tty" + b"\0" * 288 + b"\n")
    return _beside_another(site, path, round_)


def _beside_another(site: _Site, path: Path, round_: int) -> Run:
    site.append(path)
    site.append(site.logs / "other.log")
    site.start()
    return site.measure(round_, lambda: None, since_start=True)


def _descriptors(site: _Site, round_: int) -> Run:
    """200 files that get a line every 5 s each, and 100 descriptors."""
    paths = site.files(200)
    site.start(limit=100, close_inactive="1s")
    site.forget()
    return site.measure(round_, lambda: site.paced(paths, 5.0, site.session.seconds(20)))


@contextmanager
def _site(session: Session) -> Iterator[_Site]:
    with session.job(()) as job, Processes() as processes:
        yield _Site(session, job, processes)


def _run(session: Session, follow: Callable[[_Site, int], Run], round_: int) -> Run:
    with _site(session) as site:
        return follow(site, round_)


def _scenario(follow: Callable[[_Site, int], Run]) -> Callable[[Session], Record]:
    name = f"following-{follow.__name__.lstrip('_')}"

    def scenario(session: Session) -> Record:
        return session.rounds(name, [(MegaCollector(), partial(_run, session, follow))], session.runs(1))

    scenario.__doc__ = follow.__doc__
    return scenario


FOLLOWING = {
    f"following-{each.__name__.lstrip('_')}": _scenario(each)
    for each in (_idle, _begin, _growing, _names, _beside, _line, _sparse, _lastlog, _descriptors)
}
