"""Peers that take more than their share: what they can cost is bounded, and others are served all the same."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2_grpc

from harness.until import DEADLINE, quiet, until
from hostile.client import Stream, block, connect, describe
from hostile.served import Served, bystander
from mega_collector.address import Address
from mega_collector.aggregator.batcher import Batcher
from mega_collector.aggregator.ingest_buffer import MOST_ITEMS, IngestBuffer
from mega_collector.aggregator.ledger import Ledger
from mega_collector.aggregator.listener import Listener
from mega_collector.aggregator.peers import Peers
from mega_collector.aggregator.pipeline import Pipeline
from mega_collector.aggregator.server import AggregatorServicer
from mega_collector.api import api_pb2 as pb, api_pb2_grpc
from mega_collector.block import Block, Skip, SkipReason, Source
from mega_collector.emitter.blackhole import BlackholeEmitter
from mega_collector.marker import Marker
from mega_collector.protocol import Finish, Flush, Holdings

A = b"source a"
SOURCE = Source(A, b"/a", 1, 2, Marker())
MANY = 20_000

DEAF = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 64 << 10))
"""How a client connects that takes next to nothing in while nobody listens."""


class Torrent:
    """Says the same without end, as fast as it is taken, and never listens. `said` counts."""

    def __init__(self, channel: grpc.Channel, *first: pb.CollectorMessage, then: pb.CollectorMessage) -> None:
        self._first = first
        self._then = then
        self.said = 0
        self.call = api_pb2_grpc.AggregatorStub(channel).PublishStream(self._messages())

    def _messages(self) -> Iterator[pb.CollectorMessage]:
        yield from self._first
        while self.said < MANY:
            self.said += 1
            yield self._then

    def wait_until_it_stands_still(self) -> None:
        end = time.monotonic() + DEADLINE
        before, since = -1, time.monotonic()
        while time.monotonic() < end:
            if self.said != before:
                before, since = self.said, time.monotonic()
            elif time.monotonic() > since + 0.5:
                break
            time.sleep(0.01)
        assert self.said < MANY, "nobody stopped it"


def hello(collector: str = "torrent") -> pb.CollectorMessage:
    return pb.CollectorMessage(hello=pb.Hello(collector=collector))


def opened(source: bytes = A) -> pb.CollectorMessage:
    return pb.CollectorMessage(open=pb.Open(source=describe(source)))


ASKING = pb.CollectorMessage(describe=pb.Describe(source=describe(A, path=b"p" * 2000)))
GAP = pb.CollectorMessage(block=block(A, 1000, b"x" * 999 + b"\n"))


@pytest.mark.parametrize("then", [ASKING, GAP], ids=["describes", "blocks that leave a gap"])
def test_who_asks_and_never_listens_is_not_read_any_more(served: Served, then: pb.CollectorMessage) -> None:
    with bystander(served), connect(served.target, options=DEAF) as channel:
        torrent = Torrent(channel, hello(), opened(), then=then)
        torrent.wait_until_it_stands_still()
        torrent.call.cancel()


def test_who_never_listens_does_not_hold_up_another_stream_of_the_same_collector(served: Served) -> None:
    with connect(served.target, options=DEAF) as deaf, connect(served.target) as channel, Stream(channel) as stream:
        torrent = Torrent(deaf, hello("same"), opened(), then=GAP)
        torrent.wait_until_it_stands_still()
        stream.greet("same")
        stream.open(b"another")
        stream.say(block=block(b"another", 0, b"one\n"))
        stream.hear_position(b"another", 4)
        torrent.call.cancel()


@pytest.mark.parametrize("ended", [False, True])
def test_of_one_collector_one_page_at_a_time_is_read_however_many_of_its_streams_ask(
    served: Served, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    ledger, asking, most = served.aggregator._ledger, SimpleQueue[None](), 0

    def read_slowly(*_: object) -> Holdings:
        nonlocal most
        asking.put(None)
        most = max(most, asking.qsize())
        time.sleep(0.05)
        asking.get()
        return Holdings()

    monkeypatch.setattr(ledger, "ended", read_slowly)
    monkeypatch.setattr(ledger, "holdings", read_slowly)
    with connect(served.target) as channel, ExitStack() as opened:
        streams = [opened.enter_context(Stream(channel)) for _ in range(5)]
        for stream in streams:
            stream.greet("same")
            stream.say(inventory=pb.Inventory(ended=ended))
        for stream in streams:
            stream.hear("holdings")
    assert most == 1


@pytest.mark.parametrize(
    "item",
    [Flush(), Skip(SOURCE, 0, 1, SkipReason.HOLE), Finish(SOURCE, 0), Block(SOURCE, 0, b"\n", 1)],
    ids=["flush", "skip", "finish", "block of one byte"],
)
def test_what_costs_more_than_its_bytes_is_bounded_in_number(item: Block | Skip | Finish | Flush) -> None:
    buffer = IngestBuffer(1 << 30)
    for _ in range(MOST_ITEMS):
        buffer.put(item)
    late = Thread(target=buffer.put, args=(item,))
    late.start()
    until(lambda: buffer.statistics().waiting == 1, "one more should wait for room")
    assert len(buffer.take(None)) == MOST_ITEMS
    late.join(DEADLINE)
    assert buffer.take(None) == [item]


def test_refused_blocks_are_logged_once_for_each_reason(served: Served, stream: Stream) -> None:
    stream.greet()
    stream.open(A)
    for number in range(100):
        stream.say(block=block(A, 0, b"one\n", crc32=number))
        stream.say(block=block(b"not open", number, b"one\n"))
    for _ in range(200):
        stream.hear("refusal")
    assert len(served.events("block_refused")) == 2
    assert served.aggregator.statistics().server.blocks_refused == 200


def test_collectors_that_have_gone_are_forgotten(served: Served, channel: grpc.Channel) -> None:
    for number in range(20):
        with Stream(channel) as stream:
            stream.greet(f"collector {number}")
            stream.open(b"source %d" % number)
            stream.say(block=block(b"source %d" % number, 0, b"one\n"))
            stream.hear_position(b"source %d" % number, 4)
            stream.open(b"never shipped %d" % number)
    until(lambda: served.aggregator.statistics().server.collectors == 0, "nothing of them should be kept")
    with Stream(channel) as stream:  # and yet known
        stream.greet("collector 7")
        stream.open(b"source 7")
        stream.say(block=block(b"source 7", 0, b"one\ntwo\n"))
        stream.hear_position(b"source 7", 8)
    assert served.output() == b"one\n" * 20 + b"two\n"


def test_a_collector_that_has_gone_with_something_in_flight_is_forgotten_when_it_is_committed(tmp_path: Path) -> None:
    with Served(tmp_path, minimum_publish_frequency=0.5) as served, connect(served.target) as channel:
        with Stream(channel) as stream:
            stream.greet()
            stream.open(A)
            stream.say(block=block(A, 0, b"one\n"))
            until(lambda: served.aggregator.statistics().buffer.size, "the block should be taken in")
        with Stream(channel) as stream:  # what is in flight is not taken in again
            stream.greet()
            stream.open(A)
            stream.say(block=block(A, 0, b"one\n"))
            stream.hear_position(A, 4) if not served.output() else None
        until(lambda: served.aggregator.statistics().server.collectors == 0, "nothing of it should be kept")
        assert served.output() == b"one\n"


def test_skips_and_ends_that_come_together_cost_one_transaction(tmp_path: Path) -> None:
    ledger, buffer = Ledger(tmp_path), IngestBuffer(1 << 20)
    pipeline = Pipeline(
        buffer=buffer,
        batcher=Batcher(max_entries=10, max_bytes=1000, max_age=1.0),
        emitter=BlackholeEmitter(),
        ledger=ledger,
        peers=Peers(1 << 20),
        pause=lambda _: False,
        on_failure=lambda: None,
    )
    for number in range(500):
        buffer.put(Skip(SOURCE, number, number + 1, SkipReason.HOLE))
    buffer.put(Finish(SOURCE, 500))
    buffer.close()
    pipeline.start()
    assert pipeline.join(DEADLINE)
    assert pipeline.statistics().commits == 1
    assert [known.position for known in ledger.known("", A, 1, 2)] == [500]
    ledger.close(clean=True)


def test_reflection_is_served_to_few_at_once_so_that_it_cannot_take_all_threads(tmp_path: Path) -> None:
    silence: SimpleQueue[None] = SimpleQueue()
    with Served(tmp_path, max_streams=1) as served, connect(served.target) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        calls = [stub.ServerReflectionInfo(iter(silence.get, None)) for _ in range(50)]
        try:
            refused = until(lambda: [call for call in calls if call.done()], "most should be refused")
            assert refused[0].code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            with connect(served.target) as other, Stream(other) as stream:
                assert stream.greet().window
        finally:
            for call in calls:
                call.cancel()
                silence.put(None)


def test_a_stream_that_does_not_say_hello_in_time_is_ended_and_its_slot_is_free(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    servicer = AggregatorServicer(
        buffer=IngestBuffer(1 << 20), ledger=ledger, peers=Peers(1 << 20), max_streams=1, hello_timeout=0.1
    )
    listener = Listener(Address("127.0.0.1", 0), max_streams=1, credentials=None)
    listener.start(servicer)
    try:
        with connect(listener.address.target) as channel:
            with Stream(channel) as silent:
                assert silent.hear_end() is not None
            # Its end is heard a moment sooner than its slot is free.
            until(lambda: servicer._slots._value, "the slot should be free")
            with Stream(channel) as stream:
                stream.greet()
                quiet(stream.call.done, "a stream that has said hello", 0.3)
                assert stream.call.is_active()
    finally:
        servicer.stop()
        listener.stop(1)
        ledger.close(clean=True)


def test_streams_that_are_too_many_are_told_of_once_for_each_machine(tmp_path: Path) -> None:
    with Served(tmp_path, max_streams=1) as served, connect(served.target) as channel, Stream(channel) as first:
        first.greet()
        for _ in range(10):
            with connect(served.target) as other, Stream(other) as refused:
                assert refused.hear_end() is not None
        assert len(served.events("stream_refused")) == 1
