"""The collector's loop: looks at the files, reads blocks, has them shipped, and notes what is acknowledged.

Plain synchronous code in one thread, which owns every machine of the collector. It sleeps on the watch and the inbox.
"""

import os
import select
import stat
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import structlog

from mega_collector.block import Block, Skip, SkipReason, Source
from mega_collector.collector.checkpoint import Checkpoint, CheckpointError, Entry
from mega_collector.collector.descriptors import Descriptors
from mega_collector.collector.discovery import Discovery
from mega_collector.collector.follower import Follower, Sight
from mega_collector.collector.identity import agrees, before, head_of
from mega_collector.collector.inbox import Answered, Connected, Disconnected, Inbox
from mega_collector.collector.publisher import Publisher
from mega_collector.collector.reader import Reading, read
from mega_collector.collector.roster import Appeared, Identity, Renamed, Roster
from mega_collector.collector.watch import Watch
from mega_collector.collector.window import Acknowledged, Decide, Outcome, Stopped, Window
from mega_collector.marker import Marker
from mega_collector.protocol import Ack, Flush, Grant, Hello, Known, Refusal, Resume

_SCAN_INTERVAL = 30.0
"""Seconds between scans where inotify tells where to look."""

_SAVE_INTERVAL = 1.0
"""Seconds between writes of the checkpoint: what is acknowledged in between is known to the aggregator's ledger."""

