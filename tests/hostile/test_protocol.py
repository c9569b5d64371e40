"""The stream, as a client sees it."""

from pathlib import Path

import grpc

from harness.until import quiet, until
from hostile.client import Stream, block, connect, describe
from hostile.served import Served
from mega_collector import __version__, wire
from mega_collector.api import api_pb2 as pb
from mega_collector.marker import Marker
from mega_collector.wire.zstd import zstd

A = b"source a"
B = b"source b"


def open_source(stream: Stream, source: bytes = A, collector: str = "scripted") -> None:
    stream.greet(collector)
    stream.open(source)


def test_hello_is_welcomed_with_the_limits(stream: Stream) -> None:
    welcome = stream.greet()
    assert (welcome.max_message_size, welcome.version) == (wire.MAX_MESSAGE_SIZE, __version__)
    assert welcome.window > 0


def test_nothing_is_known_of_a_new_source(stream: Stream) -> None:
    stream.greet()
    stream.say(describe=pb.Describe(source=describe(A)))
    assert stream.hear("resume") == pb.Resume(source=A)


def test_a_block_is_acknowledged_when_it_is_at_the_destination(served: Served, stream: Stream) -> None:
    open_source(stream)
    stream.say(block=block(A, 0, b"one\ntwo\n"))
    stream.hear_position(A, 8)
    assert served.output() == b"one\ntwo\n"


def test_what_is_committed_is_known_on_the_next_stream(channel: grpc.Channel) -> None:
    with Stream(channel) as first:
        open_source(first)
        first.say(block=block(A, 0, b"one\ntwo\n"))
        first.hear_position(A, 8)
    with Stream(channel) as second:
        second.greet()
        second.say(describe=pb.Describe(source=describe(A)))
        (known,) = second.hear("resume").known
    told = Marker.of(b"one\ntwo\n")
    # It was described as an empty file, and its first bytes have come since.
    marker = pb.Marker(length=told.length, digest=told.digest)
    assert known == pb.Known(source=A, position=8, before=marker, head=marker)


def test_earlier_sources_with_the_same_inode_are_known_too(channel: grpc.Channel) -> None:
    with Stream(channel) as first:
        open_source(first)
        first.say(block=block(A, 0, b"one\n"))
        first.hear_position(A, 4)
        first.say(describe=pb.Describe(source=describe(B)))
        assert [(known.source, known.position) for known in first.hear("resume").known] == [(A, 4)]
        first.say(describe=pb.Describe(source=describe(B, inode=3)))
        assert not first.hear("resume").known


def test_what_another_collector_has_shipped_is_not_told(channel: grpc.Channel) -> None:
    with Stream(channel) as first, Stream(channel) as second:
        open_source(first)
        first.say(block=block(A, 0, b"one\n"))
        first.hear_position(A, 4)
        second.greet("another")
        second.say(describe=pb.Describe(source=describe(A)))
        assert not second.hear("resume").known


def test_a_gap_is_refused_with_the_expected_position(served: Served, stream: Stream) -> None:
    open_source(stream)
    stream.say(block=block(A, 0, b"one\n"))
    stream.hear_position(A, 4)
    stream.say(block=block(A, 8, b"three\n"))
    refusal = stream.hear("refusal")
    assert (refusal.source, refusal.start, refusal.expected) == (A, 8, 4)
    assert refusal.reason == pb.REFUSAL_REASON_WRONG_START
    assert refusal.retry
    stream.say(block=block(A, 4, b"two\nthree\n"))
    until(lambda: served.output() == b"one\ntwo\nthree\n", lambda: repr(served.output()))


def test_an_exact_repeat_is_dropped_and_acknowledged(served: Served, stream: Stream) -> None:
    open_source(stream)
    for _ in range(3):
        stream.say(block=block(A, 0, b"one\n"))
        stream.hear_position(A, 4)
    quiet(served.output, "the destination", 0.1)
    assert served.output() == b"one\n"
    assert served.aggregator.statistics().server.blocks_duplicate == 2


