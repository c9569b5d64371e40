"""What the settings say about destinations and notifications, as plain values."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from mega_collector.emitter.template import Template


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


class Compression(Enum):
    """What becomes of output files that nothing is appended to any more."""

    GZIP = "gzip"
    ZSTD = "zstd"

    @property
    def suffix(self) -> str:
        """Of the names of compressed files."""
        return ".gz" if self is Compression.GZIP else ".zst"


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a file is given another name, and how many of those are kept: that of the last rotation ends with `.1`."""

    keep: int
    size: int | None = None
    """Bytes from which on nothing is appended."""
    every: int | None = None
    """Nanoseconds: nothing is appended to what was appended to before a multiple of it since the epoch (UTC)."""


@dataclass(frozen=True, slots=True)
class FileConfiguration:
    """Logs go to this file, or to those that the template names."""

    path: Path | Template
    format: Format = Format.RAW
    mode: int | None = None
    """Of the files as they are made; None: as the umask has it."""
    rotation: Rotation | None = None
    compression: Compression | None = None

    @property
    def is_single(self) -> bool:
        """Whether all goes to one file, which is left as it is."""
        return isinstance(self.path, Path) and self.rotation is None


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
