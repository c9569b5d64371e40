"""The collector's loop: looks at the files, reads blocks, and has them shipped.

Plain synchronous code in one thread, which owns every machine of the collector. It sleeps on the watch and the inbox.
"""

import os
import select
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import structlog

from mega_collector.block import Block, Skip, SkipReason, Source
from mega_collector.collector.checkpoint import Entry
from mega_collector.collector.descriptors import Descriptors, TooManyOpenFiles
from mega_collector.collector.finder import Finder, Seen
from mega_collector.collector.follower import Follower, Sight
from mega_collector.collector.identity import agrees, before, head_of
from mega_collector.collector.inbox import Inbox
from mega_collector.collector.reader import Reading, read
from mega_collector.collector.resumption import new_id, resumption
from mega_collector.collector.roster import Appeared, Identity, Renamed
from mega_collector.collector.shipper import Reconnected, Resumed, Shipper
from mega_collector.collector.window import Decide
from mega_collector.marker import Marker
from mega_collector.protocol import Hello

_PATIENCE = 0.02
"""Seconds that a full window waits for acknowledgements before it asks for them: while they flow, asking only costs."""

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
    bytes_read: int
    entries_read: int
    sources_truncated: int
    sources_lost: int
    bytes_lost: int
    lag: int
    """Bytes in the followed files that are not read yet."""


