"""The collector's loop: looks at the files, has blocks read and shipped, and takes in what the aggregator says.

Plain synchronous code in one thread, which owns every machine of the collector. It sleeps on the watch and the inbox.
"""

import math
import select
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.finding.finder import Finder
from mega_collector.collector.finding.roster import Appeared, Identity, Renamed
from mega_collector.collector.parts import Parts
from mega_collector.collector.reading.file import SPARE, Disk, Filesystem
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.lag import FileLag
from mega_collector.collector.recognition.remembered import Remembered
from mega_collector.collector.sending.inbox import Inbox
from mega_collector.collector.sending.shipper import Reconnected, Resumed, Shipper
from mega_collector.collector.sending.window import Decide, Stopped
from mega_collector.collector.sources.turns import Rewritten, Trouble, Unreadable
from mega_collector.collector.tailer_options import TailerOptions
from mega_collector.collector.whereabouts import Step
from mega_collector.protocol import Hello, Holdings

_PACE = 10
"""Milliseconds in which what is written is gathered once something was: with many files, a line of few that are looked
at together costs half as much again as one of many. What comes after a pause is looked at at once."""

_SLOW_PACE = 25
"""Likewise while what grows is not read yet anyhow."""

_IDLE = 1.0
"""Seconds of sleep at the most: by its steps it is known to live."""


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
        parts = Parts(
            options=options,
            hello=hello,
            finder=finder,
            shipper=shipper,
            remembered=remembered,
            disk=disk,
            clock=clock,
        )
        self._followed = parts.followed
        self._losses = parts.losses
        self._siblings = parts.siblings
        self._files = parts.files
        self._endings = parts.endings
        self._sources = parts.sources
        self._turns = parts.turns
        self._departures = parts.departures
        self._waiting = parts.waiting
        self._archives = parts.archives
        self._failures = parts.failures
        self._missed = parts.missed
        self._newcomers = parts.newcomers
        self._rewrites = parts.rewrites
        self._inventories = parts.inventories
        self._laggards = parts.laggards
        self._once = parts.once
        self._poll_at = 0.0
        self._begun = False
        """Whether all was found that was there at the start."""
        self._patient = False
        """As the inbox is told."""
        self._stepping_since: float | None = None
        self._steps = 0
        self._stop_at: float | None = None

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
        return self._options.once and self._once.failed

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
            behind=self._laggards.files,
            step=self._step(),
            now=self._clock(),
            steps=self._steps,
        )

    @property
    def behind(self) -> tuple[FileLag, ...]:
        """As `statistics` has it, without the rest, which takes longer the more files there are. From any thread."""
        return self._laggards.files

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
            if now >= self._laggards.due:
                self._laggards.measure(now)
            self._inventories.ask(now)
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
        return self._options.once and self._once.ended(self._clock())

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
                    self._inventories.hear(task, self._clock())
                case Resumed(source_id):
                    self._turns.mark(self._followed.of(source_id), self._clock())
                case Stopped(source):
                    self._endings.stop(source)
                case Decide():
                    self._decide(task)
        self._losses.poll()

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
        self._inventories.reconnected(now)
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
            if not self._failures.look_again(unsettled, error):
                self._failures.warn(unsettled, error)
            return
        now = self._clock()
        if follower is not None and self._rewrites.settled(follower, decide.source, now):
            self._turns.mark(follower, now)

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
                case Appeared(identity, path, facts) if identity not in self._once.done:
                    self._newcomers.appeared(identity, path, facts, now)
                    quiet = False
                case _:
                    pass
        self._missed.tell()
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
            return self._rewrites.observe(follower, seen.size, seen.changed_ns, now)
        if identity in self._archives:
            self._archives.seen(identity, seen.size, seen.changed_ns)
        elif identity in self._waiting:
            self._newcomers.seen(identity, seen.size, seen.changed_ns, now)
        return False

    def _renamed(self, identity: Identity, name: bytes | None, now: float) -> None:
        follower = self._followed.get(identity)
        if follower is not None:
            closed = follower not in self._files
            self._departures.renamed(follower, name, now)
            self._poll_at = now
            self._rewrites.renamed(follower, name, closed=closed)
        elif identity in self._archives:
            self._archives.renamed(identity, name)
        elif identity in self._waiting:
            self._newcomers.renamed(identity, name, now)

    # At every interval, whatever the watch tells

    def _poll(self, now: float) -> None:
        self._poll_at = now + self._options.poll_interval
        for follower in (*self._departures, *(each for each in self._followed if each.linked)):
            self._look_through_descriptor(follower, now)
        # First the archives: an original that is let go of tells them nothing any more.
        self._archives.poll()
        self._departures.poll(now, undecided=self._archives.undecided)
        self._newcomers.poll(now)
        self._inventories.poll(now)
        self._sources.ask_again()
        self._turns.mark_unreadable(now)
        self._archives.try_again()
        self._rewrites.poll(now)
        if self._options.once:
            self._once.poll(now)
        if not self._sources.recollecting:
            # Until then, what seems to be at its end may have to be read from its beginning.
            self._files.close_quiet(now - self._options.close_inactive)

    def _look_through_descriptor(self, follower: Follower, now: float) -> None:
        """Nothing else tells of it."""
        if follower.path is None and follower not in self._files:
            return
        try:
            facts = self._files.of(follower).facts()
        except OSError as error:
            self._failures.warn(follower, error)
            return
        if facts is not None:
            self._rewrites.observe(follower, facts.size, facts.changed_ns, now)
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

    # What goes wrong

    def _trouble(self, trouble: Trouble) -> None:
        match trouble:
            case Rewritten(follower) if self._failures.look_again(follower):
                pass
            case Rewritten(follower):
                self._rewrites.found(follower, self._clock())
            case Unreadable(follower, error) if self._failures.look_again(follower, error):
                pass
            case Unreadable(follower, error):
                self._failures.warn(follower, error)
                if self._options.once:
                    self._once.give_up(follower)
