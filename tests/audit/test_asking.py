"""What an aggregator answers is not trusted either."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from mega_collector import wire
from mega_collector.api import api_pb2 as pb
from mega_collector.audit.asking import Unanswered, ask
from mega_collector.block import Source
from mega_collector.marker import Marker
from mega_collector.protocol import Hello, Passage, Record

ME = Hello("me", "test")
Answer = Callable[[grpc.ServicerContext], Iterator[bytes]]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """Something that answers every call with these bytes."""

    class Anything(grpc.GenericRpcHandler):
        def service(self, handler_call_details: object) -> "grpc.RpcMethodHandler[bytes, bytes]":
            return grpc.unary_stream_rpc_method_handler(lambda _request, context: answer(context))

    server = grpc.server(ThreadPoolExecutor(1), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((Anything(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def asked(*pages: bytes, silence: float = 20) -> list[Record]:
    with answering(lambda _: iter(pages)) as target:
        return ask(target, ME, credentials=None, server_name=None, silence=silence)


def record(**fields: Any) -> pb.Record:
    sound = {"source": pb.Description(source=b"a", path=b"/log"), "first": 0, "position": 5}
    return pb.Record(**{**sound, **fields})


def page(*records: pb.Record) -> bytes:
    return pb.AuditResponse(records=records).SerializeToString()


def test_what_is_told_in_parts_is_put_together() -> None:
    source = Source(b"a", b"/log", 1, 2, Marker.of(b"head"), "me", "test")
    ranges = tuple(Passage(at, at + 5, "hole") for at in range(0, 50_000, 10))
    first = Record(source, 0, 50_000, 7, 3, Marker.of(b"tail"), finished=True, gone=False, updated_at=9, ranges=ranges)
    pages = [each.SerializeToString() for each in wire.encode_records([first])]
    (found,) = asked(*pages)
    assert found.ranges == ranges
    assert (found.position, found.entries, found.checksum, found.before) == (50_000, 7, 3, Marker.of(b"tail"))
    assert (found.finished, found.gone, found.updated_at) == (True, False, 9)


def test_nothing_is_no_records() -> None:
    assert asked() == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"rubbish", "cannot be read"),
        (page(record(first=6)), "from 6 to 5 is impossible"),
        (page(record(position=1 << 63)), "is impossible"),
        (page(record(source=pb.Description(path=b"/log"))), "a source id has"),
        (page(record(source=pb.Description(source=b"a", path=b"p" * 5000))), "a path has at most"),
        (page(record(before=pb.Marker(length=5))), "a marker that cannot be"),
        (page(record(ranges=[pb.Passage(start=2, end=1)])), "a range from 2 to 1 is impossible"),
        (page(record(ranges=[pb.Passage(start=0, end=1 << 63)])), "is impossible"),
        (page(record(ranges=[pb.Passage(reason="r" * 256)])), "a reason has at most"),
        (page(record(ranges=[pb.Passage()] * 1025)), "at most 1024 ranges"),
        (page(*[record()] * 257), "at most 256 records"),
    ],
)
def test_what_contradicts_itself_is_told_in_one_line(answer: bytes, says: str) -> None:
    with pytest.raises(Unanswered, match="cannot be understood") as error:
        asked(page(record()), answer)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_who_says_nothing_is_left() -> None:
    def silence(context: grpc.ServicerContext) -> Iterator[bytes]:
        yield page(record())
        ended = threading.Event()
        context.add_callback(ended.set)
        ended.wait()

    with answering(silence) as target, pytest.raises(Unanswered, match="does not answer"):
        ask(target, ME, credentials=None, server_name=None, silence=0.3)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, "refuses this collector: because"),
        (grpc.StatusCode.UNIMPLEMENTED, "no aggregator, or an older one"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "because"),
        (grpc.StatusCode.UNAVAILABLE, "because"),
    ],
)
def test_a_refusal_is_told_in_plain_words(code: grpc.StatusCode, says: str) -> None:
    def refuse(context: grpc.ServicerContext) -> Iterator[bytes]:
        context.abort(code, "because")

    with answering(refuse) as target, pytest.raises(Unanswered) as error:
        ask(target, ME, credentials=None, server_name=None)
    assert says in str(error.value)


def test_where_nobody_listens_the_cause_is_told() -> None:
    with pytest.raises(Unanswered, match="start the aggregator"):
        ask("127.0.0.1:1", ME, credentials=None, server_name=None)
