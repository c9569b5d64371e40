"""What `check` says of one thing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Mark(Enum):
    """How it stands, as it is shown before the line."""

    READY = "ok "
    LOOK = "see"
    """It forbids nothing, but a person should look at it, or know that it was not tried."""
    BAD = "BAD"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it is ready, and one line about it."""

    ok: bool
    text: str
    look: bool = False
    """Whether a person should look at it although it is ready."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The same for machines, as far as there is more to it than the line."""

    @property
    def mark(self) -> Mark:
        if not self.ok:
            return Mark.BAD
        return Mark.LOOK if self.look else Mark.READY
