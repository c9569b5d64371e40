"""Messages become bytes and back, and what contradicts itself is refused."""

import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
import zstandard
from google.protobuf.message import DecodeError
from hypothesis import given, strategies as st

from blocks import SOURCE
from mega_collector import wire
from mega_collector.api import api_pb2 as pb
from mega_collector.block import Block, Skip, SkipReason, Source
from mega_collector.errors import WireError
from mega_collector.marker import Marker
from mega_collector.protocol import (
    Ack,
    Behind,
    Describe,
    Finish,
    Flush,
    FromAggregator,
    FromCollector,
    Grant,
    Hello,
    Holding,
    Holdings,
    Inventory,
    Known,
    Open,
    Refusal,
    RefusalReason,
    Report,
    Resume,
    Sent,
    Stage,
    Status,
    Welcome,
)

# What a Python string of a host or a tag may be that came from settings: text, which a message can hold.
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
IDS = st.binary(min_size=1, max_size=64)
NUMBERS = st.integers(0, (1 << 64) - 1)
POSITIONS = st.integers(0, wire.MAX_POSITION)
MARKERS = st.binary(max_size=100).map(Marker.of)
HELLOS = st.builds(Hello, TEXT.filter(bool), TEXT, st.dictionaries(TEXT, TEXT, max_size=4), TEXT)
KNOWN = st.builds(Known, IDS, POSITIONS, MARKERS, MARKERS, st.booleans()) | st.builds(
    Known, IDS, st.just(wire.MAX_POSITION), MARKERS, MARKERS, st.booleans(), st.builds(Sent, POSITIONS, MARKERS)
)
DATA = st.binary(min_size=1, max_size=300)

SECONDS = st.integers(0, (1 << 32) - 1)
AGES = st.floats(0, 1e9)
BEHIND = st.builds(Behind, st.binary(max_size=60), NUMBERS, AGES, TEXT, TEXT)
REPORTS = st.builds(Report, NUMBERS, NUMBERS, AGES, st.lists(BEHIND, max_size=wire.MAX_BEHIND).map(tuple))
SECONDS = st.sampled_from([0.0, 0.05, 1.5, 15.0, 3600.0])

ANSWERS = st.one_of(
    st.builds(Welcome, NUMBERS, NUMBERS, TEXT, st.binary(), st.lists(st.tuples(NUMBERS, NUMBERS)).map(tuple), SECONDS),
    st.builds(Resume, IDS, st.lists(KNOWN, max_size=4).map(tuple)),
    st.builds(Ack, st.dictionaries(IDS, NUMBERS, max_size=5)),
    st.builds(Refusal, IDS, NUMBERS, NUMBERS, st.sampled_from(RefusalReason), st.booleans(), TEXT),
    st.builds(Grant, NUMBERS),
    st.builds(
        Status,
        st.sampled_from([None, Stage.INGEST_BUFFER, Stage.DESTINATION, Stage.COMMIT]),
        TEXT,
        NUMBERS,
        st.none() | SECONDS.filter(bool),
    ),
)


PLACES = st.builds(Source, IDS, st.just(b""), NUMBERS, NUMBERS, st.just(Marker()))
HOLDINGS = st.builds(
    Holdings,
    st.lists(
        st.builds(
            Holding,
            st.builds(Source, IDS, st.binary(max_size=60), NUMBERS, NUMBERS, MARKERS),
            POSITIONS,
            MARKERS,
        ),
        max_size=3,
    ).map(tuple),
    st.none() | PLACES,
    st.booleans(),
)


@given(st.builds(Inventory, st.none() | PLACES, st.booleans()))
def test_an_inventory_arrives_as_it_was_asked_for(inventory: Inventory) -> None:
    heard = wire.decode_inventory(_over_the_wire(inventory).inventory, Hello("me", "here"))
    assert (_facts(heard.after), heard.ended) == (_facts(inventory.after), inventory.ended)
    assert wire.weight(inventory) >= len(wire.serialize(inventory))


def test_an_inventory_behind_no_source_that_can_be_is_refused() -> None:
    with pytest.raises(WireError, match="a source id has 1 to 64 bytes"):
        wire.decode_inventory(pb.Inventory(after=pb.Description()), Hello("me", "here"))


