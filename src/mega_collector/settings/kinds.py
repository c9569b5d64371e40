"""The kinds of single values: durations, sizes, integers, switches, choices, paths, addresses and names."""

import os
import re
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Literal, TypeVar

import durationpy

from mega_collector.address import Address
from mega_collector.settings.kind import Kind
from mega_collector.wire import MAX_NAME

C = TypeVar("C", bound=str)
E = TypeVar("E", bound=Enum)

_MAX_INTEGER = 2**31 - 1
_MAX_SIZE = 2**63 - 1
_MAX_DURATION = 2562047 * 3600.0  # seconds: Go's int64 of nanoseconds, and what threads can wait, in whole hours

# Go's grammar: https://pkg.go.dev/time#ParseDuration. durationpy by itself takes days and years, gaps, and 1.2.3s.
_GO_DURATION = re.compile(r"[+-]?(0|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,15}) ?(|B|[KMGT]i?B)", re.ASCII | re.IGNORECASE)
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_UNITS: dict[str, int] = {unit: 1000**power for power, unit in enumerate(["b", "kb", "mb", "gb", "tb"])}
_UNITS |= {unit: 1024**power for power, unit in enumerate(["", "kib", "mib", "gib", "tib"])}

_FALSE = frozenset({"", "0", "false", "no"})
_TRUE = frozenset({"1", "true", "yes"})


def is_truthy(text: str) -> bool:
    """Whether a variable that may hold any truthy value is set: empty, 0, false and no are not."""
    return text.strip().lower() not in _FALSE


def duration(text: str) -> float:
    """Read seconds out of Go's notation.

    Raises:
        ValueError: it is not in Go's notation, or longer than Go can say.
    """
    if not _GO_DURATION.fullmatch(text):
        raise ValueError("is no duration")
    try:
        seconds: float = durationpy.from_str(text).total_seconds()
    except durationpy.DurationError:
        raise ValueError("is too long") from None
    if abs(seconds) > _MAX_DURATION:
        raise ValueError("is too long")
    return seconds


def _positive(text: str) -> float:
    if (seconds := duration(text)) <= 0:
        raise ValueError("is not more than nothing")
    return seconds


def _not_negative(text: str) -> float:
    if (seconds := duration(text)) < 0:
        raise ValueError("is negative")
    return seconds


def _retry_delay(text: str) -> float:
    if (seconds := _positive(text)) > 60:
        raise ValueError("is more than a minute")
    return seconds


def size(text: str) -> int:
    """Read bytes out of `1024`, `1MB` (powers of 1000) or `64MiB` (powers of 1024).

    Raises:
        ValueError: it is no size, or nothing.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError("is no size")
    count: int = int(match[1]) * _UNITS[match[2].lower()]
    if not 1 <= count <= _MAX_SIZE:
        raise ValueError("is out of range")
    return count


def _integer(text: str, at_least: int) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError("is no integer")
    if not at_least <= (number := int(text)) <= _MAX_INTEGER:
        raise ValueError("is out of range")
    return number


def _open_files(text: str) -> int | None:
    return None if text == "auto" else _integer(text, 1)


def _switch(text: str) -> bool:
    if (lower := text.lower()) in _TRUE or lower in _FALSE:
        return lower in _TRUE
    raise ValueError("is neither 0 nor 1")


def _directory(text: str) -> Path:
    if not is_path(text):
        raise ValueError("is empty or no path")
    if os.path.lexists(text) and not os.path.isdir(text):  # noqa: PTH112 - Path.is_dir raises where it may not look
        raise ValueError("is no directory")
    return Path(text)


def _kept_directory(text: str) -> Path | None:
    return _directory(text) if text else None


def _listen_address(text: str) -> Address:
    return Address.parse(text)


def _remote_address(text: str) -> Address:
    address = Address.parse(text)
    if address.path is None and address.port == 0:
        raise ValueError("has port 0, to which nothing can connect")
    return address


def _tcp_address(text: str) -> Address:
    if text.startswith("unix:"):
        raise ValueError("is no host and port")
    return Address.parse(text)


def _name(text: str) -> str:
    if not 1 <= len(text) <= MAX_NAME:
        raise ValueError(f"has not 1 to {MAX_NAME} characters")
    if not text.isprintable():
        raise ValueError("has characters that cannot be shown")
    return text


def at_least(number: int) -> Kind[int]:
    """Integers from that number on."""
    return Kind("INTEGER", f"an integer of at least {number}", lambda text: _integer(text, number))


def one_of(*choices: C) -> Kind[C]:
    """One of these words."""
    return Kind("|".join(choices), either(choices), lambda text: _chosen(text, choices))


def one_of_enum(values: type[E]) -> Kind[E]:
    """One of an enumeration's values, by their text."""
    texts = [value.value for value in values]
    return Kind("|".join(texts), either(texts), lambda text: values(_chosen(text, texts)))


def either(choices: Sequence[str]) -> str:
    """Words as a person would list them."""
    return ", ".join(choices[:-1]) + " or " + choices[-1]


def _chosen(text: str, choices: Sequence[C]) -> C:
    for choice in choices:
        if choice == text:
            return choice
    raise ValueError("is not one of the choices")


def _durations(condition: str, parse: Callable[[str], float]) -> Kind[float]:
    return Kind("DURATION", f"a duration such as 300ms, 1m30s or 1h, {condition}", parse)


DURATION = _durations("more than 0", _positive)
DURATION_OR_ZERO = _durations("at least 0", _not_negative)
RETRY_DELAY = _durations("more than 0 and at most 1m", _retry_delay)
SIZE = Kind("SIZE", "a size such as 1024, 1MB or 64MiB, at least 1", size)
OPEN_FILES = Kind("INTEGER", "auto, or an integer of at least 1", _open_files)
TRUTHY = Kind("VALUE", "any truthy value (0, false, no and nothing are not)", is_truthy, is_switch=True)
SWITCH = Kind("0|1", "0 or 1", _switch, is_switch=True)
DIRECTORY = Kind("DIRECTORY", "the path of a directory, made if it is missing", _directory)
KEPT_DIRECTORY = Kind("DIRECTORY", "the path of a directory, made if it is missing; empty: not kept", _kept_directory)
LISTEN_ADDRESS = Kind("ADDRESS", "host:port (port 0: any free one), [v6]:port or unix:PATH", _listen_address)
REMOTE_ADDRESS = Kind("ADDRESS", "host:port, [v6]:port or unix:PATH", _remote_address)
TCP_ADDRESS = Kind("ADDRESS", "host:port or [v6]:port (port 0: any free one)", _tcp_address)
START_AT: Kind[Literal["beginning", "end"]] = one_of("beginning", "end")
COMPRESSION: Kind[Literal["auto", "zstd", "none"]] = one_of("auto", "zstd", "none")
NAME = Kind("NAME", f"1 to {MAX_NAME} printable characters", _name)


def is_path(text: str) -> bool:
    """Whether the kernel would take this for a path: not empty, no NUL, and nothing that cannot be made bytes."""
    try:
        return b"\0" not in os.fsencode(text) and text != ""
    except UnicodeEncodeError:
        return False
