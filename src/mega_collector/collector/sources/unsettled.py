"""What is known of sources until their handshakes are settled."""

from typing import TYPE_CHECKING

from mega_collector.collector.reading.follower import Follower

if TYPE_CHECKING:
    from mega_collector.collector.state.checkpoint import Entry


class Unsettled:
    """Shared by those that begin sources, end them, and learn meanwhile what the aggregator remembers."""

    def __init__(self) -> None:
        self.starts: dict[bytes, Entry] = {}
        """What was remembered of them, by their ids."""
        self.at_end: set[bytes] = set()
        """Those of them that are begun at the end of their file, of which the aggregator is to hear."""
        self.followers: dict[Follower, None] = {}
        """In the order in which they were begun: of two that could go on as the same, the first does."""
        self.over: set[bytes] = set()
        """Those that ended before they were settled: they are remembered on, to be recognised."""

    def is_sure(self, follower: Follower) -> bool:
        """Whether it is recognised, by what was read of it. (It is begun at its end only if it is not.)"""
        start = self.starts.get(follower.source.id)
        return start is not None and start.position > 0 and start.source_id not in self.at_end
