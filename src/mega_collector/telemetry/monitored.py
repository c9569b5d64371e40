"""The endpoint of a half, if its settings ask for one."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from mega_collector.address import Address

if TYPE_CHECKING:
    from mega_collector.telemetry.metrics import Sample


class Statistics(Protocol):
    """What a half counts."""

    @property
    def ready(self) -> tuple[bool, str]:
        """Whether it does its work, and why not."""

    def samples(self) -> "Iterable[Sample]":
        """For /metrics."""


class Monitored:
    """Binds on construction, so that a port in use is known before anything is opened; answers from `start` on.

    Raises:
        StartError: the address cannot be bound.
    """

    def __init__(self, address: Address | None, *, variable: str) -> None:
        self._listener = None
        if address is not None:
            # Imported late: its event loop costs memory that few need.
            from mega_collector.telemetry.endpoint import listen  # noqa: PLC0415

            self._listener = listen((address.host, address.port), variable=variable)

    def start(self, statistics: Callable[[], Statistics]) -> None:
        """Answer with these statistics until the process ends."""
        if self._listener is not None:
            from mega_collector.telemetry.endpoint import Endpoint  # noqa: PLC0415

            Endpoint(self._listener, lambda: statistics().samples(), lambda: statistics().ready)
