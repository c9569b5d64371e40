"""What is said again in the same words, held back for a while."""

import time
from collections.abc import Callable, MutableMapping
from typing import Any

from structlog import DropEvent

from mega_collector.telemetry.once import Once

_INTERVAL = 60.0
"""Seconds between two tellings of one fact."""

_TOLD = frozenset({"warning", "error", "critical"})
"""What is withheld. Below these are facts of the normal course, of which each counts."""


class Repeats:
    """A processor of the log, behind those that make values printable: the last word on what is said too often.

    Two warnings are the same fact if all their keys are the same: what names another file, range or peer is another.
    When it is told again, `repeated` says how often it was withheld.
    """

    def __init__(self, *, interval: float = _INTERVAL, clock: Callable[[], float] = time.monotonic) -> None:
        self._once = Once(interval=interval)
        self._clock = clock

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if event["level"] not in _TOLD:
            return event
        withheld = self._once.due(_fact(event), self._clock())
        if withheld is None:
            raise DropEvent
        return {**event, "repeated": withheld} if withheld else event


def _fact(event: MutableMapping[str, Any]) -> int:
    """A number for it: the text may be long, and many are remembered."""
    return hash(tuple((key, repr(value)) for key, value in sorted(event.items()) if key != "timestamp"))
