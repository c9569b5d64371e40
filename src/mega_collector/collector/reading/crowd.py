"""When more files are needed than may be open: that is said once, for as long as it lasts."""

import structlog

from mega_collector.collector.reading.open_files import TooManyOpenFiles

_log = structlog.get_logger(__name__)


class Crowd:
    """Whether too many files were open lately."""

    def __init__(self) -> None:
        self._said = False
        self.met = False
        """Whether there were since the last poll."""

    def warn(self, error: TooManyOpenFiles) -> None:
        """Another file could not be opened."""
        if not self._said:
            _log.warning("too_many_open_files", error=error.strerror)
        self._said = self.met = True

    def poll(self, *, lasts: bool) -> None:
        """`lasts`: a file waits for a descriptor."""
        self._said, self.met = self.met or lasts, False
