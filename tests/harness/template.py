"""Processes of the product that are forked from one that has imported it: they begin in 20 ms instead of 300.

Run as a program, with a socket's descriptor: that one.
"""

import array
import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

_SIZE = 1 << 20
"""Of a request, in bytes: more than an environment has."""


class Template:
    """A context manager, at whose end no process of it is left. `variables` are those that it must begin with."""

    def __init__(self, source: Path, variables: Mapping[str, str] | None = None) -> None:
        self._lock = threading.Lock()
        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "error", __file__, str(its.fileno())],
                env={"PYTHONPATH": str(source), **(variables or {})},
                pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._process.wait()

    def start(
        self, arguments: Sequence[str], *, directory: Path, environ: Mapping[str, str], stdout: int, stderr: int
    ) -> "Forked":
        """As `python -m mega_collector` with those arguments."""
        request = {"arguments": list(arguments), "directory": str(directory), "environ": dict(environ)}
        return Forked(self, self.ask(request, stdout, stderr))

    def ask(self, request: object, *descriptors: int) -> int:
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(request).encode()], list(descriptors))
            return int(self._socket.recv(_SIZE))


class Forked:
    """What of `subprocess.Popen` is needed of such a process."""

    def __init__(self, template: Template, pid: int) -> None:
        self.pid = pid
        self.returncode = 0
        """Once it has ended."""
        self._template = template
        self._ended = False
        self._descriptor = os.pidfd_open(pid)

    def poll(self) -> int | None:
        return self._look(0)

    def wait(self) -> int:
        self._look(None)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _look(self, timeout: int | None) -> int | None:
        if not self._ended:
            poll = select.poll()
            poll.register(self._descriptor, select.POLLIN)
            if not poll.poll(timeout):
                return None
            self.returncode = self._template.ask({"ended": self.pid})
            self._ended = True
            os.close(self._descriptor)
        return self.returncode


def main(requests: socket.socket) -> None:
    from mega_collector import cli  # noqa: F401, PLC0415 - what takes so long
    from mega_collector.aggregator import assembly  # noqa: F401, PLC0415
    from mega_collector.collector import assembly as other  # noqa: F401, PLC0415

    gc.freeze()
    children: set[int] = set()
    while True:
        said, descriptors, _, _ = socket.recv_fds(requests, _SIZE, 2)
        if not said:
            break
        request: dict[str, Any] = json.loads(said)
        if "ended" in request:
            _, status = os.waitpid(request["ended"], 0)
            children.discard(request["ended"])
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if not answer:
                requests.close()
                _become(descriptors, **request)
            children.add(answer)
            for descriptor in descriptors:
                os.close(descriptor)
        requests.send(str(answer).encode())
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def _become(descriptors: array.array, arguments: list[str], directory: str, environ: dict[str, str]) -> NoReturn:
    from mega_collector.cli import main as begin

    for descriptor, place in zip(descriptors, (1, 2), strict=True):
        os.dup2(descriptor, place)
        os.close(descriptor)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["mega-collector", *arguments]
    begin()
    sys.exit(0)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
