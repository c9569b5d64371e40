"""As which sources the followed files are shipped, and where each goes on."""

from collections.abc import Callable, Collection, Container, Iterable
from dataclasses import replace
from functools import partial

import structlog

from mega_collector.block import Skip, SkipReason, Source
from mega_collector.collector.checkpoint import Entry
from mega_collector.collector.copies import Copies
from mega_collector.collector.discovery import FileFacts
from mega_collector.collector.file import File
from mega_collector.collector.followed import Followed
from mega_collector.collector.follower import Follower
from mega_collector.collector.identity import agrees, before, head_of, is_still
from mega_collector.collector.losses import Losses
from mega_collector.collector.open_files import OpenFiles
from mega_collector.collector.recollection import Recollection
from mega_collector.collector.remembered import Remembered, entry_of
from mega_collector.collector.resumption import new_id, resumption
from mega_collector.collector.roster import Identity
from mega_collector.collector.shipper import Shipper
from mega_collector.collector.window import Decide
from mega_collector.marker import HEAD_SIZE, Marker
from mega_collector.protocol import Hello, Known

_log = structlog.get_logger(__name__)


Starts = dict[bytes, Entry]
"""What was remembered of the sources that are not settled yet, by their ids."""


class Sources:
    """Begins sources, settles their handshakes, and begins new ones where files are truncated."""

    def __init__(
        self,
        *,
        hello: Hello,
        max_line_size: int,
        rotate_wait: float,
        followed: Followed,
        files: OpenFiles,
        remembered: Remembered,
        copies: Copies,
        starts: Starts,
        shipper: Shipper,
        losses: Losses,
        recollection: Recollection,
    ) -> None:
        self._hello = hello
        self._max_line_size = max_line_size
        self._rotate_wait = rotate_wait
        self._followed = followed
        self._files = files
        self._remembered = remembered
        self._copies = copies
        self._shipper = shipper
        self._losses = losses
        self._recollection = recollection
        self._starts = starts
        self._at_end: set[bytes] = set()
        """Those of them that are begun at the end of their file, of which the aggregator is to hear."""
        self._unsettled: dict[Follower, None] = {}
        """In the order in which they were begun: of two that could go on as the same, the first does."""
        self._over: set[bytes] = set()
        """Those that ended before they were settled: they are remembered on, to be recognised."""
        self.truncations = 0
        for entry in remembered.untold:
            if entry.trailer.length:
                shipper.stand(self._source_of(entry), entry.position)
            else:
                shipper.finish_again(self._source_of(entry), entry.position)

    def make(self, path: bytes, facts: FileFacts, head: Marker, entry: Entry | None) -> Source:
        """The source as which a file is described at first: the one that `entry` remembers, if there is one.

        What had ended goes on under a new id, from where it ended.
        """
        return self._source(new_id() if entry is None else self._claim(entry), path, facts, head)

    def _claim(self, entry: Entry) -> bytes:
        """The id under which it goes on."""
        source_id = new_id() if entry.ended else entry.source_id
        self._starts[source_id] = entry
        self._remembered.claim(entry)
        if entry.unconfirmed:
            self._at_end.add(source_id)
        return source_id

    def note_end(self, path: bytes, facts: FileFacts, file: File) -> Entry | None:
        """Note that a file is to begin behind its last whole line, if it is no copy; None if it has none.

        It is kept from now on: whether this run reaches the aggregator or not, the next one begins there too, unless
        the aggregator tells that one that this was no first start.

        Raises:
            OSError: it cannot be read.
        """
        end = _end_of_last_line(file, facts.size, step=self._max_line_size)
        if not end:
            return None
        entry = Entry(
            source_id=new_id(),
            path=path,
            device=facts.device,
            inode=facts.inode,
            head=head_of(file),
            position=end,
            before=Marker.of(before(file, end)),
            unconfirmed=True,
        )
        self._shipper.note(entry)
        self._remembered.give_back(entry)
        return entry

    def begin_at(self, end: Entry) -> Entry:
        """As what a file begins of which that was noted."""
        self._at_end.add(end.source_id)
        if not self.recollecting:
            end = replace(end, unconfirmed=False)
            self._shipper.note(end)
        return end

    def follower(self, source: Source, path: bytes | None, facts: FileFacts, now: float) -> Follower:
        """What follows a file as that source, from when it is begun."""
        follower = Follower(
            source, path=path, size=facts.size, changed_ns=facts.changed_ns, now=now, rotate_wait=self._rotate_wait
        )
        follower.linked = facts.links > 1
        return follower

    def begin(self, follower: Follower, *, found: bool = True) -> None:
        """Follow it from now on, and ask where its source goes on. `found`: as for `Followed.add`."""
        self._followed.add(follower, found=found)
        self._remembered.expect(len(self._followed))
        self._losses.withdraw(follower.source.id)
        if not follower.settled:
            entry = self._starts.get(follower.source.id)
            follower.expect(entry.position if entry is not None else 0)
            self._ask(follower)

    @property
    def recollecting(self) -> bool:
        """Whether the aggregator is still to say what it remembers: until then nothing new is begun."""
        return self._recollection.pending

    def reconsider(self) -> dict[Follower, OSError]:
        """More is remembered now: as what goes on what was found before that? Those that could not be read, and why.

        First each is recognised by its inode: a file goes on where it is, not in its copy.
        """
        failed: dict[Follower, OSError] = {}
        waiting = [each for each in self._unsettled if not (each.truncated or each.vanished or self._is_sure(each))]
        for follower in waiting:
            by_inode = partial(self._remembered.recognise, follower.source.inode, taken=self.taken)
            self._recognise(follower, by_inode, failed)
        for follower in waiting:
            if not self._is_sure(follower):
                self._recognise(follower, partial(self._copies.original, follower.source.path), failed)
        return failed

    def begin_at_end(self, *, waiting: Container[Identity]) -> None:
        """It was a first start: what was to begin at the end of its file does, whatever the aggregator knows later.

        But for what is `waiting`: it may turn out to be a copy.
        """
        entries = [entry for entry in (*self._starts.values(), *self._remembered) if entry.unconfirmed]
        confirmed = [each for each in entries if (each.device, each.inode) not in waiting]
        for entry in confirmed:
            sure = replace(entry, unconfirmed=False)
            self._shipper.note(sure)
            if entry.source_id in self._starts:
                self._starts[entry.source_id] = sure
            else:
                self._remembered.give_back(sure)
        if confirmed:
            # Before any of them is shipped, which would look as if it was no first start.
            self._shipper.save(now=True)

    def begin_none_at_end(self, *, waiting: Container[Identity], archives: Container[Identity]) -> None:
        """What was to begin at the end of its file, and is not recognised, begins at its beginning.

        Of what is `waiting`, and of the `archives` that are there, it is to be seen yet what they are.
        """
        for follower in self._unsettled:
            if follower.source.id in self._at_end:
                del self._starts[follower.source.id]
                self._shipper.forget(follower.source)
                follower.expect(0)
        self._at_end.clear()
        known = [each for each in (*self._starts.values(), *self._remembered) if not each.unconfirmed]
        heads, lengths = {each.head for each in known}, {(each.path, each.inode): each.head.length for each in known}
        for entry in self._remembered:
            if not entry.unconfirmed:
                continue
            self._losses.withdraw(entry.source_id)
            self._over.discard(entry.source_id)
            # Of the same file more may be known by now of how it begins.
            length = lengths.get((entry.path, entry.inode), entry.head.length)
            sought = entry.head in heads or length != entry.head.length
            if entry.trailer.length:
                if (entry.device, entry.inode) not in archives and (entry.path, entry.inode) not in lengths:
                    self.lose(entry, "the archive was deleted before it could be read")
                self.forget(entry)
            elif sought or (entry.device, entry.inode) in waiting:
                self.forget(entry)
            else:
                # It is not found, or gone, and none of it counts as shipped.
                anew = replace(entry, position=0, before=Marker(), unconfirmed=False)
                self._remembered.give_back(anew)
                self._shipper.note(anew)

    def forget(self, entry: Entry) -> None:
        """What was noted of it does not count."""
        self._remembered.forget(entry)
        self._shipper.changed()

    def _is_sure(self, follower: Follower) -> bool:
        """Whether it is recognised, by what was read of it. (It is begun at its end only if it is not.)"""
        start = self._starts.get(follower.source.id)
        return start is not None and start.position > 0 and start.source_id not in self._at_end

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
        if old.id in self._at_end:
            self._at_end.discard(old.id)
            self._starts.pop(old.id, None)
        self._shipper.forget(old)
        follower.source = replace(old, id=self._claim(entry))
        self._losses.withdraw(follower.source.id)
        follower.expect(entry.position)
        self._followed.replace(old, follower)

    @property
    def taken(self) -> Container[bytes]:
        """The ids of the sources that are shipped now."""
        return self._followed

    def is_found(self, follower: Follower) -> bool:
        """Whether scans tell of its file."""
        return self._followed.get(follower.identity) is follower

    def follows(self, identity: Identity) -> bool:
        """Whether the file is followed."""
        return self._followed.get(identity) is not None

    def unknown(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those of which nothing is known here; nor may a file that waits for its answer go on as one of them."""
        waiting = {follower.source.inode for follower in self._unsettled}
        return [each for each in entries if each.inode not in waiting and not self.knows(each.source_id)]

    def knows(self, source_id: bytes) -> bool:
        """Whether anything is known of it here."""
        return source_id in self._followed or source_id in self._losses or self._shipper.knows(source_id)

    def is_news(self, entry: Entry) -> bool:
        """Whether the aggregator remembers what nothing here knows, or more of what is not shipped yet."""
        remembered = self._remembered_of(entry.source_id)
        if remembered is None:
            return not self.knows(entry.source_id)
        return remembered.position < entry.position or self._ends(remembered, entry)

    def _ends(self, remembered: Entry, entry: Entry) -> bool:
        """Whether what is remembered has ended, and no file was found that seems to go on as that."""
        ended = entry.ended and not remembered.ended and remembered.position <= entry.position
        return ended and entry.source_id not in self._starts

    def recollect(self, entry: Entry) -> bool:
        """Take it in. Whether nothing of it was known here."""
        source_id, remembered = entry.source_id, self._remembered_of(entry.source_id)
        if remembered is None:
            self._remembered.recollect(entry)
            return True
        head = max(remembered.head, entry.head, key=lambda each: each.length)
        further = replace(remembered, position=entry.position, before=entry.before, head=head, unconfirmed=False)
        self._at_end.discard(source_id)
        follower = self._followed.of(source_id) if source_id in self._starts else None
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
            self._starts[source_id] = further
        return False

    def _is_doubtful(self, follower: Follower, entry: Entry) -> bool:
        """Whether it was taken for a source of which nothing was read, as far as was known: any file can be that.

        Of what has vanished nobody can tell, unless it was too short for that, or that has ended.
        """
        long_enough = follower.size >= entry.position and not entry.ended
        return not (self._is_sure(follower) or (follower.vanished and long_enough))

    def _doubt(self, follower: Follower) -> None:
        """It is another source, perhaps: until it is recognised."""
        old = follower.source
        del self._starts[old.id]
        follower.source = replace(old, id=new_id())
        self._followed.replace(old, follower)

    def _remembered_of(self, source_id: bytes) -> Entry | None:
        """What is remembered of a source that is not settled."""
        return self._starts.get(source_id) or self._remembered.get(source_id)

    def is_over(self, source_id: bytes) -> bool:
        """Whether it ended here before it was settled."""
        return source_id in self._over

    def is_coming(self, ended: Entry) -> bool:
        """Whether what has ended is not acknowledged yet: if this process is killed, all of it is read once more.

        Until then it goes on nowhere else, or that would be taken for all that is left of it.
        """
        return ended.ended and self._shipper.in_flight_of(ended.source_id)

    def is_stopped(self, follower: Follower) -> bool:
        """Whether the aggregator refuses it for good."""
        return self._shipper.stopped(follower.source)

    def follow_now(self, entry: Entry) -> bool:
        """Whether a file is followed that has the name and inode of what is remembered, or just is the same inode."""
        named = any(follower.source.inode == entry.inode for follower in self._followed.named(entry.path))
        return named or self._followed.get((entry.device, entry.inode)) is not None

    def remember(self, source: Source) -> None:
        """It is read no further in this run; what is found of it in an archive is recognised."""
        entry = self._shipper.noted(source)
        if entry is not None:
            self._remembered.give_back(entry)
        # What goes on as this is described anew.
        self._shipper.leave(source)

    @property
    def unsettled(self) -> Collection[Follower]:
        """The followers whose handshake is not settled."""
        return self._unsettled.keys()

    def expected(self, follower: Follower) -> Entry | None:
        """What is remembered of a source that is not settled yet."""
        return self._starts.get(follower.source.id)

    def is_still(self, follower: Follower, file: File) -> bool:
        """Whether the file holds what was read of the follower's, or what is remembered of that until it is settled.

        Raises:
            OSError: it cannot be read.
        """
        entry = self.expected(follower)
        if entry is None or not entry.position:
            return is_still(follower, file)
        return agrees(file, position=entry.position, head=entry.head, tail=entry.before)

    def ask_again(self) -> None:
        """For every source whose handshake could not be settled before."""
        for follower in self._unsettled:
            if not self.recollecting or self._is_sure(follower):
                self._shipper.begin(follower.source)

    def settle(self, decide: Decide) -> Follower | None:
        """The aggregator has answered: go on where it, the checkpoint and the file agree.

        Raises:
            OSError: the file cannot be read; it is asked for again by `ask_again`.
        """
        described = decide.source
        follower = self._followed.of(described.id)
        if follower is None:
            if described.id not in self._losses:
                # Its file has nothing more to give: what the aggregator does not have any more cannot be sent again.
                self._losses.end(described, 0, None, "the aggregator forgot what it had of a source that has ended")
                self._losses.settle(decide)
            else:
                self._learn_end(decide)
            return None
        if follower.vanished:
            # What becomes of it is decided at the next poll.
            self._shipper.postpone(described)
            return None
        self._unsettled[follower] = None
        begun, seen = follower.until, follower.size
        entry = self._starts.get(described.id) or self._shipper.noted(described)
        try:
            anew = self._go_on(follower, decide, entry)
        except OSError:
            self._shipper.postpone(described)
            raise
        self._unsettled.pop(follower, None)
        start = self._starts.pop(described.id, None)
        if start is not None and follower.source.id != described.id:
            self._tell_replaced(decide, start.path, follower.begun_at)
            unknown = all(known.source_id != described.id for known in decide.resume.known)
            if unknown and start.position and not start.ended:
                # Nobody else knows of it: its ledger was lost, or it was begun at its end.
                self._remembered.end(replace(start, inode=0, ended=True))
        elif entry is None and anew:
            # If it is longer than it was seen, it may be seen already as it is now.
            self._tell_unread(described, seen if follower.size < seen else begun, follower.begun_at)
        if entry is not None and entry.ended and entry.source_id != follower.source.id:
            # It goes on here, or it turns out to be another file's, which may be found yet.
            (self._remembered.give_back if anew else self._remembered.forget)(entry)
        _log.info("file_followed", path=follower.source.name, position=follower.position)
        return follower

    def _tell_replaced(self, decide: Decide, path: bytes, since: float) -> None:
        """What was remembered agreed, but not what the aggregator has committed of it since: it is another file's."""
        described = decide.source
        for known in decide.resume.known:
            if known.source_id != described.id:
                continue
            entry = _entry_of(replace(described, path=path), known)
            if not known.finished and self._copies.lies_near(path, entry, known.position, since=since):
                self.conclude(entry, recognisable=True)
                continue
            if known.position > 0 and known.before.length > 0:
                # An archive or a copy of that may be there: then not all of it is shipped again.
                self._remembered.end(entry, acknowledged=False)
            if not known.finished:
                self._losses.end(described, known.position, None, "it was rewritten while the collector was stopped")

    def _tell_unread(self, described: Source, size: int, since: float) -> None:
        """It was rewritten since it was described, and nothing was read of what it held."""
        entry = Entry(described.id, described.path, described.device, described.inode, described.head, 0, Marker())
        if not self._copies.lies_near(described.path, entry, size, since=since):
            self._losses.end(described, 0, size, "the file was truncated before it was read")

    def _learn_end(self, decide: Decide) -> None:
        """What has ended before it was settled was shipped up to where the aggregator says: of a copy the rest is."""
        described = decide.source
        own = (each for each in decide.resume.known if each.source_id == described.id)
        known = next((each for each in own if each.position > 0 and each.before.length > 0), None)
        acknowledged = known is not None and not self._losses.lack(described.id, known.position)
        # First, or what is kept to tell the end would be written over what recognises the file.
        self._losses.settle(decide)
        entry = self._remembered.get(described.id)
        if entry is None:
            return
        if known is not None:
            entry = _entry_of(replace(described, path=entry.path), known)
        self._remembered.end(replace(entry, inode=0, ended=True, untold=True), acknowledged=acknowledged)
        self._shipper.changed()

    def keep(self, follower: Follower) -> None:
        """Its file is gone: if this process ends before anybody has answered, the next one is to tell that as lost.

        While more may be recollected, it may be known to the aggregator, which tells the next process.
        """
        unknown = not follower.settled and not self.recollecting and follower.source.id not in self._starts
        if unknown and follower.size > 0 and self._shipper.noted(follower.source) is None:
            self._shipper.note(entry_of(follower))

    def cut(self, follower: Follower, *, copied: bool) -> None:
        """The file was truncated or rewritten: its source ends.

        `copied`: what was not read of it may be in a copy, and is not lost.
        """
        _log.info("source_truncated", path=follower.source.name, at=follower.position)
        self.truncations += 1
        lost = follower.shrunk_by and not copied
        self.end(follower, lost="the file was truncated before it was read" if lost else None)

    def restart(self, follower: Follower, now: float, *, copied: bool) -> None:
        """As `cut`; what the file holds now is another source."""
        old = follower.source
        self.cut(follower, copied=copied)
        try:
            file = self._files.of(follower)
            head, facts = head_of(file), file.facts()
        except OSError:
            # An empty marker: nothing is known of the head, and nothing is claimed.
            head, facts = Marker(), None
        follower.restart(
            replace(old, id=new_id(), head=head, path=follower.path or old.path),
            0 if facts is None else facts.size,
            now,
        )
        self._followed.replace(old, follower)
        self._ask(follower)

    def conclude(self, entry: Entry, *, recognisable: bool = False) -> None:
        """What is remembered has ended, all of it shipped. `recognisable`: it may be found under another inode."""
        if not entry.position:
            # The aggregator never heard of it.
            self._remembered.forget(entry)
            self._shipper.changed()
            return
        ended = replace(entry, ended=True, untold=True, inode=0, trailer=Marker())
        self._shipper.note(ended)
        self._remembered.forget(ended)
        if recognisable:
            self._remembered.end(ended)
        self._shipper.finish_again(self._source_of(ended), entry.position)

    def stand(self, entry: Entry) -> None:
        """All of a file was shipped, and it is still there: the aggregator is to know it by its inode and its bytes."""
        if entry.position:
            self._shipper.note(replace(entry, untold=True))
            self._shipper.stand(self._source_of(entry), entry.position)

    def lose(self, entry: Entry, reason: str) -> None:
        """The file of a source that nobody here remembers is gone, and what it held behind the position."""
        self._losses.end(self._source_of(entry), entry.position, None, reason)

    def remove(self, follower: Follower) -> None:
        """Nothing more will come of it."""
        self._unsettled.pop(follower, None)
        self._starts.pop(follower.source.id, None)
        self._followed.remove(follower)

    def end(self, follower: Follower, *, lost: str | None = None) -> None:
        """Its source ends; whatever is found of it again, in a copy or an archive, is recognised.

        `lost`: why what was not read of it cannot be had any more.
        """
        source, acknowledged = follower.source, lost is None and self._shipper.acknowledged(follower.source)
        start, shipped = self._starts.pop(source.id, None), self._shipped_of(follower)
        if lost is not None:
            unread = follower.shrunk_by or follower.lag
            self._losses.end(source, follower.position, follower.position + unread if unread else None, lost)
        elif start is None or start.ended:
            self._shipper.end(source)
        else:
            self._losses.finish(source, follower.position)
        if shipped is not None:
            self._remembered.end(replace(shipped, inode=0, ended=True, untold=True), acknowledged=acknowledged)
            self._shipper.changed()
        elif start is not None:
            # What of it was shipped is not known yet: by its id the aggregator tells it to whoever is recognised.
            self._remembered.give_back(start)
            self._over.add(start.source_id)

    def _shipped_of(self, follower: Follower) -> Entry | None:
        """What recognises its file by what was shipped of it, acknowledged or not; None: nothing does."""
        if not _is_recognisable(follower):
            return None
        if not self._shipper.stopped(follower.source):
            return entry_of(follower)
        # Of what was read since then nothing will ever come.
        noted = self._shipper.noted(follower.source)
        return noted if noted is not None and noted.position > 0 else None

    def stop(self, source: Source) -> None:
        """The aggregator refuses it for good: if it has ended, only what was acknowledged is remembered as shipped."""
        entry, noted = self._remembered.get(source.id), self._shipper.noted(source)
        if entry is None or not entry.ended:
            return
        if noted is None or not noted.position:
            self._remembered.forget(entry)
        else:
            self._remembered.end(replace(noted, inode=0, ended=True), acknowledged=False)
        self._shipper.changed()

    def remember_end(self, follower: Follower, head: Marker | None, *, linked: bool) -> bool:
        """Its source, acknowledged, ends next: whether there is something by which to recognise its file again.

        `head`: more of its first bytes than were there when it was described. `linked`: the file is still there under
        some name; else its inode is given to others.
        """
        if self._shipper.stopped(follower.source):
            shipped = self._shipped_of(follower)
            if shipped is not None:
                self._remembered.end(replace(shipped, inode=0, ended=True, untold=True))
                self._shipper.changed()
            return shipped is not None
        if not _is_recognisable(follower):
            return False
        # What is noted of it must not be written over this later.
        self._shipper.noted(follower.source)
        self._remembered.end(entry_of(follower, inode=None if linked else 0, head=head, ended=True))
        self._shipper.changed()
        return True

    def _source(self, source_id: bytes, path: bytes, file: FileFacts | Entry, head: Marker) -> Source:
        return Source(
            id=source_id,
            path=path,
            device=file.device,
            inode=file.inode,
            head=head,
            collector=self._hello.collector,
            host=self._hello.host,
            tags=self._hello.tags,
        )

    def _source_of(self, entry: Entry) -> Source:
        return self._source(entry.source_id, entry.path, entry, entry.head)

    def _ask(self, follower: Follower) -> None:
        self._unsettled[follower] = None
        if not self.recollecting or self._is_sure(follower):
            self._shipper.begin(follower.source)

    def _go_on(self, follower: Follower, decide: Decide, entry: Entry | None) -> bool:
        """Whether the file was rewritten since it was described."""
        described = decide.source
        file = self._files.of(follower)
        goes_on = resumption(
            described,
            decide.resume,
            file,
            entry=entry,
            truncated=follower.truncated,
            complete=follower.complete,
            taken=self._followed,
        )
        self._losses.withdraw(goes_on.source.id)
        tail = before(file, goes_on.position)
        anew = not goes_on.known and goes_on.source is not described
        if anew:
            # What it held when it was described is another source's, or another file's that had its inode.
            goes_on = replace(goes_on, source=replace(goes_on.source, path=follower.path or described.path))
            facts = file.facts()
            follower.begin_anew(0 if facts is None else facts.size)
        follower.settle(goes_on.source, goes_on.position, tail)
        if not follower.complete:
            follower.keep_head(file.read(min(HEAD_SIZE, goes_on.position), 0) if goes_on.position else b"")
        self._followed.replace(described, follower)
        at_end = described.id in self._at_end and goes_on.source is described and not decide.resume.known
        before_it = Marker.of(tail)
        skip = Skip(described, 0, goes_on.position, SkipReason.START_AT_END, before_it) if at_end else None
        self._shipper.settle(described, goes_on.source, goes_on.position, before_it, skip=skip)
        self._at_end.discard(described.id)
        return anew


def _is_recognisable(follower: Follower) -> bool:
    """Whether something was read of it that tells it from others."""
    return follower.settled and follower.position > 0 and len(follower.tail) > 0


def _entry_of(source: Source, known: Known) -> Entry:
    """What the aggregator tells of a source that has ended, as it is remembered."""
    return Entry(
        source_id=known.source_id,
        path=source.path,
        device=source.device,
        inode=0,
        head=known.head,
        position=known.position,
        before=known.before,
        ended=True,
    )


def _end_of_last_line(file: File, size: int, *, step: int) -> int:
    """Where the last whole line of a file of that size ends; 0 if there is none. Reads so many bytes at once."""
    while size:
        start = max(size - step, 0)
        found = file.read(size - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        size = start
    return 0
