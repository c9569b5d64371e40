"""Copies that were left of what is gone: of a file that was truncated, or deleted, before all of it was read."""

import math
from functools import partial

from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.finding.finder import Finder
from mega_collector.collector.finding.roster import Identity
from mega_collector.collector.finding.rotated_names import is_moved
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.siblings import Siblings
from mega_collector.collector.recognition.copies import Copies
from mega_collector.collector.recognition.remembered import Remembered, entry_of
from mega_collector.collector.rotation.archives import Archives
from mega_collector.collector.rotation.waiting import Waiting, WaitingFiles
from mega_collector.collector.sources.losses import Losses
from mega_collector.collector.sources.sources import Sources
from mega_collector.collector.sources.starts_at_end import StartsAtEnd
from mega_collector.collector.state.checkpoint import Entry
from mega_collector.marker import Marker


class LeftCopies:
    """Tells whether a copy has what could not be read: one waits, or lies there and is found next, or was since."""

    def __init__(
        self,
        *,
        finder: Finder,
        siblings: Siblings,
        remembered: Remembered,
        sources: Sources,
        starts_at_end: StartsAtEnd,
        archives: Archives,
        copies: Copies,
        losses: Losses,
        waiting: WaitingFiles,
    ) -> None:
        self._finder = finder
        self._siblings = siblings
        self._remembered = remembered
        self._sources = sources
        self._starts_at_end = starts_at_end
        self._archives = archives
        self._copies = copies
        self._losses = losses
        self._waiting = waiting

    def holds_copy_of(self, follower: Follower) -> bool:
        """Whether a file waits that may be a copy of one that was truncated, or lies there, and is found next."""
        if not follower.shrunk_by:
            return False
        entry, size = self._sources.expected(follower) or entry_of(follower), follower.position + follower.shrunk_by
        if self._lies_copy(follower, entry, size) or self._waiting.hold_copy(follower.source.path, entry, size):
            return True
        return entry.position > 0 and self._was_cut_twice(follower, entry, size)

    def _was_cut_twice(self, follower: Follower, entry: Entry, size: int) -> bool:
        """Whether there is a copy that ends before what was seen: that was written when the file had been truncated.

        Then it is told as lost, though another copy may have it; of what was read, nothing is.
        """
        path, position = follower.source.path, entry.position
        if not (self._lies_copy(follower, entry, position) or self._waiting.hold_copy(path, entry, position)):
            return False
        source = self._sources.make(path, FileFacts(*follower.identity, size, 0), Marker(), None)
        self._losses.end(source, 0, size, "the file was truncated before it was read")
        return True

    def _lies_copy(self, follower: Follower, entry: Entry, size: int) -> bool:
        path, since = follower.source.path, follower.begun_at
        return self._copies.lies_near(path, entry, size, since=since, older=self._is_known)

    def lies_copy_of(self, follower: Follower) -> bool:
        """Whether a copy was found since, or lies there, of what is gone: then what was not read of that is in it."""
        entry, path, since = self._sources.expected(follower), follower.source.path, follower.begun_at
        if entry is None or entry.empty:
            entry = entry_of(follower)
        if self._waiting.hold_copy(path, entry, follower.size, since=since):
            return True
        older = partial(self._is_older, since, follower.size)
        return self._copies.lies_near(path, entry, follower.size, since=since, older=older)

    def lies_on(self, identity: Identity, waiting: Waiting) -> bool:
        """Whether nothing is lost of what was deleted while it was closed: of a copy, or of what has one beside it."""
        if self.is_had(waiting):
            end = self._remembered.of(waiting.path, identity[1])
            if end is not None and end.unconfirmed:
                # It was a copy: it does not matter where it was to begin if it was none.
                self._starts_at_end.forget(end)
            return True
        entry, since = self._remembered.of(waiting.path, identity[1]), waiting.found_at
        if entry is None and waiting.head.length:
            entry = waiting.entry(identity)
        older = partial(self._is_older, since, waiting.size)
        return self._copies.lies_near(waiting.path, entry, waiting.size, since=since, older=older)

    def is_had(self, waiting: Waiting) -> bool:
        """Whether all that was in it, when it was looked at last, need not be had from it."""
        return waiting.contained is not None and self._copies.is_had(*waiting.contained)

    def has_copy(self, path: bytes, entry: Entry, size: int) -> bool:
        """Whether one is there that begins so, shipped already or not."""
        if self._waiting.hold_copy(path, entry, size):
            return True
        return self._copies.lies_near(path, entry, size, since=-math.inf, older=None)

    def _is_known(self, _path: bytes, facts: FileFacts) -> bool:
        """Whether that was there before, and is not what was just made of another file."""
        identity = facts.device, facts.inode
        return self._finder.passes_over(identity) or self._archives.is_known(facts)

    def _is_older(self, since: float, size: int, path: bytes, facts: FileFacts) -> bool:
        """Likewise, or whether that waits and was found no later, and is no other with its inode.

        What was made since, or has just that size, is no older: it may have the inode of what was found before, or be
        found beside that.
        """
        waiting = self._waiting.get((facts.device, facts.inode))
        if waiting is not None and waiting.found_at <= since and is_moved(waiting.path, path):
            another = waiting.file is None and self._siblings.is_another(path, facts.inode, waiting.changed_ns)
            return not (another or 0 < facts.size == size)
        return self._is_known(path, facts)
