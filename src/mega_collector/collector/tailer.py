"""The collector's loop: looks at the files, has blocks read and shipped, and takes in what the aggregator says.

Plain synchronous code in one thread, which owns every machine of the collector. It sleeps on the watch and the inbox.
"""

import math
import os
import select
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

import structlog

from mega_collector.block import Source
from mega_collector.collector.archives import Archives
from mega_collector.collector.copies import Copies
from mega_collector.collector.crowd import Crowd
from mega_collector.collector.departures import Departures
from mega_collector.collector.discovery import FileFacts
from mega_collector.collector.file import SPARE, Disk, Filesystem
from mega_collector.collector.finder import Finder
from mega_collector.collector.followed import Followed
from mega_collector.collector.follower import Follower, Sight
from mega_collector.collector.gzip_file import is_archive
from mega_collector.collector.identity import holds
from mega_collector.collector.inbox import Inbox
from mega_collector.collector.lag import FileLag, Hold, Lags, Seen
from mega_collector.collector.losses import Losses
from mega_collector.collector.newcomers import Newcomers
from mega_collector.collector.open_files import OpenFiles, TooManyOpenFiles
from mega_collector.collector.recollection import Recollection
from mega_collector.collector.remembered import Remembered
from mega_collector.collector.roster import Appeared, Identity, Renamed
from mega_collector.collector.search import Search
from mega_collector.collector.shipper import Reconnected, Resumed, Shipper
from mega_collector.collector.siblings import Siblings
from mega_collector.collector.sources import Sources, Starts
from mega_collector.collector.stocktaking import Stocktaking
from mega_collector.collector.turns import Rewritten, Trouble, Turns, Unreadable
from mega_collector.collector.waiting import WaitingFiles
from mega_collector.collector.whereabouts import Step
from mega_collector.collector.window import Decide, Stopped
from mega_collector.protocol import Hello, Holdings
from mega_collector.telemetry.printable import printable

_PACE = 10
"""Milliseconds in which what is written is gathered once something was: with many files, a line of few that are looked
at together costs half as much again as one of many. What comes after a pause is looked at at once."""

_SLOW_PACE = 25
"""Likewise while what grows is not read yet anyhow."""

_MEASURE_INTERVAL = 1.0
"""Seconds between two looks at how far behind the files are."""

_MEASURE_SHARE = 200
"""Likewise, at least so many times as long as a look takes: half a percent of a core, if thousands are behind."""

_LAST_WORDS = 10.0
"""Seconds that the end waits for an answer to what is told last."""

