"""Files that begin at their end, since they are new at the first start of all."""

from collections.abc import Container
from dataclasses import replace

from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.finding.roster import Identity
from mega_collector.collector.reading.file import File
from mega_collector.collector.recognition.identity import before, head_of
from mega_collector.collector.recognition.remembered import Remembered
from mega_collector.collector.recognition.resumption import new_id
from mega_collector.collector.sending.shipper import Shipper
from mega_collector.collector.sources.endings import Endings
from mega_collector.collector.sources.losses import Losses
from mega_collector.collector.sources.unsettled import Unsettled
from mega_collector.collector.state.checkpoint import Entry
from mega_collector.collector.state.recollection import Recollection
from mega_collector.marker import Marker


class StartsAtEnd:
    """Notes where each is to begin, and has it begin there once the aggregator has told that it knows of nothing."""

    def __init__(
        self,
        *,
        max_line_size: int,
        remembered: Remembered,
        unsettled: Unsettled,
        shipper: Shipper,
        losses: Losses,
        recollection: Recollection,
        endings: Endings,
    ) -> None:
        self._max_line_size = max_line_size
        self._remembered = remembered
        self._unsettled = unsettled
        self._shipper = shipper
        self._losses = losses
        self._recollection = recollection
        self._endings = endings

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
        self._unsettled.at_end.add(end.source_id)
        if not self._recollection.pending:
            end = replace(end, unconfirmed=False)
            self._shipper.note(end)
        return end

    def begin_at_end(self, *, waiting: Container[Identity]) -> None:
        """It was a first start: what was to begin at the end of its file does, whatever the aggregator knows later.

        But for what is `waiting`: it may turn out to be a copy.
        """
        entries = [entry for entry in (*self._unsettled.starts.values(), *self._remembered) if entry.unconfirmed]
        confirmed = [each for each in entries if (each.device, each.inode) not in waiting]
        for entry in confirmed:
            sure = replace(entry, unconfirmed=False)
            self._shipper.note(sure)
            if entry.source_id in self._unsettled.starts:
                self._unsettled.starts[entry.source_id] = sure
            else:
                self._remembered.give_back(sure)
        if confirmed:
            # Before any of them is shipped, which would look as if it was no first start.
            self._shipper.save(now=True)

    def begin_none_at_end(self, *, waiting: Container[Identity], archives: Container[Identity]) -> None:
        """What was to begin at the end of its file, and is not recognised, begins at its beginning.

        Of what is `waiting`, and of the `archives` that are there, it is to be seen yet what they are.
        """
        for follower in self._unsettled.followers:
            if follower.source.id in self._unsettled.at_end:
                del self._unsettled.starts[follower.source.id]
                self._shipper.forget(follower.source)
                follower.expect(0)
        self._unsettled.at_end.clear()
        known = [each for each in (*self._unsettled.starts.values(), *self._remembered) if not each.unconfirmed]
        heads, lengths = {each.head for each in known}, {(each.path, each.inode): each.head.length for each in known}
        for entry in self._remembered:
            if not entry.unconfirmed:
                continue
            self._losses.withdraw(entry.source_id)
            self._unsettled.over.discard(entry.source_id)
            # Of the same file more may be known by now of how it begins.
            length = lengths.get((entry.path, entry.inode), entry.head.length)
            sought = entry.head in heads or length != entry.head.length
            if entry.trailer.length:
                if (entry.device, entry.inode) not in archives and (entry.path, entry.inode) not in lengths:
                    self._endings.lose(entry, "the archive was deleted before it could be read")
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


def _end_of_last_line(file: File, size: int, *, step: int) -> int:
    """Where the last whole line of a file of that size ends; 0 if there is none. Reads so many bytes at once."""
    while size:
        start = max(size - step, 0)
        found = file.read(size - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        size = start
    return 0
