"""The last warnings and errors of the log, for whoever looks at this process."""

import threading
from collections import Counter, deque
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from mega_collector.telemetry.printable import text

_MOST = 50
"""Facts that are kept. More than a person reads, and some tens of kilobytes."""

_LONGEST = 300
"""Characters of one."""

_WORTH_KEEPING = ("warning", "error", "critical")
_BESIDE = ("timestamp", "level", "event", "exception", "withheld", "next_try", "failures", "again_in")
"""Keys that are shown elsewhere, or that differ each time the same is said."""


@dataclass(frozen=True, slots=True)
class Note:
    """A fact of the log: when it was said last, and how often in a row of its own."""

    at: str
    level: str
    event: str
    words: str
    times: int = 1


class Recent:
    """What was said at warning or above; what is said again stands there once, with its count.

    A processor of structlog's; from any thread.
    """

    def __init__(self) -> None:
        self._notes: deque[Note] = deque(maxlen=_MOST)
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if event.get("level") in _WORTH_KEEPING:
            self._keep(event)
        return event

    def notes(self) -> list[Note]:
        """The latest first."""
        with self._lock:
            return list(reversed(self._notes))

    def count(self, level: Literal["warning", "error"]) -> int:
        """How often something was said at that level."""
        return self._counts[level]

    def _keep(self, event: Mapping[str, Any]) -> None:
        note = Note(str(event.get("timestamp", "")), event["level"], str(event.get("event", "")), _words(event))
        with self._lock:
            self._counts[note.level] += 1
            said = next((each for each in self._notes if _same(each, note)), None)
            if said is not None:
                self._notes.remove(said)
                note = replace(note, times=said.times + 1)
            self._notes.append(note)


RECENT = Recent()
"""Of this process: there is one log."""


def _words(event: Mapping[str, Any]) -> str:
    words = "  ".join(text(f"{key}={value}") for key, value in event.items() if key not in _BESIDE)
    return words if len(words) <= _LONGEST else words[:_LONGEST] + "..."


def _same(one: Note, other: Note) -> bool:
    return (one.level, one.event, one.words) == (other.level, other.event, other.words)
