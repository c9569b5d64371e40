"""Of which file an archive was made: by its name, by how it begins, and by what was shipped of that."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace

from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.finding.rotated_names import is_named_after, is_plausible, plain, unrotated
from mega_collector.collector.reading.followed import Followed
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.gzip_file import Contents
from mega_collector.collector.reading.open_files import OpenFiles
from mega_collector.collector.recognition.ages import Ages
from mega_collector.collector.recognition.identity import agrees, holds
from mega_collector.collector.recognition.remembered import Remembered, entry_of
from mega_collector.collector.sources.sources import Sources
from mega_collector.collector.state.checkpoint import Entry
from mega_collector.marker import HEAD_SIZE, Heads


class Origins:
    """Compares archives with what is remembered and with what is followed; but for what is `shipped` from archives."""

    def __init__(
        self,
        *,
        followed: Followed,
        files: OpenFiles,
        ages: Ages,
        remembered: Remembered,
        sources: Sources,
        shipped: Container[Follower],
    ) -> None:
        self._followed = followed
        self._files = files
        self._ages = ages
        self._remembered = remembered
        self._sources = sources
        self._shipped = shipped

    def candidates(self, path: bytes, head: bytes) -> Iterator[Entry]:
        """Whatever may be in an archive that begins so: what was shipped, and is followed or not.

        There may be very many, for each of very many archives. What is empty begins as any: but for what its name is
        made of, that is left out.
        """
        heads, namesakes = Heads(head), set(self._followed.rotated_to(path))
        yield from self._remembered.beginning(head)
        for follower in self._followed:
            if follower in self._shipped:
                continue
            if follower.settled:
                begins = follower.source.head
                counts = begins.length or follower.position or follower in namesakes
                if counts and heads[begins.length] == begins.digest:
                    yield entry_of(follower)
                continue
            entry = self._sources.expected(follower)
            if entry is not None and heads[entry.head.length] == entry.head.digest:
                yield replace(entry, source_id=follower.source.id)

    def original(
        self, candidates: Sequence[Entry], tails: Mapping[int, bytes], *, path: bytes, inode: int, contents: Contents
    ) -> Entry | None:
        """What of the candidates, which begin as it does, is remembered of the file that it was made of.

        `tails` are its bytes before the candidates' positions.
        """
        matching = [
            each
            for each in self._matching(candidates, tails, path=path, inode=inode, size=contents.size)
            if not self._is_too_short(self._followed.of(each.source_id), contents.size)
        ]
        if matching:
            # Rather of a file than of the archive itself, as which it stands.
            return max(matching, key=lambda each: (each.position, not each.ended, not is_own(each, inode, contents)))
        # Of what was shipped just before a crash only the aggregator knows, and by its id it tells.
        unknown = (each for each in candidates if not each.ended and each.position == 0 and not self._is_settled(each))
        named = (each for each in unknown if self._is_named_after(path, each.path))
        return max(named, key=lambda entry: entry.head.length, default=None)

    def outdated(
        self, candidates: Sequence[Entry], tails: Mapping[int, bytes], *, path: bytes, inode: int, contents: Contents
    ) -> list[Entry]:
        """What of them is remembered of that file as it was before, and is not followed: nothing of it is missing.

        Both halves were killed then, and the ledger that knew more was lost.
        """
        return [
            each
            for each in self._matching(candidates, tails, path=path, inode=inode, size=contents.size)
            if self._is_named_after(path, each.path)
            and not (each.ended or is_own(each, inode, contents))
            and self._remembered.get(each.source_id) is each
        ]

    def holder(self, path: bytes, contents: Contents, facts: FileFacts) -> Follower | None:
        """The follower of a file that holds all of it, read or not. By its name: there may be very many."""
        if not contents.size:
            return None
        for follower in self._followed.rotated_to(path):
            if (
                follower not in self._shipped
                and not follower.vanished
                and self._is_named_after(path, follower.source.path)
                and self.begins_with(follower, contents)
                and not self._is_of_another(path, contents.size, facts, follower)
            ):
                return follower
        return None

    def begins_with(self, follower: Follower, contents: Contents) -> bool:
        """Whether the follower's file has all that the archive holds."""
        try:
            with self._files.glance(follower) as file:
                return agrees(file, position=contents.size, head=contents.head, tail=contents.before)
        except OSError:
            return False

    def follower_of(self, path: bytes, head: bytes, size: int, facts: FileFacts) -> Follower | None:
        """The follower of the file of which an archive was made, by its name and its beginning.

        It was not removed (yet); or it is held open, perhaps not known to be gone, and nothing says where it goes on.
        `size` is how much it holds.
        """
        for follower in self._beginning(path, head):
            if not (self._is_too_short(follower, size) or self._is_of_another(path, size, facts, follower)):
                return follower
        return None

    def _beginning(self, path: bytes, head: bytes) -> Iterator[Follower]:
        """Those that are, or may be, called so, and begin so as far as both go."""
        name = plain(path)
        for follower in self._followed:
            named = follower.path == name or (not follower.settled and self._is_named_after(path, follower.source.path))
            if named and follower not in self._shipped:
                try:
                    with self._files.glance(follower) as file:
                        there = file.read(HEAD_SIZE, 0)
                except OSError:
                    continue
                if there and there[: len(head)] == head[: len(there)]:
                    yield follower

    def know(self, path: bytes, head: bytes | None) -> bool:
        """Whether an archive that never became whole begins as the file of which it was made: its maker gave that up.

        `head`: None, if nobody has looked into it.
        """
        if head is None:
            return False
        alike = (each for each in self.candidates(path, head) if each.head.length)
        named = any(self._is_named_after(path, each.path) for each in alike)
        return named or any(True for _ in self._beginning(path, head))

    def _is_of_another(self, path: bytes, size: int, facts: FileFacts, follower: Follower) -> bool:
        """Whether times tell that an archive of that path and size was made of another file, which begins so, too."""
        if self._ages.is_younger(follower, facts.mtime_ns):
            return True
        return self._ages.is_longer_and_older(follower, path, size, facts)

    def _matching(
        self, candidates: Sequence[Entry], tails: Mapping[int, bytes], *, path: bytes, inode: int, size: int
    ) -> Iterator[Entry]:
        for entry in candidates:
            known = entry.position > 0 and entry.marked and entry.position in tails
            if known and entry.before.matches_tail(tails[entry.position]):
                # Of an archive that was begun already its inode tells, whatever its name was then.
                named = self._is_named_after(path, entry.path) or (entry.inode == inode and not entry.ended)
                if is_plausible(entry.position, entry.head, entry.path, of=path, size=size, named=named):
                    yield entry

    def _is_named_after(self, path: bytes, original: bytes) -> bool:
        """What was rotated already is rotated on: app.2.log.gz may have been app.1.log, if app.log is known."""
        if is_named_after(path, original):
            return True
        log = unrotated(original)
        known = log is not None and (self._followed.named(log) or self._remembered.named(log))
        return log is not None and bool(known) and is_named_after(path, log)

    def _is_too_short(self, follower: Follower | None, size: int) -> bool:
        """Whether its file is there, not truncated, and too short to be what an archive of that size was made of."""
        if follower is None or not follower.settled or follower.path is None:
            return False
        try:
            with self._files.glance(follower) as file:
                facts = file.facts()
                return facts is not None and facts.size < size and holds(file, follower)
        except OSError:
            return False

    def _is_settled(self, entry: Entry) -> bool:
        """Whether it is followed, and the aggregator has told what it knows of it."""
        follower = self._followed.of(entry.source_id)
        return follower is not None and follower.settled


def is_own(entry: Entry, inode: int, contents: Contents) -> bool:
    """Whether what is remembered is an archive's own source, as which the aggregator knows the archive already.

    Its head tells it from what had the inode before: lines may end alike.
    """
    own = entry.inode, entry.position, entry.before, entry.head
    return not entry.ended and own == (inode, contents.size, contents.before, contents.head)
