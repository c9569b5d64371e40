"""What the port says of itself: health follows the destination, and answers whatever else is the matter."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from certificates import Authority
from harness.until import DEADLINE, until
from hostile.client import Stream, block, connect
from hostile.served import Served
from mega_collector.aggregator.listener import SERVICE
from mega_collector.api import api_pb2 as pb
from mega_collector.emitter.configuration import FileConfiguration

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
A = b"source a"


def check(channel: grpc.Channel, service: str = "") -> int:
    request = health_pb2.HealthCheckRequest(service=service)
    return int(health_pb2_grpc.HealthStub(channel).Check(request, timeout=DEADLINE).status)


def looked(served: Served, channel: grpc.Channel) -> int:
    """What health answers once it has been brought up to date, as `run` does all the while."""
    served.aggregator.look()
    return check(channel)


@pytest.mark.parametrize("service", ["", SERVICE])
def test_who_serves_says_so(channel: grpc.Channel, service: str) -> None:
    assert check(channel, service) == SERVING


def test_an_unknown_service_is_not_found(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as error:
        check(channel, "another.Service")
    assert error.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[Served]:
    """Its destination fails until the directory is there again."""
    directory = tmp_path / "there"
    directory.mkdir()
    (tmp_path / "served").mkdir()
    settings: dict[str, Any] = {
        "file_configuration": FileConfiguration(directory / "out.log"),
        "retry_delay": 0.02,
        "retry_count": 30,  # none of them a minute later, however slow the machine
    }
    with Served(tmp_path / "served", **settings) as served:
        served.out = directory / "out.log"
        yield served


def test_health_follows_the_destination(failing: Served) -> None:
    there = failing.out.parent
    with connect(failing.target) as channel, Stream(channel) as stream:
        stream.greet()
        stream.open(A)
        there.rename(there.with_name("gone"))
        stream.say(block=block(A, 0, b"one\n"))
        until(lambda: looked(failing, channel) == NOT_SERVING, "it should tell that the destination fails")
        assert check(channel, SERVICE) == NOT_SERVING
        there.with_name("gone").rename(there)
        stream.hear_position(A, 4)
        until(lambda: looked(failing, channel) == SERVING, "it should tell that the destination is well again")
        assert failing.output() == b"one\n"


def test_who_watches_is_told_of_each_change(failing: Served) -> None:
    there = failing.out.parent
    with connect(failing.target) as channel, Stream(channel) as stream:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=DEADLINE)
        assert next(watch).status == SERVING
        stream.greet()
        stream.open(A)
        there.rename(there.with_name("gone"))
        stream.say(block=block(A, 0, b"one\n"))
        until(lambda: looked(failing, channel) == NOT_SERVING, "it should tell that the destination fails")
        assert next(watch).status == NOT_SERVING
        there.with_name("gone").rename(there)
        stream.hear_position(A, 4)
        failing.aggregator.look()
        assert next(watch).status == SERVING
        watch.cancel()


@pytest.mark.case(85)
def test_health_says_not_serving_before_the_port_closes(tmp_path: Path) -> None:
    with Served(tmp_path) as served, connect(served.target) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=DEADLINE)
        assert next(watch).status == SERVING
        served.aggregator._listener.refuse()
        assert next(watch).status == NOT_SERVING
        watch.cancel()


@pytest.fixture
def blocked(tmp_path: Path) -> Iterator[Served]:
    """Takes two streams, and its destination is a pipe that nobody empties."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    settings: dict[str, Any] = {
        "file_configuration": FileConfiguration(pipe),
        "max_streams": 2,
        "ingest_buffer_size": 1 << 20,
        "shutdown_timeout": 0.2,
    }
    emptying = Thread(target=_empty, args=(reader,))
    try:
        with Served(tmp_path, **settings) as served:
            try:
                yield served
            finally:
                emptying.start()
        emptying.join()
    finally:
        os.close(reader)


def _empty(reader: int) -> None:
    """Read on until the pipe's last writer closes it."""
    os.set_blocking(reader, True)
    while os.read(reader, 1 << 20):
        pass


def test_health_answers_while_every_stream_is_busy_and_blocked(blocked: Served) -> None:
    data = b"x" * 999 + b"\n"
    with connect(blocked.target) as channel, ExitStack() as open_ones:
        for number in range(2):
            stream = open_ones.enter_context(Stream(channel))
            stream.greet(f"collector {number}")
            source = b"source %d" % number
            stream.open(source)
            for each in range(8):
                stream.say(block=block(source, each * 512_000, data * 512))
        until(
            lambda: blocked.aggregator.statistics().buffer.waiting == 2,
            "both streams should wait for room in the ingest buffer",
        )
        assert check(channel) == SERVING
        assert check(channel, SERVICE) == SERVING


def test_streams_that_are_too_many_are_refused_with_a_reason_and_served_when_one_ends(tmp_path: Path) -> None:
    with Served(tmp_path, max_streams=2) as served, connect(served.target) as channel:
        with Stream(channel) as first, Stream(channel) as second:
            first.greet("first")
            second.greet("second")
            for _ in range(20):
                with Stream(channel) as third:
                    error = third.hear_end()
                assert error is not None
                assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                assert "AGGREGATOR_MAX_STREAMS" in (error.details() or "")
            second.open(A)  # who was served before is served all the same
            second.say(block=block(A, 0, b"one\n"))
            second.hear_position(A, 4)
        until(lambda: served.aggregator.statistics().server.streams == 0, "the streams should have ended")
        until(lambda: _is_welcome(channel), "there should be room again")


def _is_welcome(channel: grpc.Channel) -> bool:
    with Stream(channel) as stream:
        stream.say(hello=pb.Hello(collector="third"))
        return isinstance(stream._next(), pb.AggregatorMessage)


def listed(channel: grpc.Channel) -> list[str]:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=DEADLINE)
    return sorted(service.name for service in answer.list_services_response.service)


def test_reflection_lists_exactly_the_services(channel: grpc.Channel) -> None:
    assert listed(channel) == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "mega_collector.v1.Aggregator",
    ]


def test_health_and_reflection_are_behind_tls_too(tmp_path: Path) -> None:
    material = Authority().material()
    with Served(tmp_path, material=material) as served:
        with connect(served.target, material) as channel:
            assert check(channel) == SERVING
            assert SERVICE in listed(channel)
        with connect(served.target) as channel, pytest.raises(grpc.RpcError):
            check(channel)
