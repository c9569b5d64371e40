"""A collector in memory: everything but the threads, the sockets and the disk is the real one."""

from collections import deque
from collections.abc import Callable

from histories.aggregator import MemoryAggregator
from histories.disk import DEVICE, MemoryDisk, NoWatch
from mega_collector.collector.finding.finder import Finder, Watch
from mega_collector.collector.finding.roster import Roster
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.recognition.remembered import Remembered
from mega_collector.collector.sending.inbox import Answered, Connected, Disconnected, Event
from mega_collector.collector.sending.shipper import Shipper
from mega_collector.collector.sending.window import Window
from mega_collector.collector.state.checkpoint import Entry
from mega_collector.collector.tailer import Tailer
from mega_collector.collector.tailer_options import TailerOptions
from mega_collector.protocol import FromCollector, Hello, Welcome

POLL_INTERVAL = 1.0
ROTATE_WAIT = 5.0
CLOSE_INACTIVE = 20.0


class MemoryCheckpoint:
    """Keeps what was flushed when its collector is killed."""

    def __init__(self) -> None:
        self.entries: dict[bytes, Entry] = {}
        self.durable: dict[bytes, Entry] = {}
        self.fresh = True
        """Whether no collector has begun with all that was there."""
        self._begun = False

    def put(self, entry: Entry) -> None:
        self.entries[entry.source_id] = entry

    def forget(self, source_id: bytes) -> None:
        self.entries.pop(source_id, None)

    def begun(self) -> None:
        self._begun = True

    def flush(self) -> None:
        self.durable = dict(self.entries)
        self.fresh = not self._begun

    def crash(self) -> None:
        self.entries = dict(self.durable)
        self._begun = not self.fresh

    def wipe(self) -> None:
        """The state is lost."""
        self.durable.clear()
        self.fresh = True
        self.crash()


class MemoryInbox:
    def __init__(self) -> None:
        self._events: list[Event] = []

    def put(self, event: Event) -> None:
        self._events.append(event)

    def take(self) -> list[Event]:
        events, self._events = self._events, []
        return events


class MemoryCollector:
    """One life of a collector's process."""

    def __init__(
        self,
        disk: MemoryDisk,
        checkpoint: MemoryCheckpoint,
        aggregator: MemoryAggregator,
        clock: Callable[[], float],
        *,
        max_open_files: int = 100,
        batch_age: float = 0.0,
        watch: Watch | None = None,
        once: bool = False,
        start_at_end: bool = False,
        ignore_older: float | None = None,
    ) -> None:
        self._aggregator = aggregator
        self._batch_age = batch_age
        self._inbox = MemoryInbox()
        self._session = 0
        self.unwatched = NoWatch()
        self.sent: deque[FromCollector] = deque()
        self.shipper = Shipper(
            window=Window(limit=400, largest_block=100),
            publisher=self,  # type: ignore[arg-type]
            checkpoint=checkpoint,  # type: ignore[arg-type]
            inbox=self._inbox,  # type: ignore[arg-type]
            clock=clock,
        )
        self.tailer = Tailer(
            options=TailerOptions(
                poll_interval=POLL_INTERVAL,
                rotate_wait=ROTATE_WAIT,
                close_inactive=CLOSE_INACTIVE,
                max_line_size=1000,
                max_open_files=max_open_files,
                once=once,
                start_at_end=start_at_end and checkpoint.fresh,
            ),
            hello=Hello("me", "here"),
            finder=Finder(
                discovery=disk,
                watch=watch or self.unwatched,
                roster=Roster(ignore_older=ignore_older),
                poll_interval=POLL_INTERVAL,
                clock=clock,
            ),
            shipper=self.shipper,
            inbox=self._inbox,  # type: ignore[arg-type]
            remembered=Remembered(checkpoint),  # type: ignore[arg-type]
            disk=disk,
            clock=clock,
        )

    @property
    def connected(self) -> bool:
        return self.shipper.connected

    @property
    def recollects(self) -> bool:
        """Whether the aggregator is still to tell what it remembers; a page at a time."""
        return self.tailer._inventories._recollection.pending

    @property
    def goes_through_archives(self) -> bool:
        """Whether something of one is still to be shipped, or to be known."""
        return self.tailer._archives.busy

    @property
    def sources(self) -> set[bytes]:
        """The ids of those that are shipped."""
        return {*(each.source.id for each in self.tailer._followed), *self.shipper._window._flights}

    def follower(self, inode: int) -> Follower | None:
        return self.tailer._followed.get((DEVICE, inode))

    def send(self, session: int, *messages: FromCollector) -> None:
        """As the publisher's: lost if its stream has ended."""
        if session == self._session:
            self.sent += messages

    def connect(self) -> None:
        self._session += 1
        self._inbox.put(Connected(self._session, Welcome(1 << 20, 400, batch_age=self._batch_age, inventory=True)))

    def disconnect(self) -> None:
        self._inbox.put(Disconnected(self._session))
        self._session += 1
        self.sent.clear()
        self._aggregator.disconnect()

    def speak(self, most: int) -> None:
        """So many of its messages reach the aggregator."""
        for _ in range(min(most, len(self.sent))):
            self._aggregator.hear(self.sent.popleft())

    def listen(self, most: int) -> None:
        """So many of the aggregator's answers reach it."""
        for _ in range(min(most, len(self._aggregator.answers))):
            self._inbox.put(Answered(self._session, self._aggregator.answers.popleft()))

    def die(self) -> None:
        """Its open files are closed by the kernel."""
        self.tailer.close()
        self._aggregator.bereave()
