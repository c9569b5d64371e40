"""What every half shows of itself."""

from collections.abc import Iterator

from mega_collector import __version__
from mega_collector.telemetry.metrics import Sample
from mega_collector.telemetry.recent import RECENT


def process_samples(half: str) -> Iterator[Sample]:
    """Its version, and how much it has complained."""
    named = f"mega_collector_{half}"
    yield Sample(f"{named}_build_info", "gauge", "Always 1", 1, {"version": __version__})
    for level in ("warning", "error"):
        count = RECENT.count(level)
        yield Sample(f"{named}_log_events_total", "counter", "Warnings and errors logged", count, {"level": level})
