"""What the times of files tell of which of them was there first."""

from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.open_files import OpenFiles
from mega_collector.collector.reading.siblings import Siblings

_SECOND = 1_000_000_000
_LOST = 1_000
"""Nanoseconds by which a time may be too early that a program has read and set: in microseconds, or as a float."""


class Ages:
    """Tells what cannot be a copy of a followed file, or an archive of it, however alike they begin."""

    def __init__(self, *, files: OpenFiles, siblings: Siblings) -> None:
        self._files = files
        self._siblings = siblings

    def is_younger(self, follower: Follower, written_ns: int) -> bool:
        """Whether the follower's file was made after another had been written last.

        Nobody can tell if it was put there with the time that it had elsewhere (cp -p, rsync -t, mv from another disk),
        or where the filesystem does not say when it was made.
        """
        # What was set to a whole second may have been any time within that.
        latest = written_ns + (_LOST if written_ns % _SECOND else _SECOND)
        path, inode = follower.path, follower.source.inode
        if path is None or not self._siblings.is_another(path, inode, latest):
            return False
        facts = self._facts(follower)
        return facts is not None and not self._siblings.is_another(path, inode, facts.mtime_ns)

    def has_more_of_old(self, follower: Follower, size: int, archive: bytes, facts: FileFacts) -> bool:
        """Whether the follower's file has more than that archive, and was written last before what that was made of.

        Only if the archive's time is that, to which gzip sets it, and not when it was written itself.
        """
        there = self._facts(follower)
        if there is None or there.size <= size or there.mtime_ns >= facts.mtime_ns:
            return False
        return bool(self._siblings.is_another(archive, facts.inode, facts.mtime_ns))

    def _facts(self, follower: Follower) -> FileFacts | None:
        try:
            with self._files.glance(follower) as file:
                return file.facts()
        except OSError:
            return None
