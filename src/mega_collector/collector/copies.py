"""Copies that a rotation makes before it truncates the original: logrotate's copytruncate and renamecopy."""

from mega_collector.collector.checkpoint import Entry
from mega_collector.collector.file import File
from mega_collector.collector.followed import Followed
from mega_collector.collector.follower import Follower
from mega_collector.collector.identity import agrees, before, holds
from mega_collector.collector.open_files import OpenFiles
from mega_collector.collector.remembered import Remembered
from mega_collector.collector.rotated_names import originals
from mega_collector.marker import HEAD_SIZE


class Copies:
    """Tells whether a file that appears holds what was shipped of another: by its name and by its bytes."""

    def __init__(self, *, followed: Followed, remembered: Remembered, files: OpenFiles) -> None:
        self._followed = followed
        self._remembered = remembered
        self._files = files

    def original(self, path: bytes, file: File) -> Entry | None:
        """The source that has ended, and goes on in this file.

        Raises:
            OSError: the file cannot be read.
        """
        matching = [
            entry
            for name in originals(path)
            for entry in self._remembered.named(name)
            if entry.position > 0
            and not entry.trailer.length
            and entry.source_id not in self._followed
            and agrees(file, position=entry.position, head=entry.head, tail=entry.before)
        ]
        return max(matching, key=lambda entry: entry.position, default=None)

    def lookalike(self, path: bytes, file: File) -> Follower | None:
        """A followed file that begins as this one does: it will be truncated or removed next, if this is its copy.

        Or it was already, and that is not known yet: this one holds what was read of it.

        Raises:
            OSError: the file cannot be read.
        """
        head = file.read(HEAD_SIZE, 0)
        for name in originals(path):
            for follower in self._followed.named(name):
                if self._begins_with(follower, head) or _was_read(follower, file):
                    return follower
        return None

    def is_contained(self, path: bytes, file: File, size: int) -> bool:
        """Whether its `size` bytes are the first ones of the file that it looks like.

        Raises:
            OSError: it cannot be read.
        """
        follower = self.lookalike(path, file)
        return follower is not None and self._contains(follower, file, size)

    def is_cut(self, original: Follower) -> bool:
        """Whether that file lacks what was read of it: that is seen as soon as it is read on."""
        try:
            return original.settled and not holds(self._files.of(original), original)
        except OSError:
            return False

    def is_begun(self, original: Follower, file: File, size: int) -> bool:
        """Whether its `size` bytes are the first ones of that file, which has more: it is still being copied.

        Raises:
            OSError: it cannot be read.
        """
        return size < original.size and self._contains(original, file, size)

    def _contains(self, original: Follower, file: File, size: int) -> bool:
        end = before(file, size)
        try:
            return before(self._files.of(original), size) == end
        except OSError:
            return False

    def _begins_with(self, follower: Follower, head: bytes) -> bool:
        try:
            there = self._files.of(follower).read(HEAD_SIZE, 0)
        except OSError:
            return False
        return bool(there) and there.startswith(head)


def _was_read(follower: Follower, file: File) -> bool:
    return follower.settled and follower.position > 0 and len(follower.tail) > 0 and holds(file, follower)
