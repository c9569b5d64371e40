"""The path of an output file, made of what is known of a source and of the time: a machine."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from mega_collector.block import Source
from mega_collector.digest import blake2b

_PARTS = re.compile(r"\{\{|\}\}|%%|\{([^{}]*)\}|%(.?)|[{}]", re.DOTALL)

_LITERALS = {"{{": "{", "}}": "}", "%%": "%"}

_TIMES = {"Y": r"\d{4}", "m": r"\d\d", "d": r"\d\d", "H": r"\d\d"}

_FIELDS = "{host}, {path}, {collector} and {tag:NAME}"

_LONGEST_NAME = 200
"""Bytes of a name: of the 255 that Linux allows, so that what is added to it where files are rotated fits."""

_LONGEST_PATH = 2000
"""Bytes of a path, whatever a collector says: the kernel takes 4096."""

_LIKE_ROTATED = re.compile(r"\.(?=(?:\d+|gz|zst)$)")

_REMEMBERED = 16_384

_Piece = str | tuple[str, str]
"""Something that is so in every path, or `("field", name)`, or `("time", code)`."""


class Template:
    """Such as `/logs/{host}/{path}/%Y-%m-%d.log`.

    The fields are `{host}`, `{path}`, `{collector}` and `{tag:NAME}` (empty if there is none), and of the time at which
    the aggregator received the lines, in UTC, `%Y`, `%m`, `%d` and `%H`. `{{`, `}}` and `%%` stand for themselves.

    Whatever a field holds, the path stays below `root`. Of `{path}` the directories stay directories; any other `/`,
    `%`, control characters, backslashes and what is no UTF-8 become `%XX`, as do the dots of `.` and `..`. A name that
    is empty becomes `_`; one that is too long ends with a digest of all of it. So two values give two paths, unless one
    differs only in empty and `.` directories. With `rotated` a name that ends like a rotated file's is told from one.

    Raises:
        ValueError: it is none, or has nothing in it that varies.
    """

    def __init__(self, text: str, *, rotated: bool = False) -> None:
        if not text.startswith("/"):
            raise ValueError("has a template of paths that does not begin with /")
        self.text = text = re.sub("/+", "/", text)
        self._rotated = rotated
        start = _first_variable(text)
        if start is None:
            raise ValueError("has a path in which nothing varies")
        root, slash, rest = text[:start].rpartition("/")
        self.root = Path(literal(root + slash))
        self._pieces = list(_pieces(rest + text[start:]))
        if literal(text).endswith("/"):
            raise ValueError("has a path that names a directory")
        codes = [piece[1] for piece in self._pieces if isinstance(piece, tuple) and piece[0] == "time"]
        self._format = " ".join(f"%{code}" for code in codes)
        self._render = lru_cache(_REMEMBERED)(self._rendered)
        self._period_at = lru_cache(16)(self._period)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and (self.text, self._rotated) == (other.text, other._rotated)

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Template {self.text}>"

    def path(self, source: Source, received: int) -> str:
        """Where what was received at that time (nanoseconds since the epoch) of a source goes."""
        return self._render(source, self._period_at(received // 3_600_000_000_000) if self._format else "")

    def may_be(self, path: Path) -> bool:
        """Whether something that a collector says leads to this path, which is below the root."""
        return self._pattern().fullmatch(str(path)) is not None

    def is_over(self, path: str, now: int) -> bool:
        """Whether nothing that is received from that time on goes to a file of this path."""
        if not self._format:
            return False
        found = self._pattern().fullmatch(path)
        return found is not None and list(found.groups()) != self._period_at(now // 3_600_000_000_000).split()

    def _period(self, hour: int) -> str:
        return datetime.fromtimestamp(hour * 3600, UTC).strftime(self._format)

    def _rendered(self, source: Source, period: str) -> str:
        times = iter(period.split())
        parts = (_value(piece, source, times) for piece in self._pieces)
        names = [_name(name) for name in "".join(parts).split("/")]
        if self._rotated:
            names[-1] = _LIKE_ROTATED.sub("%2E", names[-1])
        path = f"{self.root}/{'/'.join(names)}".replace("//", "/", 1)
        if len(path.encode()) > _LONGEST_PATH:
            path = f"{self.root}/{_shortened(names[-1], path)}"
        return path

    def _pattern(self) -> re.Pattern[str]:
        parts = (re.escape(str(self.root / "_")[:-1]), *map(_matching, self._pieces))
        return re.compile("".join(parts), re.DOTALL)


def is_template(text: str) -> bool:
    """Whether a path has something in it that varies."""
    return _first_variable(text) is not None


def literal(text: str) -> str:
    """What a path without anything that varies stands for."""
    return _PARTS.sub(lambda match: _LITERALS.get(match[0], match[0]), text)


def _first_variable(text: str) -> int | None:
    return next((match.start() for match in _PARTS.finditer(text) if match[0] not in _LITERALS), None)


def _pieces(text: str) -> Iterator[_Piece]:
    end = 0
    for match in _PARTS.finditer(text):
        if match.start() > end:
            yield text[end : match.start()]
        end = match.end()
        yield _piece(match)
    if end < len(text):
        yield text[end:]


def _piece(match: re.Match[str]) -> _Piece:
    if match[0] in _LITERALS:
        return _LITERALS[match[0]]
    if match[2] is not None:
        if match[2] not in _TIMES or not match[2]:
            raise ValueError("has a path with a % that is not %Y, %m, %d or %H (%% is a percent sign)")
        return "time", match[2]
    name = match[1]
    if name not in {"host", "path", "collector"} and not (name or "").startswith("tag:"):
        raise ValueError(f"has a path with a brace that is not one of {_FIELDS} ({{{{ and }}}} are braces)")
    return "field", name


def _value(piece: _Piece, source: Source, times: Iterator[str]) -> str:
    if isinstance(piece, str):
        return piece
    kind, name = piece
    if kind == "time":
        return next(times)
    if name == "path":
        names = [each for each in source.path.split(b"/") if each not in {b"", b"."}]
        return "/".join(_short(_dotless(_safe(each))) for each in names) or "_"
    return _safe(_field(source, name).encode("utf-8", "surrogateescape")) or "_"


def _field(source: Source, name: str) -> str:
    match name:
        case "host":
            return source.host
        case "collector":
            return source.collector
        case _:
            return source.tags.get(name.removeprefix("tag:"), "")


_UNSAFE = re.compile(r"[/%\\\x00-\x1f\x7f\x80-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\udc80-\udcff]")


def _safe(value: bytes) -> str:
    return _UNSAFE.sub(_escaped, value.decode("utf-8", "surrogateescape"))


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogateescape"))


def _name(name: str) -> str:
    return _short(_dotless(name) or "_")


def _dotless(name: str) -> str:
    return name.replace(".", "%2E") if name in {".", ".."} else name


def _short(name: str) -> str:
    return name if len(name.encode()) <= _LONGEST_NAME else _shortened(name, name)


def _shortened(name: str, whole: str) -> str:
    kept = name.encode()[: _LONGEST_NAME - 40].decode(errors="ignore")
    return f"{kept}~{blake2b(whole.encode(), digest_size=16).hexdigest()}"


_MATCHING: dict[str, Callable[[str], str]] = {
    "time": lambda code: f"({_TIMES[code]})",
    "field": lambda name: ".+" if name == "path" else "[^/]+",
}


def _matching(piece: _Piece) -> str:
    return re.escape(piece) if isinstance(piece, str) else _MATCHING[piece[0]](piece[1])
