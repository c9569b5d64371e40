"""From flags, environment and defaults to settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from mega_collector.errors import SettingError
from mega_collector.settings.declaration import Setting, Settings, declared
from mega_collector.settings.unknown import refuse_unknown

S = TypeVar("S", bound=Settings)

_SHOWN_LENGTH = 80


class Source(Enum):
    """What decided a setting."""

    FLAG = "flag"
    VARIABLE = "variable"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Origin:
    """What decided a setting, and the text that did: None if no text stands behind it."""

    source: Source
    text: str | None


@dataclass(frozen=True, slots=True)
class Loaded(Generic[S]):
    """The settings of one half, and by each one's name where it comes from."""

    settings: S
    origins: Mapping[str, Origin]


def load(half: type[S], environ: Mapping[str, str], flags: Mapping[str, str]) -> Loaded[S]:
    """Resolve every setting of a half: its flag, else its variable, else its default.

    `flags` are raw texts by the settings' names (`max_batch_size`). Variables of the other half are not looked at.

    Raises:
        SettingError: a value cannot be used, one is missing, two contradict each other, or a variable is unknown.
    """
    known = declared(half)
    refuse_unknown(environ, half.prefix, [each.variable for each in known])
    origins = {each.name: _origin(each, environ, flags) for each in known}
    values: dict[str, Any] = {}
    for each in known:
        values[each.name] = _value(each, origins[each.name], environ, values)
    return Loaded(half(**values), origins)


def _origin(setting: Setting, environ: Mapping[str, str], flags: Mapping[str, str]) -> Origin:
    if setting.name in flags:
        return Origin(Source.FLAG, flags[setting.name])
    text = environ.get(setting.variable)
    if text or (text == "" and setting.empty_is_value):
        return Origin(Source.VARIABLE, text)
    return Origin(Source.DEFAULT, setting.text)


def _value(setting: Setting, origin: Origin, environ: Mapping[str, str], values: Mapping[str, Any]) -> Any:
    try:
        if origin.text is not None:
            return setting.kind.parse(origin.text)
        return setting.derive(environ, values) if setting.derive else None
    except ValueError as error:
        raise SettingError(setting.variable, _problem(setting, origin, str(error))) from None


def _problem(setting: Setting, origin: Origin, wrong: str) -> str:
    where = f"{setting.flag} " if origin.source is Source.FLAG else ""
    shown = "" if origin.text is None else f"{where}{_shown(setting, origin.text)} "
    return f"{shown}{wrong}; allowed: {setting.kind.allowed}"


def _shown(setting: Setting, text: str) -> str:
    if setting.secret or "PRIVATE KEY" in text:  # a key in the wrong variable is one all the same
        return "the value"
    quoted = repr(text)  # one line, whatever is in it
    return quoted if len(quoted) <= _SHOWN_LENGTH else quoted[:_SHOWN_LENGTH] + "..."
