"""Random histories of a window and an aggregator's conversations, joined by messages in memory.

The collector's side is the real window with files of which it knows positions, the aggregator's the real conversation,
admission, ingest buffer and ledger. Any message may be the last of its connection, and what a lost connection still
holds may arrive beside the next one. What is said together goes in one message or in several. However it went, every
byte stands at the destination once, in order.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mega_collector import wire
from mega_collector.aggregator.conversation import Conversation, Refused
from mega_collector.aggregator.ingest_buffer import Anew, IngestBuffer, Item
from mega_collector.aggregator.ledger import Advance, Ledger
from mega_collector.aggregator.outbox import Outbox
from mega_collector.aggregator.peers import Peers
from mega_collector.aggregator.replay import Replay
from mega_collector.aggregator.turned_back import TurnedBack
from mega_collector.block import Block, Skip, SkipReason, Source
from mega_collector.collector.sending.window import Acknowledged, Decide, Outcome, Stopped, Told, Window
from mega_collector.marker import Marker
from mega_collector.protocol import Ack, Finish, Flush, FromAggregator, FromCollector, Grant, Hello, Refusal, Resume

LIMIT = 64
SELDOM = st.integers(0, 3).map(lambda number: number == 3)
LINES = st.lists(
    st.sampled_from([b"\n", b"a line\n", b"another, longer line\n", b"\0\r\xff\n"]), min_size=1, max_size=6
)


class Heard(Outbox):
    """Keeps what is said for the test to deliver, where the real one keeps it for a thread of gRPC's."""

    def __init__(self, publish: Callable[[], None]) -> None:
        super().__init__()
        self.answers: deque[FromAggregator] = deque()
        self._publish = publish

    def wait_for(self, committed: Callable[[], bool]) -> bool:
        if not committed():
            self._publish()
        return committed()

    def say(self, answer: FromAggregator, *, alone: bool = False) -> None:
        heard = wire.decode_answer(wire.encode_answer(answer))
        assert heard is not None
        self.answers.append(heard)

    def hint(self, answer: FromAggregator) -> None:
        self.say(answer)

    def urge(self, answer: FromAggregator) -> None:
        self.say(answer)

    def ack(self, positions: dict[bytes, int]) -> None:
        self.say(Ack(dict(positions)))


class Connection:
    """One stream: what is on its way to the aggregator, and to the collector."""

    def __init__(self, aggregator: "Aggregator", life: bytes, publish: Callable[[], None]) -> None:
        self.aggregator = aggregator
        self.sent: deque[FromCollector] = deque()
        self.outbox = Heard(publish)
        self.conversation = Conversation(
            Hello("me", "here", life=life),
            self.outbox,
            buffer=aggregator.buffer,
            ledger=aggregator.ledger,
            peers=aggregator.peers,
            refused=Refused(),
            is_stale=aggregator.turned_back.is_stale,
        )

    def deliver(self, most: int = 1) -> None:
        """The next message reaches the aggregator: all that was said next, up to so much."""
        said = [self.sent.popleft() for _ in range(min(most, len(self.sent)))]
        self.conversation.hear(wire.parse(wire.serialize_all(said, compress=len(said) % 2 == 0)))


