"""Messages that contradict themselves, or make no sense: refused with a reason, and nothing of it is delivered."""

import struct
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import zstandard

from harness.until import DEADLINE, quiet, until
from hostile.client import Stream, block, connect, describe
from hostile.served import Bystander, Served, bystander
from mega_collector import wire
from mega_collector.api import api_pb2 as pb

A = b"source a"
LINES = b"one\ntwo\n"
MOST = (1 << 63) - 1


@pytest.fixture
def beside(served: Served) -> Iterator[Bystander]:
    with bystander(served) as beside:
        yield beside


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def bomb(claimed: int) -> bytes:
    """A zstd frame that claims so many bytes, in one block that repeats a byte: RFC 8878, section 3.1."""
    header = b"\x28\xb5\x2f\xfd" + b"\xe0" + struct.pack("<Q", claimed)  # one segment; content size in 8 bytes
    repeated = (1 | 1 << 1 | (128 << 10) << 3).to_bytes(3, "little")  # the last block: 128 KiB of one byte
    return header + repeated + b"x"


COMPRESSED = {"compression": pb.COMPRESSION_ZSTD}

LIES: dict[str, pb.Block] = {
    "size, too small": block(A, 0, LINES, size=4),
    "size, too large": block(A, 0, LINES, size=9),
    "size of nothing": block(A, 0, b""),
    "size beyond the limit": block(A, 0, LINES, size=wire.MAX_BLOCK_SIZE + 1),
    "size of gigabytes": block(A, 0, LINES, size=1 << 40),
    "size of 64 bits": block(A, 0, LINES, size=(1 << 64) - 1),
    "checksum": block(A, 0, LINES, crc32=12345),
    "entries, too few": block(A, 0, LINES, entries=1),
    "entries, too many": block(A, 0, LINES, entries=3),
    "entries of 64 bits": block(A, 0, LINES, entries=(1 << 64) - 1),
    "unterminated, and is not": block(A, 0, LINES, unterminated=True, entries=3),
    "terminated, and is not": block(A, 0, b"one\ntwo"),
    "unknown compression": block(A, 0, LINES, compression=7),
    "compressed, and is not": block(A, 0, LINES, **COMPRESSED),
    "plain, and is not": block(A, 0, LINES, payload=zstd(LINES)),
    "zstd, truncated": block(A, 0, LINES, payload=zstd(LINES)[:-3], **COMPRESSED),
    "zstd, of another size": block(A, 0, LINES, payload=zstd(LINES * 2), **COMPRESSED),
    "zstd, corrupted": block(A, 0, LINES * 99, payload=zstd(LINES * 99)[:-2] + b"??", **COMPRESSED),
    "zstd, of unknown size": block(
        A, 0, LINES, payload=zstandard.ZstdCompressor(write_content_size=False).compress(LINES), **COMPRESSED
    ),
    "zstd bomb": block(A, 0, LINES, payload=bomb(64 << 30), size=64 << 30, **COMPRESSED),
    "zstd bomb, of a modest size": block(A, 0, LINES, payload=bomb(64 << 30), **COMPRESSED),
    "zstd bomb, of the largest size": block(A, 0, LINES, payload=bomb(15 << 20), size=15 << 20, **COMPRESSED),
    "position at the end of all": block(A, MOST, LINES),
    "position, almost at the end of all": block(A, MOST - 7, LINES),
    "position beyond the end of all": block(A, (1 << 64) - 1, LINES),
}


@pytest.fixture(scope="module")
def lied_to(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("lies")) as served, bystander(served):
        yield served


@pytest.mark.case(64)
@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_block_that_lies_is_refused_and_the_stream_goes_on(lied_to: Served, lie: pb.Block) -> None:
    with connect(lied_to.target) as channel, Stream(channel) as stream:
        stream.greet()
        stream.open(A)
        stream.say(block=lie)
        refusal = stream.hear("refusal")
        assert refusal.source == A
        assert refusal.start == lie.start
        assert refusal.reason == pb.REFUSAL_REASON_MALFORMED
        assert not refusal.retry
        assert refusal.message
        stream.say(describe=pb.Describe(source=describe(A)))
        assert stream.hear("resume") == pb.Resume(source=A)  # nothing of it is committed


