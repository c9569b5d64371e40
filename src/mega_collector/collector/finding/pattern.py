"""Patterns of paths: what a name or a path matches. Both are bytes, as names are. A machine."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import translate

_MAGIC = re.compile(rb"[*?\[]")


@dataclass(frozen=True, slots=True)
class Part:
    """What a pattern says of one name in a path."""

    text: bytes
    matches: Callable[[bytes], bool]

    @property
    def literal(self) -> bool:
        """Whether it is just a name."""
        return not _MAGIC.search(self.text)


Parts = tuple[Part, ...]

ANYTHING = Part(b"*", lambda name: not name.startswith(b"."))

ANY_DEPTH = Part(b"**", ANYTHING.matches)
"""Any number of directories, also none."""


def parse(pattern: bytes) -> Parts:
    """The parts of an absolute, normalised pattern; none of `/`. They never end with `ANY_DEPTH`."""
    parts: list[Part] = []
    for text in pattern.split(b"/"):
        # Two in a row say no more than one.
        if text and not (text == ANY_DEPTH.text and parts and parts[-1] is ANY_DEPTH):
            parts.append(_part(text))
    if parts and parts[-1] is ANY_DEPTH:
        parts.append(ANYTHING)
    return tuple(parts)


def path_matches(path: bytes, parts: Parts) -> bool:
    """Whether a whole absolute path matches."""
    names = path.split(b"/")[1:]
    # The last name first: it tells most of them apart.
    return bool(parts) and parts[-1].matches(names[-1]) and _match(names, parts)


def _match(names: list[bytes], parts: Parts) -> bool:
    if not names or not parts:
        return not names and not parts
    first, rest = parts[0], parts[1:]
    if first is ANY_DEPTH:
        return _match(names, rest) or (first.matches(names[0]) and _match(names[1:], parts))
    return first.matches(names[0]) and _match(names[1:], rest)


def _part(text: bytes) -> Part:
    if text == ANY_DEPTH.text:
        return ANY_DEPTH
    if text == ANYTHING.text:
        return ANYTHING
    if not _MAGIC.search(text):
        return Part(text, text.__eq__)
    if text.count(b"*") == 1 and len(_MAGIC.findall(text)) == 1:
        return Part(text, _around(*text.split(b"*")))
    compiled = re.compile(translate(_text(text)))
    if text.startswith(b"."):
        return Part(text, lambda name: compiled.match(_text(name)) is not None)
    return Part(text, lambda name: not name.startswith(b".") and compiled.match(_text(name)) is not None)


def _around(before: bytes, after: bytes) -> Callable[[bytes], bool]:
    """What a single star matches, three times as fast as an expression: there may be a million names to tell apart."""
    shortest = len(before) + len(after)
    if before:
        return lambda name: name.startswith(before) and name.endswith(after) and len(name) >= shortest
    return lambda name: name.endswith(after) and not name.startswith(b".")


def _text(name: bytes) -> str:
    """A name by its characters, so that a `?` stands for one of them; what is not UTF-8 goes byte by byte."""
    return name.decode("utf-8", "surrogateescape")


def names_one(pattern: bytes) -> bool:
    """Whether it matches one path at the most: itself."""
    return not _MAGIC.search(pattern)
