"""What is shown of a half to a person: by the page, and by `top`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import orjson

from mega_collector.errors import WireError
from mega_collector.telemetry.live import readable
from mega_collector.telemetry.printable import printable
from mega_collector.telemetry.recent import Note

OLD = 60.0
"""Seconds after which what has not arrived is worth a look."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A number that grows while all is well: its rate is what is looked at."""

    name: str
    unit: Literal["bytes", "lines"]
    total: float


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    value: str
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Facts that belong together."""

    title: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Row:
    cells: tuple[str, ...]
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    none: str
    """What to say where there are no rows."""
    left_out: int = 0
    """Rows that are not shown."""


@dataclass(frozen=True, slots=True)
class View:
    """All of it, as of now. Its texts may come from anywhere: whoever shows them makes them fit for where they go."""

    half: str
    host: str
    version: str
    uptime: float
    """Seconds."""
    ready: bool
    state: str
    flows: tuple[Flow, ...] = ()
    groups: tuple[Group, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[Note, ...] = ()
    """The last warnings and errors, the latest first."""

    def encode(self) -> bytes:
        """As JSON."""
        return orjson.dumps(printable(asdict(self)))


def decode(data: bytes) -> View:
    """A view again.

    Raises:
        WireError: it is none, or one of another version.
    """
    try:
        return _view(orjson.loads(data))
    except (ValueError, TypeError, KeyError) as error:
        raise WireError("what is shown cannot be understood: is it of another version than this command?") from error


def _view(found: Mapping[str, Any]) -> View:
    return View(
        **{name: found[name] for name in ("half", "host", "version", "uptime", "ready", "state")},
        flows=tuple(Flow(**each) for each in found["flows"]),
        groups=tuple(Group(each["title"], tuple(Fact(**fact) for fact in each["facts"])) for each in found["groups"]),
        tables=tuple(_table(each) for each in found["tables"]),
        notes=tuple(Note(**each) for each in found["notes"]),
    )


def _table(found: Mapping[str, Any]) -> Table:
    rows = tuple(Row(tuple(row["cells"]), row["bad"]) for row in found["rows"])
    return Table(found["title"], tuple(found["columns"]), rows, found["none"], found["left_out"])


def count(number: float) -> str:
    """A number, for people: `12,345` or `1.2 million`."""
    return f"{number:,.0f}" if number < 1e6 else f"{number / 1e6:,.1f} M"


def measure(flow: Flow, number: float) -> str:
    """So much of what flows."""
    return readable(number) if flow.unit == "bytes" else f"{count(number)} {flow.unit}"


def age(seconds: float | None) -> str:
    """A duration, for people; nothing: not known."""
    if seconds is None:
        return ""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


_SOON = 14 * 86400
"""Seconds before its end at which a certificate should be renewed."""


def expiry(expires_at: float | None, now: float) -> tuple[Fact, ...]:
    """Until when the own certificate is valid, if there is one; both in seconds since the epoch."""
    if expires_at is None:
        return (Fact("TLS", "off"),)
    left = expires_at - now
    words = f"valid for {age(left)}" if left > 0 else f"expired {age(-left)} ago"
    return (Fact("certificate", words, bad=left < _SOON),)


def bar(values: Sequence[float]) -> str:
    """A line of a curve, in characters: the highest is the largest of the values."""
    top = max(values, default=0)
    return "".join("▁▂▃▄▅▆▇█"[min(int(value / top * 8), 7)] if top and value > 0 else " " for value in values)
