"""Values from outside, made fit for a log: nothing in them can end a line, move a cursor or reverse the text."""

import re
from collections.abc import Mapping
from typing import Any

# Control characters, among them the escape that begins terminal sequences (C0, DEL, C1); line and paragraph separators
# and the marks that turn the direction of writing (https://trojansource.codes); halves of surrogate pairs, which is how
# Python gives undecodable bytes of file names, and which no encoder takes.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")

_LONGEST = 8192
"""Characters of one value. A peer's text may be megabytes; a line of a log should not be."""


def printable(value: Any) -> Any:
    """Give `value` as JSON knows it, its text escaped where it is unfit, and cut where it is too long.

    Bytes are taken for UTF-8, exceptions become `Type: text`, and what is not known its `str`.
    """
    match value:
        case str():
            return text(value)
        case None | bool() | float():
            return value
        case int():
            return value if value.bit_length() < 64 else str(value)  # JSON parsers stop there
        case Mapping():
            return {text(str(key)): printable(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [printable(item) for item in value]
        case _:
            return text(_string(value))


def text(string: str) -> str:
    r"""Escape what is unfit, as Python would: `\x1b`, `\u2028`."""
    cut = string if len(string) <= _LONGEST else string[:_LONGEST] + "..."
    return _UNFIT.sub(_escape, cut)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    # A byte that could not be decoded is shown as itself.
    code = code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def _string(value: Any) -> str:
    match value:
        case bytes() | bytearray() | memoryview():
            return bytes(value[: 4 * _LONGEST]).decode("utf-8", "backslashreplace")
        case BaseException():
            return f"{type(value).__name__}: {_str(value)}"
        case _:
            return _str(value)


def _str(value: Any) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001  # whatever it is, it must not take down who only wanted to tell
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
