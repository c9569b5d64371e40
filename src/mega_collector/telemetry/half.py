"""What can be looked at."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from mega_collector.telemetry.metrics import Sample
from mega_collector.telemetry.view import Flow, View


class Half(Protocol):
    """A running half. Asked from any thread, and only when somebody looks: it must not block."""

    @property
    def ready(self) -> tuple[bool, str]:
        """Whether it does its work, and why not."""

    def samples(self) -> Iterable[Sample]:
        """For /metrics."""

    def flows(self) -> Sequence[Flow]:
        """Those of its view: asked more often."""

    def view(self) -> View:
        """For a person."""
