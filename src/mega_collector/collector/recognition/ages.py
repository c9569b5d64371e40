"""What the times of files tell of which of them was there first."""

from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.open_files import OpenFiles
from mega_collector.collector.reading.siblings import Siblings

_STEPS = 2_000_000_000, 1_000_000_000, 10_000_000, 1_000_000
"""Nanoseconds to which filesystems cut times off, and programs that read and set them: FAT has even seconds."""
_LEAST = 1_000
"""The same of those that seem to be exact: they may have been a float, or microseconds."""


class Ages:
    """Tells what cannot be a copy of a followed file, or an archive of it, however alike they begin."""

    def __init__(self, *, files: OpenFiles, siblings: Siblings) -> None:
        self._files = files
        self._siblings = siblings

    def is_younger(self, follower: Follower, written_ns: int) -> bool:
        """Whether the follower's file was made after another had been written last.

        Nobody can tell if it was put there with the time that it had elsewhere (cp -p, rsync -t, mv from another disk),
        if another file has its name and inode by now, or where the filesystem does not say when it was made.
        """
        latest = written_ns + next((step for step in _STEPS if not written_ns % step), _LEAST)
        path = follower.path
        born = None if path is None else self._siblings.born(path, follower.source.inode)
        if born is None or not latest < born <= follower.changed_ns:
            return False
        facts = self._facts(follower)
        return facts is not None and born <= facts.mtime_ns

    def is_longer_and_older(self, follower: Follower, archive: bytes, size: int, facts: FileFacts) -> bool:
        """Whether the follower's file has more than `size` bytes, and is older than what an archive was made of.

        Both as they were written last. The archive's time tells only if it was set, as gzip does, and is not its own.
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
