"""`top` and `tap`: what flows through the half that runs on this machine."""

# ruff: noqa: PLC0415

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from mega_collector.cli.answer import CLEAN
from mega_collector.errors import MegaCollectorError, SettingError

if TYPE_CHECKING:
    from mega_collector.operate.connection import Half
    from mega_collector.operate.tap import Tapped

_HALVES = ("aggregator", "collector")


def make_top() -> click.Command:
    def start(half: str | None, state_directory: str | None) -> int:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from mega_collector.operate.top import top

        which, where = _running(half, state_directory)
        with _until_seen_enough():
            top(where, which)
        return CLEAN

    return click.Command(
        "top",
        callback=start,
        params=[
            click.Argument(["half"], required=False, type=click.Choice(_HALVES), metavar="[aggregator|collector]"),
            _where("Default: where either half keeps it."),
        ],
        help="Show what the half that runs on this machine does, once a second. Default: the aggregator, if it runs.",
    )


def make_tap() -> click.Command:
    def start(host: str, path: str, match: str, state_directory: str | None) -> int:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from mega_collector.operate.tap import tap

        with _until_seen_enough():
            _print_tapped(tap(_state_directory("aggregator", state_directory), host=host, path=path, match=match))
        return CLEAN

    return click.Command(
        "tap",
        callback=start,
        params=[
            click.Option(["--host"], default="", metavar="GLOB", help="Only of these hosts. Default: all."),
            click.Option(["--path"], default="", metavar="GLOB", help="Only of these files. Default: all."),
            click.Option(["--match"], default="", metavar="RE", help="Only lines in which this is found (RE2)."),
            _where("Default: where an aggregator keeps it."),
        ],
        help="Show the lines that pass the aggregator on this machine, as they are delivered. Holds up nothing.",
    )


@contextlib.contextmanager
def _until_seen_enough() -> Iterator[None]:
    """Until it is interrupted, or whoever reads goes: the end of a pipe, or a terminal that is closed.

    Raises:
        MegaCollectorError: stdout cannot be written.
    """
    # Also where a script has begun it in the background, by which shells have it ignored: the halves heed it there too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    except OSError as error:
        # Python would try once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if error.errno not in {errno.EPIPE, errno.EIO}:
            raise MegaCollectorError(f"what is seen cannot be written to stdout: {error.strerror}") from error


def _print_tapped(tapped: Iterator["Tapped"]) -> None:
    """On a terminal with file names and made fit for it, else the lines as they are; what was missed on stderr."""
    from mega_collector.operate.tap import Terminal

    terminal = Terminal() if sys.stdout.isatty() else None
    for each in tapped:
        if each.missed:
            click.echo(f"mega-collector: missed {each.missed} lines: they came faster than they were read", err=True)
        elif terminal is None:
            sys.stdout.buffer.write(each.lines)
            sys.stdout.buffer.flush()
        else:
            for line in terminal.shown(each):
                click.echo(line)


def _where(default: str) -> click.Option:
    return click.Option(["--state-directory"], metavar="DIRECTORY", help=f"Its state directory. {default}")


def _running(half: str | None, named: str | None) -> "tuple[Half, Path]":
    """Which half is meant, and where it runs: if neither is said, the first that does."""
    from mega_collector.operate.connection import runs

    if half is not None or named is not None:
        which = half or "aggregator"
        return cast("Half", which), _state_directory(which, named)
    found = [(cast("Half", each), _state_directory(each, None)) for each in _HALVES]
    return next(((each, where) for each, where in found if runs(where)), found[0])


def _state_directory(half: str, named: str | None) -> Path:
    """As the half itself finds it, of whose other settings nothing need be known."""
    from mega_collector.settings.state_directory import default_state_directory

    variable = f"{half.upper()}_STATE_DIRECTORY"
    if chosen := named or os.environ.get(variable):
        return Path(chosen)
    try:
        return default_state_directory(half)(os.environ, {})
    except ValueError as error:
        raise SettingError(variable, str(error)) from error
