"""`audit`, `ledger` and `replay`: what is committed, and what is missing."""

# ruff: noqa: PLC0415 - imported when it is asked for: see the package

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mega_collector.cli.answer import CLEAN, FAILED, say
from mega_collector.cli.half import as_json, complete_file, half_command, paths
from mega_collector.errors import SettingError

if TYPE_CHECKING:
    from mega_collector.audit.survey import Survey
    from mega_collector.settings import AggregatorSettings, CollectorSettings, Loaded

_AUDITED = (
    *("paths", "exclude", "remote_address", "id", "state_directory"),
    *("tls", "tls_certificate", "tls_key", "tls_ca_certificate", "tls_server_name"),
)
"""The settings of a collector that can be told to an audit by flag."""


def make_audit() -> click.Command:
    from mega_collector.settings import CollectorSettings

    def start(loaded: "Loaded[CollectorSettings]", *, as_json: bool) -> int:
        os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
        from mega_collector.audit.assembly import audit
        from mega_collector.settings import Source

        asked = loaded.origins["paths"].source is Source.FLAG
        return _report(*audit(loaded.settings, asked=asked), as_json=as_json)

    what = "Hold files against what the aggregator has committed of them. 0 if nothing differs or is lost; else 1."
    return half_command("audit", CollectorSettings, start, what, [paths(), as_json(default="a table")], only=_AUDITED)


def _report(collector: str, survey: "Survey", *, as_json: bool) -> int:
    from mega_collector.audit.document import document
    from mega_collector.audit.table import table

    if as_json:
        said = json.dumps(document(collector, survey), indent=1)
    else:
        said = "\n".join(
            line.text if line.sound else click.style(line.text, fg="red") for line in table(collector, survey)
        )
    say(said)
    return CLEAN if survey.sound else FAILED


def make_ledger() -> click.Command:
    from mega_collector.settings import AggregatorSettings

    def start(loaded: "Loaded[AggregatorSettings]", as_json: bool, collector: str | None, holder: str | None) -> int:
        directory = loaded.settings.state_directory
        if collector is not None or holder is not None:
            say(_released(directory, collector, holder))
            return CLEAN
        from mega_collector.operate.ledger import document, lines

        for line in [document(directory)] if as_json else lines(directory):
            say(line)
        return CLEAN

    what = "Show what an aggregator has committed: sources, what is missing of them, output files, collectors."
    options: list[click.Parameter] = [
        as_json(),
        click.Option(
            ["--release", "collector"],
            metavar="COLLECTOR_ID",
            help="Have the running aggregator take this id from whoever holds it: it is theirs who come first with it.",
        ),
        click.Option(["--to", "holder"], metavar="HOLDER", help="Or theirs who are named here, such as CN=web-1."),
    ]
    return half_command("ledger", AggregatorSettings, start, what, options, only=("state_directory",))


def _released(directory: Path, collector: str | None, holder: str | None) -> str:
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from mega_collector.operate.release import HOLDERS, release

    if not collector:
        raise click.UsageError("--to needs --release COLLECTOR_ID, which is not empty")
    if holder is not None and not holder.startswith(HOLDERS):
        raise click.UsageError(f"--to takes a holder as this command shows them: {'..., '.join(HOLDERS)}...")
    return release(directory, collector, holder)


def make_replay() -> click.Command:
    from mega_collector.settings import AggregatorSettings

    def start(loaded: "Loaded[AggregatorSettings]", letters: tuple[str, ...]) -> int:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what fails is told here, in one line
        from mega_collector.operate.replay import Replaying

        paths = _replayed_from(letters, loaded.settings)
        replaying = Replaying(paths, loaded.settings.state_directory, named=bool(letters))
        for line in replaying:
            say(line)
        say(replaying.total)
        return CLEAN if replaying.complete else FAILED

    what = "Have the running aggregator push again what it has discarded, and remove what it has pushed."
    where = click.Argument(
        ["letters"], metavar="[DIRECTORY|FILE]...", nargs=-1, type=click.UNPROCESSED, shell_complete=complete_file
    )
    return half_command(
        "replay", AggregatorSettings, start, what, [where], only=("state_directory", "dead_letter_directory")
    )


def _replayed_from(letters: Sequence[str], settings: "AggregatorSettings") -> list[Path]:
    """Where to look: what was named, or else where an aggregator with these settings lays them."""
    if letters:
        return [Path(each) for each in letters]
    if settings.dead_letter_directory is None:
        raise SettingError("AGGREGATOR_DEAD_LETTER_DIRECTORY", "no dead letters are kept: name where some are")
    if settings.state_directory.is_dir() and not settings.dead_letter_directory.exists():
        # It is made with the first one.
        return []
    return [settings.dead_letter_directory]
