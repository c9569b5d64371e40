"""What is committed, for an audit, in pages, which are of a bounded size; and which files are the aggregator's own."""

from collections.abc import Iterable, Iterator
from typing import Final

from google.protobuf.message import DecodeError

from mega_collector.api import api_pb2 as pb
from mega_collector.block import Source
from mega_collector.errors import WireError
from mega_collector.protocol import Hello, Passage, Record
from mega_collector.wire.decoding import decode_marker, decode_source
from mega_collector.wire.encoding import encode_hello, encode_marker, encode_source
from mega_collector.wire.limits import MAX_GROUP_SIZE, MAX_NAME, MAX_PASSAGES, MAX_POSITION, MAX_RECORDS

AUDIT: Final = f"/{pb.DESCRIPTOR.services_by_name['Aggregator'].full_name}/Audit"
"""The method's name to gRPC."""


def serialize_audit_request(hello: Hello, *, whose: bool = False, files: Iterable[Source] = ()) -> bytes:
    """`whose`: it is only asked whether the id may be used. `files`: only which of them the aggregator writes."""
    asked = map(encode_source, files)
    return pb.AuditRequest(collector=encode_hello(hello), whose=whose, files=asked).SerializeToString()


def decode_asked_files(request: pb.AuditRequest, hello: Hello) -> list[Source]:
    """The files of which it is asked whether the aggregator writes them.

    Raises:
        WireError: one of them makes no sense, or they are too many.
    """
    if len(request.files) > MAX_RECORDS:
        raise WireError(f"an audit asks for at most {MAX_RECORDS} files at once, not {len(request.files)}")
    return [decode_source(each, hello) for each in request.files]


def encode_records(records: Iterable[Record]) -> Iterator[pb.AuditResponse]:
    """Pages. A source that has very many ranges comes as several records, one behind the other, with some in each."""
    page, size = pb.AuditResponse(), 0
    for record in records:
        for begin in range(0, max(len(record.ranges), 1), MAX_PASSAGES):
            page.records.append(_encode_record(record, record.ranges[begin : begin + MAX_PASSAGES]))
            size += page.records[-1].ByteSize()
            if len(page.records) == MAX_RECORDS or size >= MAX_GROUP_SIZE:
                yield page
                page, size = pb.AuditResponse(), 0
    if page.records:
        yield page


def parse_records(page: bytes, hello: Hello) -> list[Record]:
    """The records of a page, as `encode_records` has them.

    Raises:
        WireError: it is no such page, or what is in it contradicts itself.
    """
    message = _parse_page(page)
    if len(message.records) > MAX_RECORDS:
        raise WireError(f"a page of the audit has at most {MAX_RECORDS} records, not {len(message.records)}")
    return [_decode_record(each, hello) for each in message.records]


def parse_own(page: bytes) -> frozenset[bytes]:
    """The ids of the files that the aggregator says it writes.

    Raises:
        WireError: it is no such page.
    """
    return frozenset(_parse_page(page).own)


def _parse_page(page: bytes) -> pb.AuditResponse:
    try:
        return pb.AuditResponse.FromString(page)
    except DecodeError as error:
        raise WireError("a page of the audit cannot be read") from error


def _encode_record(record: Record, ranges: Iterable[Passage]) -> pb.Record:
    return pb.Record(
        source=encode_source(record.source),
        first=record.first,
        position=record.position,
        entries=record.entries,
        crc32=record.checksum,
        before=encode_marker(record.before),
        finished=record.finished,
        gone=record.gone,
        updated_at=record.updated_at,
        ranges=[pb.Passage(start=each.start, end=each.end, reason=each.reason) for each in ranges],
    )


def _decode_record(record: pb.Record, hello: Hello) -> Record:
    if not record.first <= record.position <= MAX_POSITION:
        raise WireError(f"a record from {record.first} to {record.position} is impossible")
    if len(record.ranges) > MAX_PASSAGES:
        raise WireError(f"a record has at most {MAX_PASSAGES} ranges, not {len(record.ranges)}")
    return Record(
        source=decode_source(record.source, hello),
        first=record.first,
        position=record.position,
        entries=record.entries,
        checksum=record.crc32,
        before=decode_marker(record.before),
        finished=record.finished,
        gone=record.gone,
        updated_at=record.updated_at,
        ranges=tuple(map(_decode_passage, record.ranges)),
    )


def _decode_passage(passage: pb.Passage) -> Passage:
    if not passage.start <= passage.end <= MAX_POSITION:
        raise WireError(f"a range from {passage.start} to {passage.end} is impossible")
    if len(passage.reason) > MAX_NAME:
        raise WireError(f"a reason has at most {MAX_NAME} characters")
    return Passage(passage.start, passage.end, passage.reason)