class Aggregator:
    """Everything but the threads: commits when told to."""

    def __init__(self, state: Path) -> None:
        self.ledger = Ledger(state)
        self.buffer = IngestBuffer(1 << 30)
        self.peers = Peers(4 << 20)
        self.turned_back = TurnedBack()
        self._taken: deque[Item] = deque()

    def commit(self, most: int) -> list[Item]:
        """Commit that many of the items that came in."""
        self._taken += self.buffer.take(0)
        items = [self._taken.popleft() for _ in range(min(most, len(self._taken)))]
        return [item for item in items if self._commit(item)]

    def turn_back(self) -> None:
        """The output of the next item takes nothing."""
        self._taken += self.buffer.take(0)
        item = next((each for each in self._taken if isinstance(each, Block | Skip)), None)
        if item is not None and not self.turned_back.is_stale(item.source.id):
            self.turned_back.turn("me", item.source.id, 0)
            self.peers.turn_back("me", item.source.id)

    def let_come(self) -> None:
        """Its sources may come again."""
        for collector, source_ids in self.turned_back.due(0).items():
            for outbox, source in self.peers.let_come(collector, source_ids):
                outbox.urge(Resume(source.id, self.ledger.known("me", source.id, source.device, source.inode)))

    def _commit(self, item: Item) -> bool:
        if isinstance(item, Anew):
            self.turned_back.begin(item.source_id)
            return True
        if isinstance(item, Flush | Replay):
            return True
        if self.turned_back.is_stale(item.source.id):
            return False
        source, finished = item.source, isinstance(item, Finish)
        start, position = (item.start, item.end) if isinstance(item, Block | Skip) else (item.position, item.position)
        self.ledger.commit([Advance(source, start, position, 0, Marker(), finished)])
        ended = {"me": {source.id}} if finished else {}
        self.peers.commit({"me": {source.id: position}}, ended)
        return True