@given(HOLDINGS)
def test_what_is_held_arrives_as_it_was_said(holdings: Holdings) -> None:
    heard = wire.decode_answer(wire.encode_answer(holdings))
    assert isinstance(heard, Holdings)
    assert (_facts(heard.last), heard.others) == (_facts(holdings.last), holdings.others)
    assert list(map(_held, heard.holdings)) == list(map(_held, holdings.holdings))


HELD = pb.Description(source=b"a")


@pytest.mark.parametrize(
    "answer",
    [
        {"holdings": pb.Holdings(holdings=[pb.Holding(source=HELD)] * (wire.MAX_HOLDINGS + 1))},
        {"holdings": pb.Holdings(holdings=[pb.Holding(source=HELD, position=1 << 63)])},
        {"holdings": pb.Holdings(holdings=[pb.Holding(source=HELD, before=pb.Marker(length=1 << 31, digest=b"x"))])},
        {"resume": pb.Resume(source=b"a", known=[pb.Known(source=b"a", position=1 << 63)])},
        {"resume": pb.Resume(source=b"a", known=[pb.Known(head=pb.Marker(length=1 << 31, digest=b"x"))])},
        {"resume": pb.Resume(source=b"a", known=[pb.Known(position=5, sent=pb.Sent(position=6))])},
    ],
    ids=["too many", "a position", "a marker", "a known position", "a known marker", "more than is known"],
)
def test_what_an_aggregator_says_that_could_not_be_looked_at_in_a_file_is_no_answer(answer: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        wire.decode_answer(pb.AggregatorMessage(**answer))


def _facts(source: Source | None) -> tuple[object, ...] | None:
    """Sources are compared by identity."""
    return None if source is None else (source.id, source.path, source.device, source.inode, source.head)


def _held(holding: Holding) -> tuple[object, ...]:
    return _facts(holding.source), holding.position, holding.before


@given(REPORTS)
def test_a_report_arrives_as_it_was_said(report: Report) -> None:
    assert wire.decode_report(_over_the_wire(report).report) == report
    assert wire.weight(report) >= len(wire.serialize(report))


@pytest.mark.parametrize(
    "report",
    [
        pb.Report(behind=[pb.Behind()] * (wire.MAX_BEHIND + 1)),
        pb.Report(oldest=-1),
        pb.Report(oldest=float("nan")),
        pb.Report(behind=[pb.Behind(oldest=float("inf"))]),
        pb.Report(behind=[pb.Behind(path=b"x" * (wire.MAX_PATH + 1))]),
        pb.Report(behind=[pb.Behind(cause="x" * (wire.MAX_WORDS + 1))]),
        pb.Report(behind=[pb.Behind(stage="x" * (wire.MAX_NAME + 1))]),
    ],
)
def test_a_report_that_cannot_be_is_refused(report: pb.Report) -> None:
    with pytest.raises(WireError):
        wire.decode_report(report)


def test_a_report_of_long_words_is_cut_so_that_it_is_taken() -> None:
    said = Report(1, 2, 3.0, (Behind(b"/a", 1, 0.0, "x" * 1000, "€" * 10_000),) * 20)
    heard = wire.decode_report(_over_the_wire(said).report)
    assert len(heard.behind) == wire.MAX_BEHIND
    assert len(heard.behind[0].cause) == wire.MAX_WORDS


def _over_the_wire(message: FromCollector) -> pb.CollectorMessage:
    return wire.parse(wire.serialize(message)).message


def _block_over_the_wire(block: Block, *, compress: bool = False) -> Block:
    heard = wire.parse(wire.serialize(block, compress=compress))
    return wire.decode_block(heard.message.block, heard.payload, SOURCE)


def _block(data: bytes, start: int = 0) -> Block:
    unterminated = not data.endswith(b"\n")
    return Block(SOURCE, start, data, data.count(b"\n") + unterminated, unterminated)


def _fields(source: Source) -> dict[str, Any]:
    return {name: getattr(source, name) for name in Source.__slots__}


# Round trips


@given(DATA, st.integers(0, wire.MAX_POSITION - 300), st.booleans())
def test_a_block_arrives_as_it_was_whatever_its_bytes(data: bytes, start: int, compress: bool) -> None:
    heard = wire.parse(wire.serialize(_block(data, start), compress=compress, read_at=5))
    block = wire.decode_block(heard.message.block, heard.payload, SOURCE)
    assert (bytes(block.data), block.start, block.source) == (data, start, SOURCE)
    assert (block.entries, block.unterminated) == (_block(data).entries, _block(data).unterminated)
    assert heard.message.block.read_at == 5


@given(
    hello=HELLOS,
    source_id=IDS,
    path=st.binary(max_size=4096),
    device=NUMBERS,
    inode=NUMBERS,
    head=MARKERS,
    position=NUMBERS,
)
def test_who_and_what_arrive_as_they_were(
    *, hello: Hello, source_id: bytes, path: bytes, device: int, inode: int, head: Marker, position: int
) -> None:
    assert wire.decode_hello(_over_the_wire(hello).hello) == hello
    source = Source(source_id, path, device, inode, head, hello.collector, hello.host, hello.tags)
    described = _over_the_wire(Describe(source)).describe
    assert _fields(wire.decode_source(described.source, hello)) == _fields(source)


@given(POSITIONS, MARKERS)
def test_an_open_arrives_as_it_was(position: int, before: Marker) -> None:
    opened = wire.decode_open(_over_the_wire(Open(SOURCE, position, before)).open, Hello("me", "host"))
    assert (opened.source.id, opened.source.path) == (SOURCE.id, SOURCE.path)
    assert (opened.position, opened.before) == (position, before)


@given(POSITIONS, POSITIONS, st.sampled_from(SkipReason), MARKERS)
def test_a_skip_arrives_as_it_was(one: int, other: int, reason: SkipReason, before: Marker) -> None:
    start, end = sorted((one, other))
    message = _over_the_wire(Skip(SOURCE, start, end, reason, before)).skip
    if start == end:
        with pytest.raises(WireError, match="impossible"):
            wire.decode_skip(message, SOURCE)
    else:
        assert wire.decode_skip(message, SOURCE) == Skip(SOURCE, start, end, reason, before)


@given(NUMBERS)
def test_an_end_and_a_flush_arrive(position: int) -> None:
    finish = _over_the_wire(Finish(SOURCE, position)).finish
    assert (finish.source, finish.position) == (SOURCE.id, position)
    assert _over_the_wire(Flush()).WhichOneof("kind") == "flush"


SAID = st.lists(
    st.one_of(
        DATA.map(lambda data: _block(data, 7)),
        st.builds(Skip, st.just(SOURCE), st.integers(0, 9), st.integers(10, 99), st.sampled_from(SkipReason)),
        st.just(Describe(SOURCE)),
        st.builds(Open, st.just(SOURCE), NUMBERS),
        st.builds(Finish, st.just(SOURCE), NUMBERS),
        st.just(Flush()),
    ),
    min_size=2,
    max_size=20,
)


@given(SAID, st.booleans())
def test_what_is_said_together_is_heard_as_if_it_came_one_by_one(said: list[FromCollector], compress: bool) -> None:
    heard = wire.parse(wire.serialize_all(said, compress=compress, read_at=5))
    assert heard.kind == "group"
    alone = [pb.CollectorMessage.FromString(wire.serialize(message, read_at=5)) for message in said]
    assert list(wire.heard_in(heard.message.group)) == alone


def test_what_is_said_together_is_compressed_together() -> None:
    said = [_block(b"a line that other files have too\n") for _ in range(100)]
    assert len(wire.serialize_all(said, compress=True)) < 500


def test_one_message_alone_is_no_group() -> None:
    assert wire.serialize_all([_block(b"x\n")], read_at=5) == wire.serialize(_block(b"x\n"), read_at=5)


@given(
    st.one_of(
        DATA.map(lambda data: _block(data, wire.MAX_POSITION - 300)),
        st.builds(Source, IDS, st.binary(max_size=4096), NUMBERS, NUMBERS, MARKERS).map(Describe),
        st.builds(Open, st.builds(Source, IDS, st.binary(max_size=4096), NUMBERS, NUMBERS, MARKERS), NUMBERS),
        st.builds(Finish, st.just(SOURCE), NUMBERS),
    )
)
def test_no_message_is_heavier_in_a_group_than_its_weight(message: FromCollector) -> None:
    two = len(wire.serialize_all([message, message], read_at=(1 << 64) - 1))
    assert two <= 2 * wire.weight(message) + 8


def _group(**fields: Any) -> pb.CollectorGroup:
    return pb.CollectorGroup(**fields)


def _packed(group: pb.CollectorGroup) -> bytes:
    return zstandard.ZstdCompressor().compress(group.SerializeToString())


FLUSH = pb.CollectorMessage(flush=pb.Flush())


@pytest.mark.parametrize(
    ("group", "complaint"),
    [
        (_group(messages=[FLUSH] * 1025), "at most 1024 messages, not 1025"),
        (_group(packed=_packed(_group(messages=[FLUSH] * 1025))), "at most 1024 messages"),
        (_group(packed=b"no frame"), "cannot be unpacked"),
        (_group(packed=_packed(_group(messages=[FLUSH]))[:-1]), "cannot be unpacked"),
        (_group(packed=zstandard.ZstdCompressor().compress(b"\xff" * 9)), "cannot be unpacked"),
        (_group(packed=zstandard.ZstdCompressor().compress(bytes(wire.MAX_GROUP_SIZE + 1))), "more than 262144"),
        (
            _group(packed=zstandard.ZstdCompressor(write_content_size=False).compress(b"x")),
            "does not say its size",
        ),
        (_group(messages=[FLUSH], packed=_packed(_group(messages=[FLUSH]))), "packed once, or not at all"),
        (_group(packed=_packed(_group(packed=_packed(_group(messages=[FLUSH]))))), "packed once, or not at all"),
    ],
)
def test_a_group_that_cannot_be_is_not_heard(group: pb.CollectorGroup, complaint: str) -> None:
    with pytest.raises(WireError, match=complaint):
        wire.heard_in(group)


def test_only_a_block_may_be_large() -> None:
    large = bytes(wire.MAX_GROUP_SIZE)
    assert (
        wire.parse(pb.CollectorMessage(block=pb.Block(payload=large, source=b"x")).SerializeToString()).kind == "block"
    )
    unknown = b"\x9a\x06" + b"\x80\x80\x10" + large
    for data in (
        pb.CollectorMessage(hello=pb.Hello(collector="x" * len(large))).SerializeToString(),
        pb.CollectorMessage(group=_group(messages=[FLUSH] * (len(large) // 4))).SerializeToString(),
        FLUSH.SerializeToString() * (len(large) // 2 + 1),
        unknown + pb.CollectorMessage(block=pb.Block(source=b"x")).SerializeToString(),
    ):
        assert pb.CollectorMessage.FromString(data)
        with pytest.raises(WireError, match="only a block may have more than 262144 bytes"):
            assert wire.parse(data).kind


@given(st.lists(ANSWERS, min_size=1, max_size=20))
def test_what_is_answered_together_arrives_in_order(answers: list[FromAggregator]) -> None:
    data = wire.encode_answers(answers).SerializeToString()
    assert list(wire.decode_answers(pb.AggregatorMessage.FromString(data))) == answers


def test_an_answer_of_a_later_version_is_passed_over_among_others() -> None:
    answers = [pb.AggregatorMessage(grant=pb.Grant(window=1)), pb.AggregatorMessage()]
    together = pb.AggregatorMessage(group=pb.AggregatorGroup(messages=answers))
    assert list(wire.decode_answers(together)) == [Grant(1)]
    assert list(wire.decode_answers(pb.AggregatorMessage())) == []


@given(ANSWERS)
def test_an_answer_arrives_as_it_was(answer: FromAggregator) -> None:
    data = wire.encode_answer(answer).SerializeToString()
    assert wire.decode_answer(pb.AggregatorMessage.FromString(data)) == answer


def test_a_view_of_bytes_is_sent_as_its_bytes() -> None:
    view = memoryview(b"before\na line\nafter\n")[7:14]
    assert bytes(_block_over_the_wire(Block(SOURCE, 7, view, 1)).data) == b"a line\n"


@pytest.mark.case(69)
@pytest.mark.parametrize("compress", [False, True])
def test_the_largest_block_fits_into_the_largest_message(compress: bool) -> None:
    # Noise, which zstd makes a little larger.
    block = _block(bytes(_noise(wire.MAX_BLOCK_SIZE - 1)) + b"\n")
    message = wire.serialize(block, compress=compress)
    described = wire.encode_source(Source(b"x" * 64, b"p" * 4096, (1 << 64) - 1, (1 << 64) - 1, Marker.of(b"x")))
    assert len(message) + described.ByteSize() <= wire.MAX_MESSAGE_SIZE
    assert len(_block_over_the_wire(block, compress=compress).data) == wire.MAX_BLOCK_SIZE


def _noise(size: int) -> bytes:
    """Bytes that cannot be compressed, without newlines, and the same each time."""
    return Random(1).randbytes(size).replace(b"\n", b"\r")


# Put together and taken apart by hand, and the same as protobuf's


@given(DATA, st.integers(0, wire.MAX_POSITION - 300), st.booleans())
def test_a_block_put_together_by_hand_is_what_protobuf_reads(data: bytes, start: int, compress: bool) -> None:
    serialized = wire.serialize(_block(data, start), compress=compress, read_at=5)
    block, heard = pb.CollectorMessage.FromString(serialized).block, wire.parse(serialized)
    assert wire.decode_block(block, block.payload, SOURCE) == wire.decode_block(
        heard.message.block, heard.payload, SOURCE
    )
    unary = wire.encode_block(_block(data, start))
    assert bytes(wire.decode_block(unary, unary.payload, SOURCE).data) == data


SERIALIZED = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda data, compress: wire.serialize(_block(data, 9), compress=compress, read_at=7), DATA, st.booleans()
    ),
    st.builds(lambda data: pb.CollectorMessage(block=wire.encode_block(_block(data))).SerializeToString(), DATA),
    HELLOS.map(wire.serialize),
)


@given(SERIALIZED, SERIALIZED, st.data())
def test_any_bytes_are_taken_apart_as_protobuf_does(one: bytes, other: bytes, data: st.DataObject) -> None:
    """Messages, parts of two of them one behind the other, and ones with a byte changed, left out or put in."""
    cut, keep = data.draw(st.integers(0, len(one))), data.draw(st.integers(0, 2))
    change = data.draw(st.one_of(st.just(b""), st.binary(min_size=1, max_size=1), st.just(other)))
    _assert_taken_apart_as_protobuf_does(one[:cut] + change + one[cut + keep :])


def _assert_taken_apart_as_protobuf_does(data: bytes) -> None:
    try:
        expected = pb.CollectorMessage.FromString(data)
    except DecodeError:
        with pytest.raises(DecodeError):
            wire.parse(data)
        return
    heard = wire.parse(data)
    assert heard.payload == expected.block.payload
    heard.message.block.ClearField("payload")
    expected.block.ClearField("payload")
    assert heard.message == expected


# What contradicts itself


@dataclass
class Lie:
    """The block of two lines, compressed or not, of which something was changed on the way."""

    compress: bool = False
    payload: bytes | None = None
    fields: dict[str, Any] = field(default_factory=dict)

    def decode(self) -> Block:
        heard = wire.parse(wire.serialize(_block(b"one\ntwo\n"), compress=self.compress))
        for name, value in self.fields.items():
            setattr(heard.message.block, name, value)
        payload = heard.payload if self.payload is None else self.payload
        return wire.decode_block(heard.message.block, payload, SOURCE)


@pytest.mark.parametrize(
    ("lie", "complaint"),
    [
        (Lie(fields={"size": 7}), "says 7 bytes and has 8"),
        (Lie(fields={"size": 9}), "says 9 bytes and has 8"),
        (Lie(fields={"size": 0}), "not 0"),
        (Lie(fields={"size": wire.MAX_BLOCK_SIZE + 1}), "a block has 1 to"),
        (Lie(fields={"size": (1 << 64) - 1}), "a block has 1 to"),
        (Lie(fields={"start": wire.MAX_POSITION - 7}), "a position is at most"),
        (Lie(fields={"start": (1 << 64) - 1}), "a position is at most"),
        (Lie(fields={"crc32": 0}), "checksum"),
        (Lie(payload=b"one\nTwo\n"), "checksum"),
        (Lie(payload=b""), "has 0"),
        (Lie(fields={"entries": 1}), "says 1 entries and has 2"),
        (Lie(fields={"entries": 0}), "says 0 entries and has 2"),
        (Lie(fields={"entries": (1 << 64) - 1}), "entries and has 2"),
        (Lie(fields={"unterminated": True}), "with a newline or without"),
        (Lie(fields={"compression": 2}), "compression 2 is not known"),
        (Lie(fields={"compression": pb.COMPRESSION_ZSTD}), "cannot be unpacked"),
    ],
)
def test_a_block_that_lies_is_refused(lie: Lie, complaint: str) -> None:
    with pytest.raises(WireError, match=complaint):
        lie.decode()


@pytest.mark.parametrize(
    ("lie", "complaint"),
    [
        (Lie(fields={"size": 7}), "does not unpack to the size"),
        (Lie(fields={"size": 9}), "does not unpack to the size"),
        (Lie(payload=b""), "cannot be unpacked|does not unpack"),
        (Lie(payload=b"\x28\xb5\x2f\xfd"), "cannot be unpacked|does not unpack"),
        (Lie(fields={"compression": pb.COMPRESSION_NONE}), "the block says 8 bytes"),
        (Lie(fields={"crc32": 1}), "checksum"),
    ],
)
def test_a_compressed_block_that_lies_is_refused(lie: Lie, complaint: str) -> None:
    lie.compress = True
    with pytest.raises(WireError, match=complaint):
        lie.decode()


def test_a_frame_that_would_unpack_to_more_than_the_block_says_is_not_unpacked() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(32 << 20))
    assert len(bomb) < 100_000
    with pytest.raises(WireError, match="does not unpack to the size"):
        Lie(compress=True, payload=bomb).decode()


def test_a_frame_that_does_not_say_its_size_is_refused() -> None:
    silent = zstandard.ZstdCompressor(write_content_size=False).compress(b"one\ntwo\n")
    with pytest.raises(WireError, match="does not unpack to the size"):
        Lie(compress=True, payload=silent).decode()


@pytest.mark.parametrize("trailing", [b"garbage", zstandard.ZstdCompressor().compress(b"another frame\n")])
def test_bytes_behind_a_frame_are_refused(trailing: bytes) -> None:
    payload = wire.parse(wire.serialize(_block(b"one\ntwo\n"), compress=True)).payload
    with pytest.raises(WireError, match="cannot be unpacked"):
        Lie(compress=True, payload=payload + trailing).decode()


@given(
    payload=st.binary(max_size=200),
    start=NUMBERS,
    size=NUMBERS,
    entries=NUMBERS,
    unterminated=st.booleans(),
    crc32=st.integers(0, (1 << 32) - 1),
    compression=st.integers(0, 3),
)
def test_any_block_is_taken_as_it_says_or_refused(
    *, payload: bytes, start: int, size: int, entries: int, unterminated: bool, crc32: int, compression: int
) -> None:
    message = pb.Block(start=start, size=size, entries=entries, unterminated=unterminated, crc32=crc32, payload=payload)
    message.compression = compression  # type: ignore[assignment]
    _taken_or_refused(message)
    message.size, message.crc32 = len(payload), zlib.crc32(payload)
    _taken_or_refused(message)


def _taken_or_refused(message: pb.Block) -> None:
    try:
        block = wire.decode_block(message, message.payload, SOURCE)
    except WireError:
        return
    assert (block.start, len(block.data), block.entries) == (message.start, message.size, message.entries)
    assert block.entries == bytes(block.data).count(b"\n") + block.unterminated


@given(st.binary(max_size=100))
def test_any_bytes_are_an_answer_or_refused(data: bytes) -> None:
    try:
        message = pb.AggregatorMessage.FromString(data)
    except DecodeError:
        return
    with suppress(WireError):
        wire.decode_answer(message)


@pytest.mark.parametrize(
    ("hello", "complaint"),
    [
        (Hello("", "host"), "no id"),
        (Hello("x" * 256, "host"), "longer than 255"),
        (Hello("me", "x" * 256), "longer than 255"),
        (Hello("me", "host", {"x" * 256: "1"}), "longer than 255"),
        (Hello("me", "host", {"1": "x" * 256}), "longer than 255"),
        (Hello("me", "host", {}, "x" * 256), "longer than 255"),
        (Hello("me", "host", life=b"x" * 65), "at most 64 bytes"),
        (Hello("me", "host", {str(number): "" for number in range(65)}), "more than 64 tags"),
    ],
)
def test_a_hello_beyond_its_bounds_is_refused(hello: Hello, complaint: str) -> None:
    with pytest.raises(WireError, match=complaint):
        wire.decode_hello(wire.encode_hello(hello))


@pytest.mark.parametrize(
    ("description", "complaint"),
    [
        (pb.Description(), "1 to 64 bytes, not 0"),
        (pb.Description(source=b"x" * 65), "1 to 64 bytes, not 65"),
        (pb.Description(source=b"x", path=b"x" * 4097), "at most 4096 bytes, not 4097"),
        (pb.Description(source=b"x", head=pb.Marker(length=1)), "marker"),
        (pb.Description(source=b"x", head=pb.Marker(digest=b"1")), "marker"),
        (pb.Description(source=b"x", head=pb.Marker(length=1, digest=b"x" * 65)), "marker"),
    ],
)
def test_a_description_beyond_its_bounds_is_refused(description: pb.Description, complaint: str) -> None:
    with pytest.raises(WireError, match=complaint):
        wire.decode_source(description, Hello("me", "host"))


@pytest.mark.parametrize(
    ("skip", "complaint"),
    [
        (pb.Skip(start=0, end=1), "reason"),
        (pb.Skip(start=0, end=1, reason=99), "reason"),  # type: ignore[arg-type]
        (pb.Skip(start=1, end=0, reason=pb.SKIP_REASON_HOLE), "impossible"),
        (pb.Skip(start=1, end=1, reason=pb.SKIP_REASON_HOLE), "impossible"),
        (pb.Skip(start=1, end=1 << 63, reason=pb.SKIP_REASON_HOLE), "impossible"),
        (pb.Skip(start=1, end=2, reason=pb.SKIP_REASON_HOLE, before=pb.Marker(length=9)), "marker"),
    ],
)
def test_an_impossible_skip_is_refused(skip: pb.Skip, complaint: str) -> None:
    with pytest.raises(WireError, match=complaint):
        wire.decode_skip(skip, SOURCE)


# Others of another version


def test_an_answer_of_a_later_version_is_passed_over() -> None:
    assert wire.decode_answer(pb.AggregatorMessage()) is None
    field_99 = b"\x9a\x06\x00"
    assert wire.decode_answer(pb.AggregatorMessage.FromString(field_99)) is None


def test_a_refusal_for_a_reason_of_a_later_version_is_still_a_refusal() -> None:
    message = pb.AggregatorMessage(refusal=pb.Refusal(source=b"x", reason=99, message="new"))  # type: ignore[arg-type]
    refusal = wire.decode_answer(message)
    assert isinstance(refusal, Refusal)
    assert (refusal.retry, refusal.message) == (False, "new")


def test_threads_may_compress_side_by_side() -> None:
    blocks = [_block(bytes([65 + number]) * 50_000 + b"\n") for number in range(8)]

    def through(block: Block) -> bool:
        return all(bytes(_block_over_the_wire(block, compress=True).data) == block.data for _ in range(20))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(through, blocks))


@pytest.mark.parametrize(
    ("message", "block"), [(wire.MAX_MESSAGE_SIZE, wire.MAX_BLOCK_SIZE), (1 << 20, 960 << 10), (1 << 62, 16320 << 10)]
)
def test_a_block_leaves_room_in_its_message(message: int, block: int) -> None:
    assert wire.largest_block(message) == block


def test_a_cause_is_said_whatever_its_path_holds_and_is_bounded() -> None:
    said = wire.encode_answer(Status(Stage.DESTINATION, "/\udcff: " + "x" * 5000))
    (heard,) = wire.decode_answers(pb.AggregatorMessage.FromString(said.SerializeToString()))
    assert isinstance(heard, Status)
    assert heard.cause.startswith("/\\udcff: x")
    assert len(heard.cause) == wire.MAX_CAUSE
