"""What is said of destinations and notifications, in JSON."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from mega_collector.emitter.configuration import FileConfiguration, NotifyConfiguration
from mega_collector.settings.json_text import parse_strings, require_keys
from mega_collector.settings.kind import Kind
from mega_collector.settings.kinds import is_path, is_truthy

_KEY_LENGTH = 32  # of an integration key, by the Events API's own schema
_MAX_INCIDENT_KEY = 255  # of a dedup_key, by the same


def file_configuration(text: str) -> FileConfiguration | None:
    """Read `{"path": ...}` or just a path; 0, false and no mean none, as for every destination.

    Raises:
        ValueError: it is neither.
    """
    if not is_truthy(text):
        return None
    path = _path_in(text) if text.lstrip().startswith("{") else text
    if not is_path(path):
        raise ValueError("has a path that is empty or no path")
    if path.endswith("/") or os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where it may not look
        raise ValueError("names a directory")
    return FileConfiguration(path=Path(path))


def _path_in(text: str) -> str:
    found = parse_strings(text)
    require_keys(found, {"path"}, set())
    return found["path"]


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


FILE = Kind("FILE", 'the path of a file, or JSON {"path": "..."}', file_configuration)
NOTIFY = Kind(
    "JSON",
    'JSON {"integration_key": "...", "incident_key": "...", "identifier": "..."}, optionally with "url"',
    notify_configuration,
)