def test_of_an_overlap_only_what_is_new_is_taken(served: Served, stream: Stream) -> None:
    open_source(stream)
    stream.say(block=block(A, 0, b"one\ntwo\n"))
    stream.say(block=block(A, 4, b"two\nthree\nfour\n"))
    stream.hear_position(A, 19)
    assert served.output() == b"one\ntwo\nthree\nfour\n"


def test_opening_beyond_what_is_committed_is_refused_with_the_expected_position(channel: grpc.Channel) -> None:
    with Stream(channel) as first:
        open_source(first)
        first.say(block=block(A, 0, b"one\n"))
        first.hear_position(A, 4)
        first.open(A, position=100)
        refusal = first.hear("refusal")
    assert (refusal.expected, refusal.reason, refusal.retry) == (4, pb.REFUSAL_REASON_WRONG_START, True)


def test_a_new_source_is_taken_from_where_the_collector_says(served: Served, stream: Stream) -> None:
    stream.greet()
    stream.open(A, position=1000)
    stream.say(block=block(A, 1000, b"later\n"))
    stream.hear_position(A, 1006)
    assert served.output() == b"later\n"


def test_acknowledgements_go_to_every_open_stream_of_a_collector_and_to_no_other(channel: grpc.Channel) -> None:
    with Stream(channel) as ships, Stream(channel) as listens, Stream(channel) as stranger:
        listens.greet()
        stranger.greet("another")
        open_source(ships)
        ships.say(block=block(A, 0, b"one\n"))
        ships.hear_position(A, 4)
        listens.hear_position(A, 4)
        stranger.say(describe=pb.Describe(source=describe(A)))
        stranger.hear("resume")  # and nothing before it


def test_a_skip_moves_the_position_without_bytes(served: Served, stream: Stream) -> None:
    open_source(stream)
    stream.say(skip=pb.Skip(source=A, start=0, end=1 << 40, reason=pb.SKIP_REASON_HOLE))
    stream.say(block=block(A, 1 << 40, b"after the hole\n"))
    stream.hear_position(A, (1 << 40) + 15)
    assert served.output() == b"after the hole\n"


def test_a_finished_source_is_not_open_any_more(stream: Stream) -> None:
    open_source(stream)
    stream.say(block=block(A, 0, b"one\n"))
    stream.hear_position(A, 4)
    stream.say(finish=pb.Finish(source=A, position=4))
    stream.hear_position(A, 4)
    stream.say(block=block(A, 4, b"two\n"))
    refusal = stream.hear("refusal")
    assert (refusal.reason, refusal.retry) == (pb.REFUSAL_REASON_NOT_OPEN, True)


def test_an_unterminated_entry_gets_one_newline_that_no_position_counts(served: Served, stream: Stream) -> None:
    open_source(stream)
    stream.say(block=block(A, 0, b"one\nend", unterminated=True, entries=2))
    stream.hear_position(A, 7)
    assert served.output() == b"one\nend\n"


def test_a_compressed_block_is_as_good(served: Served, stream: Stream) -> None:
    data = b"one line as the other\n" * 1000
    open_source(stream)
    message = pb.Block()
    message.CopyFrom(block(A, 0, data))
    message.payload = zstd.compressor.compress(data)
    message.compression = pb.COMPRESSION_ZSTD
    stream.say(block=message)
    stream.hear_position(A, len(data))
    assert served.output() == data


def test_the_grant_grows_with_the_first_acknowledgement_and_is_shared_among_streams(channel: grpc.Channel) -> None:
    with Stream(channel) as first:
        little = first.greet().window
        first.open(A)
        first.say(block=block(A, 0, b"one\n"))
        alone = first.hear_all("ack", "grant")["grant"].window
        assert alone > little
        with Stream(channel) as second:
            assert second.greet().window == little
            assert first.hear("grant").window == alone // 2
        assert first.hear("grant").window == alone


def test_flush_publishes_without_waiting_for_a_batch_to_fill(tmp_path: Path) -> None:
    with (
        Served(tmp_path, minimum_publish_frequency=3600.0) as served,
        connect(served.target) as channel,
        Stream(channel) as stream,
    ):
        open_source(stream)
        stream.say(block=block(A, 0, b"one\n"))
        stream.say(flush=pb.Flush())
        stream.hear_position(A, 4)
