"""What a service of `Type=notify` tells systemd: that it serves, lives, how it fares, that it ends. sd_notify(3).

service = Service(os.environ)
service.ready()
while not ended(service.interval):  # or if service.due
    service.tell(steps, "12 files, up to date")
service.stopping(seconds)
"""

import os
import socket
import time
from collections.abc import Mapping

import structlog

from mega_collector.telemetry.printable import text

_LAZIEST = 10.0
"""Seconds between two tellings at the most: so old may be what `systemctl status` shows."""

_LONGEST_STATUS = 500

_PATIENCE = 5.0
"""Seconds for systemd to take a message: it may be busy, but it must not hold anything up for ever."""

_log = structlog.get_logger(__name__)


class Service:
    """Tells nothing if systemd did not start this process. What cannot be sent is logged, and does no harm."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog = _watchdog(environ)
        self._steps: int | None = None
        self._told_at = time.monotonic()
        self._failure: str | None = None

    @property
    def interval(self) -> float | None:
        """Seconds between two times at which `tell` is due; None if there is nobody to tell."""
        return min(self._watchdog / 2, _LAZIEST) if self._address else None

    @property
    def due(self) -> bool:
        """Whether `tell` is."""
        return self.interval is not None and time.monotonic() - self._told_at >= self.interval

    def ready(self) -> None:
        """It does what it is for."""
        self._say("READY=1")

    def tell(self, steps: int | None, status: str) -> None:
        """Say how it fares; and that it lives, if its thread has made steps since the last time.

        A thread that hangs is so found by systemd, which ends the process and starts another. `steps` is None while
        the thread waits for what no other process could hurry.
        """
        self._told_at = time.monotonic()
        lives = steps is None or steps != self._steps
        self._steps = steps
        if lives:
            self._say("WATCHDOG=1", _status(status))
        else:
            self._say(_status("hangs: " + status))

    def stopping(self, seconds: float) -> None:
        """It ends, which may take so long."""
        self._say("STOPPING=1", f"EXTEND_TIMEOUT_USEC={seconds * 1e6:.0f}", _status("delivers what is under way"))

    def _say(self, *lines: str) -> None:
        if not self._address:
            return
        failure = None
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
                sending.settimeout(_PATIENCE)
                sending.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            failure = str(error)
        if failure is not None and failure != self._failure:
            _log.warning("systemd_not_told", error=failure)
        self._failure = failure


def _watchdog(environ: Mapping[str, str]) -> float:
    """Seconds in which systemd wants to hear of this process; infinite if it does not wait for that."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    of_this_process = environ.get("WATCHDOG_PID") in {None, str(os.getpid())}
    return int(microseconds) / 1e6 if microseconds.isdecimal() and of_this_process else float("inf")


def _status(words: str) -> str:
    """In one line: whatever stands in it, it cannot pass for another message."""
    return "STATUS=" + text(words)[:_LONGEST_STATUS]