SKIPS: dict[str, pb.Skip] = {
    "of nothing": pb.Skip(source=A, start=5, end=5, reason=pb.SKIP_REASON_HOLE),
    "backwards": pb.Skip(source=A, start=5, end=1, reason=pb.SKIP_REASON_HOLE),
    "beyond the end of all": pb.Skip(source=A, start=0, end=1 << 63, reason=pb.SKIP_REASON_HOLE),
    "without a reason": pb.Skip(source=A, start=0, end=5),
    "for an unknown reason": pb.Skip.FromString(pb.Skip(source=A, end=5).SerializeToString() + b"\x20\x63"),
}


@pytest.mark.parametrize("skip", SKIPS.values(), ids=SKIPS.keys())
def test_an_absurd_skip_is_refused(lied_to: Served, skip: pb.Skip) -> None:
    with connect(lied_to.target) as channel, Stream(channel) as stream:
        stream.greet()
        stream.open(A)
        stream.say(skip=skip)
        refusal = stream.hear("refusal")
        assert (refusal.reason, refusal.retry) == (pb.REFUSAL_REASON_MALFORMED, False)


def test_a_skip_that_leaves_a_gap_is_refused_with_the_expected_position(lied_to: Served) -> None:
    with connect(lied_to.target) as channel, Stream(channel) as stream:
        stream.greet()
        stream.open(A)
        stream.say(skip=pb.Skip(source=A, start=5, end=MOST, reason=pb.SKIP_REASON_HOLE))
        refusal = stream.hear("refusal")
        assert (refusal.reason, refusal.expected) == (pb.REFUSAL_REASON_WRONG_START, 0)


def test_a_source_may_skip_to_the_end_of_all_and_hurts_nobody_but_itself(lied_to: Served) -> None:
    source = b"to the end"
    with connect(lied_to.target) as channel, Stream(channel) as stream:
        stream.greet()
        stream.open(source)
        stream.say(skip=pb.Skip(source=source, start=0, end=MOST, reason=pb.SKIP_REASON_HOLE))
        stream.hear_position(source, MOST)
        stream.say(block=block(source, MOST, LINES))
        assert stream.hear("refusal").reason == pb.REFUSAL_REASON_MALFORMED


def test_a_block_of_a_source_that_is_not_open_is_refused_and_may_come_again(lied_to: Served) -> None:
    with connect(lied_to.target) as channel, Stream(channel) as stream:
        stream.greet()
        for message in ({"block": block(A, 0, LINES)}, {"skip": SKIPS["of nothing"]}):
            stream.say(**message)
            refusal = stream.hear("refusal")
            assert (refusal.reason, refusal.retry) == (pb.REFUSAL_REASON_NOT_OPEN, True)


HELLO = {"hello": pb.Hello(collector="scripted")}
GREETING = pb.CollectorMessage(hello=HELLO["hello"])

FLUSH = pb.CollectorMessage(flush=pb.Flush())