_IDLE = 1.0
"""Seconds of sleep at the most: by its steps it is known to live."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TailerOptions:
    """Plain values from the settings; times in seconds, sizes in bytes."""

    poll_interval: float
    rotate_wait: float
    close_inactive: float
    max_line_size: int
    max_open_files: int
    start_at_end: bool = False
    """Of the files that the first scan finds, ship only what is written from then on."""
    once: bool = False
    """End at the end of the files."""


@dataclass(frozen=True, slots=True)
class TailerStatistics:
    files: int
    open_files: int
    blocks_read: int
    bytes_read: int
    entries_read: int
    long_lines: int
    sources_truncated: int
    sources_lost: int
    bytes_lost: int
    lag: int
    """Bytes in the followed files that are not read yet."""
    steps: int
    """How often it went round: it hangs if that stays as it is."""
    behind: tuple[FileLag, ...] = ()
    """The files with something that is not acknowledged, as of about a second ago."""
    step: Step | None = None
    """What the tailer is at; None: it waits for something to do."""
    now: float = 0.0
    """On its clock."""


class Tailer:
    """Follows what `finder` finds on `disk`, and ships it through `shipper`.

    `remembered` is what the checkpoint holds.
    """

    def __init__(
        self,
        *,
        options: TailerOptions,
        hello: Hello,
        finder: Finder,
        shipper: Shipper,
        inbox: Inbox,
        remembered: Remembered,
        disk: Filesystem | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._finder = finder
        self._shipper = shipper
        self._inbox = inbox
        self._clock = clock
        self._disk = disk = Disk(spare=SPARE) if disk is None else disk
        self._followed = Followed()
        self._recollection = Recollection()
        self._losses = Losses(shipper, self._recollection)
        self._siblings = Siblings(disk)
        self._files = OpenFiles(
            limit=options.max_open_files, expendable=self._expendable, disk=disk, siblings=self._siblings
        )
        starts: Starts = {}
        copies = Copies(
            followed=self._followed,
            remembered=remembered,
            files=self._files,
            siblings=self._siblings,
            matches=finder.matches,
            starts=starts,
        )
        self._sources = Sources(
            hello=hello,
            max_line_size=options.max_line_size,
            rotate_wait=options.rotate_wait,
            followed=self._followed,
            files=self._files,
            remembered=remembered,
            copies=copies,
            starts=starts,
            shipper=shipper,
            losses=self._losses,
            recollection=self._recollection,
        )
        self._turns = Turns(files=self._files, shipper=shipper, max_line_size=options.max_line_size, once=options.once)
        self._departures = Departures(
            finder=finder,
            files=self._files,
            siblings=self._siblings,
            shipper=shipper,
            sources=self._sources,
            turns=self._turns,
        )
        self._waiting = WaitingFiles(finder=finder, files=self._files, copies=copies)
        self._archives = Archives(
            finder=finder,
            followed=self._followed,
            files=self._files,
            remembered=remembered,
            shipper=shipper,
            sources=self._sources,
            losses=self._losses,
            waiting=self._waiting,
            rotate_wait=options.rotate_wait,
        )
        self._crowd = Crowd()
        self._search = Search(
            finder=finder,
            files=self._files,
            disk=disk,
            siblings=self._siblings,
            remembered=remembered,
            sources=self._sources,
            archives=self._archives,
            departures=self._departures,
            crowd=self._crowd,
        )
        self._newcomers = Newcomers(
            finder=finder,
            files=self._files,
            siblings=self._siblings,
            remembered=remembered,
            sources=self._sources,
            archives=self._archives,
            copies=copies,
            departures=self._departures,
            losses=self._losses,
            search=self._search,
            waiting=self._waiting,
            crowd=self._crowd,
            rotate_wait=options.rotate_wait,
            start_at_end=options.start_at_end,
            once=options.once,
        )
        self._stocktaking = Stocktaking(hurried=options.once)
        self._done: set[Identity] = set()
        """With `once`: files that are shipped, or cannot be."""
        self._suspects: dict[Follower, None] = {}
        """Files that may have been rewritten, and could not be looked at."""
        self._lags = Lags()
        self._poll_at = self._measure_at = 0.0
        self._begun = False
        """Whether all was found that was there at the start."""
        self._patient = False
        """As the inbox is told."""
        self._stepping_since: float | None = None
        self._steps = 0
        self._stop_at: float | None = None
        self._answers_by = math.inf
        """Until when, with `once`, the answer to what was told last is waited for."""
        self._failed = False

    def stop(self, deadline: float) -> None:
        """Read no more, and end when all is acknowledged, or at the deadline on the clock. From any thread."""
        self._stop_at = deadline
        self._inbox.wake()

    def run(self) -> None:
        """Tail until stopped (or, with `once`, until the end of the files); the checkpoint is saved at the end."""
        said, either = select.poll(), select.poll()
        said.register(self._inbox.fileno(), select.POLLIN)
        either.register(self._inbox.fileno(), select.POLLIN)
        watched = -1
        try:
            while not self.ended():
                self._stepping_since = self._clock()
                self.step()
                self._stepping_since = None
                if watched < 0 <= self._finder.fileno():
                    watched = self._finder.fileno()
                    either.register(watched, select.POLLIN)
                if not self.ended():
                    self._sleep(said, either)
            self._retire_at_last()
        finally:
            self._shipper.save(now=True)
            self.close()

    @property
    def failed(self) -> bool:
        """Whether, with `once`, a file could not be shipped to its end."""
        return self._failed or (self._options.once and self._archives.unreadable)

    def close(self) -> None:
        """Close every file."""
        self._waiting.close()
        self._archives.close()
        self._files.close_all()
        self._disk.close()

    def statistics(self) -> TailerStatistics:
        return TailerStatistics(
            files=len(self._followed),
            open_files=len(self._files),
            blocks_read=self._turns.blocks,
            bytes_read=self._turns.bytes,
            entries_read=self._turns.entries,
            long_lines=self._turns.long_lines,
            sources_truncated=self._sources.truncations,
            sources_lost=self._losses.sources,
            bytes_lost=self._losses.bytes,
            lag=sum([max(follower.size - follower.position, 0) for follower in self._followed]),
            behind=self._lags.files,
            step=self._step(),
            now=self._clock(),
            steps=self._steps,
        )

    @property
    def behind(self) -> tuple[FileLag, ...]:
        """As `statistics` has it, without the rest, which takes longer the more files there are. From any thread."""
        return self._lags.files

    def hanging(self, after: float) -> Step | None:
        """What it has been at for so many seconds; None: nothing. From any thread."""
        step = self._step()
        return step if step is not None and self._clock() - step.since >= after else None

    def _step(self) -> Step | None:
        since, follower = self._stepping_since, self._turns.reading
        return None if since is None else Step(since, None if follower is None else follower.source.path)

    def step(self) -> None:
        """Everything that can be done now, a little of each."""
        self._steps += 1
        self._hear()
        if self._stop_at is None:
            now = self._clock()
            self._look(now)
            if not self._begun and self._finder.scanned:
                self._begun = True
                self._shipper.begun()
            if now >= self._poll_at:
                self._poll(now)
            self._siblings.forget()
            self._archives.finish(now)
            if self._archives.pending:
                self._archives.step(now)
            if now >= self._measure_at:
                self._measure(now)
            self._take_stock(now)
            self._turns.take(now, self._trouble)
            self._turns.flush_if_stuck(now)
            # A read that finds a file rewritten looks for its copy.
            self._siblings.forget()
        else:
            self._shipper.flush()
        self._shipper.say()
        self._shipper.save()

    def ended(self) -> bool:
        """Whether there is nothing more to do."""
        if self._stop_at is not None:
            return self._shipper.idle or self._clock() >= self._stop_at
        if not self._options.once or not self._finder.scanned:
            return False
        undecided = self._archives.busy or self._waiting or self._newcomers.doubtful or self._search.doubtful
        if self._followed or undecided or self._losses:
            self._answers_by = math.inf
            return False
        if not (self._shipper.telling_loss or (self._shipper.takes_stock and self._takes_stock(self._clock()))):
            return True
        self._answers_by = min(self._answers_by, self._clock() + _LAST_WORDS)
        return self._clock() >= self._answers_by

    def _takes_stock(self, now: float) -> bool:
        """Whether what the aggregator holds is still to be told or looked into."""
        return self._recollection.pending or self._search.pending or self._stocktaking.pending(now)

    def _sleep(self, said: select.poll, either: select.poll) -> None:
        """Until something is to be done: what has only grown meanwhile is noted."""
        now = self._clock()
        wake_at = self._wake_at(now)
        while now < wake_at:
            # Rounded up: poll(2) counts milliseconds, and waking before the time would only mean to wait again.
            left = math.ceil((wake_at - now) * 1000)
            resting = self._stop_at is None and self._turns.resting(now)
            patient = resting and self._finder.told and self._shipper.open
            if patient is not self._patient:
                # What was written is read soon, which is soon enough: only a full window waits for acknowledgements.
                self._patient = patient
                self._inbox.be(patient=patient)
            if self._stop_at is not None:
                said.poll(left)
                return
            if self._finder.told:
                if said.poll(min(_SLOW_PACE if resting else _PACE, left)):
                    return
            elif any(descriptor != self._finder.fileno() for descriptor, _ in either.poll(left)):
                return
            now = self._clock()
            if now >= wake_at:
                # The step looks.
                return
            self._stepping_since = now
            quiet = self._look(now)
            self._siblings.forget()
            self._stepping_since = None
            if not quiet:
                return
            wake_at = min(wake_at, self._finder.due, self._turns.due)

    def _wake_at(self, now: float) -> float:
        """When the next step is to be taken at the latest."""
        if self._stop_at is not None:
            return min(self._stop_at, now + self._options.poll_interval)
        turns = self._turns
        if turns.pending or self._archives.pending:
            return now
        times = (self._finder.due, self._poll_at, self._shipper.save_at, turns.flush_due(now), turns.due)
        return min(now + _IDLE, *(at for at in times if at is not None))

    # What the aggregator says

    def _hear(self) -> None:
        for task in self._shipper.hear():
            match task:
                case Reconnected(outputs):
                    self._leave_out(outputs)
                    self._reconnected()
                case Holdings():
                    self._told(task)
                case Resumed(source_id):
                    self._turns.mark(self._followed.of(source_id), self._clock())
                case Stopped(source):
                    self._sources.stop(source)
                case Decide():
                    self._decide(task)
        self._losses.poll()

    def _told(self, holdings: Holdings) -> None:
        now = self._clock()
        if not self._recollection.hear(holdings, self._search.wanted):
            self._stocktaking.hear(holdings, now, self._sources.unknown)
        elif not self._recollection.pending:
            self._recollect(now)

    def _recollect(self, now: float) -> None:
        """All is known that there is to know: what was found is begun."""
        entries = self._recollection.take()
        (_log.info if entries else _log.debug)("recollected", sources=len(entries))
        self._search.recollect(entries, others=self._recollection.others)
        self._newcomers.reconsider(now, known=bool(entries))

    def _leave_out(self, outputs: Collection[Identity]) -> None:
        """What the aggregator writes to must not come back to it."""
        self._finder.leave_out(outputs)
        self._newcomers.leave_out(outputs)
        for follower in self._followed:
            if follower.identity in outputs:
                self._shipper.end(follower.source)
                self._departures.let_go(follower)

    def _reconnected(self) -> None:
        now = self._clock()
        self._stocktaking.interrupt()
        self._recollection.interrupt()
        if self._recollection.pending and self._shipper.connected and not self._shipper.takes_stock:
            self._recollection.give_up()
            self._recollect(now)
        self._sources.ask_again()
        for follower in self._followed:
            self._turns.mark(follower, now)

    def _decide(self, decide: Decide) -> None:
        try:
            follower = self._sources.settle(decide)
        except OSError as error:
            # Asked for anew at the next poll.
            unsettled = self._followed.of(decide.source.id)
            assert unsettled is not None
            if not self._looks_again(unsettled, error):
                self._warn(unsettled, error)
            return
        now = self._clock()
        if follower is not None and self._may_be_other(follower, decide.source) and self._is_copy_now(follower):
            self._sources.end(follower)
            self._judge_anew(follower, now)
        else:
            self._turns.mark(follower, now)

    def _may_be_other(self, follower: Follower, described: Source) -> bool:
        """Whether it holds something, and not what it was described by: another file has its inode, perhaps."""
        if follower.complete or not self._sources.is_found(follower):
            return False
        other = follower.source.id != described.id or not described.head.length
        return other and follower.size > follower.position == 0

    # Looking at the files

    def _look(self, now: float) -> bool:
        """Whether nothing was found but what can wait until its turn comes."""
        quiet = True
        for change in self._finder.look(now):
            match change:
                case FileFacts():
                    quiet = self._seen(change, now) and quiet
                case Renamed(identity, name):
                    self._renamed(identity, name, now)
                    quiet = False
                case Appeared(identity, path) if identity not in self._done:
                    self._newcomers.appeared(identity, path, now)
                    quiet = False
                case _:
                    pass
        self._newcomers.tell_missed()
        if self._finder.stirred:
            self._turns.hurry()
            return False
        return quiet

    def _seen(self, seen: FileFacts, now: float) -> bool:
        """As `_look`."""
        identity = seen.device, seen.inode
        follower = self._followed.get(identity)
        if follower is not None:
            if seen.links > 1:
                follower.linked = True
            return self._observe(follower, seen.size, seen.changed_ns, now)
        if identity in self._archives:
            self._archives.seen(identity, seen.size, seen.changed_ns)
        elif identity in self._waiting:
            self._newcomers.seen(identity, seen.size, now)
        return False

    def _renamed(self, identity: Identity, name: bytes | None, now: float) -> None:
        follower = self._followed.get(identity)
        if follower is not None:
            closed = follower not in self._files
            self._departures.renamed(follower, name, now)
            self._poll_at = now
            another = name is not None and closed and self._is_another_now(follower, name)
            # Of an archive: nothing was read of what had the inode, by which it could be told from this.
            if another or (not follower.position and self._is_archive_now(follower)):
                self._let_go_of_what_was(follower)
        elif identity in self._archives:
            self._archives.renamed(identity, name)
        elif identity in self._waiting:
            self._newcomers.renamed(identity, name, now)

    def _observe(self, follower: Follower, size: int, changed_ns: int, now: float) -> bool:
        """As `_look`."""
        empty = not follower.size
        sight = follower.observe(size, changed_ns, now)
        if sight is Sight.GREW:
            if empty and follower.settled and self._is_copy_now(follower):
                # Another has its inode, and its name, perhaps.
                self._sources.end(follower)
                self._judge_anew(follower, now)
                return False
            return self._turns.grew(follower, now)
        if sight is Sight.TRUNCATED:
            self._restart(follower, now)
            return False
        if sight is Sight.SUSPECT and follower.settled:
            self._inspect(follower, now)
            return False
        return True

    def _restart(self, follower: Follower, now: float) -> None:
        if self._is_archive_now(follower):
            self._let_go_of_what_was(follower)
            return
        copied = self._newcomers.holds_copy_of(follower)
        if self._is_copy_now(follower):
            self._sources.cut(follower, copied=copied)
            self._judge_anew(follower, now)
        else:
            self._sources.restart(follower, now, copied=copied)

    def _note_shrunk(self, follower: Follower) -> None:
        """A read has found it rewritten: if it is shorter than it was seen, what was not read is gone."""
        with suppress(OSError):
            facts = self._files.of(follower).facts()
            if facts is not None:
                follower.observe(facts.size, facts.changed_ns, self._clock())

    def _let_go_of_what_was(self, follower: Follower) -> None:
        """Another file has its inode: the next scan finds it."""
        self._sources.end(follower)
        self._departures.let_go(follower)
        self._finder.hurry()

    def _judge_anew(self, follower: Follower, now: float) -> None:
        """As if it had just appeared; but it stays open."""
        name = self._departures.name(follower)
        try:
            file = self._files.hand_over(follower)
        except OSError:
            # Others had to be opened to look at it.
            self._departures.let_go(follower)
            self._finder.hurry()
            return
        self._departures.let_go(follower)
        self._newcomers.take_over(follower.identity, name, file, now)

    def _is_another_now(self, follower: Follower, path: bytes) -> bool:
        """Whether what was closed, all of it read, was deleted, and another file has its inode: a copy, perhaps.

        Nor can what was empty be told from any other.
        """
        try:
            with self._files.looking_at(follower, path) as file:
                return not follower.lag and not self._sources.is_still(follower, file)
        except OSError:
            return False

    def _is_copy_now(self, follower: Follower) -> bool:
        return self._newcomers.is_copy_now(follower, self._departures.name(follower))

    def _is_archive_now(self, follower: Follower) -> bool:
        """Whether an archive has the inode by now: that is not shipped as it is."""
        path = follower.path
        if path is None:
            return False
        try:
            with self._files.glance(follower) as file:
                return is_archive(path, file)
        except OSError:
            return False

    def _inspect(self, follower: Follower, now: float) -> None:
        """It was written to and did not grow: are the bytes before the position still those that were read?"""
        self._suspects.pop(follower, None)
        try:
            file = self._files.of(follower)
            same = holds(file, follower)
        except OSError as error:
            self._suspects[follower] = None
            self._warn(follower, error)
            return
        if not same:
            self._restart(follower, now)
            return
        follower.look_again()
        self._turns.mark(follower, now)

    def _inspect_again(self, follower: Follower, now: float) -> None:
        if self._followed.of(follower.source.id) is follower and follower.settled:
            self._inspect(follower, now)
        else:
            self._suspects.pop(follower, None)

    # At every interval, whatever the watch tells

    def _poll(self, now: float) -> None:
        self._poll_at = now + self._options.poll_interval
        for follower in (*self._departures, *(each for each in self._followed if each.linked)):
            self._look_through_descriptor(follower, now)
        # First the archives: an original that is let go of tells them nothing any more.
        self._archives.poll()
        self._departures.poll(now, undecided=self._archives.undecided)
        self._newcomers.poll(now)
        if self._looked_through:
            self._seek(now)
        self._sources.ask_again()
        self._turns.mark_unreadable(now)
        self._archives.try_again()
        for follower in list(self._suspects):
            self._inspect_again(follower, now)
        if self._options.once:
            self._poll_once(now)
        if not self._sources.recollecting:
            # Until then, what seems to be at its end may have to be read from its beginning.
            self._files.close_quiet(now - self._options.close_inactive)

    @property
    def _looked_through(self) -> bool:
        """Whether all that a scan has found is known."""
        return self._finder.scanned and not (self._archives.busy or self._waiting)

    def _seek(self, now: float) -> None:
        """What became of what a process before knew."""
        if self._search.pending:
            self._search.poll(now)
        elif strangers := self._stocktaking.strangers:
            self._stocktaking.strangers = self._search.seek_strangers(strangers, now)

    def _take_stock(self, now: float) -> None:
        """Ask for what only the aggregator remembers: all, or once all is known that the checkpoint does."""
        if not self._shipper.takes_stock:
            return
        inventory = self._recollection.ask()
        if not self._recollection.pending and self._looked_through and not self._search.pending:
            inventory = self._stocktaking.ask(now)
        if inventory is not None:
            self._shipper.ask(inventory)

    def _look_through_descriptor(self, follower: Follower, now: float) -> None:
        """Nothing else tells of it."""
        if follower.path is None and follower not in self._files:
            return
        try:
            facts = self._files.of(follower).facts()
        except OSError as error:
            self._warn(follower, error)
            return
        if facts is not None:
            self._observe(follower, facts.size, facts.changed_ns, now)
        # Its last line may be final by now, though it has no end.
        self._turns.mark(follower, now)

    def _retire_at_last(self) -> None:
        """What is gone, and was shipped to its end, the next process would take for lost."""
        now = self._clock()
        for follower in self._departures:
            self._look_through_descriptor(follower, now)
        self._archives.poll()
        self._departures.retire(now)
        self._shipper.say()

    def _poll_once(self, now: float) -> None:
        """Let go of the files whose end is shipped, or that cannot be shipped."""
        for follower in self._followed:
            source = follower.source
            if self._shipper.stopped(source):
                self._failed = True
                self._leave(follower)
            elif not follower.settled or (follower.position < follower.until and not follower.exhausted):
                self._turns.mark(follower, now)
            elif self._shipper.acknowledged(source):
                self._leave(follower)
                self._sources.remember(source)

    def _leave(self, follower: Follower) -> None:
        """Nothing more is to come of its file, though a scan finds it."""
        self._done.add(follower.identity)
        self._departures.let_go(follower)

    # How far behind the files are

    def _measure(self, now: float) -> None:
        began = self._clock()
        self._lags.observe(chain(self._behind(now), self._newcomers.behind()), now)
        took = self._clock() - began
        self._measure_at = now + max(_MEASURE_INTERVAL, took * _MEASURE_SHARE)

    def _behind(self, now: float) -> Iterator[Seen]:
        for follower in self._turns.behind.union(self._sources.unsettled):
            seen = self._seen_behind(follower, now) if self._followed.of(follower.source.id) is follower else None
            if seen is None:
                self._turns.behind.discard(follower)
            else:
                yield seen

    def _seen_behind(self, follower: Follower, now: float) -> Seen | None:
        """How far behind it is; None if it is not."""
        source, unread = follower.source, follower.size > follower.position and not follower.vanished
        if not unread and self._shipper.at_rest(source):
            return None
        acknowledged = self._shipper.committed(source)
        position = follower.position if acknowledged is None else acknowledged
        refusal = self._shipper.refusal(source)
        reason = ""
        if refusal is not None:
            hold, reason = Hold.REFUSED, refusal
        elif not self._shipper.acknowledged(source):
            hold = Hold.SENT
        elif not unread or not (follower.readable(now) or not follower.settled):
            return None
        elif follower.failure is not None:
            hold, reason = Hold.UNREADABLE, os.strerror(follower.failure)
        else:
            hold = Hold.READABLE if follower.settled else Hold.DESCRIBED
        return Seen(source.id, source.path, max(follower.size, follower.position), position, hold, reason)

    # What goes wrong

    def _trouble(self, trouble: Trouble) -> None:
        match trouble:
            case Rewritten(follower) if self._looks_again(follower):
                pass
            case Rewritten(follower):
                self._note_shrunk(follower)
                self._restart(follower, self._clock())
            case Unreadable(follower, error) if self._looks_again(follower, error):
                pass
            case Unreadable(follower, error):
                self._warn(follower, error)
                if self._options.once:
                    self._failed = True
                    self._leave(follower)

    def _looks_again(self, follower: Follower, error: OSError | None = None) -> bool:
        """Whether it is an archive that is gone through once more."""
        again = self._archives.look_again(follower, error)
        if again:
            self._departures.let_go(follower)
        return again

    def _warn(self, follower: Follower, error: OSError) -> None:
        """It is tried again at the next poll; meanwhile the others go on. Said once, until a read succeeds."""
        match error:
            case TooManyOpenFiles():
                self._crowd.warn(error)
            case FileNotFoundError():
                # Between two names, perhaps: a scan tells.
                self._finder.hurry()
            case _ if follower.fails(error.errno):
                _log.warning("cannot_read", path=printable(follower.source.path), error=error.strerror or str(error))

    def _expendable(self, follower: Follower) -> bool:
        """Whether a file can be closed and found again later."""
        return (
            follower.path is not None
            and not follower.complete
            and follower.lag == 0
            and self._shipper.acknowledged(follower.source)
        )
