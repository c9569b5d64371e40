"""What `check` says of one thing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it is ready, and one line about it."""

    ok: bool
    text: str