class Tailer:
    """Follows what `finder` finds, and ships it through `shipper`.

    `remembered` is what the checkpoint held at the start.
    """

    def __init__(
        self,
        *,
        options: TailerOptions,
        hello: Hello,
        finder: Finder,
        shipper: Shipper,
        inbox: Inbox,
        remembered: Iterable[Entry],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._hello = hello
        self._finder = finder
        self._shipper = shipper
        self._inbox = inbox
        self._clock = clock
        self._remembered = _by_inode(remembered)
        self._followers: dict[Identity, Follower] = {}
        self._by_source: dict[bytes, Follower] = {}
        self._ready: dict[Follower, None] = {}
        self._retiring: set[Follower] = set()
        self._waiting: dict[Identity, bytes] = {}
        self._crowded = False
        self._flush_at: float | None = None
        self.failed = False
        """Whether, with `once`, a file could not be shipped to its end."""
        self._descriptors = Descriptors(limit=options.max_open_files, expendable=self._expendable)
        self._poll_at = 0.0
        self._stop_at: float | None = None
        self._bytes = self._entries = self._truncations = self._lost = self._bytes_lost = 0

    def stop(self, deadline: float) -> None:
        """Read no more, and end when all is acknowledged, or at the deadline on the clock. From any thread."""
        self._stop_at = deadline
        self._inbox.wake()

    def run(self) -> None:
        """Tail until stopped (or, with `once`, until the end of the files); the checkpoint is saved at the end."""
        poller = select.poll()
        poller.register(self._inbox.fileno(), select.POLLIN)
        if self._finder.fileno() >= 0:
            poller.register(self._finder.fileno(), select.POLLIN)
        try:
            while not self._ended():
                self._step()
                poller.poll(self._timeout() * 1000)
        finally:
            self._shipper.save(now=True)
            self._descriptors.close_all()

    def statistics(self) -> TailerStatistics:
        followers = list(self._followers.values())
        return TailerStatistics(
            files=len(followers),
            open_files=len(self._descriptors),
            bytes_read=self._bytes,
            entries_read=self._entries,
            sources_truncated=self._truncations,
            sources_lost=self._lost,
            bytes_lost=self._bytes_lost,
            lag=sum(follower.lag for follower in followers),
        )

    def _step(self) -> None:
        self._hear()
        if self._stop_at is None:
            now = self._clock()
            self._look(now)
            if now >= self._poll_at:
                self._poll(now)
            self._turn(now)
            self._flush_if_stuck(now)
        else:
            self._shipper.flush()
        self._shipper.save()

    def _ended(self) -> bool:
        if self._stop_at is not None:
            return self._shipper.idle or self._clock() >= self._stop_at
        return self._options.once and self._finder.scanned and not self._followers

    def _timeout(self) -> float:
        """Seconds to sleep."""
        now = self._clock()
        if self._stop_at is not None:
            return max(min(self._stop_at - now, self._options.poll_interval), 0)
        if self._ready and self._shipper.open:
            return 0
        flush_at = self._flush_at if self._flush_at is not None and self._flush_at > now else None
        times = [self._finder.due, self._poll_at, self._shipper.save_at, flush_at]
        # Rounded up: poll(2) counts milliseconds, and waking before the time would only mean to wait again.
        return max(min(at for at in times if at is not None) - now, 0) + 0.001

    # What the aggregator says

    def _hear(self) -> None:
        for task in self._shipper.hear():
            match task:
                case Reconnected():
                    for follower in self._followers.values():
                        if not follower.settled:
                            self._shipper.begin(follower.source)
                        self._mark(follower)
                case Resumed(source_id):
                    self._mark(self._by_source.get(source_id))
                case Decide():
                    self._decide(task)

    def _decide(self, decide: Decide) -> None:
        follower = self._by_source.get(decide.source.id)
        if follower is None:
            # Its file has nothing more to give: what the aggregator does not have any more cannot be sent again.
            self._count_lost(decide.source, 0, 0, "the aggregator forgot what it had of a source that has ended")
            self._shipper.end(decide.source)
            return
        try:
            self._settle(follower, decide)
        except OSError as error:
            # Asked for anew at the next poll.
            self._finder.warn(follower.source.path, error, "cannot_read")
            self._shipper.postpone(decide.source)

    def _settle(self, follower: Follower, decide: Decide) -> None:
        descriptor = self._descriptor(follower)
        goes_on = resumption(
            decide.source,
            decide.resume,
            descriptor,
            entry=self._remembered_as(decide.source),
            truncated=follower.truncated,
            taken=self._by_source,
        )
        tail = before(descriptor, goes_on.position)
        del self._by_source[decide.source.id]
        self._by_source[goes_on.source.id] = follower
        follower.settle(goes_on.source, goes_on.position, tail)
        self._shipper.settle(decide.source, goes_on.source, goes_on.position, Marker.of(tail))
        if follower.from_end and not goes_on.known:
            self._pass_to_end(follower, descriptor)
        _log.info("file_followed", path=goes_on.source.name, position=follower.position)
        self._mark(follower)

    def _pass_to_end(self, follower: Follower, descriptor: int) -> None:
        """Begin behind the last whole line that is there, so that no line is shipped in part."""
        size = os.fstat(descriptor).st_size
        start = max(size - self._options.max_line_size, 0)
        end = start + os.pread(descriptor, size - start, start).rfind(b"\n") + 1
        if end > start:
            self._shipper.ship(Skip(follower.source, 0, end, SkipReason.START_AT_END))
            follower.passed(end)

    # Looking at the files

    def _look(self, now: float) -> None:
        for change in self._finder.look(now):
            match change:
                case Seen(identity, size, mtime_ns):
                    follower = self._followers.get(identity)
                    if follower is not None:
                        self._observe(follower, size, mtime_ns, now)
                case Renamed(identity, name):
                    self._renamed(self._followers[identity], name, now)
                case Appeared(identity, path):
                    self._appeared(identity, path, now)

    def _poll(self, now: float) -> None:
        """What is done at every interval, whatever the watch tells."""
        self._poll_at = now + self._options.poll_interval
        for follower in list(self._retiring):
            self._poll_retiring(follower, now)
        self._poll_waiting(now)
        for follower in list(self._followers.values()):
            if not follower.settled:
                self._shipper.begin(follower.source)
            if follower.readable(now) and not (self._options.once and follower.position >= follower.until):
                self._mark(follower)
            elif self._options.once:
                self._poll_once(follower)
            elif now - follower.quiet_since() >= self._options.close_inactive and self._expendable(follower):
                self._descriptors.close(follower)

    def _poll_once(self, follower: Follower) -> None:
        """Let go of a file whose end is shipped, or that cannot be shipped."""
        if self._shipper.stopped(follower.source):
            self.failed = True
            self._let_go(follower)
        elif follower.settled and follower.position >= follower.until and self._shipper.acknowledged(follower.source):
            self._let_go(follower)

    def _poll_waiting(self, now: float) -> None:
        """Files that could not be opened because too many were: some may have been let go since."""
        self._crowded = bool(self._waiting)
        for identity in list(self._waiting):
            path = self._waiting.pop(identity)
            if identity not in self._followers:
                self._appeared(identity, path, now)
            if identity in self._waiting:
                return

    def _poll_retiring(self, follower: Follower, now: float) -> None:
        descriptor = self._descriptors.get(follower)
        if descriptor is not None:
            facts = os.fstat(descriptor)
            self._observe(follower, facts.st_size, facts.st_mtime_ns, now)
        elif follower.lag and self._shipper.acknowledged(follower.source):
            self._count_lost(
                follower.source, follower.position, follower.size, "it was deleted before it could be read"
            )
            self._retire(follower)
            return
        if follower.finished(now) and self._shipper.acknowledged(follower.source):
            self._retire(follower)

    def _observe(self, follower: Follower, size: int, mtime_ns: int, now: float) -> None:
        match follower.observe(size, mtime_ns, now):
            case Sight.GREW:
                self._mark(follower)
            case Sight.TRUNCATED:
                self._truncated(follower, now)
            case Sight.SUSPECT if follower.settled:
                self._inspect(follower, now)
            case _:
                pass

    def _inspect(self, follower: Follower, now: float) -> None:
        """It was written to and did not grow: are the bytes before the position still those that were read?"""
        try:
            same = before(self._descriptor(follower), follower.position).endswith(follower.tail)
        except OSError as error:
            self._finder.warn(follower.source.path, error, "cannot_read")
            return
        if not same:
            self._truncated(follower, now)

    # Files come, move and go

    def _appeared(self, identity: Identity, path: bytes, now: float) -> None:
        try:
            descriptor = self._descriptors.open(path)
        except FileNotFoundError:
            self._finder.hurry()
            return
        except TooManyOpenFiles as error:
            self._waiting[identity] = path
            if not self._crowded:
                _log.warning("too_many_open_files", error=str(error))
            self._crowded = True
            return
        except OSError as error:
            self._finder.warn(path, error, "cannot_open")
            return
        try:
            follower = self._follower(identity, path, descriptor, now)
        except OSError as error:
            self._finder.warn(path, error, "cannot_read")
            follower = None
        if follower is None:
            os.close(descriptor)
            return
        self._descriptors.keep(follower, descriptor)
        self._followers[identity] = follower
        self._by_source[follower.source.id] = follower
        self._finder.follow(identity, path)
        self._shipper.begin(follower.source)

    def _follower(self, identity: Identity, path: bytes, descriptor: int, now: float) -> Follower | None:
        facts = os.fstat(descriptor)
        if (facts.st_dev, facts.st_ino) != identity or not stat.S_ISREG(facts.st_mode):
            # Replaced since the scan: the next one finds what is there now.
            self._finder.hurry()
            return None
        return Follower(
            self._source(path, descriptor, facts),
            path=path,
            size=facts.st_size,
            mtime_ns=facts.st_mtime_ns,
            now=now,
            rotate_wait=self._options.rotate_wait,
            from_end=self._options.start_at_end and not self._finder.scanned,
        )

    def _source(self, path: bytes, descriptor: int, facts: os.stat_result) -> Source:
        """The source as which a file is first described: the remembered one, if the file agrees."""
        head = head_of(descriptor)
        entries = self._remembered.get(facts.st_ino, ())
        # The device is not asked: its number changes over a reboot, and head and tail tell more.
        entry = next((each for each in entries if self._is(each, descriptor)), None)
        return Source(
            id=new_id() if entry is None else entry.source_id,
            path=path,
            device=facts.st_dev,
            inode=facts.st_ino,
            head=head,
            collector=self._hello.collector,
            host=self._hello.host,
            tags=self._hello.tags,
        )

    def _is(self, entry: Entry, descriptor: int) -> bool:
        taken = entry.source_id in self._by_source
        return not taken and agrees(descriptor, position=entry.position, head=entry.head, tail=entry.before)

    def _remembered_as(self, source: Source) -> Entry | None:
        return next((each for each in self._remembered.get(source.inode, ()) if each.source_id == source.id), None)

    def _renamed(self, follower: Follower, name: bytes | None, now: float) -> None:
        follower.rename(name, now)
        self._finder.follow(follower.identity, name)
        if name is not None:
            self._retiring.discard(follower)
            return
        _log.info("file_gone", path=follower.source.name, unread=follower.lag)
        self._retiring.add(follower)
        self._poll_at = now

    def _truncated(self, follower: Follower, now: float) -> None:
        old = follower.source
        _log.info("source_truncated", path=old.name, at=follower.position, unread=follower.lag)
        self._truncations += 1
        self._shipper.end(old)
        try:
            head = head_of(self._descriptor(follower))
        except OSError:
            # An empty marker: nothing is known of the head, and nothing is claimed.
            head = Marker()
        follower.restart(replace(old, id=new_id(), head=head), now)
        del self._by_source[old.id]
        self._by_source[follower.source.id] = follower
        self._shipper.begin(follower.source)

    def _retire(self, follower: Follower) -> None:
        """It has no name any more, and gave all that it had."""
        _log.info("file_retired", path=follower.source.name, position=follower.position)
        self._shipper.end(follower.source)
        self._let_go(follower)

    def _let_go(self, follower: Follower) -> None:
        self._retiring.discard(follower)
        self._ready.pop(follower, None)
        self._descriptors.close(follower)
        self._finder.forget(follower.identity)
        del self._followers[follower.identity]
        del self._by_source[follower.source.id]

    def _count_lost(self, source: Source, start: int, end: int, reason: str) -> None:
        _log.error("source_lost", path=source.name, start=start, end=end, reason=reason)
        self._lost += 1
        self._bytes_lost += end - start

    # Reading

    def _turn(self, now: float) -> None:
        """One block of each file that has one, while the window has room."""
        for follower in list(self._ready):
            if not self._shipper.open:
                return
            if not self._shipper.ready(follower.source):
                # It is marked again when its handshake is done.
                self._shipper.begin(follower.source)
                del self._ready[follower]
            else:
                self._read(follower, now)

    def _flush_if_stuck(self, now: float) -> None:
        """A window that stays full waits for a batch that does not fill: have it published."""
        if not self._ready or self._shipper.open:
            self._flush_at = None
        elif self._flush_at is None:
            self._flush_at = now + _PATIENCE
        elif now >= self._flush_at:
            self._shipper.flush()

    def _read(self, follower: Follower, now: float) -> None:
        once = self._options.once
        if once and follower.position >= follower.until:
            del self._ready[follower]
            return
        try:
            result = read(
                self._descriptor(follower),
                follower,
                size=self._shipper.block_size,
                max_line=min(self._options.max_line_size, self._shipper.largest_block - 1),
                final=once or follower.final(now),
                until=follower.until if once else None,
            )
        except OSError as error:
            # Tried again at the next poll; meanwhile the others go on.
            self._finder.warn(follower.source.path, error, "cannot_read")
            del self._ready[follower]
            if once:
                self.failed = True
                self._let_go(follower)
            return
        match result:
            case Block():
                self._bytes += len(result.data)
                self._entries += result.entries
                self._shipper.ship(result)
                if not follower.readable(now):
                    self._ready.pop(follower, None)
            case Reading.REWRITTEN:
                self._ready.pop(follower, None)
                self._truncated(follower, now)
            case Reading.NOTHING:
                self._ready.pop(follower, None)

    def _descriptor(self, follower: Follower) -> int:
        """The open file of a follower, opened again if it was closed.

        Raises:
            OSError: it cannot be opened, or is another one by now.
        """
        descriptor = self._descriptors.get(follower)
        if descriptor is not None:
            return descriptor
        if follower.path is None:
            raise FileNotFoundError(0, "it has no name any more")
        descriptor = self._descriptors.open(follower.path)
        facts = os.fstat(descriptor)
        if (facts.st_dev, facts.st_ino) != follower.identity:
            os.close(descriptor)
            self._finder.hurry()
            raise FileNotFoundError(0, "another file has its name")
        self._descriptors.keep(follower, descriptor)
        return descriptor

    def _expendable(self, follower: Follower) -> bool:
        """Whether a file can be closed and found again later."""
        return follower.path is not None and follower.lag == 0 and self._shipper.acknowledged(follower.source)

    def _mark(self, follower: Follower | None) -> None:
        """It may have something to read."""
        if follower is not None and (self._options.once or follower.readable(self._clock())):
            self._ready[follower] = None


def _by_inode(entries: Iterable[Entry]) -> dict[int, list[Entry]]:
    found: dict[int, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.inode, []).append(entry)
    return found
