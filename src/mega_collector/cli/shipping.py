"""The commands that ship: both halves, in one process or two."""

# ruff: noqa: PLC0415 - imported when it is asked for: see the package

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mega_collector.cli.half import complete_file, half_command, paths
from mega_collector.errors import SettingError

if TYPE_CHECKING:
    from mega_collector.settings import AggregatorSettings, CollectorSettings, Loaded


def make_run() -> click.Command:
    def start(paths: tuple[str, ...], output: str | None, once: bool) -> int:
        patterns = _patterns(paths)
        if output is None:
            _require_stdout("--output")
        from mega_collector.both import run

        return run(patterns, None if output is None else Path(output), once)

    return click.Command(
        "run",
        callback=start,
        params=[
            click.Argument(
                ["paths"],
                metavar="PATH...",
                nargs=-1,
                required=True,
                type=click.UNPROCESSED,
                shell_complete=complete_file,
            ),
            click.Option(
                ["--output"],
                metavar="FILE",
                help="A file that gets every line exactly once. Default: stdout.",
                shell_complete=complete_file,
            ),
            click.Option(["--once"], is_flag=True, help="Stop at the end of the files. Default: follow them."),
        ],
        help="Follow files and write their lines to stdout or a file, with both halves in this process.",
    )


def _patterns(paths: tuple[str, ...]) -> tuple[bytes, ...]:
    from mega_collector.settings.globs import glob

    return tuple(_pattern(path, glob) for path in paths)


def _pattern(path: str, read: Callable[[str], bytes]) -> bytes:
    try:
        return read(path)
    except ValueError as error:
        raise SettingError("PATH", f"{path!r} {error}") from None


def make_collector() -> click.Command:
    from mega_collector.settings import CollectorSettings

    def start(loaded: "Loaded[CollectorSettings]") -> int:
        # Why a connection failed is logged as a fact: gRPC's own lines would say it again, and not as JSON. It looks at
        # this when it is imported.
        os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
        from mega_collector.collector.assembly import run

        return run(loaded.settings)

    what = "Follow files and ship their lines to an aggregator."
    return half_command("collector", CollectorSettings, start, what, [paths()])


def make_aggregator() -> click.Command:
    from mega_collector.settings import AggregatorSettings

    def start(loaded: "Loaded[AggregatorSettings]") -> int:
        if loaded.settings.text_configuration:
            _require_stdout("AGGREGATOR_TEXT_CONFIGURATION")
        from mega_collector.aggregator.assembly import run

        return run(loaded.settings)

    what = "Take in the lines of many collectors and push them to one destination."
    return half_command("aggregator", AggregatorSettings, start, what)


def _require_stdout(name: str) -> None:
    if sys.stdout is None:
        raise SettingError(name, "the logs go to stdout, which is closed")
