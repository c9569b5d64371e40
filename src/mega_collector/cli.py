"""The command line: it reads what it is told and starts what was asked for.

Everything but click is imported when it is needed, so that `--version` and `--help` answer at once.
"""

# ruff: noqa: PLC0415

import contextlib
import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from mega_collector import __version__
from mega_collector.errors import MegaCollectorError, SettingError, StartError
from mega_collector.lazily import import_lazily

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from mega_collector.audit.survey import Survey
    from mega_collector.check.finding import Finding
    from mega_collector.operate.connection import Half
    from mega_collector.operate.tap import Tapped
    from mega_collector.settings import AggregatorSettings, Loaded
    from mega_collector.settings.declaration import Setting, Settings

    S = TypeVar("S", bound=Settings)

CLEAN = 0
FAILED = 1
BAD_SETTINGS = 2


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


def _require_stdout(name: str) -> None:
    if sys.stdout is None:
        raise SettingError(name, "the logs go to stdout, which is closed")


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


class _Lazy(click.Group):
    """A group whose commands are made when one of them is asked for."""

    def __init__(self, name: str, *, makers: Mapping[str, Callable[[], click.Command]], help: str) -> None:  # noqa: A002
        super().__init__(name, help=help)
        self._makers = makers

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self._makers)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._makers:
            return None
        # Before anything else is: the settings log too.
        _import_sparingly()
        return self._makers[cmd_name]()


