"""What the aggregator remembers, and nobody here did: it is taken in, and what was found before goes on as that."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from mega_collector.collector.reading.file import File
from mega_collector.collector.reading.followed import Followed
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.open_files import OpenFiles
from mega_collector.collector.recognition.copies import Copies
from mega_collector.collector.recognition.remembered import Remembered
from mega_collector.collector.recognition.resumption import new_id
from mega_collector.collector.sending.shipper import Shipper
from mega_collector.collector.sources.losses import Losses
from mega_collector.collector.sources.sources import Sources
from mega_collector.collector.sources.unsettled import Unsettled
from mega_collector.collector.state.checkpoint import Entry


class Recollected:
    """Tells what of it is news here, takes that in, and recognises by it what waits for its handshake."""

    def __init__(
        self,
        *,
        followed: Followed,
        files: OpenFiles,
        remembered: Remembered,
        copies: Copies,
        unsettled: Unsettled,
        shipper: Shipper,
        losses: Losses,
        sources: Sources,
    ) -> None:
        self._followed = followed
        self._files = files
        self._remembered = remembered
        self._copies = copies
        self._unsettled = unsettled
        self._shipper = shipper
        self._losses = losses
        self._sources = sources

    def reconsider(self) -> dict[Follower, OSError]:
        """More is remembered now: as what goes on what was found before that? Those that could not be read, and why.

        First each is recognised by its inode: a file goes on where it is, not in its copy.
        """
        failed: dict[Follower, OSError] = {}
        waiting = [
            each
            for each in self._unsettled.followers
            if not (each.truncated or each.vanished or self._unsettled.is_sure(each))
        ]
        for follower in waiting:
            by_inode = partial(self._remembered.recognise, follower.source.inode, taken=self._followed)
            self._recognise(follower, by_inode, failed)
        for follower in waiting:
            if not self._unsettled.is_sure(follower):
                self._recognise(follower, partial(self._copies.original, follower.source.path), failed)
        return failed

    def _recognise(
        self, follower: Follower, recognise: Callable[[File], Entry | None], failed: dict[Follower, OSError]
    ) -> None:
        old = follower.source
        try:
            entry = recognise(self._files.of(follower))
        except OSError as error:
            failed[follower] = error
            return
        if entry is None:
            rewritten = self._remembered.of(old.path, old.inode) is not None
            follower.nuls_at_head = follower.nuls_at_head or rewritten
            return
        if old.id in self._unsettled.at_end:
            self._unsettled.at_end.discard(old.id)
            self._unsettled.starts.pop(old.id, None)
        self._shipper.forget(old)
        follower.source = replace(old, id=self._sources.claim(entry))
        self._losses.withdraw(follower.source.id)
        follower.expect(entry.position)
        self._followed.replace(old, follower)

    def recollect(self, entry: Entry) -> bool:
        """Take it in. Whether nothing of it was known here."""
        source_id, remembered = entry.source_id, self._remembered_of(entry.source_id)
        if remembered is None:
            self._remembered.recollect(entry)
            return True
        head = max(remembered.head, entry.head, key=lambda each: each.length)
        further = replace(remembered, position=entry.position, before=entry.before, head=head, unconfirmed=False)
        self._unsettled.at_end.discard(source_id)
        follower = self._followed.of(source_id) if source_id in self._unsettled.starts else None
        if follower is not None and self._is_doubtful(follower, entry):
            self._doubt(follower)
            follower = None
        if self._ends(remembered, entry):
            # Who was killed had told that, and not noted it.
            self._remembered.end(replace(further, inode=0, ended=True))
            self._shipper.changed()
        elif follower is None:
            self._remembered.recollect(further)
        else:
            self._unsettled.starts[source_id] = further
        return False

    def _is_doubtful(self, follower: Follower, entry: Entry) -> bool:
        """Whether it was taken for a source of which nothing was read, as far as was known: any file can be that.

        Of what has vanished nobody can tell, unless it was too short for that, or that has ended.
        """
        long_enough = follower.size >= entry.position and not entry.ended
        return not (self._unsettled.is_sure(follower) or (follower.vanished and long_enough))

    def _doubt(self, follower: Follower) -> None:
        """It is another source, perhaps: until it is recognised."""
        old = follower.source
        del self._unsettled.starts[old.id]
        follower.source = replace(old, id=new_id())
        self._followed.replace(old, follower)

    def is_news(self, entry: Entry) -> bool:
        """Whether the aggregator remembers what nothing here knows, or more of what is not shipped yet."""
        remembered = self._remembered_of(entry.source_id)
        if remembered is None:
            return not self.knows(entry.source_id)
        return remembered.position < entry.position or self._ends(remembered, entry)

    def _ends(self, remembered: Entry, entry: Entry) -> bool:
        """Whether what is remembered has ended, and no file was found that seems to go on as that."""
        ended = entry.ended and not remembered.ended and remembered.position <= entry.position
        return ended and entry.source_id not in self._unsettled.starts

    def _remembered_of(self, source_id: bytes) -> Entry | None:
        """What is remembered of a source that is not settled."""
        return self._unsettled.starts.get(source_id) or self._remembered.get(source_id)

    def unknown(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those of which nothing is known here; nor may a file that waits for its answer go on as one of them."""
        waiting = {follower.source.inode for follower in self._unsettled.followers}
        return [each for each in entries if each.inode not in waiting and not self.knows(each.source_id)]

    def knows(self, source_id: bytes) -> bool:
        """Whether anything is known of it here."""
        return source_id in self._followed or source_id in self._losses or self._shipper.knows(source_id)
