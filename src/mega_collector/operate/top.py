"""What a half does, in a terminal."""

import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mega_collector.api import api_pb2_grpc
from mega_collector.errors import MegaCollectorError
from mega_collector.operator_client import Half, Remote, look, operator_of
from mega_collector.telemetry import view as shown
from mega_collector.telemetry.history import History
from mega_collector.telemetry.printable import text
from mega_collector.telemetry.view import View, age, bar, measure

_PACE = 1.0
"""Seconds between two looks."""

_CURVE = 40
"""Characters of a curve: as many seconds."""

_FAINT, _BAD = "dim", "bold red"

_FEW = 8
"""Warnings and errors that are shown: below them stands more."""

_WIDE = 1000
"""Characters of a line where no terminal says how many it has."""


def top(where: Path | Remote, half: Half) -> None:
    """Show it once a second until interrupted; once, where it does not go to a terminal.

    Raises:
        MegaCollectorError: there is none, or it does not answer: why.
    """
    console = Console(highlight=False)
    with operator_of(where, half) as operator:
        history = History()
        first = _look(operator, history)
        if not console.is_terminal:
            time.sleep(_PACE)  # without which nothing could be said of rates
            Console(highlight=False, width=_WIDE).print(screen(_look(operator, history), history))
            return
        with Live(screen(first, history), console=console, screen=True, auto_refresh=False) as live:
            for drawn in _screens(operator, history, first):
                live.update(drawn, refresh=True)
                time.sleep(_PACE)


def _screens(operator: api_pb2_grpc.OperatorStub, history: History, view: View) -> Iterator[RenderableType]:
    heard = time.monotonic()
    while True:
        lost = None
        try:
            view = _look(operator, history)
            heard = time.monotonic()
        except MegaCollectorError as error:
            lost = f"{error}, for {age(time.monotonic() - heard)}: this is how it was"
        yield screen(view, history, lost)


def _look(operator: api_pb2_grpc.OperatorStub, history: History) -> View:
    view = look(operator)
    history.add(time.monotonic(), [flow.total for flow in view.flows])
    return view


def screen(view: View, history: History, lost: str | None = None) -> RenderableType:
    """All of it, the most important first: a terminal shows as much as fits. `lost` says that it is old."""
    parts: list[RenderableType] = [_head(view)]
    if lost is not None:
        parts.append(_words(f"✕ {lost}", _BAD))
    parts += [
        _words(f"{'✓' if view.ready else '✕'} {view.state}", "bold green" if view.ready else _BAD),
        Text(),
        _flows(view, history),
        *(part for table in view.tables for part in _table(table)),
        *_notes(view),
        *(part for group in view.groups for part in _group(group)),
    ]
    return Group(*parts)


def _words(words: str, style: str = "") -> Text:
    """The only way in: what comes from a log or a peer moves no cursor and is no markup."""
    return Text(text(words), style=style)


def _head(view: View) -> Text:
    about = f"  {view.host}  {view.version}  up {age(view.uptime)}"
    return Text.assemble((text(view.half), "bold"), (text(about), _FAINT))


def _grid(columns: int) -> Table:
    grid = Table.grid(padding=(0, 2))
    for _ in range(columns):
        grid.add_column(overflow="fold")
    return grid


def _flows(view: View, history: History) -> Table:
    grid = _grid(4)
    for index, flow in enumerate(view.flows):
        rate = history.rate(index)
        words = "measuring" if rate is None else f"{measure(flow, rate)}/s"
        curve = bar(history.rates(index)[-_CURVE:]).rjust(_CURVE)
        so_far = _words(f"{measure(flow, flow.total)} so far", _FAINT)
        grid.add_row(_words(flow.name), _words(words, "bold"), Text(curve, style="blue"), so_far)
    return grid


def _group(group: shown.Group) -> Iterator[RenderableType]:
    grid = _grid(2)
    for fact in group.facts:
        value = _words(f"✕ {fact.value}", _BAD) if fact.bad else _words(fact.value)
        grid.add_row(_words(fact.name, _FAINT), value)
    yield from (Text(), _words(group.title, "bold"), grid)


def _table(table: shown.Table) -> Iterator[RenderableType]:
    yield from (Text(), _words(table.title, "bold"))
    if not table.rows:
        yield _words(table.none, _FAINT)
        return
    grid = _grid(len(table.columns))
    grid.add_row(*(_words(column, _FAINT) for column in table.columns))
    for row in table.rows:
        first, *others = row.cells
        grid.add_row(_words(f"✕ {first}", _BAD) if row.bad else _words(first), *map(_words, others))
    yield grid
    if table.left_out:
        yield _words(f"and {table.left_out} more", _FAINT)


def _notes(view: View) -> Iterator[RenderableType]:
    yield from (Text(), _words("Last warnings and errors", "bold"))
    if not view.notes:
        yield _words("none", _FAINT)
    for note in view.notes[:_FEW]:
        often = f" ({note.times} times)" if note.times > 1 else ""
        yield Text.assemble(
            (text(f"{note.at[:19].replace('T', ' ')} {note.level} "), _FAINT),
            (text(note.event), "bold" if note.level == "warning" else _BAD),
            text(f"{often} {note.words}"),
        )
    if len(view.notes) > _FEW:
        yield _words(f"and {len(view.notes) - _FEW} more", _FAINT)
