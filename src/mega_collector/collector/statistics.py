"""What a collector counts, and under which names it is shown."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mega_collector.collector.reading.lag import FileLag, Hold
from mega_collector.collector.sending.publisher import PublisherStatistics
from mega_collector.collector.sending.shipper import ShipperStatistics
from mega_collector.collector.tailer import TailerStatistics
from mega_collector.collector.whereabouts import NOWHERE, Surroundings, whereabouts
from mega_collector.protocol import Stage
from mega_collector.telemetry.live import Progress, readable
from mega_collector.telemetry.metrics import Sample, certificate_expiry
from mega_collector.telemetry.printable import printable
from mega_collector.telemetry.process import process_samples
from mega_collector.telemetry.view import OLD

_UNUSUAL = 5.0
"""Seconds by which a batch may be late."""

_MOVING = {Hold.SENT, Hold.READABLE}
_PASSED = {Stage.READING, Stage.WINDOW, Stage.INGEST_BUFFER}
"""Of a file that is not held up, and stages that lines pass all the time."""

_LATE = "it goes on, but more slowly than lines are written: the destination is slow, or there is much to catch up with"


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
    usual: bool
    """Whether that may rightly take as long as it has."""
    unreadable: bool = False
    """Whether it cannot be opened or read."""


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
            yield self._state(each)

    def _state(self, file: FileLag) -> FileState:
        where = whereabouts(file, self.surroundings)
        old, still = self.tailer.now - file.oldest_at, self.tailer.now - file.progressed_at
        goes_on = still < where.patience + _UNUSUAL and file.hold in _MOVING and where.stage in _PASSED
        late = goes_on and old >= where.patience + OLD
        return FileState(
            file.path,
            file.size,
            old,
            where.stage,
            _LATE if late else where.words or where.cause,
            usual=goes_on and where.patience > 0 and not late,
            unreadable=file.hold is Hold.UNREADABLE,
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

    def worst(self, most: int) -> list[FileState]:
        """Of the files with something that is not acknowledged, those of which the oldest line is oldest."""
        return heapq.nlargest(most, self.files(), key=lambda file: file.seconds)

    def samples(self, *, files: int) -> Iterator[Sample]:
        """For /metrics, with so many of the files by themselves: those that lag most."""
        for name, help_, value in (
            ("read_blocks", "Blocks of whole lines read from the followed files", self.tailer.blocks_read),
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
            ("in_flight_blocks", "Blocks and skips sent and not acknowledged", self.shipper.blocks_in_flight),
            ("in_flight_bytes", "Bytes sent and not acknowledged", self.shipper.bytes_in_flight),
            ("window_bytes", "Bytes that may be in flight", self.shipper.window),
            ("sources", "Generations of files that are shipped now", self.shipper.sources),
            ("stopped_bytes", "Bytes read of sources that the aggregator refuses for good", self.shipper.bytes_refused),
            ("stopped_sources", "Sources that the aggregator refuses for good", self.shipper.sources_stopped),
            ("checkpoint_damaged", "Whether the checkpoint was found damaged at the start", self.checkpoint_damaged),
            ("checkpoint_failing", "Whether the checkpoint cannot be written", self.shipper.checkpoint_failing),
            ("connected", "Whether a stream stands", self.publisher.connected),
        ):
            yield Sample(f"mega_collector_collector_{name}", "gauge", help_, value)
        lag = "Age of the oldest log line that is not acknowledged"
        yield Sample("mega_collector_collector_lag_seconds", "gauge", lag, self.lag_seconds)
        yield from _file_samples(heapq.nlargest(files, self.files(), key=lambda file: file.size))
        yield from certificate_expiry("collector", self.certificate_expires_at)
        yield from process_samples("collector")


def _file_samples(files: Iterable[FileState]) -> Iterator[Sample]:
    """Several files of one name are one, rotated ones or such as look alike: Prometheus takes no two."""
    named: dict[str, list[FileState]] = {}
    for file in files:
        named.setdefault(printable(file.path), []).append(file)
    size = "Bytes in a file that are not acknowledged, of those that have most"
    age = "Age of a file's oldest line that is not acknowledged, of the same files"
    for path, alike in named.items():
        labels = {"path": path}
        lag = sum(file.size for file in alike)
        yield Sample("mega_collector_collector_file_lag_bytes", "gauge", size, lag, labels)
        oldest = max(file.seconds for file in alike)
        yield Sample("mega_collector_collector_file_lag_seconds", "gauge", age, oldest, labels)
