"""How a setting is declared: once, as a field, from which its variable, flag, help and documentation are made."""

import os
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, Protocol, TypeVar, cast

from mega_collector.settings.kind import Kind

T = TypeVar("T")

Derive = Callable[[Mapping[str, str], Mapping[str, Any]], T]
"""Makes a default out of the environment and the settings declared before."""


class Settings(Protocol):
    """A frozen dataclass whose fields are settings of one half."""

    prefix: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, as declared. The default is `text` if there is one, else what `derive` makes, else None."""

    name: str
    variable: str
    kind: Kind[Any]
    help: str
    shown_default: str
    text: str | None
    derive: Derive[Any] | None
    secret: bool
    empty_is_value: bool
    """Whether a variable set to nothing says something, and not just that it is not set."""

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")


def setting(kind: Kind[T], default: str, help: str) -> T:  # noqa: A002
    """Declare a setting with a default, in the words a person would write."""
    return cast(
        "T", _field(lambda: kind.parse(default), kind=kind, help=help, shown_default=default or "none", text=default)
    )


def optional(kind: Kind[T], help: str, *, secret: bool = False) -> T | None:  # noqa: A002
    """Declare a setting that may be absent: None."""
    return cast("T | None", _field(lambda: None, kind=kind, help=help, shown_default="not set", secret=secret))


def derived(kind: Kind[T], shown_default: str, derive: Derive[T], help: str, *, empty_is_value: bool = False) -> T:  # noqa: A002
    """Declare a setting whose default depends on the machine or on other settings."""
    declared = _field(
        lambda: derive(os.environ, {}),
        kind=kind,
        help=help,
        shown_default=shown_default,
        derive=derive,
        empty_is_value=empty_is_value,
    )
    return cast("T", declared)


def declared(settings: type[Settings]) -> tuple[Setting, ...]:
    """List every setting of one half, in the order of declaration."""
    return tuple(
        Setting(name=each.name, variable=settings.prefix + each.name.upper(), **each.metadata)
        for each in fields(settings)
    )


def _field(default_factory: Callable[[], Any], **declaration: Any) -> Any:
    unsaid = {"text": None, "derive": None, "secret": False, "empty_is_value": False}
    metadata = unsaid | declaration
    return field(default_factory=default_factory, repr=not metadata["secret"], metadata=metadata)