NONSENSE: dict[str, tuple[list[dict[str, Any]], str]] = {
    "nothing at all": ([], "begins with hello"),
    "an empty message first": ([{}], "begins with hello"),
    "a block first": ([{"block": block(A, 0, LINES)}], "begins with hello"),
    "an open first": ([{"open": pb.Open(source=describe(A))}], "begins with hello"),
    "two hellos": ([HELLO, HELLO], "a second hello"),
    "an empty message": ([HELLO, {}], "does not know"),
    "hello without id": ([{"hello": pb.Hello(host="h")}], "no id"),
    "hello with a long id": ([{"hello": pb.Hello(collector="x" * 256)}], "longer than 255"),
    "hello with a long host": ([{"hello": pb.Hello(collector="x", host="x" * (100 << 10))}], "longer than 255"),
    "hello with an id of a megabyte": ([{"hello": pb.Hello(collector="x" * (1 << 20))}], "only a block may have more"),
    "hello with too many tags": (
        [{"hello": pb.Hello(collector="x", tags={str(n): "" for n in range(65)})}],
        "more than 64 tags",
    ),
    "hello with a long tag": (
        [{"hello": pb.Hello(collector="x", tags={"a": "b" * 256})}],
        "longer than",
    ),
    "a hello in a group": (
        [HELLO, {"group": pb.CollectorGroup(messages=[GREETING])}],
        "second hello",
    ),
    "a group first": ([{"group": pb.CollectorGroup(messages=[GREETING])}], "begins with hello"),
    "a group of too many": ([HELLO, {"group": pb.CollectorGroup(messages=[FLUSH] * 1025)}], "at most 1024 messages"),
    "a group of a megabyte": ([HELLO, {"group": pb.CollectorGroup(messages=[FLUSH] * 250_000)}], "only a block may"),
    "a group in a group": (
        [HELLO, {"group": pb.CollectorGroup(messages=[pb.CollectorMessage(group=pb.CollectorGroup())])}],
        "a group in a group",
    ),
    "a packed group that is a bomb": ([HELLO, {"group": pb.CollectorGroup(packed=bomb(64 << 30))}], "more than 262144"),
    "a packed group that is a modest bomb": (
        [HELLO, {"group": pb.CollectorGroup(packed=bomb(256 << 10))}],
        "cannot be unpacked",
    ),
    "a packed group of noise": ([HELLO, {"group": pb.CollectorGroup(packed=b"noise")}], "cannot be unpacked"),
    "a source without id": ([HELLO, {"open": pb.Open(source=describe(b""))}], "1 to 64 bytes"),
    "a source with a long id": ([HELLO, {"describe": pb.Describe(source=describe(b"x" * 65))}], "1 to 64 bytes"),
    "a source with a long path": ([HELLO, {"open": pb.Open(source=describe(A, path=b"x" * 4097))}], "at most 4096"),
    "a source with an absurd marker": (
        [HELLO, {"open": pb.Open(source=describe(A, head=pb.Marker(length=9)))}],
        "marker",
    ),
    "a place behind an absurd marker": (
        [HELLO, {"open": pb.Open(source=describe(A), position=9, before=pb.Marker(length=9))}],
        "marker",
    ),
    "a position beyond the end of all": (
        [HELLO, {"open": pb.Open(source=describe(A), position=1 << 63)}],
        "a position is at most",
    ),
}


@pytest.mark.parametrize(("said", "reason"), NONSENSE.values(), ids=NONSENSE.keys())
def test_what_makes_no_sense_ends_the_stream_with_the_reason(
    lied_to: Served, said: list[dict[str, Any]], reason: str
) -> None:
    with connect(lied_to.target) as channel, Stream(channel) as stream:
        for message in said:
            stream.say(**message)
        stream.hang_up()
        error = stream.hear_end()
    assert error is not None
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason in (error.details() or "")


def test_undecodable_bytes_end_the_stream_and_are_no_defect(served: Served, beside: Bystander) -> None:
    with connect(served.target) as channel:
        method = channel.stream_stream("/mega_collector.v1.Aggregator/PublishStream", bytes, bytes)
        for garbage in (b"\xff" * 100, b"\x0a\x05\x0a\x03\xc5\xc5\xc5"):  # no message; a string that is no UTF-8
            with pytest.raises(grpc.RpcError) as error:
                list(method(iter([garbage]), timeout=DEADLINE))
            assert error.value.code() is grpc.StatusCode.INTERNAL


