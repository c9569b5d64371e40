"""What a collector counts, and under which names it is shown."""

from collections.abc import Iterator
from dataclasses import dataclass

from mega_collector.collector.publisher import PublisherStatistics
from mega_collector.collector.shipper import ShipperStatistics
from mega_collector.collector.tailer import TailerStatistics
from mega_collector.collector.whereabouts import NOWHERE, Surroundings, whereabouts
from mega_collector.protocol import Stage
from mega_collector.telemetry.live import Progress, readable
from mega_collector.telemetry.metrics import Sample, certificate_expiry


@dataclass(frozen=True, slots=True)
class FileState:
    """A file with something that is not acknowledged."""

    path: bytes
    size: int
    """Bytes; 0 if that is not known."""
    seconds: float
    """Age of the oldest line of them."""
    stage: Stage
    """Where they wait."""
    cause: str
    """What for, in words."""


@dataclass(frozen=True, slots=True)
class CollectorStatistics:
    """Of all parts, as of now."""

    tailer: TailerStatistics
    shipper: ShipperStatistics
    publisher: PublisherStatistics
    checkpoint_damaged: bool = False
    """Whether the checkpoint that was found at the start was."""
    certificate_expires_at: float | None = None
    """Seconds since the epoch; None without TLS."""
    surroundings: Surroundings = NOWHERE
    files_stuck: int = 0
    """Files that have waited for too long."""

    @property
    def lag(self) -> int:
        """Bytes in the followed files that are not acknowledged."""
        return self.tailer.lag + self.shipper.bytes_in_flight + self.shipper.bytes_refused

    @property
    def lag_seconds(self) -> float:
        """Age of the oldest line that is not acknowledged; 0 if there is none."""
        return max((each.seconds for each in self.files()), default=0.0)

    def files(self) -> Iterator[FileState]:
        """Every file with something that is not acknowledged, as of about a second ago."""
        for each in self.tailer.behind:
            where = whereabouts(each, self.surroundings)
            yield FileState(
                each.path, each.size, self.tailer.now - each.oldest_at, where.stage, where.words or where.cause
            )

    @property
    def progress(self) -> Progress:
        """For a terminal."""
        return Progress(
            files=self.tailer.files,
            entries=self.tailer.entries_read,
            size=self.shipper.bytes_acknowledged,
            lag=self.lag,
            trouble=None if self.publisher.connected else self.publisher.last_failure,
        )

    @property
    def status(self) -> str:
        """How it fares, for a service manager."""
        now = self.progress
        files = f"{now.files} {'file' if now.files == 1 else 'files'}"
        behind = f"{readable(now.lag)} behind" if now.lag else "up to date"
        return ", ".join([files, behind, *([now.trouble] if now.trouble else [])])

    @property
    def ready(self) -> tuple[bool, str]:
        """Whether what is read can be shipped, and why not."""
        if not self.publisher.connected:
            return False, f"not connected: {self.publisher.last_failure or 'the first connection is being made'}"
        return True, "ready"

    def samples(self) -> Iterator[Sample]:
        """For /metrics."""
        for name, help_, value in (
            ("read_bytes", "Bytes read from the followed files", self.tailer.bytes_read),
            ("read_entries", "Log lines (and pieces of over-long ones) read", self.tailer.entries_read),
            ("long_lines", "Log lines that were cut into pieces", self.tailer.long_lines),
            ("acknowledged_bytes", "Bytes that the aggregator has committed", self.shipper.bytes_acknowledged),
            ("truncated_sources", "Files found truncated or rewritten", self.tailer.sources_truncated),
            ("lost_sources", "Sources of which bytes vanished unread", self.tailer.sources_lost),
            ("lost_bytes", "Bytes that vanished unread", self.tailer.bytes_lost),
            ("connections", "Streams that were begun", self.publisher.connections),
            ("connection_failures", "Streams that ended or could not be made", self.publisher.failures),
        ):
            yield Sample(f"mega_collector_collector_{name}_total", "counter", help_, value)
        for name, help_, value in (
            ("files", "Files followed", self.tailer.files),
            ("open_files", "Files held open", self.tailer.open_files),
            ("lag_bytes", "Bytes in the followed files that are not acknowledged", self.lag),
            ("stuck_files", "Files of which nothing was acknowledged for too long", self.files_stuck),
            ("in_flight_bytes", "Bytes sent and not acknowledged", self.shipper.bytes_in_flight),
            ("window_bytes", "Bytes that may be in flight", self.shipper.window),
            ("stopped_sources", "Sources that the aggregator refuses for good", self.shipper.sources_stopped),
            ("checkpoint_damaged", "Whether the checkpoint was found damaged at the start", self.checkpoint_damaged),
            ("checkpoint_failing", "Whether the checkpoint cannot be written", self.shipper.checkpoint_failing),
            ("connected", "Whether a stream stands", self.publisher.connected),
        ):
            yield Sample(f"mega_collector_collector_{name}", "gauge", help_, value)
        lag = "Age of the oldest log line that is not acknowledged"
        yield Sample("mega_collector_collector_lag_seconds", "gauge", lag, self.lag_seconds)
        yield from certificate_expiry("collector", self.certificate_expires_at)
