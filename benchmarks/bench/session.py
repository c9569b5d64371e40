"""One call of the benchmark: where it works, whom it measures, how often, and until when."""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import trustme

from bench import check
from bench.contenders.contender import Contender, Job
from bench.contenders.ours import MegaCollector
from bench.contenders.peers import PEERS, find
from bench.machine import describe
from bench.process import ROOT, Unfit, free_port
from bench.record import Record, Run


class Session:
    """What it has made in its directories is gone when it is closed."""

    def __init__(
        self, *, quick: bool, only: list[str] | None, runs: int | None, minutes: float, disk: Path, results: Path
    ) -> None:
        self.quick = quick
        self.results = results
        self._runs = runs
        self._only = only
        self._deadline = time.monotonic() + minutes * 60
        self._machine = describe()
        self.failed: list[str] = []
        """What went wrong with this project's own runs."""
        shared = Path("/dev/shm")
        disk.mkdir(parents=True, exist_ok=True)
        self.memory = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None, prefix="bench-"))
        self.disk = Path(tempfile.mkdtemp(dir=disk, prefix="bench-"))
        self.certificates = self.memory / "certificates"
        self.certificates.mkdir()
        _certify(self.certificates)
        self.peers: list[Contender] = [peer for peer in PEERS if find(peer.program)]
        self._machine.update({peer.name: peer.version() for peer in self.peers})

    def clear(self) -> None:
        """Take away what a scenario has made."""
        for path in (*self.memory.iterdir(), *self.disk.iterdir()):
            if path.is_dir() and path != self.certificates:
                shutil.rmtree(path)
            elif path.is_file():
                path.unlink()

    def close(self) -> None:
        shutil.rmtree(self.memory)
        shutil.rmtree(self.disk)

    def megabytes(self, full: float) -> int:
        """So many bytes, or a twentieth of it for a smoke run."""
        return int(full * 1e6 / (20 if self.quick else 1))

    def seconds(self, full: float) -> float:
        return full / (8 if self.quick else 1)

    def runs(self, full: int = 3) -> int:
        return self._runs or (1 if self.quick else full)

    def peer(self, name: str) -> list[Contender]:
        return [peer for peer in self.peers if peer.name == name]

    @contextmanager
    def job(
        self, patterns: Sequence[str], features: frozenset[str] = frozenset(), directory: Path | None = None
    ) -> Iterator[Job]:
        """A job with a work directory of its own, which is gone at its end."""
        with tempfile.TemporaryDirectory(dir=directory or self.memory, ignore_cleanup_errors=True) as made:
            work = Path(made)
            (work / "out").mkdir()
            output = work / "out" / "output.log"
            yield Job(tuple(patterns), output, work, free_port(), features, self.certificates)

    def rounds(self, scenario: str, cases: "Sequence[tuple[Contender, Callable[[int], Run]]]", runs: int) -> Record:
        """Measure all cases in turns, and save what came of it."""
        record = self.record(scenario)
        for round_ in range(runs):
            for contender, measure in cases:
                self.once(record, contender.name, partial(measure, round_))
        record.save(self.results)
        return record

    def record(self, scenario: str) -> Record:
        """An empty one."""
        print(f"{scenario}:", flush=True)
        return Record(scenario, self._machine)

    def once(self, record: Record, name: str, measure: Callable[[], Run]) -> None:
        """Measure, unless that contender has failed in this scenario, or the time is over."""
        if name in record.skipped or (self._only and name not in self._only):
            return
        if time.monotonic() > self._deadline:
            record.skipped[name] = "the time was over"
            return
        try:
            run = measure()
        except Unfit as reason:
            record.skipped[name] = str(reason)
            print(f"  {name}: {reason}", file=sys.stderr, flush=True)
            return
        print(f"  {_line(run)}", flush=True)
        if check.good(run.verdict):
            record.runs.append(run)
        else:  # how fast it lost something says nothing
            record.skipped[name] = run.verdict
            if name == MegaCollector.name:
                self.failed.append(f"{record.scenario}: {run.verdict}")


def _line(run: Run) -> str:
    figures = ", ".join(f"{name} {value:.6g}" for name, value in run.figures.items())
    cpu = sum(usage.cpu for usage in run.usage.values())
    memory = ", ".join(f"{half} {usage.memory / 1e6:.0f} MB" for half, usage in run.usage.items())
    return f"{run.contender:16} {figures}, CPU {cpu:.2f} s, {memory}: {run.verdict}"


def _certify(directory: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    for half in ("aggregator", "collector"):
        certificate = authority.issue_cert("localhost", "127.0.0.1", common_name="localhost")
        for pem in certificate.cert_chain_pems:
            pem.write_to_path(directory / f"{half}.pem", append=True)
        certificate.private_key_pem.write_to_path(directory / f"{half}.key")


def default_disk() -> Path:
    return ROOT / "build" / "bench-disk"
