"""The archives that are there: what each is, and what is known of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mega_collector.collector.finding.roster import Identity
from mega_collector.collector.finding.rotated_names import is_named_after, plain
from mega_collector.collector.reading.gzip_file import Contents
from mega_collector.collector.state.checkpoint import Entry
from mega_collector.marker import HEAD_SIZE


@dataclass(slots=True, eq=False)
class Archive:
    """An archive that is there, by one of its names."""

    identity: Identity
    path: bytes
    looked: tuple[int, int]
    """Size and time of change when it was gone through."""
    skip: bool
    """Whether it is passed over, unless it holds what is left of something that was shipped."""
    fresh: bool = False
    """Whether nothing was known of it when it was found: by a process before, it was not."""
    blank: bool = False
    """Whether it held nothing when it was found."""
    gone: bool = False
    seen: tuple[int, int] | None = None
    """Size and time of change when it was seen last."""
    tried: tuple[int, int] | None = None
    """The same when it was found not to be whole: it waits for others."""
    head: bytes | None = None
    """The first bytes of what it held then; None: it was never gone through."""
    told: set[str] = field(default_factory=set)
    """What was said of it."""
    entry: Entry | None = None
    """What is remembered of it, once nothing of it is left to ship."""
    behind: Entry | None = None
    """What goes on in it as soon as all that was read of that is acknowledged."""
    asked: set[bytes] = field(default_factory=set)
    """The sources for which it was gone through once more."""

    def entry_of(self, contents: Contents, source_id: bytes) -> Entry:
        """As which source it is remembered, once it is done."""
        return Entry(
            source_id=source_id,
            path=self.path,
            device=self.identity[0],
            inode=self.identity[1],
            head=contents.head,
            position=contents.size,
            before=contents.before,
            ended=True,
            trailer=contents.trailer,
        )

    def ends_with(self, entry: Entry) -> bool:
        """Whether it is done, and ends with what was shipped of that; as `KnownArchives.end_with`."""
        end = self.entry
        if end is None or self.skip:
            return False
        if entry.position:
            if (end.position, end.before) != (entry.position, entry.before):
                return False
            # Where lines end alike only the head tells, if of both so much of it is known.
            return end.head == entry.head or end.head.length != entry.head.length
        named = plain(self.path) == entry.path
        if entry.head.length:
            sure = named or entry.head.length in {end.position, HEAD_SIZE}
            return end.head == entry.head and sure
        return not end.position and ((self.fresh and is_named_after(self.path, entry.path)) or (self.blank and named))


class KnownArchives:
    """Every archive that is there, by what it is."""

    def __init__(self) -> None:
        self._archives: dict[Identity, Archive] = {}

    def __iter__(self) -> Iterator[Archive]:
        return iter(self._archives.values())

    def __contains__(self, identity: object) -> bool:
        return identity in self._archives

    def __getitem__(self, identity: Identity) -> Archive:
        return self._archives[identity]

    def get(self, identity: Identity) -> Archive | None:
        """The archive, if it is one that is there."""
        return self._archives.get(identity)

    def add(self, archive: Archive) -> None:
        """It was found."""
        self._archives[archive.identity] = archive

    def remove(self, archive: Archive) -> None:
        """It is gone."""
        archive.gone = True
        del self._archives[archive.identity]

    def know(self, entry: Entry) -> bool:
        """Whether the archive of which this is remembered is there."""
        return any(archive.entry is entry for archive in self)

    def end_with(self, entry: Entry) -> bool:
        """Whether one that is done ends with what was shipped of that: then there was no more of it.

        Where nothing was, it holds what that began with, or begins so, with a whole head or that name; and where that
        was empty, holds nothing and has its name, or was made since it was seen last, and is named after it. (Of one
        that was passed over nothing is known.)
        """
        return any(archive.ends_with(entry) for archive in self)

    def may_end_with(self, entry: Entry) -> Archive | None:
        """One that is done and may end with what was shipped of that, and was not yet gone through once more for it.

        What is known of the bytes at the ends is of so many here, and so many there.
        """
        for archive in self:
            end = archive.entry
            if end is None or end.position != entry.position or entry.source_id in archive.asked:
                continue
            if 0 < entry.before.length < end.before.length:
                return archive
        return None

    def are_of(self, path: bytes, *, done: bool = False) -> bool:
        """Whether there is one that was made of a file of that name. `done`: and nothing of it is left to ship."""
        return any(plain(each.path) == path and (each.entry or not done) for each in self)
