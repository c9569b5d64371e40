"""Copies that a rotation makes before it truncates the original: logrotate's copytruncate and renamecopy."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import chain

from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.finding.rotated_names import originals, plain, uncopied, unnumbered
from mega_collector.collector.reading.file import File
from mega_collector.collector.reading.followed import Followed
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.gzip_file import GzipFile, is_archive, last_size, trailer_of
from mega_collector.collector.reading.open_files import OpenFiles, TooManyOpenFiles
from mega_collector.collector.reading.siblings import Siblings
from mega_collector.collector.recognition.ages import Ages
from mega_collector.collector.recognition.identity import agrees, before, holds
from mega_collector.collector.recognition.remembered import Remembered
from mega_collector.collector.state.checkpoint import Entry
from mega_collector.marker import HEAD_SIZE, Marker

_NEAR = 1 << 20
"""Bytes up to which an archive is looked into at once."""


class Copies:
    """Tells whether a file that appears holds what was shipped of another: by its name and by its bytes."""

    def __init__(
        self,
        *,
        followed: Followed,
        remembered: Remembered,
        files: OpenFiles,
        siblings: Siblings,
        ages: Ages,
        matches: Callable[[bytes], bool],
        starts: Mapping[bytes, Entry],
    ) -> None:
        self._followed = followed
        self._remembered = remembered
        self._files = files
        self._siblings = siblings
        self._ages = ages
        self._matches = matches
        self._starts = starts
        """What was remembered of the sources that are not settled yet."""

    def original(self, path: bytes, file: File) -> Entry | None:
        """The source that has ended, and goes on in this file.

        Raises:
            OSError: the file cannot be read.
        """
        matching = [
            entry
            for name in originals(path)
            for entry in self._remembered.named(name)
            if not entry.empty
            and entry.marked
            and not entry.trailer.length
            and entry.source_id not in self._followed
            and agrees(file, position=entry.position, head=entry.head, tail=entry.before)
        ]
        return max(matching, key=lambda entry: entry.position, default=None)

    def is_had(self, source_id: bytes, size: int) -> bool:
        """Whether so many bytes of that source need not be had from a copy: it is read on, or they were shipped."""
        entry = self._remembered.get(source_id)
        return source_id in self._followed or (entry is not None and entry.position >= size)

    def exceeded(self, source_id: bytes, file: File, size: int) -> Entry | None:
        """The source, if it has ended behind all that is in this file: as if it had ended with that.

        What was written behind a copy may be read before the original is truncated. That this file's `size` bytes were
        the first ones of that source was seen when its file still had them.

        Raises:
            OSError: the file cannot be read.
        """
        entry = self._remembered.get(source_id)
        if entry is None or not entry.ended or entry.position <= size or source_id in self._followed:
            return None
        return replace(entry, position=size, before=Marker.of(before(file, size)))

    def lookalike(self, path: bytes, file: File, *, own: Follower | None = None) -> Follower | None:
        """A followed file that begins as this one does: it will be truncated or removed next, if this is its copy.

        Or it was already, and that is not known yet: this one holds what was read of it. `own`: this one is followed.

        Raises:
            TooManyOpenFiles: what is followed cannot be opened, so that this is to be asked again.
            OSError: the file cannot be read.
        """
        head = file.read(HEAD_SIZE, 0)
        for name in originals(path):
            for follower in self._followed.named(name):
                alike = follower is not own and (self._begins_with(follower, head) or self._was_read(follower, file))
                facts = file.facts() if alike else None
                if facts is not None and not self._ages.is_younger(follower, facts.mtime_ns):
                    return follower
        return None

    def lies_near(
        self,
        path: bytes,
        entry: Entry | None,
        size: int,
        *,
        since: float,
        older: Callable[[bytes, FileFacts], bool] | None = lambda *_: False,
    ) -> bool:
        """Whether a copy of what had that name, or an archive, lies beside it or in a directory below.

        It is found next, or was after `since`, and not before. `entry` is what is remembered of that, and so many bytes
        were seen of it. `older` tells of a file that is not followed whether it was there before; None: each counts,
        however long it was there. Of what was app.log.1 the archive may be called app.log.2.gz by then.
        """
        renamed, path = path, uncopied(path)
        base = unnumbered(path)
        with suppress(OSError):
            for near in chain(self._siblings.names_near(path), () if base is None else self._siblings.names_near(base)):
                of = plain(near)
                named = path in {of, *originals(of)}
                counted = not named and of != near and base is not None and unnumbered(of) == base
                if not (named or counted) or near in {path, renamed} or not self._matches(near):
                    continue
                if self._holds_it(near, entry, size, since, older, by_size=counted):
                    return True
        return False

    def has_all(self, file: File, entry: Entry | None, size: int) -> bool:
        """Whether it begins as what is remembered does, and has so many bytes; not if it cannot be read."""
        try:
            facts = file.facts()
            return facts is not None and facts.size >= size and _may_be(file, entry)
        except OSError:
            return False

    def _holds_it(
        self,
        path: bytes,
        entry: Entry | None,
        size: int,
        since: float,
        older: Callable[[bytes, FileFacts], bool] | None,
        *,
        by_size: bool,
    ) -> bool:
        """Whether that file is new, and holds all of it; or just that, and nothing is known of what is in it.

        `by_size`: or just so many bytes. One copy after the other may have got the same name and inode, and what was
        seen last is not what was read then.
        """
        try:
            with self._files.looking(path) as file:
                facts = file.facts()
                if facts is None or (older is not None and older(path, facts)):
                    return False
                new = older is None or self._found_at(facts, file) > since
                if not is_archive(path, file):
                    just = 0 < facts.size == size and self._is_unread(facts)
                    return (new or just) and self.has_all(file, entry, size)
                if not new:
                    return False
                trailer = trailer_of(file)
                if older is not None and any(
                    each.trailer == trailer for each in self._remembered.archives(facts.inode)
                ):
                    return False
                if by_size and last_size(file) == size % (1 << 32):
                    return True
                held = GzipFile(file, size=last_size(file))
                if entry is not None and entry.position > _NEAR:
                    # To look further into it would take too long.
                    entry = replace(entry, position=0)
                return last_size(file) >= size % (1 << 32) and _may_be(held, entry)
        except OSError:
            return False

    def _is_unread(self, facts: FileFacts) -> bool:
        """Whether nothing was read of that file: it may be another by now than what was found by that inode."""
        follower = self._followed.get((facts.device, facts.inode))
        return follower is None or not follower.position

    def _found_at(self, facts: FileFacts, file: File) -> float:
        """When that file was found that is followed now; or it is still to be found.

        What was followed by that inode, and was empty, is cut, is not in the file any more, has no name and is not
        open, or comes of its archive by now, has left it to another.

        Raises:
            OSError: the file cannot be read.
        """
        follower = self._followed.get((facts.device, facts.inode))
        if follower is None or follower.complete or not follower.size or follower.is_cut(facts.size):
            return math.inf
        entry = self._starts.get(follower.source.id)
        if not (holds(file, follower) if follower.settled else _may_be(file, entry)):
            return math.inf
        return follower.begun_at if follower.path is not None or follower in self._files else math.inf

    def _was_read(self, follower: Follower, file: File) -> bool:
        """Whether that holds what was read of the follower's file, by this process or by one before, or its head."""
        if follower.settled and follower.position:
            # Of what is read from an archive, only the source knows how it begins.
            begins = not follower.complete or follower.source.head.matches_head(file.read(HEAD_SIZE, 0))
            return begins and len(follower.tail) > 0 and holds(file, follower)
        entry = self._starts.get(follower.source.id)
        if entry is not None:
            return not (entry.ended or entry.empty) and _may_be(file, entry)
        head = follower.source.head
        return head.length > 0 and head.matches_head(file.read(head.length, 0))

    def is_contained(self, path: bytes, file: File, size: int) -> bool:
        """Whether its `size` bytes are the first ones of the file that it looks like.

        Raises:
            OSError: it cannot be read.
        """
        follower = self.lookalike(path, file)
        return follower is not None and self.is_beginning(follower, file, size)

    def is_cut(self, original: Follower) -> bool:
        """Whether that file lacks what was read of it, or may: that is seen as soon as it is read on."""
        if not original.settled:
            return False
        try:
            with self._files.glance(original) as file:
                return not holds(file, original)
        except TooManyOpenFiles:
            return True
        except OSError:
            return False

    def is_begun(self, original: Follower, file: File, size: int) -> bool:
        """Whether its `size` bytes are the first ones of that file, which has more: it is still being copied.

        Raises:
            OSError: it cannot be read.
        """
        return size < original.size and self.is_beginning(original, file, size)

    def is_beginning(self, original: Follower, file: File, size: int) -> bool:
        """Whether its `size` bytes are the first ones of that file.

        Raises:
            OSError: it cannot be read.
        """
        end = before(file, size)
        try:
            with self._files.glance(original) as held:
                return before(held, size) == end
        except OSError:
            return False

    def _begins_with(self, follower: Follower, head: bytes) -> bool:
        try:
            with self._files.glance(follower) as file:
                there = file.read(HEAD_SIZE, 0)
        except TooManyOpenFiles:
            raise
        except OSError:
            return False
        return bool(there) and there.startswith(head)


def _may_be(file: File, entry: Entry | None) -> bool:
    """Whether it begins as what is remembered does: as anything does, where nothing is."""
    if entry is None:
        return True
    return agrees(file, position=entry.position, head=entry.head, tail=entry.before if entry.position else Marker())
