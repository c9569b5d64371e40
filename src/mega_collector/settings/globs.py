"""Patterns of paths: one a line, or a JSON list."""

import os
import re

from mega_collector.settings.json_text import parse_json
from mega_collector.settings.kind import Kind

# A glob may begin with a bracket too, but hardly with one before a quote.
_JSON_LIST = re.compile(r'\s*\[\s*("|\]\s*$)')


def globs(text: str) -> tuple[bytes, ...]:
    """Read patterns, in their order. Lines are stripped; what needs its spaces can stand in a JSON list.

    Raises:
        ValueError: a pattern is empty, cannot be a path, or can match nothing (an unclosed bracket).
    """
    if _JSON_LIST.match(text):
        return tuple(glob(pattern) for pattern in _listed(text))
    return tuple(glob(line.strip()) for line in text.split("\n") if line.strip())


def glob(pattern: str) -> bytes:
    """Read one pattern.

    Raises:
        ValueError: as above.
    """
    try:
        encoded = os.fsencode(pattern)
    except UnicodeEncodeError:
        raise ValueError("has a pattern that cannot be a path") from None
    if not encoded or b"\0" in encoded:
        raise ValueError("has a pattern that is empty or has a NUL in it")
    if any(_is_unclosed(part) for part in encoded.split(b"/")):
        raise ValueError("has a pattern with a [ that is never closed ([[] stands for the character itself)")
    return encoded


def _listed(text: str) -> list[str]:
    patterns = parse_json(text)
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
        raise ValueError("is no JSON list of strings")
    return patterns


def _is_unclosed(part: bytes) -> bool:
    """Whether a class is opened and not closed: right after `[`, `[!` or `[^`, a `]` is one of its characters."""
    at = part.find(b"[")
    while at >= 0:
        at += 2 if part[at + 1 : at + 2] in (b"!", b"^") else 1
        close = part.find(b"]", at + 1)
        if close < 0:
            return True
        at = part.find(b"[", close)
    return False


GLOBS = Kind("GLOBS", "globs (** is any number of directories), one a line, or a JSON list of them", globs)
