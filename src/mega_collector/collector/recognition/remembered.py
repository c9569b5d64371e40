"""What the checkpoint remembers of files, to recognise them where they are found."""

from collections import OrderedDict
from collections.abc import Container, Iterator
from dataclasses import replace
from typing import TypeVar

from mega_collector.collector.reading.file import File
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.recognition.identity import agrees
from mega_collector.collector.state.checkpoint import Checkpoint, Entry
from mega_collector.marker import Marker

Key = TypeVar("Key", int, bytes)

_MOST_ENDED = 1000
"""Sources that are remembered beyond their end, at least: the files that rotated last are those that are compressed
next."""


class Remembered:
    """The entries that nobody has claimed yet: those of the last run, and those of sources that have ended since.

    `checkpoint` keeps what has ended, the latest: at most a thousand, or as many as were followed at once.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._by_inode: dict[int, dict[bytes, Entry]] = {}
        self._by_path: dict[bytes, dict[bytes, Entry]] = {}
        self._by_head: dict[int, dict[bytes, dict[bytes, Entry]]] | None = None
        """By length and digest of the head; None: nobody has asked yet, and where no archives are nobody will."""
        self._entries: dict[bytes, Entry] = {}
        self._ended: OrderedDict[bytes, None] = OrderedDict()
        self.untold = [entry for entry in checkpoint.entries.values() if entry.untold]
        """What a process before has ended, and the aggregator may not have heard of."""
        self._most_ended = _MOST_ENDED
        self.expect(sum(not entry.ended for entry in checkpoint.entries.values()))
        for entry in checkpoint.entries.values():
            if entry.recognises:
                self._add(entry)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries.values()))

    def __contains__(self, source_id: object) -> bool:
        return source_id in self._entries

    def get(self, source_id: bytes) -> Entry | None:
        """What is remembered of a source, if it is."""
        return self._entries.get(source_id)

    def recognise(self, inode: int, file: File, taken: Container[bytes]) -> Entry | None:
        """What is remembered of an open file with that inode.

        The device is not asked: its number changes over a reboot, and head and tail tell more. What is `taken` is
        another file's. Of several that agree, as any does with a source of which nothing was read, it is the one that
        says most; but of one file the latest, since those before ended with a truncation, however much it left.

        Raises:
            OSError: the file cannot be read.
        """
        agreeing = [
            entry
            for entry in self._by_inode.get(inode, {}).values()
            if entry.source_id not in taken
            and not entry.trailer.length
            and agrees(file, position=entry.position, head=entry.head, tail=entry.before)
        ]
        latest = {(entry.device, entry.path): entry for entry in agreeing}
        return max(latest.values(), key=lambda entry: (entry.position, entry.head.length), default=None)

    def of(self, path: bytes, inode: int) -> Entry | None:
        """What is remembered of a source that had this name and inode and did not end."""
        entries = self._by_inode.get(inode, {}).values()
        return next((entry for entry in entries if entry.path == path and not entry.ended), None)

    def remembers(self, inode: int) -> bool:
        """Whether something is remembered of a file with that inode that did not end."""
        return any(True for _ in self.standing(inode))

    def standing(self, inode: int) -> Iterator[Entry]:
        """What is remembered of files with that inode that did not end."""
        return (each for each in list(self._by_inode.get(inode, {}).values()) if not each.ended)

    def archives(self, inode: int) -> Iterator[Entry]:
        """What is remembered of archives with that inode that were shipped in full."""
        return (each for each in list(self._by_inode.get(inode, {}).values()) if each.trailer.length)

    def named(self, path: bytes) -> list[Entry]:
        """What is remembered of the sources that had this name."""
        return list(self._by_path.get(path, {}).values())

    def beginning(self, head: bytes) -> Iterator[Entry]:
        """What is remembered of files that began so, as far as it is known how they began."""
        if self._by_head is None:
            self._by_head = {}
            for entry in self._entries.values():
                self._note_head(self._by_head, entry)
        for length, alike in self._by_head.items():
            if length <= len(head):
                yield from alike.get(Marker.of(head[:length]).digest, {}).values()

    def _note_head(self, by_head: dict[int, dict[bytes, dict[bytes, Entry]]], entry: Entry) -> None:
        alike = by_head.setdefault(entry.head.length, {})
        alike.setdefault(entry.head.digest, {})[entry.source_id] = entry

    def expect(self, files: int) -> None:
        """So many files are followed: all of them may be rotated at once, and compressed when that is over."""
        self._most_ended = max(self._most_ended, files)

    def claim(self, entry: Entry) -> None:
        """It is followed again: from now on its follower knows more."""
        self._drop(entry)

    def give_back(self, entry: Entry) -> None:
        """It is not followed after all, or no more."""
        self._add(entry)

    def recollect(self, entry: Entry) -> None:
        """The aggregator remembers it, and nobody here: as if the checkpoint had held it, but for this run.

        What has ended is forgotten before what the checkpoint holds of that, the latest told last.
        """
        self._add(entry)
        if entry.source_id in self._ended:
            self._ended.move_to_end(entry.source_id, last=False)

    def end(self, entry: Entry, *, acknowledged: bool = True) -> None:
        """A source has ended; what recognises it is kept. What is not `acknowledged` is not kept beyond this run."""
        self._add(entry)
        if acknowledged:
            self._checkpoint.put(replace(entry, untold=entry.untold or self._is_untold(entry)))
        while len(self._ended) > self._most_ended:
            self.forget(self._entries[next(iter(self._ended))])

    def forget(self, entry: Entry) -> None:
        """It will never be found again. What is to be told of its end is kept."""
        self._drop(entry)
        if self._is_untold(entry):
            self._checkpoint.put(replace(entry, inode=0, head=Marker(), before=Marker(), trailer=Marker(), untold=True))
        else:
            self._checkpoint.forget(entry.source_id)

    def _is_untold(self, entry: Entry) -> bool:
        """As the checkpoint has it: who learns of the answer to an end notes it there."""
        kept = self._checkpoint.entries.get(entry.source_id)
        return kept is not None and kept.untold

    def _add(self, entry: Entry) -> None:
        self._drop(entry)
        self._entries[entry.source_id] = entry
        self._by_inode.setdefault(entry.inode, {})[entry.source_id] = entry
        self._by_path.setdefault(entry.path, {})[entry.source_id] = entry
        if self._by_head is not None:
            self._note_head(self._by_head, entry)
        # Archives are remembered for as long as they are there, and need no bound of their own.
        if entry.ended and not entry.trailer.length:
            self._ended[entry.source_id] = None

    def _drop(self, entry: Entry) -> None:
        # As it is kept: what the aggregator holds of the source may have another name, or lie in another file.
        kept = self._entries.pop(entry.source_id, None)
        if kept is not None:
            self._ended.pop(entry.source_id, None)
            _remove(self._by_inode, kept.inode, entry.source_id)
            _remove(self._by_path, kept.path, entry.source_id)
            if self._by_head is not None:
                _remove(self._by_head[kept.head.length], kept.head.digest, entry.source_id)


def entry_of(follower: Follower, *, inode: int | None = None, head: Marker | None = None, ended: bool = False) -> Entry:
    """What recognises the file of a follower, as far as it was read. `inode`, `head`: in place of its source's."""
    source = follower.source
    return Entry(
        source_id=source.id,
        path=source.path,
        device=source.device,
        inode=source.inode if inode is None else inode,
        head=source.head if head is None else head,
        position=follower.position,
        before=follower.before(),
        ended=ended,
        untold=ended,
    )


def _remove(index: dict[Key, dict[bytes, Entry]], key: Key, source_id: bytes) -> None:
    del index[key][source_id]
    if not index[key]:
        del index[key]
