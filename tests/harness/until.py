"""Waiting for what must come to pass: a condition with a deadline, never a pause and a hope."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE = 40.0
"""Seconds. Far more than anything takes: only a defect gets there, or a machine that does nothing else."""

_PACE = 0.01


def until(condition: Callable[[], T], what: str | Callable[[], str], timeout: float = DEADLINE) -> T:
    """Wait until `condition()` is true, and return it; `what` says what did not come, should it not.

    Raises:
        AssertionError: the deadline has passed.
    """
    end = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout:g} s in vain: {what if isinstance(what, str) else what()}")
        time.sleep(_PACE)
    return result


def quiet(look: Callable[[], object], what: str, seconds: float = 0.25) -> None:
    """Watch for `seconds` that `look()` does not change: without this, what comes twice would pass.

    The default is several of the poll and publish intervals that `Site` sets.
    """
    before, end = look(), time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(_PACE)
        now = look()
        assert now == before, f"{what} should have been quiet: {before!r:.500}, and then {now!r:.500}"


def rests(look: Callable[[], object], what: str, seconds: float = 0.25) -> None:
    """As `quiet`, but it may change a few times before: where what is tried again, or told late, is no matter."""

    def stays() -> bool:
        try:
            quiet(look, what, seconds)
        except AssertionError:
            return False
        return True

    until(stays, f"{what} should come to rest")
