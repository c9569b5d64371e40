"""What the settings say about destinations and notifications, as plain values."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FileConfiguration:
    """Logs go to this file."""

    path: Path


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
