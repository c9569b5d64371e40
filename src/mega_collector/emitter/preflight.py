"""Looks whether files and directories can be used, before anything is made or opened for good."""

import os
from collections.abc import Iterable
from pathlib import Path

from mega_collector.emitter.cause import cause
from mega_collector.emitter.output import Output
from mega_collector.emitter.template import Template
from mega_collector.errors import EmitError, StartError


def require_output(path: Path) -> None:
    """Look whether an output file can be written, or made where it is not there.

    Raises:
        StartError: it cannot, or another process writes it.
    """
    try:
        exists = os.path.exists(path)  # noqa: PTH110 - Path.exists raises where it may not look
        if exists:
            Output.open(path, create=False).close()
        else:
            _require_room(Path(os.path.realpath(path)).parent, path)
    except EmitError as error:
        raise StartError(str(error)) from error


def require_apart(path: Path | Template, own: Iterable[Path]) -> None:
    """Look whether no line goes into a file that is the aggregator's `own`, whatever a collector calls itself.

    Raises:
        StartError: one may.
    """
    for each in own:
        real = Path(os.path.realpath(each.parent), each.name)
        if _leads_to(path, real) if isinstance(path, Template) else os.path.realpath(path) == str(real):
            raise StartError(f"{path}: lines could go into {each}, which is the aggregator's own: name another place")


def _leads_to(template: Template, real: Path) -> bool:
    """Below its root the template follows no link; the root may be one."""
    root = Path(os.path.realpath(template.root))
    return real.is_relative_to(root) and template.may_be(template.root / real.relative_to(root))


def require_directory(path: Path) -> None:
    """Look whether a directory can be written, or made where its nearest ancestor is.

    Raises:
        StartError: it cannot.
    """
    absolute = path.absolute()
    nearest = next(each for each in (absolute, *absolute.parents) if os.path.lexists(each))
    _require_room(nearest, path)


def require_root(path: Path) -> None:
    """Look whether a directory is there, below which files are made; in itself nothing need be.

    Raises:
        StartError: it is not.
    """
    try:
        os.stat(path / ".")  # noqa: PTH116 - as below
    except OSError as error:
        raise StartError(cause(path, error)) from error


def _require_room(directory: Path, wanted: Path) -> None:
    try:
        os.stat(directory / ".")  # noqa: PTH116 - the same call that will be made, with its own error
    except OSError as error:
        raise StartError(cause(wanted, error)) from error
    if not os.access(directory, os.W_OK | os.X_OK, effective_ids=True):
        raise StartError(f"{wanted}: nothing can be made in {directory}: change its owner or mode")
