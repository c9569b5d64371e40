"""Commands that are told the settings of a half, by variable or flag."""

# ruff: noqa: PLC0415 - imported when it is asked for: see the package

import json
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from mega_collector.settings.declaration import Setting, Settings

    S = TypeVar("S", bound=Settings)


def half_command(
    name: str,
    settings: "type[S]",
    start: Callable[..., int],
    what: str,
    arguments: Sequence[click.Parameter] = (),
    *,
    only: Sequence[str] = (),
) -> click.Command:
    """Make a command that is told the settings of a half, by flag those in `only` or all, and what its arguments say.

    `start` gets the settings, and of the arguments those that are no settings.
    """
    from mega_collector.settings import load
    from mega_collector.settings.declaration import declared

    known = {setting.name: setting for setting in declared(settings)}

    def resolve_and_start(**given: Any) -> int:
        others = {name: value for name, value in given.items() if name not in known and name != "arguments"}
        return start(load(settings, os.environ, _flags(given)), **others)

    params = [*arguments, *(_option(known[name]) for name in only or known)]
    return click.Command(name, callback=resolve_and_start, params=params, help=what)


def paths() -> click.Argument:
    return click.Argument(
        ["arguments"], metavar="[PATH]...", nargs=-1, type=click.UNPROCESSED, shell_complete=complete_file
    )


def as_json(*, default: str = "lines") -> click.Option:
    return click.Option(["--json", "as_json"], is_flag=True, help=f"One JSON document. Default: {default}.")


def complete_file(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Have the shell complete the path: it is not given as a type, which would judge it."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def _option(setting: "Setting") -> click.Option:
    words = f"{setting.help[0].upper()}{setting.help[1:]}. Allowed: {setting.kind.allowed}. "
    words += f"[{setting.variable}; default: {setting.shown_default}]"
    alone = "1" if setting.kind.is_switch else None
    return click.Option(
        [setting.flag, setting.name],
        metavar=setting.kind.name,
        type=click.UNPROCESSED,
        help=words,
        is_flag=False,
        flag_value=alone,
    )


def _flags(given: dict[str, Any]) -> dict[str, str]:
    """Make raw texts of what click found: what a value may be is judged in one place, with the variables."""
    flags = {name: text for name, text in given.items() if isinstance(text, str)}
    if arguments := given.get("arguments"):
        if "paths" in flags:
            raise click.UsageError("Give paths as arguments or with --paths, not both.")
        flags["paths"] = json.dumps(arguments)
    return flags
