"""How sources end: the aggregator is told, and what recognises their files is remembered."""

from dataclasses import replace

from mega_collector.block import Source
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.recognition.remembered import Remembered, entry_of
from mega_collector.collector.sending.shipper import Shipper
from mega_collector.collector.sending.window import Decide
from mega_collector.collector.sources.description import describe
from mega_collector.collector.sources.losses import Losses
from mega_collector.collector.sources.unsettled import Unsettled
from mega_collector.collector.state.checkpoint import Entry
from mega_collector.collector.state.recollection import Recollection
from mega_collector.marker import Marker
from mega_collector.protocol import Hello, Known, Sent


class Endings:
    """Ends them: those that are shipped, and those that are only remembered."""

    def __init__(
        self,
        *,
        hello: Hello,
        remembered: Remembered,
        unsettled: Unsettled,
        shipper: Shipper,
        losses: Losses,
        recollection: Recollection,
    ) -> None:
        self._hello = hello
        self._remembered = remembered
        self._unsettled = unsettled
        self._shipper = shipper
        self._losses = losses
        self._recollection = recollection
        for entry in remembered.untold:
            if entry.trailer.length:
                shipper.stand(self._source_of(entry), entry.position)
            else:
                shipper.finish_again(self._source_of(entry), entry.position)

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

    def keep(self, follower: Follower) -> None:
        """Its file is gone: if this process ends before anybody has answered, the next one is to tell that as lost.

        While more may be recollected, it may be known to the aggregator, which tells the next process.
        """
        unknown = (
            not follower.settled and not self._recollection.pending and follower.source.id not in self._unsettled.starts
        )
        if unknown and follower.size > 0 and self._shipper.noted(follower.source) is None:
            self._shipper.note(entry_of(follower))

    def end(self, follower: Follower, *, lost: str | None = None, linked: bool = False) -> None:
        """Its source ends; whatever is found of it again, in a copy or an archive, is recognised.

        `lost`: why what was not read of it cannot be had any more. `linked`: it may be found by its inode, too.
        """
        source, acknowledged = follower.source, lost is None and self._shipper.acknowledged(follower.source)
        start, shipped = self._unsettled.starts.pop(source.id, None), self._shipped_of(follower)
        if lost is not None:
            unread = follower.shrunk_by or follower.lag
            self._losses.end(source, follower.position, follower.position + unread if unread else None, lost)
        elif start is None or start.ended:
            self._shipper.end(source)
        else:
            self._losses.finish(source, follower.position)
        if shipped is not None:
            inode = shipped.inode if linked else 0
            self._remembered.end(replace(shipped, inode=inode, ended=True, untold=True), acknowledged=acknowledged)
            self._shipper.changed()
        elif start is not None:
            # What of it was shipped is not known yet: by its id the aggregator tells it to whoever is recognised.
            self._remembered.give_back(start)
            self._unsettled.over.add(start.source_id)

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

    def is_over(self, source_id: bytes) -> bool:
        """Whether it ended here before it was settled."""
        return source_id in self._unsettled.over

    def settle(self, decide: Decide) -> None:
        """The aggregator has answered of a source that nothing is shipped as any more."""
        described = decide.source
        if described.id not in self._losses:
            # Its file has nothing more to give: what the aggregator does not have any more cannot be sent again.
            self._losses.end(described, 0, None, "the aggregator forgot what it had of a source that has ended")
            self._losses.settle(decide)
        else:
            self._learn_end(decide)

    def _learn_end(self, decide: Decide) -> None:
        """What has ended before it was settled was shipped up to where the aggregator says: of a copy the rest is."""
        described = decide.source
        own = (entry_of_known(described, each) for each in decide.resume.known if each.source_id == described.id)
        known = next((each for each in own if each.recognises), None)
        acknowledged = known is not None and not self._losses.lack(described.id, known.position)
        # First, or what is kept to tell the end would be written over what recognises the file.
        self._losses.settle(decide)
        entry = self._remembered.get(described.id)
        if entry is None:
            return
        if known is not None:
            entry = replace(known, path=entry.path)
        self._remembered.end(replace(entry, inode=0, ended=True, untold=True), acknowledged=acknowledged)
        self._shipper.changed()

    def _source_of(self, entry: Entry) -> Source:
        return describe(self._hello, entry.source_id, entry.path, entry, entry.head)


def _is_recognisable(follower: Follower) -> bool:
    """Whether something was read of it that tells it from others."""
    return follower.settled and follower.position > 0 and len(follower.tail) > 0


def entry_of_known(source: Source, known: Known) -> Entry:
    """What the aggregator tells of a source that has ended, as it is remembered: as far as it was sent."""
    sent = known.sent or Sent(known.position, known.before)
    return Entry(
        source_id=known.source_id,
        path=source.path,
        device=source.device,
        inode=0,
        head=known.head,
        position=sent.position,
        before=sent.before,
        ended=True,
    )
