"""How long to wait before the next try to connect: a machine."""

from collections.abc import Callable

FIRST = 0.2
SLOWEST = 30.0


class Backoff:
    """Doubles from `FIRST` to `SLOWEST` seconds, each time shortened at random by up to a half.

    The jitter keeps a thousand collectors from coming back in the same instant. `random` gives numbers from 0 to 1.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._delay = FIRST

    def failed(self, *, hopeless: bool = False) -> float:
        """Seconds to wait after a failure; `hopeless` ones (only a person can mend them) wait the longest at once."""
        delay = SLOWEST if hopeless else self._delay
        self._delay = min(self._delay * 2, SLOWEST)
        return delay * (1 - self._random() / 2)

    def succeeded(self) -> None:
        self._delay = FIRST
