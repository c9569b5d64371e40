"""The unary call, for small clients."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from harness.until import DEADLINE
from hostile.client import Stream, block, describe
from hostile.served import Served, bystander
from mega_collector.api import api_pb2 as pb, api_pb2_grpc

A = b"source a"


def publish(channel: grpc.Channel, message: pb.Block, collector: str = "unary", **source: Any) -> int:
    request = pb.PublishRequest(collector=pb.Hello(collector=collector), source=describe(A, **source), block=message)
    response: pb.PublishResponse = api_pb2_grpc.AggregatorStub(channel).Publish(request, timeout=DEADLINE)
    return response.position


def refused(channel: grpc.Channel, message: pb.Block, **who: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as error:
        publish(channel, message, **who)
    return error.value.code(), error.value.details() or ""


def test_a_block_is_answered_when_it_is_at_the_destination(served: Served, channel: grpc.Channel) -> None:
    assert publish(channel, block(A, 0, b"one\n")) == 4
    assert served.output() == b"one\n"
    assert publish(channel, block(A, 4, b"two\n")) == 8
    assert served.output() == b"one\ntwo\n"


def test_repeated_calls_change_nothing(served: Served, channel: grpc.Channel) -> None:
    with ThreadPoolExecutor(4) as pool:
        positions = list(pool.map(lambda _: publish(channel, block(A, 0, b"one\n")), range(12)))
    assert positions == [4] * 12
    assert served.output() == b"one\n"


def test_a_gap_is_refused_with_the_expected_position(served: Served, channel: grpc.Channel) -> None:
    publish(channel, block(A, 0, b"one\n"))
    code, details = refused(channel, block(A, 8, b"three\n"))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert details == "expected at 4, not 8"
    assert served.output() == b"one\n"


@pytest.mark.parametrize(
    ("message", "who", "reason"),
    [
        (block(A, 0, b"one\n", crc32=1), {}, "checksum"),
        (block(A, 0, b""), {}, "1 to"),
        (block(b"another", 0, b"one\n"), {}, "another source"),
        (block(A, 0, b"one\n"), {"collector": ""}, "no id"),
        (block(A, 0, b"one\n"), {"path": b"p" * 5000}, "a path has at most"),
    ],
)
def test_what_contradicts_itself_is_refused_with_the_reason(
    served: Served, channel: grpc.Channel, message: pb.Block, who: dict[str, Any], reason: str
) -> None:
    code, details = refused(channel, message, **who)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert reason in details
    assert served.output() == b""


@pytest.mark.parametrize("start", [(1 << 63) - 2, 1 << 63, (1 << 64) - 1])
def test_a_position_beyond_the_end_of_all_is_refused_and_the_others_go_on(
    served: Served, channel: grpc.Channel, start: int
) -> None:
    code, details = refused(channel, block(A, start, b"one\n"))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "a position is at most" in details
    with bystander(served):
        pass


def test_a_block_that_is_refused_leaves_no_trace_of_its_position(served: Served, channel: grpc.Channel) -> None:
    refused(channel, block(A, 1000, b"one\n", crc32=1))
    assert publish(channel, block(A, 0, b"one\n")) == 4
    assert served.output() == b"one\n"


def test_another_collectors_source_is_refused(served: Served, channel: grpc.Channel) -> None:
    publish(channel, block(A, 0, b"one\n"))
    code, details = refused(channel, block(A, 4, b"evil\n"), collector="thief")
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "another collector's" in details
    assert served.output() == b"one\n"


def test_what_a_stream_has_shipped_is_a_repeat(served: Served, channel: grpc.Channel) -> None:
    with Stream(channel) as stream:
        stream.greet("unary")
        stream.open(A)
        stream.say(block=block(A, 0, b"one\n"))
        stream.hear_position(A, 4)
        assert publish(channel, block(A, 0, b"one\n")) == 4
    assert served.output() == b"one\n"
