"""What is put together and taken apart by hand is what protobuf makes of it."""

import zlib

import pytest
import zstandard
from google.protobuf.message import DecodeError
from hypothesis import given, strategies as st

from mega_collector import wire
from mega_collector.api import api_pb2 as pb
from mega_collector.block import Block, Source
from mega_collector.marker import Marker

SOURCE = Source(b"source", b"/var/log/app.log", device=1, inode=2, head=Marker())
POSITIONS = st.integers(0, (1 << 64) - 1)
DATA = st.one_of(st.binary(max_size=300), st.integers(100, 70_000).map(lambda size: b"line\n" * (size // 5)))

BLOCKS = st.builds(
    pb.Block,
    source=st.binary(max_size=70),
    start=POSITIONS,
    size=POSITIONS,
    entries=POSITIONS,
    unterminated=st.booleans(),
    crc32=st.integers(0, (1 << 32) - 1),
    compression=st.integers(0, 3),
    payload=st.binary(max_size=300),
    read_at=POSITIONS,
)
MESSAGES = st.one_of(
    st.builds(pb.CollectorMessage, block=BLOCKS),
    st.builds(pb.CollectorMessage, hello=st.builds(pb.Hello, collector=st.text(max_size=9))),
    st.builds(pb.CollectorMessage, skip=st.builds(pb.Skip, source=st.binary(max_size=9), start=POSITIONS)),
    st.just(pb.CollectorMessage()),
)


def field(tag: int, content: bytes) -> bytes:
    """A field with a length before it; `pb.Marker` is borrowed to write the length."""
    written = pb.Marker(digest=content).SerializeToString() or b"\x12\x00"
    return bytes([tag]) + written[1:]


@given(data=DATA.filter(bool), start=st.integers(0, 1 << 62), read_at=POSITIONS, compress=st.booleans())
def test_a_block_that_is_put_together_by_hand_is_read_by_protobuf(
    data: bytes, start: int, read_at: int, compress: bool
) -> None:
    block = Block(SOURCE, start, data, entries=max(data.count(b"\n"), 1), unterminated=not data.endswith(b"\n"))
    message = pb.CollectorMessage.FromString(wire.serialize(block, compress=compress, read_at=read_at))
    assert message.WhichOneof("kind") == "block"
    payload = message.block.payload
    assert (zstandard.ZstdDecompressor().decompress(payload) if compress else payload) == data
    message.block.ClearField("payload")
    assert message.block == pb.Block(
        source=b"source",
        start=start,
        size=len(data),
        entries=block.entries,
        unterminated=block.unterminated,
        crc32=zlib.crc32(data),
        compression=pb.COMPRESSION_ZSTD if compress else pb.COMPRESSION_NONE,
        read_at=read_at,
    )


@given(MESSAGES)
def test_what_protobuf_writes_is_parsed_to_the_same(message: pb.CollectorMessage) -> None:
    assert _parsed(message.SerializeToString()) == message


@given(BLOCKS, BLOCKS, st.binary(max_size=9))
def test_fields_in_another_order_twice_or_unknown_mean_what_they_mean_to_protobuf(
    first: pb.Block, second: pb.Block, payload: bytes
) -> None:
    rest, again = (
        pb.Block.FromString(each.SerializeToString()).SerializeToString() if each.payload else b""
        for each in (first, second)
    )
    for block in (
        field(0x42, payload) + rest,
        field(0x42, payload) + field(0x42, b"") + rest,
        field(0x42, payload) + field(0x7A, b"of a later version") + _without_payload(first),
        field(0x42, payload) + _without_payload(first) + _without_payload(second),
        rest + field(0x42, payload),
        rest + again,
    ):
        _assert_the_same(field(0x22, block))
        _assert_the_same(field(0x22, block) + field(0x22, again))
        _assert_the_same(field(0x22, block) + field(0x3A, b""))


@given(st.binary(max_size=60))
def test_garbage_is_garbage_to_both(data: bytes) -> None:
    _assert_the_same(data)
    _assert_the_same(b"\x22" + data)
    _assert_the_same(field(0x22, b"\x42" + data))
    _assert_the_same(field(0x22, field(0x42, b"payload") + data))


@given(BLOCKS, st.data())
def test_a_message_that_was_cut_short_is_what_it_is_to_protobuf(message: pb.Block, data: st.DataObject) -> None:
    whole = field(0x22, field(0x42, message.payload) + _without_payload(message))
    _assert_the_same(whole[: data.draw(st.integers(0, len(whole)))])


def test_a_block_of_ours_is_not_given_to_protobuf_with_its_payload() -> None:
    heard = wire.parse(wire.serialize(Block(SOURCE, 0, b"one\ntwo\n", entries=2)))
    assert heard.payload == b"one\ntwo\n"
    assert heard.message.block.payload == b""


def _without_payload(block: pb.Block) -> bytes:
    rest = pb.Block()
    rest.CopyFrom(block)
    rest.ClearField("payload")
    return rest.SerializeToString()


def _parsed(data: bytes) -> pb.CollectorMessage:
    """What was heard, with the payload back in its place."""
    heard = wire.parse(data)
    message = pb.CollectorMessage()
    message.CopyFrom(heard.message)
    if message.WhichOneof("kind") == "block":
        message.block.payload = heard.payload
    return message


def _assert_the_same(data: bytes) -> None:
    try:
        expected = pb.CollectorMessage.FromString(data)
    except DecodeError:
        with pytest.raises(DecodeError):
            wire.parse(data)
    else:
        assert _parsed(data) == expected
