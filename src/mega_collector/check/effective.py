"""The settings in effect, and where each comes from."""

from collections.abc import Iterator
from typing import Any

from mega_collector.settings import Loaded, Origin, Source
from mega_collector.settings.declaration import Setting, declared


def effective(loaded: Loaded[Any]) -> Iterator[str]:
    """Tell every setting in effect and where it comes from, one line each, without secrets."""
    for setting in declared(type(loaded.settings)):
        origin = loaded.origins[setting.name]
        shown = _shown(setting, origin, getattr(loaded.settings, setting.name))
        yield f"{setting.variable} = {shown} ({_told(setting, origin)})"


def _told(setting: Setting, origin: Origin) -> str:
    return f"{origin.source.value} {setting.flag}" if origin.source is Source.FLAG else origin.source.value


def _shown(setting: Setting, origin: Origin, value: object) -> str:
    if value is None and origin.text is None:
        return "not set"
    if setting.secret or isinstance(value, bytes):  # of PEM text or a path to it, neither is worth a line
        return "(set)"
    text = str(value) if origin.text is None else origin.text
    return text if text.isprintable() and text else repr(text)
