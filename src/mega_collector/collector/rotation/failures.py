"""Files that are followed and could not be read."""

import structlog

from mega_collector.collector.finding.finder import Finder
from mega_collector.collector.reading.crowd import Crowd
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.open_files import TooManyOpenFiles
from mega_collector.collector.rotation.archives import Archives
from mega_collector.collector.rotation.departures import Departures
from mega_collector.telemetry.printable import printable

_log = structlog.get_logger(__name__)


class Failures:
    """Tells of them, or has an archive gone through once more.

    Each is tried again at the next poll; meanwhile the others go on.
    """

    def __init__(self, *, finder: Finder, archives: Archives, departures: Departures, crowd: Crowd) -> None:
        self._finder = finder
        self._archives = archives
        self._departures = departures
        self._crowd = crowd

    def look_again(self, follower: Follower, error: OSError | None = None) -> bool:
        """Whether it is an archive that is gone through once more."""
        again = self._archives.look_again(follower, error)
        if again:
            self._departures.let_go(follower)
        return again

    def warn(self, follower: Follower, error: OSError) -> None:
        """Said once, until a read succeeds."""
        match error:
            case TooManyOpenFiles():
                self._crowd.warn(error)
            case FileNotFoundError():
                # Between two names, perhaps: a scan tells.
                self._finder.hurry()
            case _ if follower.fails(error.errno):
                _log.warning("cannot_read", path=printable(follower.source.path), error=error.strerror or str(error))
