"""The endpoint of a half, if its settings ask for one."""

from typing import TYPE_CHECKING

from mega_collector.address import Address

if TYPE_CHECKING:
    from mega_collector.telemetry.half import Half


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

    def start(self, half: "Half") -> None:
        """Answer for it until the process ends."""
        if self._listener is not None:
            from mega_collector.telemetry.endpoint import Endpoint  # noqa: PLC0415

            Endpoint(self._listener, half)
