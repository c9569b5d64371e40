"""As which sources the followed files are shipped, and where each goes on."""

from collections.abc import Collection, Container
from dataclasses import replace

import structlog

from mega_collector.block import Skip, SkipReason, Source
from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.finding.roster import Identity
from mega_collector.collector.reading.file import File
from mega_collector.collector.reading.followed import Followed
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.open_files import OpenFiles
from mega_collector.collector.recognition.copies import Copies
from mega_collector.collector.recognition.identity import agrees, before, head_of, is_still
from mega_collector.collector.recognition.remembered import Remembered
from mega_collector.collector.recognition.resumption import new_id, resumption
from mega_collector.collector.sending.shipper import Shipper
from mega_collector.collector.sending.window import Decide
from mega_collector.collector.sources.description import describe
from mega_collector.collector.sources.endings import Endings, entry_of_known
from mega_collector.collector.sources.losses import Losses
from mega_collector.collector.sources.unsettled import Unsettled
from mega_collector.collector.state.checkpoint import Entry
from mega_collector.collector.state.recollection import Recollection
from mega_collector.marker import HEAD_SIZE, Marker
from mega_collector.protocol import Hello

_log = structlog.get_logger(__name__)


class Sources:
    """Begins sources, settles their handshakes, and begins new ones where files are truncated."""

    def __init__(
        self,
        *,
        hello: Hello,
        rotate_wait: float,
        followed: Followed,
        files: OpenFiles,
        remembered: Remembered,
        copies: Copies,
        unsettled: Unsettled,
        shipper: Shipper,
        losses: Losses,
        recollection: Recollection,
        endings: Endings,
    ) -> None:
        self._hello = hello
        self._rotate_wait = rotate_wait
        self._followed = followed
        self._files = files
        self._remembered = remembered
        self._copies = copies
        self._unsettled = unsettled
        self._shipper = shipper
        self._losses = losses
        self._recollection = recollection
        self._endings = endings
        self.truncations = 0

    def make(self, path: bytes, facts: FileFacts, head: Marker, entry: Entry | None) -> Source:
        """The source as which a file is described at first: the one that `entry` remembers, if there is one.

        What had ended goes on under a new id, from where it ended.
        """
        return describe(self._hello, new_id() if entry is None else self.claim(entry), path, facts, head)

    def claim(self, entry: Entry) -> bytes:
        """The id under which it goes on."""
        source_id = new_id() if entry.ended else entry.source_id
        self._unsettled.starts[source_id] = entry
        self._remembered.claim(entry)
        if entry.unconfirmed:
            self._unsettled.at_end.add(source_id)
        return source_id

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
            entry = self._unsettled.starts.get(follower.source.id)
            follower.expect(entry.position if entry is not None else 0)
            self._ask(follower)

    @property
    def recollecting(self) -> bool:
        """Whether the aggregator is still to say what it remembers: until then nothing new is begun."""
        return self._recollection.pending

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
        return self._unsettled.followers.keys()

    def expected(self, follower: Follower) -> Entry | None:
        """What is remembered of a source that is not settled yet."""
        return self._unsettled.starts.get(follower.source.id)

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
        for follower in self._unsettled.followers:
            if not self.recollecting or self._unsettled.is_sure(follower):
                self._shipper.begin(follower.source)

    def settle(self, decide: Decide) -> Follower | None:
        """The aggregator has answered: go on where it, the checkpoint and the file agree.

        Raises:
            OSError: the file cannot be read; it is asked for again by `ask_again`.
        """
        described = decide.source
        follower = self._followed.of(described.id)
        if follower is None:
            self._endings.settle(decide)
            return None
        if follower.vanished:
            # What becomes of it is decided at the next poll.
            self._shipper.postpone(described)
            return None
        self._unsettled.followers[follower] = None
        begun, seen = follower.until, follower.size
        entry = self._unsettled.starts.get(described.id) or self._shipper.noted(described)
        try:
            anew = self._go_on(follower, decide, entry)
        except OSError:
            self._shipper.postpone(described)
            raise
        self._unsettled.followers.pop(follower, None)
        start = self._unsettled.starts.pop(described.id, None)
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
            entry = entry_of_known(replace(described, path=path), known)
            if not known.finished and self._copies.lies_near(path, entry, known.position, since=since):
                self._endings.conclude(entry, recognisable=True)
                continue
            if entry.recognises:
                # An archive or a copy of that may be there: then not all of it is shipped again.
                self._remembered.end(entry, acknowledged=False)
            if not known.finished:
                self._losses.end(described, known.position, None, "it was rewritten while the collector was stopped")

    def _tell_unread(self, described: Source, size: int, since: float) -> None:
        """It was rewritten since it was described, and nothing was read of what it held."""
        entry = Entry(described.id, described.path, described.device, described.inode, described.head, 0, Marker())
        if not self._copies.lies_near(described.path, entry, size, since=since):
            self._losses.end(described, 0, size, "the file was truncated before it was read")

    def cut(self, follower: Follower, *, copied: bool) -> None:
        """The file was truncated or rewritten: its source ends.

        `copied`: what was not read of it may be in a copy, and is not lost.
        """
        _log.info("source_truncated", path=follower.source.name, at=follower.position)
        self.truncations += 1
        lost = follower.shrunk_by and not copied
        self._endings.end(follower, lost="the file was truncated before it was read" if lost else None)

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

    def remove(self, follower: Follower) -> None:
        """Nothing more will come of it."""
        self._unsettled.followers.pop(follower, None)
        self._unsettled.starts.pop(follower.source.id, None)
        self._followed.remove(follower)

    def _ask(self, follower: Follower) -> None:
        self._unsettled.followers[follower] = None
        if not self.recollecting or self._unsettled.is_sure(follower):
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
        at_end = described.id in self._unsettled.at_end and goes_on.source is described and not decide.resume.known
        before_it = Marker.of(tail)
        skip = Skip(described, 0, goes_on.position, SkipReason.START_AT_END, before_it) if at_end else None
        self._shipper.settle(described, goes_on.source, goes_on.position, before_it, skip=skip)
        self._unsettled.at_end.discard(described.id)
        return anew
