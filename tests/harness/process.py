"""A mega-collector command as a real process: started, asked to stop, killed, and heard."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from harness.template import Template
from harness.until import DEADLINE, until

SOURCE = Path(__file__).parents[2] / "src"

Event = dict[str, Any]


class Running(Protocol):
    """What is needed of `subprocess.Popen`."""

    pid: int
    returncode: int

    def poll(self) -> int | None: ...

    def wait(self) -> int: ...

    def send_signal(self, number: int, /) -> None: ...

    def kill(self) -> None: ...


class Process:
    """Runs until it ends by itself, is stopped or is killed. Its environment holds nothing but what is given.

    What it writes to standard error is its log; `stdout` gets its standard output (absent: a file of its own).
    `wrapper` is a command that ends by executing the rest of its arguments, such as `prlimit --fsize=9999`. Without one
    it is forked from the `template`, if there is one.
    """

    def __init__(
        self,
        *arguments: str,
        directory: Path,
        name: str,
        environ: Mapping[str, str] | None = None,
        wrapper: Sequence[str] = (),
        stdout: int | IO[bytes] | None = None,
        template: Template | None = None,
    ) -> None:
        self.name = name
        self.log = _unused(directory, f"{name}.stderr")
        self.stdout = _unused(directory, f"{name}.stdout")
        essential = {"PYTHONPATH": str(SOURCE), "HOME": str(directory), "PATH": os.environ["PATH"]}
        variables = {**essential, "XDG_STATE_HOME": str(directory / "state"), **(environ or {})}
        self._process: Running
        with self.log.open("wb") as log, self.stdout.open("wb") as own:
            output = own if stdout is None else stdout
            if template is not None and not wrapper:
                self._process = template.start(arguments, directory, variables, output, log)
                return
            self._process = subprocess.Popen(
                [*wrapper, sys.executable, "-W", "error", "-m", "mega_collector", *arguments],
                cwd=directory,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
            )

    def __repr__(self) -> str:
        return f"<{self.name}, process {self.pid}>"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    # What it says

    def said(self) -> str:
        """All of its log, as text."""
        return self.log.read_text(errors="backslashreplace")

    def events(self, name: str | None = None, **keys: object) -> list[Event]:
        """The events of its log so far: those of that name, with those keys."""
        whole = [line for line in self.said().splitlines(keepends=True) if line.endswith("\n")]
        events = [json.loads(line) for line in whole if line.startswith("{")]
        return [
            event
            for event in events
            if name in {None, event["event"]} and all(event.get(key) == value for key, value in keys.items())
        ]

    def wait_for(self, name: str, *, count: int = 1, **keys: object) -> Event:
        """Wait until it has logged that event so often, and return the last."""

        def said() -> list[Event]:
            found = self.events(name, **keys)
            assert len(found) >= count or self.running, f"{self} ended before {name} {keys}: {self.said()}"
            return found if len(found) >= count else []

        return until(said, lambda: f"{self} should have logged {name} {keys}: {self.said()}")[-1]

    # What is done to it

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self, timeout: float = DEADLINE) -> int:
        """Wait for its end; its exit code, or minus the signal that killed it."""
        until(lambda: not self.running, lambda: f"{self} should have ended: {self.said()}", timeout)
        return self._process.returncode

    def stop(self) -> int:
        """Ask it to end (SIGTERM), and wait; its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it where it stands (SIGKILL)."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Let it hang (SIGSTOP): its connections stay, and it answers nothing."""
        self.signal(signal.SIGSTOP)
        until(lambda: Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", "it runs on")

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def holds(self, path: Path) -> bool:
        """Whether it has that file open, by whatever name."""
        wanted, found = path.stat(), False
        for link in Path(f"/proc/{self.pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                found = found or os.path.samestat(link.stat(), wanted)
        return found

    def peak_memory(self) -> int:
        """The most memory it has had so far, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def _unused(directory: Path, name: str) -> Path:
    numbers = (f"{number}" if number else "" for number in range(10_000))
    return next(path for number in numbers if not (path := directory / f"{name}{number}").exists())
