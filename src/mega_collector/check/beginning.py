"""From where a collector that starts now would read a file."""

import os
from collections import defaultdict
from pathlib import Path

from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.finding.rotated_names import originals
from mega_collector.collector.reading.file import Disk, File
from mega_collector.collector.reading.gzip_file import MAGIC
from mega_collector.collector.recognition.identity import agrees
from mega_collector.collector.state.checkpoint import Entry, is_fresh, peek
from mega_collector.errors import StartError

Beginning = tuple[str, str, int | None]
"""The kind, for machines; the words, for people; the position if it is known."""


class Beginnings:
    """What the checkpoint in a state directory tells of files. It takes no lock: a collector may run beside."""

    def __init__(self, state: Path, *, start_at_end: bool) -> None:
        try:
            self._at_end = start_at_end and is_fresh(state)
            self.collector, entries = peek(state)
        except StartError:
            # It is told of where the state directory is looked at.
            self._at_end, self.collector, entries = False, None, []
        self.remembered = len(entries)
        self._by_inode: defaultdict[int, list[Entry]] = defaultdict(list)
        self._by_path: defaultdict[bytes, list[Entry]] = defaultdict(list)
        for entry in entries:
            self._by_inode[entry.inode].append(entry)
            self._by_path[entry.path].append(entry)

    def knows(self, inode: int) -> bool:
        """Whether a file with that inode was followed and not read to its end: then it is never too old."""
        return any(not entry.ended for entry in self._by_inode.get(inode, ()))

    def of(self, path: bytes, facts: FileFacts) -> Beginning:
        """Where reading begins, by the checkpoint alone: what the aggregator has committed counts first.

        Raises:
            OSError: it cannot be read.
        """
        file = Disk().open(path)
        try:
            return self._of(path, file, facts)
        finally:
            file.close()

    def _of(self, path: bytes, file: File, facts: FileFacts) -> Beginning:
        if file.read(len(MAGIC), 0) == MAGIC:
            return self._of_archive(facts.inode)
        here = self._by_inode.get(facts.inode, [])
        if (entry := _latest(here, file)) is not None:
            rest = max(facts.size - entry.position, 0)
            words = f"from the checkpoint, at {entry.position}: {rest} to read" if rest else "shipped to its end"
            return "checkpoint", words, entry.position
        before = [entry for name in originals(path) for entry in self._by_path.get(name, ())]
        if (entry := _latest([each for each in before if each.position], file)) is not None:
            was = os.fsdecode(entry.path)
            return "checkpoint", f"shipped as {was} up to {entry.position}, goes on there", entry.position
        if self._at_end:
            return "end", "from the end of its last whole line on (COLLECTOR_START_AT=end)", None
        rewritten = any(entry.path == path and not entry.ended for entry in here)
        return "beginning", f"from its beginning{': it was rewritten since' if rewritten else ''}", 0

    def _of_archive(self, inode: int) -> Beginning:
        if any(entry.trailer.length for entry in self._by_inode.get(inode, ())):
            return "archive", "an archive that was gone through", None
        if self._at_end:
            return "end", "an archive, passed over (COLLECTOR_START_AT=end)", None
        return "archive", "an archive: what of it was shipped already is found out, the rest is read", None


def _latest(entries: list[Entry], file: File) -> Entry | None:
    agreeing = [
        each
        for each in entries
        if not each.trailer.length and agrees(file, position=each.position, head=each.head, tail=each.before)
    ]
    return max(agreeing, key=lambda each: each.position, default=None)
