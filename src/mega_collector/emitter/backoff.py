"""When to try again: a machine."""

from dataclasses import dataclass

LONGEST = 60.0
"""Seconds: the slowest pace."""

_DOUBLINGS = 64  # more would overflow, and are beyond LONGEST whatever the first delay


@dataclass(frozen=True, slots=True)
class Backoff:
    """`count` tries after the first: the first of them after `delay` seconds, each later one after twice the last."""

    count: int
    delay: float

    def after(self, failures: int) -> float | None:
        """Seconds to wait after so many failures in a row, at least one; None when there were enough."""
        if failures > self.count:
            return None
        return float(min(self.delay * 2 ** min(failures - 1, _DOUBLINGS), LONGEST))
