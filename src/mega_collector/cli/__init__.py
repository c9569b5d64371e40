"""The command line: it reads what it is told and starts what was asked for.

Everything but click is imported when it is needed, so that `--version` and `--help` answer at once.
"""

import os
import sys
from collections.abc import Sequence

import click

from mega_collector import __version__
from mega_collector.cli.answer import BAD_SETTINGS, CLEAN, FAILED
from mega_collector.cli.checking import make_check
from mega_collector.cli.lazy import Lazy
from mega_collector.cli.operating import make_audit, make_ledger, make_replay
from mega_collector.cli.shipping import make_aggregator, make_collector, make_run
from mega_collector.cli.watching import make_tap, make_top
from mega_collector.errors import MegaCollectorError, SettingError, StartError


def main() -> None:
    """Run the command of `sys.argv` and exit: 0 clean, 1 failed while running, 2 bad settings."""
    _open_standard_descriptors()
    sys.exit(execute(sys.argv[1:]))


def _open_standard_descriptors() -> None:
    """Let no file that is opened later take the number of one that is closed: it would get what is meant for stderr.

    A stdout that was closed is still None in `sys`, by which a command that ships there knows it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - a descriptor


def execute(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code. What went wrong is one line on stderr."""
    try:
        return int(command.main(list(arguments), prog_name="mega-collector", standalone_mode=False) or CLEAN)
    except click.exceptions.NoArgsIsHelpError as help_wanted:
        help_wanted.show()
        return BAD_SETTINGS
    except click.ClickException as error:
        return _refuse(f"{error.format_message()} ({_advice(error)})", BAD_SETTINGS)
    except (SettingError, StartError) as error:
        return _refuse(str(error), BAD_SETTINGS)
    except MegaCollectorError as error:
        return _refuse(str(error), FAILED)
    except click.Abort:
        return FAILED


def _refuse(text: str, code: int) -> int:
    click.echo("mega-collector: " + " ".join(text.split()), err=True)
    return code


def _advice(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"see {context.command_path if context else 'mega-collector'} --help"


command = Lazy(
    "mega-collector",
    makers={
        "run": make_run,
        "collector": make_collector,
        "aggregator": make_aggregator,
        "check": make_check,
        "replay": make_replay,
        "ledger": make_ledger,
        "audit": make_audit,
        "top": make_top,
        "tap": make_tap,
    },
    help="Tail log files and ship them to one place: whole, in order, once.",
)
click.version_option(__version__, message="%(prog)s %(version)s")(command)
