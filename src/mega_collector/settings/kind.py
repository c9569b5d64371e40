"""What a setting's text may be, and how it becomes a value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Kind(Generic[T_co]):
    """A kind of value.

    `parse` raises ValueError with what is wrong, worded to follow the value ("is no integer"): it never repeats the
    value, which may be a secret.
    """

    name: str
    """One word, for the help's `--flag WORD`."""
    allowed: str
    """What may be given, for the help, the documentation and every error."""
    parse: Callable[[str], T_co]
    is_switch: bool = False
    """Whether the flag may stand without a value, meaning 1."""
