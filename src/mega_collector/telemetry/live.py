"""One line on a terminal that shows what flows."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO, cast

INTERVAL = 0.5
"""Seconds between two drawings, over which a rate is taken."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What has flowed so far, and what has not: `lag` is bytes that are not acknowledged."""

    files: int
    entries: int
    size: int
    lag: int
    trouble: str | None = None


def wanted(*, logs_on_stdout: bool = False) -> bool:
    """Whether somebody is looking at standard error, and not at the logs themselves."""
    return sys.stderr.isatty() and not (logs_on_stdout and sys.stdout.isatty())


class Live:
    """Draws the line on standard error until it is closed. What is logged to `stream` meanwhile stands above it."""

    def __init__(self, progress: Callable[[], Progress], clock: Callable[[], float] = time.monotonic) -> None:
        # Imported late: only a terminal needs it.
        from rich.console import Console  # noqa: PLC0415
        from rich.file_proxy import FileProxy  # noqa: PLC0415
        from rich.live import Live as RichLive  # noqa: PLC0415

        console = Console(stderr=True)
        self._live = RichLive(
            console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self.stream = cast("TextIO", FileProxy(console, sys.stderr))
        self._progress = progress
        self._clock = clock
        self._at = clock()
        self._before: Progress | None = None
        self._live.start()

    def draw(self) -> None:
        """Draw the line anew, with the rates since the last time."""
        now, current = self._clock(), self._progress()
        before = self._before or current
        line = describe(before, current, max(now - self._at, 1e-9))
        self._at, self._before = now, current
        self._live.update(line, refresh=True)

    def close(self) -> None:
        """Take the line away."""
        self._live.stop()


def describe(before: Progress, now: Progress, seconds: float) -> str:
    """The line's text: what has flowed since `before`, a number of `seconds` ago."""
    lines = (now.entries - before.entries) / seconds
    rate = (now.size - before.size) / seconds
    parts = [
        f"{now.files} {'file' if now.files == 1 else 'files'}",
        f"{lines:,.0f} lines/s",
        f"{rate / 1e6:,.1f} MB/s",
        f"{readable(now.lag)} behind" if now.lag else "up to date",
    ]
    return "  ".join([*parts, *([now.trouble] if now.trouble else [])])


def readable(size: float) -> str:
    """A number of bytes, for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