def test_undecodable_bytes_after_hello_end_the_stream(served: Served, beside: Bystander) -> None:
    hello = pb.CollectorMessage(hello=pb.Hello(collector="scripted")).SerializeToString()
    with connect(served.target) as channel:
        method = channel.stream_stream("/mega_collector.v1.Aggregator/PublishStream", bytes, bytes)
        with pytest.raises(grpc.RpcError) as error:
            list(method(iter([hello, b"\xff" * 100]), timeout=DEADLINE))
        assert error.value.code() is grpc.StatusCode.INTERNAL


@pytest.mark.case(69)
def test_a_message_over_the_limit_ends_the_stream_with_the_reason(served: Served, beside: Bystander) -> None:
    with connect(served.target) as channel, Stream(channel) as stream:
        stream.greet()
        stream.open(A)
        stream.say(block=block(A, 0, b"x" * wire.MAX_MESSAGE_SIZE + b"\n"))
        error = stream.hear_end()
    assert error is not None
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in (error.details() or "")


def test_the_source_of_another_collector_is_not_opened(served: Served, beside: Bystander) -> None:
    ledger = served.aggregator._ledger._reader
    sources = "SELECT id, position FROM sources"
    ((source, position),) = until(lambda: ledger.read(sources), "the bystander's first commit")
    with connect(served.target) as channel, Stream(channel) as stream:
        stream.greet("thief")
        stream.open(source, position)
        refusal = stream.hear("refusal")
        assert (refusal.reason, refusal.retry) == (pb.REFUSAL_REASON_NOT_YOURS, False)
        stream.say(block=block(source, position, b"forged\n"))
        assert stream.hear("refusal").reason == pb.REFUSAL_REASON_NOT_OPEN
        stream.say(finish=pb.Finish(source=source, position=position))


def test_nor_is_one_of_which_nothing_is_committed_yet_wherever_it_is_said_to_stand(served: Served) -> None:
    with connect(served.target) as channel, Stream(channel) as owner, Stream(channel) as thief:
        owner.greet("owner")
        owner.open(A)
        owner.say(describe=pb.Describe(source=describe(A)))
        owner.hear("resume")  # it is open by then
        thief.greet("thief")
        thief.open(A, 1000)
        assert thief.hear("refusal").reason == pb.REFUSAL_REASON_NOT_YOURS
        owner.say(block=block(A, 0, b"one\n"))
        owner.hear_position(A, 4)
    (record,) = served.aggregator._ledger.records()
    assert (record.source.collector, record.first, record.position) == ("owner", 0, 4)


@pytest.mark.parametrize("packed", [False, True], ids=["as it is", "packed"])
def test_every_lie_in_one_group_is_refused_by_itself_and_what_is_sound_is_taken(served: Served, packed: bool) -> None:
    sources = {name: b"source of %d" % number for number, name in enumerate(LIES)}
    messages = [pb.CollectorMessage(open=pb.Open(source=describe(source))) for source in sources.values()]
    messages.append(pb.CollectorMessage(open=pb.Open(source=describe(A))))
    for number, (name, lie) in enumerate(LIES.items()):
        told = pb.Block()
        told.CopyFrom(lie)
        told.source = sources[name]
        told.start %= 1 << 62
        messages += [
            pb.CollectorMessage(block=told),
            pb.CollectorMessage(block=block(A, number * 5, b"%04d\n" % number)),
        ]
    group = pb.CollectorGroup(messages=messages)
    with connect(served.target) as channel, Stream(channel) as stream:
        stream.greet()
        stream.say(group=pb.CollectorGroup(packed=zstd(group.SerializeToString())) if packed else group)
        refused, committed = list[bytes](), 0
        while len(refused) < len(LIES) or committed < len(LIES) * 5:
            answer = stream.hear_any()
            if answer.HasField("refusal"):
                refused.append(answer.refusal.source)
            elif answer.HasField("ack"):
                committed = max(each.position for each in answer.ack.positions if each.source == A)
    assert refused == list(sources.values())
    quiet(served.output, "the destination", 0.1)
    assert served.output() == b"".join(b"%04d\n" % number for number in range(len(LIES)))