def _make_run() -> click.Command:
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
                shell_complete=_complete_file,
            ),
            click.Option(
                ["--output"],
                metavar="FILE",
                help="A file that gets every line exactly once. Default: stdout.",
                shell_complete=_complete_file,
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


def _make_collector() -> click.Command:
    from mega_collector.settings import CollectorSettings

    def start(loaded: "Loaded[CollectorSettings]") -> int:
        # Why a connection failed is logged as a fact: gRPC's own lines would say it again, and not as JSON. It looks at
        # this when it is imported.
        os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
        from mega_collector.collector.assembly import run

        return run(loaded.settings)

    what = "Follow files and ship their lines to an aggregator."
    return _half("collector", CollectorSettings, start, what, [_paths()])


def _make_aggregator() -> click.Command:
    from mega_collector.settings import AggregatorSettings

    def start(loaded: "Loaded[AggregatorSettings]") -> int:
        if loaded.settings.text_configuration:
            _require_stdout("AGGREGATOR_TEXT_CONFIGURATION")
        from mega_collector.aggregator.assembly import run

        return run(loaded.settings)

    what = "Take in the lines of many collectors and push them to one destination."
    return _half("aggregator", AggregatorSettings, start, what)


def _import_sparingly() -> None:
    """Keep structlog from importing rich, for tracebacks that are not shown here: 6 MB, and a fifth of the start-up.

    And it and gRPC from importing asyncio, which neither uses here: 4 MB, and another tenth.
    """
    import_lazily("asyncio", "grpc.aio", "grpc.experimental.aio", "grpc_health.v1._async")
    import_lazily("grpc_reflection.v1alpha._async")
    if "rich" not in sys.modules:
        sys.modules["rich"] = None  # type: ignore[assignment]
        import structlog  # noqa: F401

        del sys.modules["rich"]


def _make_check() -> click.Command:
    makers = {"collector": _make_check_collector, "aggregator": _make_check_aggregator}
    return _Lazy("check", makers=makers, help="Show the settings in effect, and try what they need. Changes nothing.")


def _make_check_collector() -> click.Command:
    from mega_collector.settings import CollectorSettings

    def start(loaded: "Loaded[CollectorSettings]", *, as_json: bool) -> int:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what fails is told here, in one line
        from mega_collector.check.collector import check_collector

        return _tell(loaded, check_collector, as_json=as_json)

    what = "Show a collector's settings, the files they match and where each begins, and try the connection."
    return _half("collector", CollectorSettings, start, what, [_paths(), _as_json()])


def _make_check_aggregator() -> click.Command:
    from mega_collector.settings import AggregatorSettings

    def start(loaded: "Loaded[AggregatorSettings]", *, as_json: bool) -> int:
        from mega_collector.check.aggregator import check_aggregator

        return _tell(loaded, check_aggregator, as_json=as_json)

    what = "Show an aggregator's settings, and try its destination, its port, and the way to PagerDuty."
    return _half("aggregator", AggregatorSettings, start, what, [_as_json()])


def _as_json() -> click.Option:
    return click.Option(["--json", "as_json"], is_flag=True, help="One JSON document. Default: lines.")


def _make_replay() -> click.Command:
    from mega_collector.settings import AggregatorSettings

    def start(loaded: "Loaded[AggregatorSettings]", letters: tuple[str, ...]) -> int:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what fails is told here, in one line
        from mega_collector.operate.replay import Replaying

        replaying = Replaying(_replayed_from(letters, loaded.settings), loaded.settings.state_directory)
        for line in replaying:
            _say(line)
        _say(replaying.total)
        return CLEAN if replaying.complete else FAILED

    what = "Have the running aggregator push again what it has discarded, and remove what it has pushed."
    where = click.Argument(
        ["letters"], metavar="[DIRECTORY|FILE]...", nargs=-1, type=click.UNPROCESSED, shell_complete=_complete_file
    )
    return _half("replay", AggregatorSettings, start, what, [where], only=("state_directory", "dead_letter_directory"))


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


def _make_ledger() -> click.Command:
    from mega_collector.settings import AggregatorSettings

    def start(loaded: "Loaded[AggregatorSettings]", as_json: bool) -> int:
        from mega_collector.operate.ledger import document, lines

        directory = loaded.settings.state_directory
        for line in [document(directory)] if as_json else lines(directory):
            _say(line)
        return CLEAN

    what = "Show what an aggregator has committed: sources, what is missing of them, output files. Changes nothing."
    json_ = click.Option(["--json", "as_json"], is_flag=True, help="One JSON object. Default: lines.")
    return _half("ledger", AggregatorSettings, start, what, [json_], only=("state_directory",))


def _make_top() -> click.Command:
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


def _make_tap() -> click.Command:
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
def _until_seen_enough() -> "Iterator[None]":
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


def _print_tapped(tapped: "Iterator[Tapped]") -> None:
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


_HALVES = ("aggregator", "collector")


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


_AUDITED = (
    *("paths", "exclude", "remote_address", "id", "state_directory"),
    *("tls", "tls_certificate", "tls_key", "tls_ca_certificate", "tls_server_name"),
)
"""The settings of a collector that can be told to an audit by flag."""


def _make_audit() -> click.Command:
    from mega_collector.settings import CollectorSettings

    def start(loaded: "Loaded[CollectorSettings]", *, as_json: bool) -> int:
        os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
        from mega_collector.audit.assembly import audit

        return _report(*audit(loaded.settings), as_json=as_json)

    what = "Hold files against what the aggregator has committed of them. 0 if nothing differs or is lost; else 1."
    as_json = click.Option(["--json", "as_json"], is_flag=True, help="One JSON document instead of a table.")
    return _half("audit", CollectorSettings, start, what, [_paths(), as_json], only=_AUDITED)


def _report(collector: str, survey: "Survey", *, as_json: bool) -> int:
    from mega_collector.audit.document import document
    from mega_collector.audit.table import table

    if as_json:
        said = json.dumps(document(collector, survey), indent=1)
    else:
        said = "\n".join(line.text if line.sound else click.style(line.text, fg="red") for line in table(survey))
    _say(said)
    return CLEAN if survey.sound else FAILED


def _say(what: str | bytes) -> None:
    """Write to stdout; click takes the colour out again where it goes into a pipe."""
    try:
        click.echo(what)
    except OSError as error:
        # Python would try once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        # Else whoever reads has seen enough: what was begun is done all the same.
        if not isinstance(error, BrokenPipeError):
            raise MegaCollectorError(f"what was found cannot be written to stdout: {error.strerror}") from error


def _half(
    name: str,
    settings: "type[S]",
    start: "Callable[..., int]",
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


def _paths() -> click.Argument:
    return click.Argument(
        ["arguments"], metavar="[PATH]...", nargs=-1, type=click.UNPROCESSED, shell_complete=_complete_file
    )


def _complete_file(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
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


def _tell(loaded: "Loaded[S]", check: "Callable[[S], Iterator[Finding]]", *, as_json: bool) -> int:
    from mega_collector.check.document import document
    from mega_collector.check.effective import effective

    settings = list(effective(loaded))
    if as_json:
        findings = list(check(loaded.settings))
        _say(json.dumps(document(settings, findings), indent=1))
        return CLEAN if all(each.ok for each in findings) else BAD_SETTINGS
    for setting in settings:
        _say(str(setting))
    ready = True
    for finding in check(loaded.settings):
        _say(f"{finding.mark.value} {finding.text}")
        ready = ready and finding.ok
    return CLEAN if ready else BAD_SETTINGS


command = _Lazy(
    "mega-collector",
    makers={
        "run": _make_run,
        "collector": _make_collector,
        "aggregator": _make_aggregator,
        "check": _make_check,
        "replay": _make_replay,
        "ledger": _make_ledger,
        "audit": _make_audit,
        "top": _make_top,
        "tap": _make_tap,
    },
    help="Tail log files and ship them to one place: whole, in order, once.",
)
click.version_option(__version__, message="%(prog)s %(version)s")(command)
