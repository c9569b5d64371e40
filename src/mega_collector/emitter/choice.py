"""Which destination is used."""

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from mega_collector.emitter.blackhole import BlackholeEmitter
from mega_collector.emitter.configuration import AfterRetries, FileConfiguration, TextConfiguration
from mega_collector.emitter.file import FileEmitter
from mega_collector.emitter.file_tree import FileTree
from mega_collector.emitter.preflight import require_apart, require_output, require_root
from mega_collector.emitter.protocol import OutputState
from mega_collector.emitter.stop import Stop
from mega_collector.emitter.template import Template
from mega_collector.emitter.text import TextEmitter
from mega_collector.errors import SettingError, StartError

Kind = Literal["stdout", "file", "blackhole"]
Destination = TextEmitter | FileEmitter | FileTree | BlackholeEmitter

_TEXT = "AGGREGATOR_TEXT_CONFIGURATION"
_FILE = "AGGREGATOR_FILE_CONFIGURATION"
_BLACKHOLE = "AGGREGATOR_BLACKHOLE_CONFIGURATION"

_STDOUT = 1

# Only destinations over a network have no better buffer than their dead letters: the sources' own files are one.
DEFAULT_AFTER_RETRIES: dict[Kind, AfterRetries] = {
    "stdout": AfterRetries.WAIT,
    "file": AfterRetries.WAIT,
    "blackhole": AfterRetries.WAIT,
}


def choose_kind(*, text: TextConfiguration | None, file: FileConfiguration | None, blackhole: bool) -> Kind:
    """The destination whose variable is set.

    Raises:
        SettingError: none is, or more than one.
    """
    offered: list[tuple[Kind, str, bool]] = [
        ("stdout", _TEXT, text is not None),
        ("file", _FILE, file is not None),
        ("blackhole", _BLACKHOLE, blackhole),
    ]
    chosen = [(kind, name) for kind, name, is_set in offered if is_set]
    if len(chosen) == 1:
        return chosen[0][0]
    if not chosen:
        raise SettingError(_TEXT, f"no destination is set: set this one, {_FILE} or {_BLACKHOLE}")
    others = " and ".join(name for _, name in chosen[1:])
    raise SettingError(chosen[0][1], f"only one destination can be used: unset this one or {others}")


def require(file: FileConfiguration | None, own: Iterable[Path] = ()) -> None:
    """Look whether the file, if that is the destination, can be written, and is none of the `own`. Nothing is made.

    Raises:
        SettingError: it cannot.
    """
    if file is None:
        return
    if _is_stream(file.path):
        if not file.is_single:
            raise SettingError(_FILE, f"{file.path}: it is no regular file, and cannot be rotated")
        return
    try:
        require_apart(file.path, own)
    except StartError as error:
        raise SettingError(_FILE, str(error)) from error
    try:
        if isinstance(file.path, Template):
            require_root(file.path.root)
        else:
            require_output(file.path)
    except StartError as error:
        raise SettingError(_FILE, f"{error}. Allowed: a file that this process can write or make") from error


def build(
    *,
    text: TextConfiguration | None,
    file: FileConfiguration | None,
    blackhole: bool,
    stop: Stop,
    known: Callable[[str], OutputState | None],
    rows: Callable[[], Iterable[OutputState]] = lambda: (),
    clean: bool,
    state_directory: Path,
    remember: Callable[[OutputState], None],
) -> Destination:
    """The destination itself, not stacked.

    `known` looks up what the ledger has for an output's path, `rows` for all; `clean` and `remember` are FileEmitter's.

    Raises:
        SettingError: none or more than one is set, or it cannot be used as it is set.
        StartError: stdout is closed.
    """
    choose_kind(text=text, file=file, blackhole=blackhole)
    if text is not None:
        return TextEmitter(_STDOUT, stop, format=text.format)
    if file is None:
        return BlackholeEmitter()
    try:
        if isinstance(file.path, Template) or not file.is_single:
            return FileTree(
                file, known=known, rows=rows(), clean=clean, state_directory=state_directory, remember=remember
            )
        if _is_stream(file.path):
            return TextEmitter.at(file.path, stop, format=file.format)
        return FileEmitter(
            file.path,
            known=known(str(file.path)),
            clean=clean,
            state_directory=state_directory,
            remember=remember,
            format=file.format,
            mode=file.mode,
        )
    except StartError as error:
        raise SettingError(_FILE, str(error)) from error


def _is_stream(path: Path | Template) -> bool:
    """Whether it is there and can be neither cut nor synced: a pipe, a device."""
    if isinstance(path, Template):
        return False
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - as the others
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
