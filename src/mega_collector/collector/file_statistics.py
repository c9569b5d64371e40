"""Where one followed file stands."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mega_collector.telemetry.metrics import Sample
from mega_collector.telemetry.printable import printable


@dataclass(frozen=True, slots=True)
class FileStatistics:
    """Of one source: sizes and positions in bytes."""

    path: bytes
    size: int
    position: int
    """Up to where it is acknowledged."""
    lag: int
    """Bytes behind that."""
    seconds: float | None = None
    """The age of its oldest line that is not acknowledged; None: not known, or there is none."""
    stage: str | None = None
    """Where it waits, if nothing was acknowledged for long; None: it flows."""
    cause: str | None = None
    """Why, in words."""


def file_samples(files: Iterable[FileStatistics]) -> Iterator[Sample]:
    """For /metrics. Several files of one name are one, rotated ones or such as look alike: Prometheus takes no two."""
    named: dict[str, list[FileStatistics]] = {}
    for file in files:
        named.setdefault(printable(file.path), []).append(file)
    for path, alike in named.items():
        labels = {"path": path}
        yield Sample(
            "mega_collector_collector_file_lag_bytes",
            "gauge",
            "Bytes in a file that are not acknowledged, of those that lag most",
            sum(file.lag for file in alike),
            labels,
        )
        ages = [file.seconds for file in alike if file.seconds is not None]
        if ages:
            yield Sample(
                "mega_collector_collector_file_lag_seconds",
                "gauge",
                "Age of a file's oldest line that is not acknowledged, of those that lag most",
                max(ages),
                labels,
            )
