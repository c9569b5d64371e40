"""Processes of the product that are forked from one that has imported it: they begin in 20 ms instead of 300.

Run as a program, with a socket's descriptor: that one.
"""

import contextlib
import gc
import importlib
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
from typing import IO, Any, NoReturn, Self

_SOURCE = Path(__file__).parents[2] / "src"

_SIZE = 1 << 20
"""Of a request, in bytes: more than an environment has."""


class Template:
    """A context manager, at whose end no process of it is left. `variables` are those that it must begin with."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._lock = threading.Lock()
        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "error", __file__, str(its.fileno())],
                # gRPC reads how much it is to say when it is imported: as the command sets it before that.
                env={"PYTHONPATH": str(_SOURCE), "GRPC_VERBOSITY": "ERROR", **(variables or {})},
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
        self,
        arguments: Sequence[str],
        directory: Path,
        environ: Mapping[str, str],
        stdout: int | IO[bytes],
        stderr: IO[bytes],
    ) -> "Forked":
        """As `python -m mega_collector` with those arguments."""
        request = {"arguments": list(arguments), "directory": str(directory), "environ": dict(environ)}
        output = stdout if isinstance(stdout, int) else stdout.fileno()
        return Forked(self, self.ask(request, output, stderr.fileno()))

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
    for module in ("mega_collector.cli", "mega_collector.aggregator.assembly", "mega_collector.collector.assembly"):
        importlib.import_module(module)
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


def _become(descriptors: list[int], arguments: list[str], directory: str, environ: dict[str, str]) -> NoReturn:
    for descriptor, place in zip(descriptors, (1, 2), strict=True):
        os.dup2(descriptor, place)
        os.close(descriptor)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["mega-collector", *arguments]
    sys.modules["mega_collector.cli"].main()
    raise AssertionError("the command should have exited")


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as its:
        main(its)
