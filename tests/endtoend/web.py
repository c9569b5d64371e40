"""A real web server that writes an access log, under real load, its log rotated by the real logrotate."""

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pytest

from harness.until import until

CONNECTIONS = 8
"""So many requests may be logged and not be counted, at the end of a load."""

_CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.txt warn;
events {{ worker_connections 64; }}
http {{
    log_format unique '$request_id $connection:$connection_requests $remote_addr [$time_iso8601] "$request" $status';
    access_log {log} unique;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ return 200 "hello"; }}
    }}
}}
"""

_ROTATION = """
{log} {{
    rotate 100
    missingok
    {how}
}}
"""


def require(*programs: str) -> None:
    """Skip the test, with the reason, if one of the programs is not installed."""
    for program in programs:
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            pytest.skip(f"{program} is not installed: .ci/run installs it")


class WebServer:
    """nginx, which logs each request with an id of its own. A context manager."""

    def __init__(self, directory: Path, log: Path) -> None:
        self._directory = directory
        self._log = log
        self._port = _free_port()
        directory.mkdir()
        configuration = directory / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        configuration.write_text(_CONFIGURATION.format(directory=directory, log=log, port=self._port, user=user))
        command = [
            _program("nginx"),
            "-p",
            str(directory),
            "-e",
            str(directory / "error.txt"),
            "-c",
            str(configuration),
        ]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self) -> Self:
        until(self._answers, "nginx does not answer")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def load(self, seconds: int) -> "Load":
        """Begin to send requests as fast as they are answered."""
        return Load(f"http://127.0.0.1:{self._port}/", seconds)

    def rotate(self, *how: str) -> None:
        """Rotate the log now, with these directives of logrotate."""
        configuration = self._directory / "logrotate.conf"
        configuration.write_text(_ROTATION.format(log=self._log, how="\n    ".join(how)))
        configuration.chmod(0o644)
        state = self._directory / "logrotate.state"
        subprocess.run([_program("logrotate"), "--force", "--state", state, configuration], check=True)

    @property
    def reopen(self) -> str:
        """The directive with which nginx goes on in the new file."""
        return f"postrotate\n        kill -USR1 $(cat {self._directory}/nginx.pid)\n    endscript"

    def stop(self) -> None:
        """Let it finish what it does, and end."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._directory / "error.txt").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0 and (self._directory / "nginx.pid").exists()


class Load:
    """wrk, at work."""

    def __init__(self, url: str, seconds: int) -> None:
        command = [_program("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def requests(self) -> int:
        """Wait for its end: how many requests were answered."""
        said, _ = self._process.communicate(timeout=60)
        found = re.search(r"(\d+) requests in", said)
        assert found, said
        assert "Non-2xx" not in said
        return int(found[1])


def lines_of(paths: Sequence[Path]) -> list[bytes]:
    return [line for path in paths for line in path.read_bytes().splitlines(keepends=True)]


def _program(name: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert found
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
