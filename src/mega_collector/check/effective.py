"""The settings in effect, and where each comes from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mega_collector.settings import Loaded, Origin, Source
from mega_collector.settings.declaration import Setting, declared


@dataclass(frozen=True, slots=True)
class Effective:
    """A setting in effect, fit to be shown: a secret is not."""

    variable: str
    shown: str
    source: str
    """What decided it: `flag --name`, `variable` or `default`."""

    def __str__(self) -> str:
        return f"{self.variable} = {self.shown} ({self.source})"


def effective(loaded: Loaded[Any]) -> Iterator[Effective]:
    """Every setting in effect."""
    for setting in declared(type(loaded.settings)):
        origin = loaded.origins[setting.name]
        shown = _shown(setting, origin, getattr(loaded.settings, setting.name))
        yield Effective(setting.variable, shown, _told(setting, origin))


def _told(setting: Setting, origin: Origin) -> str:
    return f"{origin.source.value} {setting.flag}" if origin.source is Source.FLAG else origin.source.value


def _shown(setting: Setting, origin: Origin, value: object) -> str:
    if value is None and origin.text is None:
        return "not set"
    if setting.secret or isinstance(value, bytes):  # of PEM text or a path to it, neither is worth a line
        return "(set)"
    text = str(value) if origin.text is None else origin.text
    return text if text.isprintable() and text else repr(text)
