"""What the settings say about destinations and notifications, as plain values."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path


class Format(Enum):
    """How an entry looks at a destination of lines."""

    RAW = "raw"
    """As it was."""
    JSON = "json"
    """An object a line, with where it comes from."""
    PREFIX = "prefix"
    """Behind its host and path."""


@dataclass(frozen=True, slots=True)
class TextConfiguration:
    """Logs go to stdout."""

    format: Format = Format.RAW


@dataclass(frozen=True, slots=True)
class FileConfiguration:
    """Logs go to this file."""

    path: Path
    format: Format = Format.RAW


@dataclass(frozen=True, slots=True)
class NotifyConfiguration:
    """Whom to alert, and about which incident."""

    integration_key: str = field(repr=False)
    """PagerDuty's integration key: a secret."""
    incident_key: str
    """Identifies this drain: the deduplication key of its incident."""
    identifier: str
    """The drain's name, for people."""
    url: str = "https://events.pagerduty.com"
    """Where the Events API is: its scheme and host, with an optional path before `/v2/enqueue`."""


class AfterRetries(Enum):
    """What becomes of a batch that was tried as often as the settings allow."""

    DISCARD = "discard"
    WAIT = "wait"
