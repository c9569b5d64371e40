"""Watching the output: when its first byte stood there, and when its last."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.process import Processes, Unfit

_PACE = 0.002
_NO_FIRST_BYTE = 60.0
_STALLED = 20.0
"""Seconds without a byte after which nothing more is waited for."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Moments, by the monotonic clock, and how many bytes there were at the end."""

    first: float
    last: float
    size: int


def size_of(output: Path) -> int:
    return output.stat().st_size if output.exists() else 0


def watch(
    output: Path,
    size: int,
    processes: Processes,
    *,
    empty: int = 0,
    at_first: Callable[[], None] = lambda: None,
    during: Callable[[], None] = lambda: None,
    quiet: float | None = None,
) -> Arrival:
    """Wait until there are `size` bytes, of which `empty` do not count: they were there before.

    `at_first` is called at the first byte, `during` now and then. With `quiet` the size is not known: the end is the
    last growth before so many seconds without any; as it is where less comes than one waits for. Whether all is right
    is not judged here.

    Raises:
        Unfit: nothing comes at all, or a process ends.
    """
    began = time.monotonic()
    first = last = 0.0
    there, looked = empty, began
    while there < size or quiet:
        time.sleep(_PACE)
        grown, now = size_of(output), time.monotonic()
        if grown > there and not first:
            first = now
            at_first()
        if grown > there:
            there, last = grown, now
        elif now - (last or began) > ((quiet or _STALLED) if first else _NO_FIRST_BYTE):
            break
        if now - looked > 0.1:
            processes.require_alive()
            during()
            looked = now
    if not first:
        raise Unfit("nothing arrived")
    return Arrival(first, last, there)


def await_size(output: Path, size: int, processes: Processes, timeout: float = 60.0) -> None:
    """Wait until there are so many bytes.

    Raises:
        Unfit: they do not come.
    """
    deadline = time.monotonic() + timeout
    while size_of(output) < size:
        processes.require_alive()
        if time.monotonic() > deadline:
            raise Unfit(f"{size_of(output)} of {size} bytes arrived in {timeout:g} s")
        time.sleep(_PACE)
