"""`top` and `tap`: what flows through a half, here or elsewhere."""

# ruff: noqa: PLC0415 - imported when it is asked for: see the package

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
from mega_collector.cli.half import half_command
from mega_collector.errors import MegaCollectorError, SettingError

if TYPE_CHECKING:
    from mega_collector.operate.tap import Tapped
    from mega_collector.operator_client import Half, Remote
    from mega_collector.settings import Loaded, OperatorSettings

_HALVES = ("aggregator", "collector")


def make_top() -> click.Command:
    from mega_collector.settings import OperatorSettings

    def start(loaded: "Loaded[OperatorSettings]", half: str | None, state_directory: str | None) -> int:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from mega_collector.operate.top import top

        which: Half = "aggregator"
        where: Path | Remote | None = _remote(loaded, here=state_directory is not None or half == "collector")
        if where is None:
            which, where = _running(half, state_directory)
        with _until_seen_enough():
            top(where, which)
        return CLEAN

    what = "Show what a half does, once a second: the one at --address, or the aggregator on this machine, if it runs."
    arguments = [
        click.Argument(["half"], required=False, type=click.Choice(_HALVES), metavar="[aggregator|collector]"),
        _where("Default: where either half keeps it."),
    ]
    return half_command("top", OperatorSettings, start, what, arguments)


def make_tap() -> click.Command:
    from mega_collector.settings import OperatorSettings

    def start(loaded: "Loaded[OperatorSettings]", host: str, path: str, match: str, state_directory: str | None) -> int:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from mega_collector.operate.tap import tap

        remote = _remote(loaded, here=state_directory is not None)
        where = remote or _running("aggregator", state_directory)[1]
        with _until_seen_enough():
            _print_tapped(tap(where, host=host, path=path, match=match))
        return CLEAN

    what = "Show the lines that pass an aggregator, here or at --address, as they are delivered. Holds up nothing."
    arguments = [
        click.Option(["--host"], default="", metavar="GLOB", help="Only of these hosts. Default: all."),
        click.Option(["--path"], default="", metavar="GLOB", help="Only of these files. Default: all."),
        click.Option(["--match"], default="", metavar="RE", help="Only lines in which this is found (RE2)."),
        _where("Default: where an aggregator keeps it."),
    ]
    return half_command("tap", OperatorSettings, start, what, arguments)


def _remote(loaded: "Loaded[OperatorSettings]", *, here: bool) -> "Remote | None":
    """The aggregator that is meant, if it runs elsewhere. `here`: what is said beside is of this machine."""
    from mega_collector.settings import Source

    settings = loaded.settings
    if here and loaded.origins["address"].source is Source.FLAG:
        raise click.UsageError("--address is an aggregator's on another machine: leave out what is said of this one.")
    if here:
        return None
    ca, certificate, key = settings.tls_ca_certificate, settings.tls_certificate, settings.tls_key
    if settings.address is None or ca is None or certificate is None or key is None:
        return None
    from mega_collector.operator_client import Remote
    from mega_collector.pem_file import Material
    from mega_collector.tls import verify

    for warning in verify(ca, certificate, key, prefix=settings.prefix.rstrip("_")):
        click.echo(f"mega-collector: {warning}", err=True)
    return Remote(settings.address, Material(ca, certificate, key), settings.tls_server_name)


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
    """Which half is meant, and where it runs: the first that does of those that are meant, yours or the machine's."""
    from mega_collector.operator_client import find

    if named is not None:
        return cast("Half", half or "aggregator"), Path(named)
    halves = _HALVES if half is None else (half,)
    return find([(cast("Half", each), where) for each in halves for where in _state_directories(each)])


def _state_directories(half: str) -> "Iterator[Path]":
    """Where a half may have its state, if nothing says where: as this user, or as a service of the machine."""
    from mega_collector.settings.state_directory import state_directory

    yield _state_directory(half, None)
    if not os.environ.get(f"{half.upper()}_STATE_DIRECTORY") and os.geteuid() != 0:
        yield state_directory(half, {}, user=0)


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
