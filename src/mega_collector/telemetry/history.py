"""How fast something has flowed lately, while somebody looks."""

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

LENGTH = 120
"""Samples that are kept: two minutes, at one a second."""

_LATELY = 3
"""Samples over which the present rate is taken: what is emitted in batches comes in steps."""


class History:
    """Totals, as they were at instants of a clock."""

    def __init__(self, length: int = LENGTH) -> None:
        self._samples: deque[tuple[float, tuple[float, ...]]] = deque(maxlen=length + 1)

    def add(self, now: float, totals: Sequence[float]) -> None:
        """Keep a sample; the oldest make room. Other totals than before, or at no later time, begin anew."""
        if self._samples and (len(self._samples[-1][1]) != len(totals) or now <= self._samples[-1][0]):
            self._samples.clear()
        self._samples.append((now, tuple(totals)))

    def clear(self) -> None:
        self._samples.clear()

    def rate(self, index: int) -> float | None:
        """Of one of the totals, by the second, lately; None: not known yet."""
        samples = list(self._samples)[-_LATELY - 1 :]
        if len(samples) < 2:
            return None
        (began, before), (ended, after) = samples[0], samples[-1]
        return max(after[index] - before[index], 0) / (ended - began)

    def rates(self, index: int) -> list[float]:
        """Likewise, between each two samples."""
        samples = list(self._samples)
        return [
            max(after[index] - before[index], 0) / (ended - began)
            for (began, before), (ended, after) in pairwise(samples)
        ]
