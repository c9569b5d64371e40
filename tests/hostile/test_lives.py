"""Two processes of one collector, one after the other: what the first left in flight is told to the second."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from harness.until import until
from hostile.client import Stream, block, connect, describe
from hostile.served import Served
from mega_collector.api import api_pb2 as pb

A = b"source a"
B = b"source b"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Publishes when it is asked to."""
    with Served(tmp_path, minimum_publish_frequency=3600) as served:
        yield served


def leave(served: Served, channel: grpc.Channel, data: bytes, life: bytes) -> None:
    """A process sends something and dies."""
    with Stream(channel) as stream:
        stream.greet(life=life)
        stream.open(A)
        stream.say(block=block(A, 0, data))
        # Answered behind the block: it is taken in.
        stream.say(describe=pb.Describe(source=describe(b"beacon", inode=7)))
        stream.hear("resume")
    assert served.output() == b""


@pytest.mark.case(50)
@pytest.mark.parametrize("source", [A, B], ids=["under the same id", "under another id"])
def test_it_is_published_before_its_file_is_answered_for(served: Served, channel: grpc.Channel, source: bytes) -> None:
    leave(served, channel, b"one\ntwo\n", b"first")
    with Stream(channel) as second:
        second.greet(life=b"second")
        second.say(describe=pb.Describe(source=describe(source)))
        # Committed is committed for all streams: which is said first does not matter.
        resume = second.hear_all("resume", "ack")["resume"]
    assert [(known.source, known.position) for known in resume.known] == [(A, 8)]
    assert served.output() == b"one\ntwo\n"


def test_the_same_process_on_another_connection_does_not_wait(served: Served, channel: grpc.Channel) -> None:
    leave(served, channel, b"one\n", b"first")
    with Stream(channel) as again:
        again.greet(life=b"first")
        again.say(describe=pb.Describe(source=describe(A)))
        assert not again.hear("resume").known
    assert served.output() == b""


@pytest.mark.case(50)
def test_a_destination_that_takes_nothing_delays_the_answer_and_hangs_nobody(tmp_path: Path) -> None:
    """The fixture's end asserts that the aggregator ends in order."""
    with Served(tmp_path, minimum_publish_frequency=3600) as served, connect(served.target) as channel:
        leave(served, channel, b"one\n", b"first")
        served.out.unlink()
        served.out.mkdir()
        with Stream(channel) as second, Stream(channel) as other:
            second.greet(life=b"second")
            second.say(describe=pb.Describe(source=describe(A)))
            other.greet(life=b"second")
            other.say(describe=pb.Describe(source=describe(B, inode=9)))
            assert not other.hear("resume").known
            served.out.rmdir()
            assert [known.position for known in second.hear_all("resume", "ack")["resume"].known] == [4]


def _welcomed_at_last(streams: ExitStack, channel: grpc.Channel, life: bytes) -> Stream:
    """A stream, as soon as the aggregator has seen that the one before is gone."""
    stream = until(lambda: _welcomed(streams, channel, life), "the slot should be free again")
    assert stream is not None
    return stream


def _welcomed(streams: ExitStack, channel: grpc.Channel, life: bytes) -> Stream | None:
    """A stream, if there is a slot for it."""
    stream = streams.enter_context(Stream(channel))
    try:
        stream.greet(life=life)
    except AssertionError:
        return None
    return stream


def test_a_stream_that_goes_while_it_waits_leaves_its_slot_to_others(tmp_path: Path) -> None:
    with Served(tmp_path, minimum_publish_frequency=3600, max_streams=1) as served, connect(served.target) as channel:
        leave(served, channel, b"one\n", b"first")
        served.out.unlink()
        served.out.mkdir()
        with ExitStack() as streams:
            second = _welcomed_at_last(streams, channel, b"second")
            second.say(describe=pb.Describe(source=describe(A)))
        served.out.rmdir()
        with ExitStack() as streams:
            third = _welcomed_at_last(streams, channel, b"third")
            third.say(describe=pb.Describe(source=describe(A)))
            assert third.hear_any()
