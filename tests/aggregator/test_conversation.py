"""What one collector says on one stream, and what becomes of it: each message against real parts behind it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from blocks import make_block, make_source
from harness.aside import Aside
from harness.until import quiet, until
from mega_collector import wire
from mega_collector.aggregator.conversation import Conversation, Refused, StreamEnded
from mega_collector.aggregator.ingest_buffer import BufferClosed, IngestBuffer, Item
from mega_collector.aggregator.ledger import Advance, Ledger
from mega_collector.aggregator.outbox import Outbox
from mega_collector.aggregator.peers import Peers
from mega_collector.api import api_pb2 as pb
from mega_collector.block import Block, Skip, SkipReason, Source
from mega_collector.errors import WireError
from mega_collector.marker import Marker
from mega_collector.protocol import (
    Ack,
    Describe,
    Finish,
    Flush,
    FromAggregator,
    FromCollector,
    Hello,
    Holdings,
    Inventory,
    Known,
    Open,
    Refusal,
    RefusalReason,
    Report,
    Resume,
)

SOURCE = make_source("a", collector="me")
LINE = b"a line\n"


class Aggregator:
    """What stands behind the conversations of all collectors."""

    def __init__(self, state: Path, buffer_size: int = 1000) -> None:
        self.ledger = Ledger(state)
        self.buffer = IngestBuffer(buffer_size)
        self.peers = Peers(1 << 20)
        self.refused = Refused()

    def commit(self, source: Source, position: int, *, finished: bool = False) -> None:
        self.ledger.commit([Advance(source, 0, position, 1, Marker(), finished)])
        ended = {source.collector: {source.id}} if finished else {}
        self.peers.commit({source.collector: {source.id: position}}, ended)


class Stream:
    """One stream of a collector."""

    def __init__(
        self, aggregator: Aggregator, collector: str = "me", life: bytes = b"", most_sources: int = 100
    ) -> None:
        self.outbox = Outbox()
        self.aggregator = aggregator
        self.conversation = Conversation(
            Hello(collector, "here", life=life),
            self.outbox,
            buffer=aggregator.buffer,
            ledger=aggregator.ledger,
            peers=aggregator.peers,
            refused=aggregator.refused,
            most_sources=most_sources,
        )

    def say(self, *messages: FromCollector) -> None:
        for message in messages:
            self.conversation.hear(wire.parse(wire.serialize(message)))

    def say_together(self, *messages: FromCollector) -> None:
        self.conversation.hear(wire.parse(wire.serialize_all(messages)))

    def answers(self) -> list[FromAggregator]:
        """All that was answered; the stream is over then."""
        self.outbox.close()
        return list(self.outbox.drain())

    def refusals(self) -> list[tuple[RefusalReason, int, int, bool]]:
        found = [each for each in self.answers() if isinstance(each, Refusal)]
        return [(each.reason, each.start, each.expected, each.retry) for each in found]

    def taken(self) -> list[tuple[int, bytes]]:
        """The blocks that came in: where they start and what they hold."""
        blocks = [item for item in self.aggregator.buffer.take(0) if isinstance(item, Block)]
        return [(block.start, bytes(block.data)) for block in blocks]


@pytest.fixture
def aggregator(tmp_path: Path) -> Iterator[Aggregator]:
    with _aggregator(tmp_path) as aggregator:
        yield aggregator


@contextmanager
def _aggregator(state: Path, buffer_size: int = 1000) -> Iterator[Aggregator]:
    aggregator = Aggregator(state, buffer_size)
    try:
        yield aggregator
    finally:
        aggregator.ledger.close(clean=True)


def test_a_block_says_when_it_was_received_even_if_only_its_end_is_new(aggregator: Aggregator) -> None:
    stream = Stream(aggregator)
    before = time.time_ns()
    stream.say(Open(SOURCE, 0), make_block(LINE, 0, SOURCE), make_block(LINE * 2, 0, SOURCE))
    stream.say_together(make_block(LINE, 14, SOURCE), make_block(LINE, 21, SOURCE))
    blocks = [item for item in aggregator.buffer.take(0) if isinstance(item, Block)]
    assert [block.start for block in blocks] == [0, 7, 14, 21]
    times = [block.received for block in blocks]
    order = [before, *times, time.time_ns()]
    assert order == sorted(order)
    assert times[2] == times[3], "they came in one message"


def test_nothing_is_known_of_a_source_that_was_never_committed(aggregator: Aggregator) -> None:
    stream = Stream(aggregator)
    stream.say(Describe(SOURCE))
    assert stream.answers() == [Resume(SOURCE.id, ())]


def test_what_is_committed_is_told_at_the_handshake(aggregator: Aggregator) -> None:
    aggregator.ledger.commit([Advance(SOURCE, 0, 70, 1, Marker.of(b"before"))])
    stream = Stream(aggregator)
    stream.say(Describe(SOURCE))
    assert stream.answers() == [Resume(SOURCE.id, (Known(SOURCE.id, 70, Marker.of(b"before"), SOURCE.head),))]


def test_a_handshake_opens_the_way_for_blocks_and_skips_and_the_end(aggregator: Aggregator) -> None:
    stream = Stream(aggregator)
    stream.say(Open(SOURCE, 0), make_block(LINE, 0, SOURCE), Skip(SOURCE, 7, 100, SkipReason.HOLE))
    stream.say(make_block(LINE, 100, SOURCE), Finish(SOURCE, 107), Flush())
    items: list[Item] = aggregator.buffer.take(0)
    assert [type(item) for item in items] == [Block, Skip, Block, Finish, Flush]
    assert stream.answers() == []


@pytest.mark.parametrize("item", [make_block(LINE, 30, SOURCE), Skip(SOURCE, 30, 40, SkipReason.HOLE)])
def test_without_a_handshake_on_this_stream_nothing_comes_in(aggregator: Aggregator, item: Block | Skip) -> None:
    Stream(aggregator).say(Open(SOURCE, 30))
    stream = Stream(aggregator)
    stream.say(item)
    assert stream.refusals() == [(RefusalReason.NOT_OPEN, 30, 30, True)]
    assert [type(item) for item in aggregator.buffer.take(0)] == [Open]
    assert aggregator.refused.blocks == 1


def test_a_block_that_lies_is_refused_for_good_and_leaves_no_trace(aggregator: Aggregator) -> None:
    stream = Stream(aggregator)
    stream.say(Open(SOURCE, 0), make_block(LINE, 0, SOURCE))
    stream.say(make_block(LINE, 7, SOURCE)._replace(entries=2))
    stream.say(make_block(LINE, 7, SOURCE))
    assert stream.taken() == [(0, LINE), (7, LINE)]
    assert stream.refusals() == [(RefusalReason.MALFORMED, 7, 7, False)]


def test_an_impossible_skip_is_refused_for_good(aggregator: Aggregator) -> None:
    stream = Stream(aggregator)
    stream.say(Open(SOURCE, 0), Skip(SOURCE, 5, 5, SkipReason.HOLE))
    assert stream.refusals() == [(RefusalReason.MALFORMED, 5, 0, False)]


def test_a_gap_is_refused_with_the_position_that_is_expected(aggregator: Aggregator) -> None:
    stream = Stream(aggregator)
    stream.say(Open(SOURCE, 0), make_block(LINE, 7, SOURCE), make_block(LINE, 14, SOURCE), make_block(LINE, 0, SOURCE))
    assert stream.taken() == [(0, LINE)]
    assert stream.refusals() == [(RefusalReason.WRONG_START, 7, 0, True), (RefusalReason.WRONG_START, 14, 0, True)]


def test_what_is_there_already_is_dropped_and_answered_with_what_is_committed(aggregator: Aggregator) -> None:
    stream = Stream(aggregator)
    stream.say(Open(SOURCE, 0), make_block(LINE + LINE, 0, SOURCE))
    aggregator.commit(SOURCE, 7)
    stream.say(make_block(LINE, 0, SOURCE), make_block(LINE + LINE, 7, SOURCE))
    assert stream.taken() == [(0, LINE + LINE), (14, LINE)]
    assert [each for each in stream.answers() if isinstance(each, Ack)] == [Ack({SOURCE.id: 7})]
    assert aggregator.refused.duplicates == 1


def test_two_streams_of_a_collector_bring_every_byte_once(aggregator: Aggregator) -> None:
    one, two = Stream(aggregator), Stream(aggregator)
    blocks = [make_block(LINE, start, SOURCE) for start in (0, 7, 14, 21)]
    one.say(Open(SOURCE, 0), blocks[0])
    two.say(Open(SOURCE, 0), *blocks[:3])
    one.say(*blocks[1:])
    assert one.taken() == [(0, LINE), (7, LINE), (14, LINE), (21, LINE)]


def test_a_collector_that_says_less_than_the_ledger_has_is_trimmed(aggregator: Aggregator) -> None:
    aggregator.ledger.commit([Advance(SOURCE, 0, 7, 1, Marker())])
    stream = Stream(aggregator)
    stream.say(Open(SOURCE, 0), make_block(LINE + b"new\n", 0, SOURCE))
    assert stream.taken() == [(7, b"new\n")]


def test_a_collector_that_is_ahead_of_the_ledger_is_told_so(aggregator: Aggregator) -> None:
    aggregator.ledger.commit([Advance(SOURCE, 0, 7, 1, Marker())])
    stream = Stream(aggregator)
    stream.say(Open(SOURCE, 50), make_block(LINE, 50, SOURCE))
    assert stream.refusals() == [(RefusalReason.WRONG_START, 50, 7, True)] * 2


def test_a_source_is_the_collectors_that_it_began_with(aggregator: Aggregator) -> None:
    aggregator.ledger.commit([Advance(SOURCE, 0, 7, 1, Marker())])
    stream = Stream(aggregator, "somebody else")
    stream.say(Describe(SOURCE), Open(SOURCE, 7), make_block(LINE, 7, SOURCE))
    resume, *refusals = stream.answers()
    assert resume == Resume(SOURCE.id, ())
    assert [(each.reason, each.retry) for each in refusals if isinstance(each, Refusal)] == [
        (RefusalReason.NOT_YOURS, False),
        (RefusalReason.NOT_OPEN, True),
    ]
    assert aggregator.buffer.take(0) == []


def test_a_source_is_whose_opens_it_first_also_before_the_ledger_knows_it(aggregator: Aggregator) -> None:
    first, thief = Stream(aggregator), Stream(aggregator, "somebody else")
    first.say(Open(SOURCE, 0), make_block(LINE, 0, SOURCE))
    thief.say(Open(SOURCE, 0), make_block(LINE * 2, 0, SOURCE))
    assert [each.reason for each in thief.answers() if isinstance(each, Refusal)] == [
        RefusalReason.NOT_YOURS,
        RefusalReason.NOT_OPEN,
    ]
    assert [each.source.collector for each in aggregator.buffer.take(0) if isinstance(each, Block)] == ["me"]
    aggregator.commit(SOURCE, 7)
    again = Stream(aggregator, "somebody else")
    again.say(Open(SOURCE, 7))
    assert [reason for reason, *_ in again.refusals()] == [RefusalReason.NOT_YOURS]
    first.say(make_block(LINE, 7, SOURCE))
    assert first.taken() == [(7, LINE)]
    assert Ack({SOURCE.id: 7}) in first.answers()


def test_what_was_opened_and_never_committed_is_nobodys_when_its_collector_has_gone(aggregator: Aggregator) -> None:
    first = Stream(aggregator)
    first.say(Open(SOURCE, 0))
    first.conversation.end()
    first.conversation.forget()
    another = Stream(aggregator, "another")
    another.say(Open(SOURCE, 0), make_block(LINE, 0, SOURCE))
    assert another.answers() == []


def test_a_commit_is_told_to_every_stream_of_the_collector_that_is_open(aggregator: Aggregator) -> None:
    one, two, gone = Stream(aggregator), Stream(aggregator), Stream(aggregator)
    one.say(Open(SOURCE, 0), make_block(LINE, 0, SOURCE))
    gone.conversation.end()
    aggregator.commit(SOURCE, 7)
    for stream, acks in ((one, 1), (two, 1), (gone, 0)):
        assert [each for each in stream.answers() if isinstance(each, Ack)] == [Ack({SOURCE.id: 7})] * acks


def test_the_end_of_a_source_counts_only_where_it_stands(aggregator: Aggregator) -> None:
    stream = Stream(aggregator)
    stream.say(Open(SOURCE, 0), make_block(LINE, 0, SOURCE), Finish(SOURCE, 5), Finish(SOURCE, 7))
    assert [type(item) for item in aggregator.buffer.take(0)] == [Block]


def test_a_block_that_arrives_late_on_a_stream_whose_source_ended_on_another_does_not_come_in(
    aggregator: Aggregator,
) -> None:
    late, stream = Stream(aggregator), Stream(aggregator)
    late.say(Open(SOURCE, 0))
    stream.say(Open(SOURCE, 0), make_block(LINE, 0, SOURCE), Finish(SOURCE, 7))
    aggregator.buffer.take(0)
    aggregator.commit(SOURCE, 7, finished=True)
    stream.say(Open(make_source("another", collector="me"), 0))
    late.say(make_block(LINE, 0, SOURCE))
    assert aggregator.buffer.take(0) == []
    assert late.refusals() == [(RefusalReason.NOT_OPEN, 0, 0, True)]


def test_a_source_that_goes_on_after_its_end_is_let_in_once(aggregator: Aggregator) -> None:
    stream = Stream(aggregator)
    stream.say(Open(SOURCE, 0), make_block(LINE, 0, SOURCE), Finish(SOURCE, 7))
    again = Stream(aggregator)
    again.say(Open(SOURCE, 7), make_block(LINE, 7, SOURCE))
    aggregator.buffer.take(0)
    # Only now is the end committed, and what came behind it is still on its way.
    aggregator.commit(SOURCE, 7, finished=True)
    again.say(Open(SOURCE, 7), make_block(LINE, 7, SOURCE), make_block(LINE, 14, SOURCE))
    assert again.taken() == [(14, LINE)]


def test_a_collector_has_so_many_sources_open_and_no_more_whatever_streams_they_are_on(aggregator: Aggregator) -> None:
    a, b, c = (make_source(name, collector="me") for name in "abc")
    idle, first, second = (Stream(aggregator, most_sources=2) for _ in range(3))
    first.say(Open(a, 0))
    first.conversation.end()
    first.conversation.forget()
    second.say(Open(b, 0), Open(a, 0))
    for stream in (second, idle):
        with pytest.raises(WireError, match="2 sources open, and no more"):
            stream.say(Open(c, 0))
    second.say(Finish(a, 0))
    aggregator.commit(a, 0, finished=True)
    second.say(Open(c, 0))


def test_a_full_buffer_makes_the_stream_wait(tmp_path: Path, aside: Aside) -> None:
    with _aggregator(tmp_path, buffer_size=10) as aggregator:
        stream = Stream(aggregator)
        stream.say(Open(SOURCE, 0), make_block(LINE, 0, SOURCE))
        waiting = aside(lambda: stream.say(make_block(LINE, 7, SOURCE)))
        until(lambda: aggregator.buffer.full, "the buffer to be full")
        quiet(waiting.done, "the stream", 0.05)
        assert stream.taken() == [(0, LINE)]
        aggregator.buffer.release(7)
        waiting.result(10)
        assert stream.taken() == [(7, LINE)]


def test_the_end_of_the_aggregator_ends_a_stream_that_brings_something(aggregator: Aggregator) -> None:
    stream = Stream(aggregator)
    stream.say(Open(SOURCE, 0))
    aggregator.buffer.close()
    with pytest.raises(BufferClosed):
        stream.say(make_block(LINE, 0, SOURCE))


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (Hello("me", "again"), "a second hello"),
        (Describe(replace(SOURCE, id=b"")), "source id"),
        (Open(replace(SOURCE, path=b"x" * 5000), 0), "path"),
        (Open(SOURCE, 1 << 63), "position"),
    ],
)
def test_what_makes_no_sense_ends_the_conversation(
    aggregator: Aggregator, message: FromCollector, complaint: str
) -> None:
    with pytest.raises(WireError, match=complaint):
        Stream(aggregator).say(message)


def test_a_message_of_an_unknown_kind_ends_the_conversation(aggregator: Aggregator) -> None:
    with pytest.raises(WireError, match="is the collector newer"):
        Stream(aggregator).conversation.hear(wire.parse(b"\x9a\x06\x00"))


# What is said together


OTHER = make_source("b", collector="me")
SOUND = make_block(LINE, 0, SOURCE)
TOGETHER: dict[str, list[FromCollector]] = {
    "a whole source": [
        Describe(SOURCE),
        Open(SOURCE, 0),
        SOUND,
        Skip(SOURCE, 7, 9, SkipReason.HOLE),
        Finish(SOURCE, 9),
    ],
    "one that lies": [
        Open(SOURCE, 0),
        SOUND,
        make_block(LINE, 7, SOURCE)._replace(entries=2),
        make_block(LINE, 7, SOURCE),
    ],
    "one that was never opened": [Open(SOURCE, 0), SOUND, make_block(LINE, 0, OTHER), make_block(LINE, 7, SOURCE)],
    "one that leaves a gap, and what is behind it": [
        Open(SOURCE, 0),
        make_block(LINE, 7, SOURCE),
        make_block(LINE, 14, SOURCE),
        SOUND,
    ],
    "one twice": [Open(SOURCE, 0), SOUND, SOUND, make_block(LINE + LINE, 0, SOURCE)],
    "blocks before and behind the end": [Open(SOURCE, 0), SOUND, Finish(SOURCE, 7), make_block(LINE, 7, SOURCE)],
    "blocks before and behind the beginning": [SOUND, Open(SOURCE, 0), SOUND],
    "two sources in turns": [
        Open(SOURCE, 0),
        Open(OTHER, 0),
        *[make_block(LINE, start, source) for start in (0, 7, 14) for source in (SOURCE, OTHER)],
        Flush(),
    ],
    "skips and blocks in turns": [
        Open(SOURCE, 0),
        Skip(SOURCE, 0, 7, SkipReason.HOLE),
        make_block(LINE, 7, SOURCE),
        Skip(SOURCE, 14, 14, SkipReason.HOLE),
        Skip(SOURCE, 14, 21, SkipReason.HOLE),
        make_block(LINE, 21, SOURCE),
    ],
}


@pytest.mark.parametrize("messages", TOGETHER.values(), ids=TOGETHER.keys())
def test_what_is_said_together_is_taken_and_answered_as_if_it_came_one_by_one(
    tmp_path: Path, messages: list[FromCollector]
) -> None:
    outcomes = []
    for together in (False, True):
        with _aggregator(tmp_path / str(together)) as aggregator:
            stream = Stream(aggregator)
            if together:
                stream.say_together(*messages)
            else:
                stream.say(*messages)
            items = [
                (type(item), *((item.source.id, item.end) if isinstance(item, Block | Skip) else ()))
                for item in aggregator.buffer.take(0)
            ]
            outcomes.append((items, stream.answers(), aggregator.refused))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0]


def test_what_comes_before_nonsense_is_taken_all_the_same(aggregator: Aggregator) -> None:
    stream = Stream(aggregator)
    with pytest.raises(WireError, match="source id"):
        stream.say_together(Open(SOURCE, 0), SOUND, Describe(replace(SOURCE, id=b"")), make_block(LINE, 7, SOURCE))
    assert stream.taken() == [(0, LINE)]


def test_a_group_in_a_group_ends_the_conversation(aggregator: Aggregator) -> None:
    inner = pb.CollectorMessage(group=pb.CollectorGroup(messages=[pb.CollectorMessage(flush=pb.Flush())]))
    outer = pb.CollectorMessage(group=pb.CollectorGroup(messages=[inner]))
    with pytest.raises(WireError, match="a group in a group"):
        Stream(aggregator).conversation.hear(wire.parse(outer.SerializeToString()))


def test_an_empty_group_says_nothing(aggregator: Aggregator) -> None:
    stream = Stream(aggregator)
    stream.conversation.hear(wire.parse(pb.CollectorMessage(group=pb.CollectorGroup()).SerializeToString()))
    assert stream.answers() == []


def test_what_comes_together_waits_for_room_in_its_midst(tmp_path: Path, aside: Aside) -> None:
    with _aggregator(tmp_path, buffer_size=10) as aggregator:
        stream = Stream(aggregator)
        waiting = aside(lambda: stream.say_together(Open(SOURCE, 0), SOUND, make_block(LINE, 7, SOURCE)))
        until(lambda: aggregator.buffer.full, "the buffer to be full")
        quiet(waiting.done, "the stream", 0.05)
        assert stream.taken() == [(0, LINE)]
        aggregator.buffer.release(7)
        waiting.result(10)
        assert stream.taken() == [(7, LINE)]


# What another process of the collector's has left


@pytest.mark.case(50)
@pytest.mark.parametrize("described", [SOURCE, OTHER], ids=["under the same id", "under another id"])
@pytest.mark.parametrize("life", [b"second", b""], ids=["another process", "an unknown one"])
def test_a_source_is_answered_for_when_what_an_earlier_process_sent_of_it_is_committed(
    aggregator: Aggregator, aside: Aside, described: Source, life: bytes
) -> None:
    Stream(aggregator, life=b"first").say(Open(SOURCE, 0), SOUND)
    stream = Stream(aggregator, life=life)
    waiting = aside(lambda: stream.say(Describe(described)))
    until(lambda: Flush() in aggregator.buffer.take(0.1), "it should be published")
    quiet(waiting.done, "the stream", 0.05)
    aggregator.commit(SOURCE, 7)
    waiting.result(10)
    (resume,) = [each for each in stream.answers() if isinstance(each, Resume)]
    assert [(each.source_id, each.position) for each in resume.known] == [(SOURCE.id, 7)]


def test_a_source_is_answered_for_when_the_end_that_an_earlier_process_told_of_its_file_is_committed(
    aggregator: Aggregator, aside: Aside
) -> None:
    """Else it would go on as that."""
    aggregator.commit(SOURCE, 7)
    Stream(aggregator, life=b"first").say(Open(SOURCE, 7), Finish(SOURCE, 7))
    stream = Stream(aggregator, life=b"second")
    waiting = aside(lambda: stream.say(Describe(OTHER)))
    until(lambda: Flush() in aggregator.buffer.take(0.1), "it should be published")
    quiet(waiting.done, "the stream", 0.05)
    aggregator.commit(SOURCE, 7, finished=True)
    waiting.result(10)
    (answer,) = [each for each in stream.answers() if isinstance(each, Resume)]
    assert [(each.source_id, each.finished) for each in answer.known] == [(SOURCE.id, True)]


def test_a_process_that_comes_again_does_not_wait_for_what_it_sent(aggregator: Aggregator) -> None:
    Stream(aggregator, life=b"first").say(Open(SOURCE, 0), SOUND)
    stream = Stream(aggregator, life=b"first")
    stream.say(Describe(SOURCE))
    assert stream.answers() == [Resume(SOURCE.id, ())]
    assert Flush() not in aggregator.buffer.take(0)


def test_a_stream_does_not_wait_for_what_it_sent_itself(aggregator: Aggregator) -> None:
    stream = Stream(aggregator)
    stream.say(Open(SOURCE, 0), SOUND, Describe(OTHER))
    assert stream.answers() == [Resume(OTHER.id, ())]


def test_what_an_earlier_process_sent_of_other_files_is_not_waited_for(aggregator: Aggregator) -> None:
    Stream(aggregator, life=b"first").say(Open(SOURCE, 0), SOUND)
    stream = Stream(aggregator, life=b"second")
    elsewhere = make_source("c", collector="me", inode=3)
    stream.say(Describe(elsewhere))
    assert stream.answers() == [Resume(elsewhere.id, ())]


def test_waiting_for_what_an_earlier_process_sent_ends_with_the_stream(aggregator: Aggregator, aside: Aside) -> None:
    Stream(aggregator, life=b"first").say(Open(SOURCE, 0), SOUND)
    stream = Stream(aggregator, life=b"second")
    waiting = aside(lambda: stream.say(Describe(SOURCE)))
    until(lambda: Flush() in aggregator.buffer.take(0.1), "it should be published")
    stream.outbox.close()
    assert isinstance(waiting.exception(10), StreamEnded)


@pytest.mark.parametrize(
    "message", [Open(SOURCE, 0), SOUND, Skip(SOURCE, 0, 7, SkipReason.HOLE)], ids=["open", "block", "skip"]
)
def test_nothing_is_taken_in_of_a_stream_that_has_ended(aggregator: Aggregator, message: FromCollector) -> None:
    """Who comes after it is told what is committed, and sends the rest."""
    stream = Stream(aggregator)
    stream.say(Open(SOURCE, 0))
    stream.outbox.close()
    with pytest.raises(StreamEnded):
        stream.say(message)
    assert aggregator.buffer.take(0) == []


def test_a_report_is_passed_on_and_one_that_cannot_be_ends_the_stream(tmp_path: Path) -> None:
    heard: list[Report] = []
    aggregator = Aggregator(tmp_path)
    conversation = Conversation(
        Hello("me", "here"),
        Outbox(),
        buffer=aggregator.buffer,
        ledger=aggregator.ledger,
        peers=aggregator.peers,
        refused=aggregator.refused,
        on_report=heard.append,
    )
    conversation.hear(wire.parse(wire.serialize(Report(3, 5))))
    assert heard == [Report(3, 5)]
    with pytest.raises(WireError):
        conversation.hear(wire.Heard(pb.CollectorMessage(report=pb.Report(oldest=-1))))


OTHERS = [make_source(name, collector="me", inode=inode) for inode, name in enumerate("bcd", 3)]


def held(stream: Stream) -> tuple[list[bytes], bytes | None, bool]:
    """What is told of it: which sources, up to which, and whether nothing is because of others."""
    (holdings,) = [answer for answer in stream.answers() if isinstance(answer, Holdings)]
    last = None if holdings.last is None else holdings.last.id
    return [each.source.id for each in holdings.holdings], last, holdings.others


def test_who_asks_is_told_what_has_not_ended_and_is_not_open_on_its_streams(aggregator: Aggregator) -> None:
    before, stream = Stream(aggregator, life=b"before"), Stream(aggregator, life=b"now")
    for source in (SOURCE, *OTHERS):
        before.say(Open(source, 0))
        aggregator.commit(source, 7)
    aggregator.commit(make_source("e"), 7)
    before.conversation.end()
    before.conversation.forget()
    stream.say(Open(OTHERS[0], 0))
    aggregator.commit(OTHERS[1], 7, finished=True)
    stream.say(Inventory())
    assert held(stream) == ([SOURCE.id, OTHERS[2].id], None, False)


def test_what_a_process_has_ended_is_not_told_to_it_while_its_end_is_on_its_way(aggregator: Aggregator) -> None:
    stream = Stream(aggregator, life=b"now")
    stream.say(Open(SOURCE, 0))
    aggregator.commit(SOURCE, 7)
    stream.say(Finish(SOURCE, 7), Inventory())
    assert held(stream) == ([], None, False)


def test_it_is_told_whether_another_process_is_connected(aggregator: Aggregator) -> None:
    aggregator.commit(SOURCE, 7)
    stream, other = Stream(aggregator, life=b"now"), Stream(aggregator, life=b"other")
    stream.say(Inventory())
    assert held(stream) == ([SOURCE.id], None, True)
    other.conversation.forget()
    stream = Stream(aggregator, life=b"now")
    stream.say(Inventory())
    assert held(stream) == ([SOURCE.id], None, False)


def test_what_has_ended_is_told_also_while_another_process_is_connected(aggregator: Aggregator) -> None:
    aggregator.commit(SOURCE, 7, finished=True)
    aggregator.commit(OTHERS[0], 7)
    stream, _ = Stream(aggregator, life=b"now"), Stream(aggregator, life=b"other")
    stream.say(Inventory(ended=True))
    assert held(stream) == ([SOURCE.id], None, False)


def test_what_a_process_before_has_left_in_flight_is_committed_before_it_is_told_what_has_ended(
    aggregator: Aggregator, aside: Aside
) -> None:
    """Who asks has lost the names and inodes by which it would wait for them one by one."""
    Stream(aggregator, life=b"first").say(Open(SOURCE, 0), SOUND, Finish(SOURCE, 7))
    stream = Stream(aggregator, life=b"second")
    waiting = aside(lambda: stream.say(Inventory(ended=True)))
    until(lambda: Flush() in aggregator.buffer.take(0.1), "it should be published")
    quiet(waiting.done, "the stream", 0.05)
    aggregator.commit(SOURCE, 7, finished=True)
    waiting.result(10)
    assert held(stream) == ([SOURCE.id], None, False)


def test_what_is_held_comes_in_pages_and_all_of_it_once(aggregator: Aggregator) -> None:
    sources = [make_source(f"{number}", collector="me", inode=number % 7) for number in range(600)]
    aggregator.ledger.commit(
        [Advance(source, 0, 7, 1, Marker(), number % 3 == 0) for number, source in enumerate(sources)]
    )
    told: list[bytes] = []
    pages, after = 0, None
    while not pages or after is not None:
        pages += 1
        stream = Stream(aggregator, life=b"now")
        stream.say(Inventory(after))
        (page,) = [answer for answer in stream.answers() if isinstance(answer, Holdings)]
        told += [each.source.id for each in page.holdings]
        after = page.last
        stream.conversation.forget()
    assert pages == 2
    assert sorted(told) == sorted(source.id for number, source in enumerate(sources) if number % 3)