@dataclass(eq=False)
class File:
    """A followed file."""

    source: Source
    content: bytes = b""
    holes: list[tuple[int, int]] = field(default_factory=list)
    """The bytes that are passed over, not shipped."""
    position: int = 0
    settled: bool = False
    checkpoint: int = 0
    ended: bool = False
    abandoned: bool = False
    """It ended, and the collector was killed before all of it was acknowledged: then nobody can send it again."""

    def expected(self, end: int) -> bytes:
        content = self.content[:end]
        for low, high in reversed(self.holes):
            content = content[:low] + content[high:]
        return content

    def next_item(self, size: int) -> Block | Skip:
        """What is to be read at the position: the hole there, or about `size` bytes up to the end of a line."""
        start = self.position
        after = (hole for hole in self.holes if hole[1] > start)
        low, high = next(after, (len(self.content), 0))
        if low <= start < high:
            return Skip(self.source, start, high, SkipReason.HOLE)
        end = self.content.find(b"\n", min(start + size, low) - 1) + 1
        data = self.content[start:end]
        return Block(self.source, start, data, data.count(b"\n"))


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.aggregator = Aggregator(Path(self.directory.name))
        self.window = Window(limit=LIMIT, largest_block=16)
        self.files: list[File] = []
        self.connection: Connection | None = None
        self.lost: list[Connection] = []
        self.destination: dict[bytes, bytes] = {}
        self.lives = 0

    @initialize(lines=LINES)
    def begin(self, lines: list[bytes]) -> None:
        self.a_file_appears(lines)
        self.connect()

    # What happens to files

    @rule(lines=LINES)
    def a_file_appears(self, lines: list[bytes]) -> None:
        if sum(not file.ended for file in self.files) < 3:
            number = len(self.files)
            source = Source(b"%d" % number, b"/%d.log" % number, 1, number, Marker(), collector="me")
            self.files.append(File(source, b"".join(lines)))
            self._do(self.window.begin(source))

    @rule(lines=LINES, data=st.data())
    def a_file_grows(self, lines: list[bytes], data: st.DataObject) -> None:
        if live := self._live():
            data.draw(st.sampled_from(live)).content += b"".join(lines)

    @rule()
    def files_are_read(self) -> None:
        for file in self._live():
            self._read(file)

    @rule(rounds=st.integers(1, 4))
    def all_goes_well_but_nothing_is_committed(self, rounds: int) -> None:
        for _ in range(rounds):
            self.messages_reach_the_aggregator(1000)
            self.answers_reach_the_collector(1000)
            self.files_are_read()

    @rule(lines=LINES, rounds=st.integers(1, 4))
    def all_goes_well(self, lines: list[bytes], rounds: int) -> None:
        for file in self._live():
            file.content += b"".join(lines)
        self.connect()
        for _ in range(rounds):
            self.all_goes_well_but_nothing_is_committed(1)
            self._committed(self.aggregator.commit(1))

    @rule(data=st.data())
    def a_file_grows_by_a_hole(self, data: st.DataObject) -> None:
        if live := self._live():
            file = data.draw(st.sampled_from(live))
            file.holes.append((len(file.content), len(file.content) + 50))
            file.content += bytes(50)

    @rule(data=st.data())
    def a_file_ends(self, data: st.DataObject) -> None:
        read = [file for file in self._live() if file.settled and file.position == len(file.content)]
        if read:
            self._end(data.draw(st.sampled_from(read)))

    # What happens between the halves

    @rule()
    def connect(self) -> None:
        if self.connection is None:
            self.connection = Connection(self.aggregator, b"%d" % self.lives, self._publish)
            self._do(self.window.connect(self.connection.conversation.window))
            for file in self._live():
                if not file.settled:
                    self._do(self.window.begin(file.source))

    @rule(count=st.integers(1, 8))
    def messages_reach_the_aggregator(self, count: int) -> None:
        while count and self.connection is not None and self.connection.sent:
            count -= 1
            self.connection.deliver()

    @rule(most=st.integers(2, 8))
    def messages_reach_the_aggregator_together(self, most: int) -> None:
        if self.connection is not None and self.connection.sent:
            self.connection.deliver(most)

    @rule(count=st.integers(1, 8))
    def answers_reach_the_collector(self, count: int) -> None:
        while count and self.connection is not None and self.connection.outbox.answers:
            count -= 1
            self._hear()

    @rule()
    def the_connection_is_lost(self) -> None:
        if self.connection is not None:
            self.window.disconnect()
            self.lost.append(self.connection)
            self.connection = None

    @rule(count=st.integers(1, 8), most=st.integers(1, 3), data=st.data())
    def what_a_lost_connection_held_arrives_late(self, count: int, most: int, data: st.DataObject) -> None:
        if self.lost:
            connection = data.draw(st.sampled_from(self.lost))
            while count and connection.sent:
                count -= 1
                connection.deliver(most)

    @rule()
    def a_lost_connection_is_given_up(self) -> None:
        if self.lost:
            self.lost.pop(0).conversation.end()

    @rule(count=st.integers(1, 10))
    def the_aggregator_commits(self, count: int) -> None:
        self._committed(self.aggregator.commit(count))

    @rule()
    def an_output_takes_nothing(self) -> None:
        self.aggregator.turn_back()

    @rule()
    def what_was_turned_back_may_come(self) -> None:
        self.aggregator.let_come()

    # What happens to the halves

    @rule(clean=st.booleans(), really=SELDOM)
    def the_aggregator_is_started_again(self, clean: bool, really: bool) -> None:
        if not really:
            return
        self.the_connection_is_lost()
        self.lost = []
        if clean:
            self._committed(self.aggregator.commit(1 << 30))
        self.aggregator.ledger.close(clean=clean)
        self.aggregator = Aggregator(Path(self.directory.name))

    @rule(really=SELDOM)
    def the_collector_is_killed_and_started_again(self, really: bool) -> None:
        if not really:
            return
        self.the_connection_is_lost()
        self.lives += 1
        self.window = Window(limit=LIMIT, largest_block=16)
        for file in self.files:
            file.abandoned |= file.ended
            file.settled = False
            if not file.ended:
                self._do(self.window.begin(file.source))

    def _publish(self) -> None:
        """The aggregator commits all that it has."""
        self._committed(self.aggregator.commit(1 << 30))

    # What must hold

    @invariant()
    def what_stands_at_the_destination_is_the_files_begin(self) -> None:
        for file in self.files:
            written = self.destination.get(file.source.id, b"")
            assert file.expected(len(file.content)).startswith(written)

    @invariant()
    def nothing_is_acknowledged_that_is_not_at_the_destination(self) -> None:
        for file in self.files:
            assert len(file.expected(file.checkpoint)) <= len(self.destination.get(file.source.id, b""))

    @invariant()
    def the_window_is_kept(self) -> None:
        # One block more may be in flight: it is let out while there is room for a block of the usual size.
        # What was held up comes back besides, at most as much.
        held_up = self.window.statistics().held
        assert 0 <= self.window.in_flight - held_up <= 2 * LIMIT + 32
        waiting = [file for file in self.files if not self.window.acknowledged(file.source)]
        assert self.window.idle == (not waiting)
        held = [flight for flight in self.window._flights.values() if flight.held]
        assert self.window.statistics().held == sum(len(each.data) for flight in held for each in _blocks(flight.items))
        assert self.window.statistics().held <= LIMIT
        excused = {flight.source.id for flight in held}
        assert self.window.all_sent == all(
            self.window.ready(file.source) or file.source.id in excused for file in waiting
        )

    def teardown(self) -> None:
        try:
            self._come_to_rest()
            for file in self.files:
                if not file.abandoned:
                    assert self.destination.get(file.source.id, b"") == file.expected(len(file.content))
                    assert file.checkpoint == len(file.content)
            assert (self.window.in_flight, self.window.idle) == (0, True)
        finally:
            self.aggregator.ledger.close(clean=True)
            self.directory.cleanup()

    def _come_to_rest(self) -> None:
        """The connection holds from now on, and all is read, delivered and committed."""
        self.connect()
        for _ in range(1000):
            if not self._step():
                return
        raise AssertionError("it does not come to rest")

    def _step(self) -> bool:
        """Let everything happen once that can; whether anything did."""
        assert self.connection is not None
        self.aggregator.let_come()
        busy = bool(self.connection.sent or self.connection.outbox.answers)
        while self.connection.sent:
            self.connection.deliver()
        while self.connection.outbox.answers:
            self._hear()
        done = self.aggregator.commit(1 << 30)
        self._committed(done)
        read = sum(self._read(file) for file in self._live())
        return busy or bool(done) or bool(read)

    def _live(self) -> list[File]:
        return [file for file in self.files if not file.ended]

    def _read(self, file: File) -> bool:
        """Read one block as the tailer does; whether anything happened."""
        if not self.window.connected or not self.window.room or file.position == len(file.content):
            return False
        if not self.window.ready(file.source):
            outcomes = self.window.begin(file.source)
            self._do(outcomes)
            return bool(outcomes)
        item = file.next_item(self.window.block_size)
        file.position = item.end
        self._do(self.window.send(item))
        return True

    def _end(self, file: File) -> None:
        file.ended = True
        self._do(self.window.end(file.source))

    def _hear(self) -> None:
        assert self.connection is not None
        match self.connection.outbox.answers.popleft():
            case Ack(positions):
                for source_id, position in positions.items():
                    self._do(self.window.ack(source_id, position))
            case Resume() as resume:
                self._do(self.window.resume(resume))
            case Refusal() as refusal:
                self._do(self.window.refuse(refusal))
            case Grant(window):
                self.window.grant(window)

    def _do(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            match outcome:
                case Acknowledged(source, position):
                    file = self._file(source)
                    assert position > file.checkpoint or file.abandoned
                    file.checkpoint = position
                case Decide():
                    self._decide(outcome)
                case Stopped():
                    raise AssertionError(outcome.message)
                case Told():
                    pass
                case _:
                    assert self.connection is not None
                    self.connection.sent.append(outcome)

    def _decide(self, decide: Decide) -> None:
        assert self.window.acknowledged(decide.source)
        file = self._file(decide.source)
        known = [each.position for each in decide.resume.known if each.source_id == decide.source.id]
        file.position = file.checkpoint = known[0] if known else file.checkpoint
        file.settled = True
        # As after a restart: the same source, described anew.
        file.source = replace(file.source)
        self._do(self.window.open(decide.source, file.source, file.position))

    def _file(self, source: Source) -> File:
        return next(file for file in self.files if file.source.id == source.id)

    def _committed(self, items: list[Item]) -> None:
        for item in items:
            if isinstance(item, Block):
                self.destination[item.source.id] = self.destination.get(item.source.id, b"") + bytes(item.data)


def _blocks(items: Iterable[Block | Skip]) -> Iterable[Block]:
    return (item for item in items if isinstance(item, Block))


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
