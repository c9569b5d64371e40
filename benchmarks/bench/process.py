"""Processes of contenders: what they take, and that none is left."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 30.0
_TICK = os.sysconf("SC_CLK_TCK")


class Unfit(Exception):
    """A contender cannot do this here: what it said."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process took in its whole life: CPU seconds, and resident bytes at the most."""

    cpu: float
    memory: int


class Process:
    """A process whose usage is known when it has ended. What it says goes to its log."""

    def __init__(
        self, name: str, command: list[str], log: Path, environment: Mapping[str, str] | None = None, stdout: int = -1
    ) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, "PYTHONPATH": f"{ROOT}/src:{ROOT}/benchmarks", **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output if stdout == -1 else stdout,
                stderr=output,
                process_group=0,  # Ctrl-C is for the benchmark, which ends them one after the other
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def cpu(self) -> float:
        """Seconds so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def resident(self) -> int:
        """Bytes now."""
        return self._status("VmRSS:")

    def peak(self) -> int:
        """Bytes at the most so far."""
        # What wait4 says begins with the memory of this very process, from before the other was executed.
        return self._status("VmHWM:")

    def last_words(self) -> str:
        """The last line that it has said."""
        lines = self.log.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "without a word")

    def end(self) -> Usage:
        """Ask it to end, or kill it if it does not."""
        if self._process.returncode is not None:
            return Usage(0.0, 0)
        memory = self.peak()
        self._process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _PATIENCE
        while (ended := os.wait4(self.pid, os.WNOHANG))[0] == 0:
            if time.monotonic() > deadline:
                self._process.kill()
            time.sleep(0.005)
        self._process.returncode = os.waitstatus_to_exitcode(ended[1])
        return Usage(ended[2].ru_utime + ended[2].ru_stime, memory)

    def _status(self, key: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return 1024 * int(status.partition(key)[2].split()[0]) if key in status else 0


class Processes:
    """A context manager, at whose end none of those that were added runs any longer."""

    def __init__(self) -> None:
        self._all: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def add(self, process: Process) -> Process:
        self._all.append(process)
        return process

    def end(self) -> dict[str, Usage]:
        """End all, the last one first; what those of each name took together, and the memory of the largest."""
        total: dict[str, Usage] = {}
        while self._all:
            process = self._all.pop()
            usage, before = process.end(), total.get(process.name, Usage(0.0, 0))
            total[process.name] = Usage(before.cpu + usage.cpu, max(before.memory, usage.memory))
        return total

    def end_one(self, name: str) -> Usage:
        """End that one, as if it had never been added."""
        process = next(process for process in self._all if process.name == name)
        self._all.remove(process)
        return process.end()

    def cpu(self) -> dict[str, float]:
        """Seconds so far, by name."""
        total: dict[str, float] = {}
        for process in self._all:
            total[process.name] = total.get(process.name, 0.0) + process.cpu()
        return total

    def resident(self) -> dict[str, int]:
        """Bytes now of the largest of each name."""
        most: dict[str, int] = {}
        for process in self._all:
            most[process.name] = max(most.get(process.name, 0), process.resident())
        return most

    def require_alive(self) -> None:
        """Raise Unfit with what was said by one that has ended."""
        for process in self._all:
            if not process.alive:
                raise Unfit(f"{process.name} has ended: {process.last_words()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_port(port: int, process: Process) -> None:
    """Wait until somebody listens there.

    Raises:
        Unfit: nobody does.
    """
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.alive:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise Unfit(f"{process.name} does not listen: {process.last_words()}")
