"""Why a pattern matches nothing: how far it leads, and what is there instead."""

import os
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from itertools import islice

from mega_collector.check.leave import forbidden, shown
from mega_collector.collector.finding.pattern import ANY_DEPTH, Part, parse

_MOST_DIRECTORIES = 100
_MOST_NAMES = 10_000
"""Names of a directory that are looked at for near ones."""

_FEW = 3


def why_nothing(pattern: bytes) -> str:
    """Say up to which directory an absolute pattern leads, and what is there instead of what it names next."""
    parts = parse(pattern)
    here = [b"/"]
    for index, part in enumerate(parts):
        if part is ANY_DEPTH:
            rest = b"/".join(each.text for each in parts[index + 1 :])
            return f"{shown(here[0])} is there, and nothing at any depth below it matches {shown(rest)}"
        last = index == len(parts) - 1
        found = [path for directory in here for path in _matching(directory, part)]
        if not found:
            return _missing(here, part)
        here = found if last else [path for path in found if os.path.isdir(path)]  # noqa: PTH112 - bytes
        if not here:
            return forbidden(found[0]) or f"{shown(found[0])} is no directory"
        here = here[:_MOST_DIRECTORIES]
    return "what it names is no file"


def _matching(directory: bytes, part: Part) -> list[bytes]:
    if part.literal:
        path = _join(directory, part.text)
        return [path] if os.path.lexists(path) else []
    return [_join(directory, name) for name in _names(directory) if part.matches(name)]


def _missing(here: Sequence[bytes], part: Part) -> str:
    """Nothing in these directories, which are there, matches the next part."""
    directory, wanted = here[0], shown(part.text)
    if (why := forbidden(directory)) is not None or (why := forbidden(_join(directory, part.text))) is not None:
        return why
    if len(here) > 1:
        return f"{len(here)} directories such as {shown(directory)} are there, and none of them has {wanted}"
    names = _names(directory)
    if not names:
        return f"{shown(directory)} is there, and empty"
    if part.literal:
        return f"{shown(directory)} is there, and has no {wanted}{_near(part.text, names, cutoff=0.6)}"
    return f"{shown(directory)} is there, and of its {len(names)} names none matches {wanted}{_near(part.text, names)}"


def _near(wanted: bytes, names: Sequence[bytes], *, cutoff: float = 0.3) -> str:
    near = get_close_matches(shown(wanted), [shown(name) for name in names], _FEW, cutoff)
    return f"; it has {', '.join(near)}" if near else ""


def _names(directory: bytes) -> list[bytes]:
    with suppress(OSError), os.scandir(directory) as entries:
        return sorted(entry.name for entry in islice(entries, _MOST_NAMES))
    return []


def _join(directory: bytes, name: bytes) -> bytes:
    return directory.rstrip(b"/") + b"/" + name