_SCAN_SHARE = 5
"""A scan is at least so many times its own duration after the last one, so that scanning never takes the machine."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TailerOptions:
    """Plain values from the settings; times in seconds, sizes in bytes."""

    start_at_end: bool
    poll_interval: float
    rotate_wait: float
    close_inactive: float
    max_line_size: int
    max_open_files: int
    once: bool = False
    """End at the end of the files."""


@dataclass(frozen=True, slots=True)
class TailerStatistics:
    files: int
    open_files: int
    bytes_read: int
    entries_read: int
    bytes_acknowledged: int
    lag: int
    caught_up: bool


class Tailer:
    """Follows what `discovery` finds, and ships it through `publisher`."""

    def __init__(
        self,
        *,
        options: TailerOptions,
        hello: Hello,
        discovery: Discovery,
        watch: Watch,
        checkpoint: Checkpoint,
        roster: Roster,
        window: Window,
        inbox: Inbox,
        publisher: Publisher,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._hello = hello
        self._discovery = discovery
        self._watch = watch
        self._checkpoint = checkpoint
        self._roster = roster
        self._window = window
        self._inbox = inbox
        self._publisher = publisher
        self._clock = clock
        self._followers: dict[Identity, Follower] = {}
        self._by_source: dict[bytes, Follower] = {}
        self._ready: dict[Follower, None] = {}
        self._retiring: set[Follower] = set()
        self._descriptors = Descriptors(limit=options.max_open_files, expendable=self._expendable)
        self._remembered = _by_inode(checkpoint.entries.values())
        self._warned: set[object] = set()
        self._session = 0
        self._scanned = False
        self._scan_at = self._poll_at = self._save_at = self._scan_not_before = 0.0
        self._flush_said = self._unsaved = False
        self._stop_at: float | None = None
        self._stopping = False
        self._bytes = self._entries = self._acknowledged = 0

    def stop(self, deadline: float) -> None:
        """Read no more, and end when all is acknowledged, or at the deadline on the clock. From any thread."""
        self._stop_at = deadline
        self._stopping = True
        self._inbox.wake()

    def run(self) -> None:
        """Tail until stopped (or, with `once`, until the end of the files); the checkpoint is saved at the end."""
        poller = select.poll()
        poller.register(self._inbox.fileno(), select.POLLIN)
        if self._watch.fileno() >= 0:
            poller.register(self._watch.fileno(), select.POLLIN)
        try:
            while not self._ended():
                self._hear()
                if self._stopping:
                    self._flush()
                else:
                    self._look()
                    self._turn()
                self._save()
                poller.poll(self._timeout() * 1000)
        finally:
            self._save(now=True)
            self._descriptors.close_all()

    def statistics(self) -> TailerStatistics:
        followers = list(self._followers.values())
        lag = sum(follower.lag for follower in followers)
        return TailerStatistics(
            files=len(followers),
            open_files=len(self._descriptors),
            bytes_read=self._bytes,
            entries_read=self._entries,
            bytes_acknowledged=self._acknowledged,
            lag=lag + self._window.in_flight,
            caught_up=self._scanned and lag == 0 and self._window.idle,
        )

    # When to end and how long to sleep

    def _ended(self) -> bool:
        if self._stopping:
            return self._window.idle or self._clock() >= (self._stop_at or 0)
        return self._options.once and self._scanned and not self._followers

    def _timeout(self) -> float:
        now = self._clock()
        if self._stopping:
            return max(min((self._stop_at or 0) - now, self._options.poll_interval), 0)
        if self._ready and self._window.connected and self._window.room:
            return 0
        until = min(self._scan_at, self._poll_at)
        if self._unsaved:
            until = min(until, self._save_at)
        # Rounded up: poll counts milliseconds, and waking before the time would only mean to wait again.
        return max(until - now, 0) + 0.001

    # What the aggregator says

    def _hear(self) -> None:
        for event in self._inbox.take():
            match event:
                case Connected(session, welcome):
                    self._session = session
                    self._flush_said = False
                    self._do(self._window.connect(welcome.window))
                    self._mark_all()
                case Disconnected():
                    self._window.disconnect()
                case Answered(session, message) if session == self._session:
                    self._answered(message)
                case _:
                    pass

    def _answered(self, message: object) -> None:
        match message:
            case Ack(positions):
                self._flush_said = False
                for source_id, position in positions.items():
                    self._do(self._window.ack(source_id, position))
            case Resume():
                self._do(self._window.resume(message))
                self._mark(self._by_source.get(message.source_id))
            case Refusal():
                _log.warning("refused", path=self._name(message.source_id), reason=message.message)
                self._do(self._window.refuse(message))
            case Grant(window):
                self._window.grant(window)
            case _:
                pass

    def _do(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            match outcome:
                case Acknowledged():
                    self._note(outcome)
                case Decide():
                    self._decide(outcome)
                case Stopped():
                    _log.error("source_stopped", path=outcome.source.name, at=outcome.position, reason=outcome.message)
                case _:
                    self._publisher.send(self._session, outcome)

    def _note(self, acknowledged: Acknowledged) -> None:
        source = acknowledged.source
        entry = self._checkpoint.entries.get(source.id)
        self._acknowledged += acknowledged.position - (entry.position if entry else 0)
        self._unsaved = True
        if acknowledged.ended:
            self._checkpoint.forget(source.id)
            return
        self._checkpoint.put(_entry(source, acknowledged.position, Marker.of(acknowledged.tail)))

    # Where a source goes on

    def _decide(self, decide: Decide) -> None:
        follower = self._by_source.get(decide.source.id)
        if follower is None:
            # Its file has nothing more to give: what the aggregator has lost of it is lost.
            _log.error("source_lost", path=decide.source.name, reason="the aggregator's ledger went back")
            self._window.end(decide.source)
            return
        try:
            descriptor = self._descriptor(follower)
            settled = descriptor is not None and self._settle(follower, descriptor, decide)
        except OSError as error:
            self._warn(follower, error)
            settled = False
        if not settled:
            self._window.end(decide.source)
            follower.unsettle()

    def _settle(self, follower: Follower, descriptor: int, decide: Decide) -> bool:
        described = decide.source
        known = next((each for each in decide.resume.known if self._agrees(follower, descriptor, each)), None)
        source, position = described, 0
        if known is not None:
            source, position = replace(described, id=known.source_id), known.position
        elif any(each.source_id == described.id for each in decide.resume.known):
            # The ledger knows a file of this id that had other bytes: this one is new.
            source = replace(described, id=_new_id())
        elif (entry := self._checkpoint.entries.get(described.id)) is not None:
            position = entry.position
        self._checkpoint.forget(described.id)
        self._by_source.pop(described.id, None)
        self._by_source[source.id] = follower
        follower.settle(source, position, before(descriptor, position))
        self._do(self._window.open(described, source, position))
        self._checkpoint.put(_entry(source, position, follower.before()))
        self._unsaved = True
        if follower.from_end and known is None and position == 0:
            self._pass_to_end(follower, descriptor)
        _log.info("file_followed", path=source.name, position=follower.position)
        self._mark(follower)
        return True

    def _agrees(self, follower: Follower, descriptor: int, known: Known) -> bool:
        """Whether what the aggregator has committed is of this very file, as far as it can be told."""
        own = known.source_id == follower.source.id
        if not own and (follower.truncated or known.position == 0 or known.source_id in self._by_source):
            return False
        return agrees(descriptor, position=known.position, head=known.head, tail=known.before)

    def _pass_to_end(self, follower: Follower, descriptor: int) -> None:
        """Begin behind the last whole line that is there, so that no line is shipped in part."""
        size = os.fstat(descriptor).st_size
        start = max(size - self._options.max_line_size, 0)
        end = start + os.pread(descriptor, size - start, start).rfind(b"\n") + 1
        if end > start:
            self._do(self._window.send(Skip(follower.source, 0, end, SkipReason.START_AT_END)))
            follower.passed(end)

    # Looking at the files

    def _look(self) -> None:
        now = self._clock()
        events = self._watch.read()
        if events.rescan:
            self._scan_at = min(self._scan_at, self._scan_not_before)
        if now >= self._scan_at:
            self._scan(now)
        for path in events.changed:
            self._look_at(path, now)
        if now >= self._poll_at:
            self._poll(now)

    def _scan(self, now: float) -> None:
        scan = self._discovery.scan()
        for path, error in scan.unobservable.items():
            self._warn_once((path, error.errno), "cannot_look", path=_name(path), error=error.strerror)
        for path, reason in scan.odd.items():
            self._warn_once((path, reason), "not_followed", path=_name(path), reason=reason)
        changes = self._roster.update(scan.files, scan.unobservable, time.time_ns())
        for facts in scan.files.values():
            follower = self._followers.get((facts.device, facts.inode))
            if follower is not None:
                self._observe(follower, facts.size, facts.mtime_ns, now)
        for change in changes:
            match change:
                case Renamed(identity, name):
                    self._renamed(identity, name, now)
                case Appeared(identity, path):
                    self._appeared(identity, path, now)
        if not self._scanned and not scan.files:
            _log.warning("no_files", reason="no file matches yet: they are followed as they appear")
        self._scanned = True
        self._watch.update(scan.directories)
        took = self._clock() - now
        interval = _SCAN_INTERVAL if self._watch.trusted else self._options.poll_interval
        self._scan_not_before = now + took * (1 + _SCAN_SHARE)
        self._scan_at = max(now + interval, self._scan_not_before)

    def _look_at(self, path: bytes, now: float) -> None:
        """The watch says that something was written to a file, by one of its names."""
        try:
            facts = os.stat(path)  # noqa: PTH116 - bytes
        except OSError:
            # Gone again, or hidden: the next scan tells.
            return
        identity = facts.st_dev, facts.st_ino
        follower = self._followers.get(identity)
        if follower is not None:
            self._observe(follower, facts.st_size, facts.st_mtime_ns, now)
        elif identity in self._roster:
            self._scan_at = min(self._scan_at, self._scan_not_before)

    def _poll(self, now: float) -> None:
        """What is done at every interval, watch or not."""
        self._poll_at = now + self._options.poll_interval
        for follower in list(self._retiring):
            self._poll_retiring(follower, now)
        for follower in list(self._followers.values()):
            if follower.readable(now):
                self._mark(follower)
            elif self._options.once and follower.settled and self._expendable(follower):
                self._retire(follower)
            elif now - follower.quiet_since() >= self._options.close_inactive and self._expendable(follower):
                self._descriptors.close(follower)

    def _poll_retiring(self, follower: Follower, now: float) -> None:
        descriptor = self._descriptors.get(follower)
        if descriptor is not None:
            facts = os.fstat(descriptor)
            self._observe(follower, facts.st_size, facts.st_mtime_ns, now)
        if follower.finished(now) and self._window.acknowledged(follower.source):
            self._retire(follower)
        elif descriptor is None and self._window.acknowledged(follower.source):
            if follower.lag:
                _log.error("source_lost", path=follower.source.name, start=follower.position, end=follower.size)
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
            descriptor = self._descriptor(follower)
            if descriptor is not None and not before(descriptor, follower.position).endswith(follower.tail):
                self._truncated(follower, now)
        except OSError as error:
            self._warn(follower, error)

    # Files come, move and go

    def _appeared(self, identity: Identity, path: bytes, now: float) -> None:
        try:
            descriptor = self._descriptors.open(path)
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                self._warn_once(
                    (path, error.errno), "cannot_open", path=_name(path), error=error.strerror or str(error)
                )
            return
        facts = os.fstat(descriptor)
        if (facts.st_dev, facts.st_ino) != identity or not stat.S_ISREG(facts.st_mode):
            # Replaced since the scan: the next one finds what is there now.
            os.close(descriptor)
            self._scan_at = self._scan_not_before
            return
        source = self._source(path, descriptor, facts)
        follower = Follower(
            source,
            path=path,
            size=facts.st_size,
            mtime_ns=facts.st_mtime_ns,
            now=now,
            rotate_wait=self._options.rotate_wait,
            from_end=self._options.start_at_end and self._checkpoint.fresh and not self._scanned,
        )
        self._followers[identity] = follower
        self._by_source[source.id] = follower
        self._roster.follow(identity, path)
        self._descriptors.keep(follower, descriptor)
        self._warned -= {each for each in self._warned if isinstance(each, tuple) and each[0] == path}
        self._do(self._window.begin(source))

    def _renamed(self, identity: Identity, path: bytes | None, now: float) -> None:
        follower = self._followers[identity]
        follower.path = path
        self._roster.follow(identity, path)
        if path is not None:
            self._retiring.discard(follower)
            return
        _log.info("file_gone", path=follower.source.name, unread=follower.lag)
        self._retiring.add(follower)
        self._poll_at = now

    def _retire(self, follower: Follower) -> None:
        _log.info("file_retired", path=follower.source.name, position=follower.position)
        if follower.path is None:
            self._do(self._window.end(follower.source))
            self._checkpoint.forget(follower.source.id)
            self._unsaved = True
        self._retiring.discard(follower)
        self._ready.pop(follower, None)
        self._descriptors.close(follower)
        self._roster.forget(follower.identity)
        del self._followers[follower.identity]
        del self._by_source[follower.source.id]

    def _truncated(self, follower: Follower, now: float) -> None:
        _log.info("source_truncated", path=follower.source.name, at=follower.position)
        old = follower.source
        self._do(self._window.end(old))
        if self._window.acknowledged(old):
            self._checkpoint.forget(old.id)
        del self._by_source[old.id]
        descriptor = self._descriptor(follower)
        head = head_of(descriptor) if descriptor is not None else Marker()
        new = replace(old, id=_new_id(), head=head)
        follower.restart(new, now)
        self._by_source[new.id] = follower
        self._do(self._window.begin(new))

    def _source(self, path: bytes, descriptor: int, facts: os.stat_result) -> Source:
        """The source as which a file is first described: the one in the checkpoint, if the file agrees."""
        head = head_of(descriptor)
        entry = next(
            (each for each in self._remembered.get(facts.st_ino, ()) if self._remembers(each, descriptor)), None
        )
        return Source(
            id=_new_id() if entry is None else entry.source_id,
            path=path,
            device=facts.st_dev,
            inode=facts.st_ino,
            head=head,
            collector=self._hello.collector,
            host=self._hello.host,
            tags=self._hello.tags,
        )

    def _remembers(self, entry: Entry, descriptor: int) -> bool:
        # The device is not asked: its number changes over a reboot, and head and tail tell more.
        if entry.source_id in self._by_source or entry.source_id not in self._checkpoint.entries:
            return False
        return agrees(descriptor, position=entry.position, head=entry.head, tail=entry.before)

    # Reading

    def _turn(self) -> None:
        """One block of each file that has one, while the window has room."""
        if not self._window.connected:
            return
        now = self._clock()
        for follower in list(self._ready):
            if not self._window.room:
                self._flush()
                return
            if not self._window.ready(follower.source):
                self._do(self._window.begin(follower.source))
                del self._ready[follower]
                continue
            self._read(follower, now)

    def _read(self, follower: Follower, now: float) -> None:
        try:
            descriptor = self._descriptor(follower)
            if descriptor is None:
                del self._ready[follower]
                return
            result = read(
                descriptor,
                follower,
                size=self._window.block_size,
                max_line=self._options.max_line_size,
                final=self._final(follower, now),
            )
        except OSError as error:
            # It is tried again at the next poll; meanwhile the others go on.
            self._warn(follower, error)
            del self._ready[follower]
            return
        if isinstance(result, Block):
            self._bytes += len(result.data)
            self._entries += result.entries
            self._do(self._window.send(result))
        elif result is Reading.REWRITTEN:
            self._truncated(follower, now)
        if result is Reading.NOTHING or not follower.readable(now):
            self._ready.pop(follower, None)

    def _descriptor(self, follower: Follower) -> int | None:
        """The open file of a follower, opened again if it was closed; None if it is not to be found."""
        descriptor = self._descriptors.get(follower)
        if descriptor is not None or follower.path is None:
            return descriptor
        descriptor = self._descriptors.open(follower.path)
        facts = os.fstat(descriptor)
        if (facts.st_dev, facts.st_ino) != follower.identity:
            os.close(descriptor)
            self._scan_at = self._scan_not_before
            return None
        self._descriptors.keep(follower, descriptor)
        return descriptor

    def _final(self, follower: Follower, now: float) -> bool:
        return self._options.once or follower.final(now)

    def _expendable(self, follower: Follower) -> bool:
        return follower.path is not None and follower.lag == 0 and self._window.acknowledged(follower.source)

    def _mark(self, follower: Follower | None) -> None:
        if follower is not None and (follower.readable(self._clock()) or self._options.once):
            self._ready[follower] = None

    def _mark_all(self) -> None:
        for follower in self._followers.values():
            if not follower.settled:
                self._do(self._window.begin(follower.source))
            self._mark(follower)

    def _flush(self) -> None:
        if not self._flush_said and self._window.connected and not self._window.idle:
            self._publisher.send(self._session, Flush())
            self._flush_said = True

    # Keeping

    def _save(self, *, now: bool = False) -> None:
        if not self._unsaved or (not now and self._clock() < self._save_at):
            return
        try:
            self._checkpoint.flush()
            self._unsaved = False
            self._warned.discard("checkpoint")
        except CheckpointError as error:
            self._warn_once("checkpoint", "checkpoint_failed", error=str(error))
        self._save_at = self._clock() + _SAVE_INTERVAL

    # Saying

    def _warn(self, follower: Follower, error: OSError) -> None:
        self._warn_once(
            (follower.source.path, error.errno),
            "cannot_read",
            path=follower.source.name,
            error=error.strerror or str(error),
        )

    def _warn_once(self, fact: object, event: str, **keys: object) -> None:
        if fact not in self._warned:
            self._warned.add(fact)
            _log.warning(event, **keys)

    def _name(self, source_id: bytes) -> str:
        follower = self._by_source.get(source_id)
        return follower.source.name if follower else "an earlier source"


def _new_id() -> bytes:
    return uuid.uuid4().bytes


def _name(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


def _entry(source: Source, position: int, tail: Marker) -> Entry:
    return Entry(
        source_id=source.id,
        path=source.path,
        device=source.device,
        inode=source.inode,
        head=source.head,
        position=position,
        before=tail,
    )


def _by_inode(entries: Iterable[Entry]) -> dict[int, list[Entry]]:
    found: dict[int, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.inode, []).append(entry)
    return found
