"""An audit as a person reads it."""

from collections.abc import Iterator
from typing import NamedTuple

from mega_collector.audit.row import Row
from mega_collector.audit.survey import Survey
from mega_collector.telemetry.printable import printable


class Line(NamedTuple):
    """One line of the table; `sound` unless it tells of something that differs, is lost, or cannot be read."""

    text: str
    sound: bool = True


def table(collector: str, survey: Survey) -> Iterator[Line]:
    """A line for each file, those of files that are gone summed up, and a total."""
    cells = [("path", "size", "committed", "entries", "state"), *map(_cells, survey.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line, sound in zip(cells, (True, *(row.sound for row in survey.rows)), strict=True):
        path, *numbers, state = line
        aligned = "  ".join(number.rjust(width) for number, width in zip(numbers, widths[1:-1], strict=True))
        yield Line(f"{path.ljust(widths[0])}  {aligned}  {state}", sound)
    yield Line(_total(survey), survey.sound)
    if survey.gone.records:
        yield Line(survey.gone.words, survey.gone.sound)
    if not survey.known:
        yield Line(_unknown(collector), sound=False)


def _unknown(collector: str) -> str:
    return (
        f"neither the aggregator nor the state directory knows of a collector {printable(collector)}: see whether"
        " COLLECTOR_ID and COLLECTOR_STATE_DIRECTORY are as the collector has them"
    )


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    return str(printable(row.path)), str(row.size), str(row.committed), str(row.entries), row.words


def _total(survey: Survey) -> str:
    rows = survey.rows
    held = f"{len(rows)} files of {sum(row.size for row in rows)} bytes"
    there = f"{sum(row.committed for row in rows)} committed, {sum(row.entries for row in rows)} entries"
    said = [f"total: {held}, {there}: {sum(row.complete for row in rows)} complete"]
    behind, differing = sum(row.behind for row in rows), sum(row.differs for row in rows)
    own, failed = sum(row.own for row in rows), sum(bool(row.error) for row in rows)
    said += [f"{sum(bool(row.behind) for row in rows)} behind by {behind}"] if behind else []
    said += [f"{differing} differ"] if differing else []
    said += [f"{own} own output"] if own else []
    said += [f"{failed} cannot be read"] if failed else []
    return ", ".join(said)
