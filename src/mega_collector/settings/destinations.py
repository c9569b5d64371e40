"""What is said of destinations and notifications, in JSON."""

import os
import re
from collections.abc import Set  # noqa: PYI025 - it is named as it is used
from pathlib import Path
from urllib.parse import urlsplit

from mega_collector.emitter.configuration import (
    Compression,
    FileConfiguration,
    Format,
    NotifyConfiguration,
    Rotation,
    TextConfiguration,
)
from mega_collector.emitter.template import Template, is_template, literal
from mega_collector.settings.json_text import parse_strings, require_keys
from mega_collector.settings.kind import Kind
from mega_collector.settings.kinds import duration, either, is_path, is_truthy, size

_FORMATS = either([each.value for each in Format])
_COMPRESSIONS = either([each.value for each in Compression])
_FILE_KEYS = frozenset({"format", "mode", "rotate_size", "rotate_every", "keep", "compress"})
_NAMED = {"hourly": "1h", "daily": "24h", "weekly": "168h"}
_MOST_KEPT = 1000  # each rotation renames them all
_SHORTEST = 1_000_000_000  # nanoseconds
_KEY_LENGTH = 32  # of an integration key, by the Events API's own schema
_MAX_INCIDENT_KEY = 255  # of a dedup_key, by the same


def file_configuration(text: str) -> FileConfiguration | None:
    """Read `{"path": ..., "format": ..., ...}` or just a path; 0, false and no mean none, as for every destination.

    Raises:
        ValueError: it is neither.
    """
    if not is_truthy(text):
        return None
    found = _keys_in(text, {"path"}, _FILE_KEYS) if _is_object(text) else {"path": text}
    rotation, compression = _rotation_in(found), _compression_in(found)
    path = _path_in(found["path"], rotated=rotation is not None or compression is not None)
    if compression is not None and rotation is None and isinstance(path, Path):
        raise ValueError("has a compress, but nothing by which a file is ever closed (rotate_size or rotate_every)")
    return FileConfiguration(path, _format_in(found), _mode_in(found), rotation, compression)


def _path_in(path: str, *, rotated: bool) -> Path | Template:
    if not is_path(path):
        raise ValueError("has a path that is empty or no path")
    if is_template(path):
        return Template(path, rotated=rotated)
    path = literal(path)
    if path.endswith("/") or os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where it may not look
        raise ValueError("names a directory")
    return Path(path)


def _rotation_in(found: dict[str, str]) -> Rotation | None:
    conditions, keep = {"rotate_size", "rotate_every"} & found.keys(), found.get("keep")
    if not conditions:
        if keep is not None:
            raise ValueError("has a keep, but no rotate_size or rotate_every")
        return None
    if keep is None or not re.fullmatch("[0-9]{1,5}", keep) or not 1 <= int(keep) <= _MOST_KEPT:
        raise ValueError(f"has no keep from 1 to {_MOST_KEPT}: so many rotated files are kept")
    return Rotation(int(keep), _rotate_size_in(found), _rotate_every_in(found))


def _rotate_size_in(found: dict[str, str]) -> int | None:
    if (text := found.get("rotate_size")) is None:
        return None
    try:
        return size(text)
    except ValueError as error:
        raise ValueError(f"has a rotate_size that {error}") from None


def _rotate_every_in(found: dict[str, str]) -> int | None:
    if (text := found.get("rotate_every")) is None:
        return None
    try:
        every = int(duration(_NAMED.get(text, text)) * 1e9)
    except ValueError as error:
        raise ValueError(f"has a rotate_every that {error}") from None
    if every < _SHORTEST:
        raise ValueError("has a rotate_every that is less than 1s")
    return every


def _compression_in(found: dict[str, str]) -> Compression | None:
    if (text := found.get("compress")) is None:
        return None
    try:
        return Compression(text)
    except ValueError:
        raise ValueError(f"has a compress that is not {_COMPRESSIONS}") from None


def _mode_in(found: dict[str, str]) -> int | None:
    if (text := found.get("mode")) is None:
        return None
    if not re.fullmatch("0?[0-7]{3}", text) or int(text, 8) & 0o600 != 0o600:
        raise ValueError("has a mode that is not three octal digits, the first 6 or 7, such as 0640")
    return int(text, 8)


def text_configuration(text: str) -> TextConfiguration | None:
    """Read `{"format": ...}` or any other truthy value.

    Raises:
        ValueError: it is an object, but not that one.
    """
    if not is_truthy(text):
        return None
    return TextConfiguration(_format_in(_keys_in(text, set()) if _is_object(text) else {}))


def _is_object(text: str) -> bool:
    return text.lstrip().startswith("{")


def _keys_in(text: str, required: set[str], optional: Set[str] = frozenset({"format"})) -> dict[str, str]:
    found = parse_strings(text, numbers={"keep", "mode"})
    require_keys(found, required, set(optional))
    return found


def _format_in(found: dict[str, str]) -> Format:
    try:
        return Format(found.get("format", Format.RAW.value))
    except ValueError:
        raise ValueError(f"has a format that is not {_FORMATS}") from None


def notify_configuration(text: str) -> NotifyConfiguration:
    """Read whom to alert.

    Raises:
        ValueError: a key is missing, unknown or unfit.
    """
    found = parse_strings(text)
    require_keys(found, {"integration_key", "incident_key", "identifier"}, {"url"})
    found["integration_key"] = found["integration_key"].strip()  # keys come out of files, with their newline
    _require_fit(found)
    return NotifyConfiguration(**found)


def _require_fit(found: dict[str, str]) -> None:
    key = found["integration_key"]
    if len(key) != _KEY_LENGTH or not (key.isascii() and key.isprintable() and " " not in key):
        raise ValueError(f"has an integration_key that is not {_KEY_LENGTH} printable characters")
    if not 1 <= len(found["incident_key"]) <= _MAX_INCIDENT_KEY or not found["incident_key"].isprintable():
        raise ValueError(f"has an incident_key that is not 1 to {_MAX_INCIDENT_KEY} printable characters")
    if not found["identifier"].strip() or not found["identifier"].isprintable():
        raise ValueError("has an identifier that is empty or cannot be shown")
    if "url" in found and not _is_http(found["url"]):
        raise ValueError("has a url that is not http:// or https:// with a host")


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and url.isprintable() and " " not in url


FILE = Kind(
    "FILE",
    f'the path of a file or a template of paths, or JSON {{"path": "..."}}, optionally with "format": {_FORMATS},'
    ' "mode", "rotate_size" or "rotate_every" with "keep", "compress"',
    file_configuration,
)
TEXT = Kind(
    "VALUE",
    f'any truthy value (0, false, no and nothing are not); JSON {{"format": "..."}} says how: {_FORMATS}',
    text_configuration,
    is_switch=True,
)
NOTIFY = Kind(
    "JSON",
    'JSON {"integration_key": "...", "incident_key": "...", "identifier": "..."}, optionally with "url"',
    notify_configuration,
)
