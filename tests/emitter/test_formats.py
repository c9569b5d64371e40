"""Lines in each format: whatever the bytes, exactly what a loop over the lines would make of them."""

import json
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from emitter.batches import make_batch, make_source
from emitter.formats import in_format, lines
from mega_collector.batch import Batch
from mega_collector.block import Block, Source
from mega_collector.emitter.configuration import Format
from mega_collector.emitter.format import payload_in
from mega_collector.emitter.format_json import json_lines
from mega_collector.emitter.format_prefix import prefixed_lines
from mega_collector.emitter.payload import MADE_AT_ONCE, Payload
from mega_collector.emitter.pieces import pieces
from mega_collector.marker import Marker

MIB = 1 << 20
RECEIVED = 1_764_309_000_123_456_789

ODD = [
    *(b"\n", b"\n\n", b"\r\n", b"\r", b'"', b'",', b'","', b"\\", b"\\n", b"\\\n", b"n", b"u", b","),
    *(b"\x7f", b"\0", b"\x1f"),
    *(each.encode() for each in ("é", "😀", "\u2028", "\u2029", "\x85", "\ufeff", "\ufffd", "\uffff")),
    *(b"\xff", b"\xc3", b"\xe2\x80", b"\xed\xa0\x80", b"\xf0\x9f", b"\xc0\x80", b"\x80"),
]  # fmt: skip
DATA = st.one_of(
    st.lists(
        st.one_of(st.sampled_from(ODD), st.binary(max_size=4), st.text(max_size=4).map(str.encode)), min_size=1
    ).map(b"".join),
    st.text(min_size=1).map(str.encode),
    st.binary(min_size=1),
).filter(bool)
TEXT = st.text(max_size=10)
PATHS = st.one_of(st.sampled_from([b"/a.log", b"/\xff.log", b"/\xed\xa0\x80", b'/"\\\n\0']), st.binary(max_size=10))
LONG = st.sampled_from([0, 0, 0, 0, 0, 150_000])
"""Characters in a tag: with very long ones a block is cut into pieces of an entry or two."""


@st.composite
def batches(draw: st.DrawFn, size: int = 3) -> list[Batch]:
    found = []
    for _ in range(draw(st.integers(1, size))):
        tags = draw(st.dictionaries(TEXT, TEXT, max_size=3)) | {"long": "x" * draw(LONG)}
        source = Source(b"id", draw(PATHS), 1, 2, Marker(), "me", draw(TEXT), tags)
        batch = make_batch(*draw(st.lists(DATA, min_size=1, max_size=3)), source=source)
        received = draw(st.integers(0, 4_000_000_000_000_000_000))
        blocks = tuple(block._replace(received=received) for block in batch.blocks)
        found.append(Batch(blocks, batch.entries, batch.size))
    return found


def of(*data: bytes) -> list[Batch]:
    return [make_batch(*data)]


def made(payload: Any) -> bytes:
    """All that a payload gives to be written."""
    content = b""
    while payload:
        head = b"".join(payload.head())
        content += head
        payload.advance(len(head))
    return content


@given(batches())
@example(of(b'ends with ",\n","\n'))
@example(of(b'ends with ",\n\x7f",\n,"\n","\n"'))
@example(of(b"\\\n", b"\\n\n", b'\\"\n', b"\\"))
@example(of(b"\x7f\n\x7f", b"a\x7f\n\xff\n\x7f"))
@example(of(b"\n", b"\n\n", b"\r\n", b"\r"))
@example(of("\ufffd\n".encode() + b"\xff\n" + "\ufffd\xff".encode()))
def test_json_is_byte_for_byte_what_a_loop_over_the_lines_makes(given_batches: list[Batch]) -> None:
    assert made(payload_in(Format.JSON)(given_batches, b"")) == in_format(Format.JSON, given_batches)


@given(batches())
def test_every_line_of_json_gives_back_its_message(given_batches: list[Batch]) -> None:
    found = made(payload_in(Format.JSON)(given_batches, b"")).split(b"\n")
    assert found.pop() == b""
    messages = [line for batch in given_batches for block in batch.blocks for line in lines(block)]
    for text, message in zip(found, messages, strict=True):
        said = json.loads(text)
        assert said["message"] == message.decode(errors="replace")
        assert ("replaced" in said) == (said["message"].encode() != message)


@given(batches())
def test_prefixed_lines_are_as_they_were_behind_their_prefix(given_batches: list[Batch]) -> None:
    plain = [
        Batch(tuple(block._replace(source=_named(block.source)) for block in batch.blocks), batch.entries, batch.size)
        for batch in given_batches
    ]
    assert made(payload_in(Format.PREFIX)(plain, b"")) == in_format(Format.PREFIX, plain)


def _named(source: Source) -> Source:
    """With a path and a host that can be shown as they are."""
    return Source(source.id, b"/logs/\xffa.log", 1, 2, Marker(), "me", "w" * len(source.host), source.tags)


def test_all_fields_in_their_order() -> None:
    source = Source(b"id", b"/var/log/a.log", 1, 2, Marker(), "me", "web1", {"env": "prod", "host": "web1"})
    (found,) = json_lines(Block(source, 0, b'GET "/"\r\n', 1, received=RECEIVED))
    assert found == (
        b'{"message":"GET \\"/\\"\\r","path":"/var/log/a.log","host":"web1","tags":{"env":"prod","host":"web1"},'
        b'"time":"2025-11-28T05:50:00.123456Z"}\n'
    )


