"""What is counted and told when bytes vanish unread."""

import structlog

from mega_collector.telemetry.printable import printable

_log = structlog.get_logger(__name__)


class Losses:
    """Loss is a fact with a name: a log event, and two numbers."""

    def __init__(self) -> None:
        self.sources = 0
        """Sources of which bytes vanished, or may have."""
        self.bytes = 0
        """Bytes that are known to have vanished."""

    def tell(self, path: bytes, start: int, end: int | None, reason: str) -> None:
        """The bytes from `start` to `end` (None: nobody knows how far) of a source cannot be had any more."""
        tell = _log.warning if end is None else _log.error
        tell("source_lost", path=printable(path), start=start, end=end, reason=reason)
        self.sources += 1
        self.bytes += 0 if end is None else end - start
