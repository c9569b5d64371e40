"""What is said of destinations and notifications, in JSON."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from mega_collector.emitter.configuration import FileConfiguration, Format, NotifyConfiguration, TextConfiguration
from mega_collector.settings.json_text import parse_strings, require_keys
from mega_collector.settings.kind import Kind
from mega_collector.settings.kinds import either, is_path, is_truthy

_FORMATS = either([each.value for each in Format])
_KEY_LENGTH = 32  # of an integration key, by the Events API's own schema
_MAX_INCIDENT_KEY = 255  # of a dedup_key, by the same


def file_configuration(text: str) -> FileConfiguration | None:
    """Read `{"path": ..., "format": ...}` or just a path; 0, false and no mean none, as for every destination.

    Raises:
        ValueError: it is neither.
    """
    if not is_truthy(text):
        return None
    found = _keys_in(text, {"path"}) if _is_object(text) else {"path": text}
    path = found["path"]
    if not is_path(path):
        raise ValueError("has a path that is empty or no path")
    if path.endswith("/") or os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where it may not look
        raise ValueError("names a directory")
    return FileConfiguration(Path(path), _format_in(found))


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


def _keys_in(text: str, required: set[str]) -> dict[str, str]:
    found = parse_strings(text)
    require_keys(found, required, {"format"})
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
    "FILE", f'the path of a file, or JSON {{"path": "..."}}, optionally with "format": {_FORMATS}', file_configuration
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