def test_what_is_no_utf8_is_replaced_and_marked_in_its_own_line_only() -> None:
    (found,) = json_lines(Block(make_source(), 0, b"good\nb\xffd\ngood too\n", 3))
    said = [json.loads(line) for line in found.splitlines()]
    assert [each["message"] for each in said] == ["good", "b\ufffdd", "good too"]
    assert [each.get("replaced") for each in said] == [None, True, None]


@pytest.mark.parametrize("path", [b"/a\nb", b"/a\x1b[2Jb", "/a\u2028b\u202e".encode(), b"/a\xffb", b"/a\xed\xa0\x80b"])
def test_no_path_ends_a_line_or_speaks_to_a_terminal(path: bytes) -> None:
    block = Block(Source(b"id", path, 1, 2, Marker(), "me", "web1"), 0, b"line\n", 1)
    (prefixed,) = prefixed_lines(block)
    assert prefixed.decode().removesuffix("\n").isprintable()
    assert prefixed.endswith((b"b: line\n", b"\\u202e: line\n"))
    (found,) = json_lines(block)
    assert found.count(b"\n") == 1
    assert json.loads(found)["path"] == path.decode(errors="backslashreplace")


def test_raw_is_not_touched() -> None:
    batch = make_batch(b"one\n", b"\xff")
    (one, two, newline) = payload_in(Format.RAW)([batch], b"").head()
    assert one.obj is batch.blocks[0].data
    assert two.obj is batch.blocks[1].data
    assert bytes(newline) == b"\n"


# Pieces


@given(DATA, st.integers(1, 1 << 23))
def test_pieces_are_whole_entries_and_as_small_as_asked(data: bytes, added: int) -> None:
    (block,) = make_batch(data).blocks
    found = list(pieces(block, added))
    assert b"".join(found) == data + b"\n" * block.unterminated
    for piece in found:
        assert piece.endswith(b"\n")
        assert piece.count(b"\n") * added <= 2 * MIB or piece.count(b"\n") == 1


# The payload


@settings(max_examples=40)
@given(st.sampled_from([Format.RAW, Format.JSON]), batches(), st.booleans(), st.data())
def test_a_payload_is_written_in_any_steps(
    form: Format, given_batches: list[Batch], torn: bool, data: st.DataObject
) -> None:
    prefix = b"\n" * torn
    wanted = prefix + in_format(form, given_batches)
    ends = [len(prefix) + len(in_format(form, given_batches[:count])) for count in range(1, len(given_batches) + 1)]
    payload = payload_in(form)(given_batches, prefix)
    content = b""
    while payload:
        head = b"".join(payload.head())
        step = data.draw(st.integers(1, len(head)))
        assert payload.piece(step) == head[: len(payload.piece(step))]
        content += head[:step]
        payload.advance(step)
        assert payload.written == len(content)
        assert payload.whole == sum(end <= len(content) for end in ends)
        assert payload.end(payload.whole) == max([0, *(end for end in ends if end <= len(content))])
        assert payload.torn == (not content.endswith(b"\n"))
    assert content == wanted


@given(st.sampled_from([Format.RAW, Format.JSON]), batches(), st.data())
def test_a_payload_goes_on_where_another_of_the_same_batches_has_stopped(
    form: Format, given_batches: list[Batch], data: st.DataObject
) -> None:
    wanted = in_format(form, given_batches)
    begun = data.draw(st.integers(0, len(wanted)))
    payload = payload_in(form)(given_batches, b"")
    payload.advance(begun)
    assert made(payload) == wanted[begun:]


@pytest.mark.parametrize("line", [b"\n", b"\xff\n", b"\x7f\n", b"\0" * 63 + b"\n"])
@pytest.mark.parametrize("form", [json_lines, prefixed_lines])
def test_a_few_mebibytes_are_made_at_once_however_much_it_will_be(form: Callable[..., Any], line: bytes) -> None:
    source = Source(b"id", b"/a.log", 1, 2, Marker(), "me", "web1", {"long": "x" * 1000})
    data = line * (32 * 1024)
    batch = Batch((Block(source, 0, data, len(data) // len(line)),), len(data) // len(line), len(data))
    tracemalloc.start()
    try:
        payload = Payload([batch] * 2, lines=form, at_once=MADE_AT_ONCE)
        while payload:
            payload.advance(sum(map(len, payload.head())))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert payload.whole == 2
    assert peak < 16 * MIB


# Work


@pytest.mark.parametrize("form", [json_lines, prefixed_lines])
@pytest.mark.parametrize("odd", [b"", "é😀\\".encode(), b"\x7f"])
def test_no_call_is_made_for_each_line(form: Callable[..., Any], odd: bytes) -> None:
    def calls(line: bytes) -> int:
        (block,) = make_batch(line * (MIB // len(line))).blocks
        return _calls(lambda: sum(map(len, form(block))))

    assert calls(odd + b"x" * (31 - len(odd)) + b"\n") <= calls(odd + b"x" * (1023 - len(odd)) + b"\n") + 50


def _calls(work: Callable[[], object]) -> int:
    count = 0

    def see(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count
