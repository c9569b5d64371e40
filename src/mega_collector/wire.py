"""Messages become bytes and back: with the publisher and the server the only place that knows the generated code.

What arrives is not trusted: whatever contradicts itself is a `WireError`.
"""

import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import zstandard
from google.protobuf.message import DecodeError

from mega_collector.api import api_pb2 as pb
from mega_collector.block import NEWLINE, Block, Skip, SkipReason, Source
from mega_collector.checksum import crc32
from mega_collector.entries import newlines
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
    Known,
    Open,
    Passage,
    Record,
    Refusal,
    RefusalReason,
    Report,
    Resume,
    Stage,
    Status,
    Welcome,
)

MAX_MESSAGE_SIZE: Final = 16 << 20
"""Bytes of the largest message that either side takes: several times the largest block by default, and small enough
that a hostile peer cannot make the aggregator hold much."""

_BESIDE_DATA: Final = 64 << 10
"""Bytes of a message that are left for a path of 4 KiB, the other fields, and what compression may add to noise."""

MAX_BLOCK_SIZE: Final = MAX_MESSAGE_SIZE - _BESIDE_DATA
"""Bytes of plain data in the largest block."""

MAX_GROUP: Final = 1024
"""Messages in a group."""

MAX_GROUP_SIZE: Final = 256 << 10
"""Bytes of a group, and of everything else that is not a block: of what has many fields protobuf makes many times the
memory that it has on the wire."""

MAX_RECORDS: Final = 256
"""Records in a page of an audit, which has at most about `MAX_GROUP_SIZE` bytes too."""

MAX_PASSAGES: Final = 1024
"""Ranges in one of them."""

AUDIT: Final = f"/{pb.DESCRIPTOR.services_by_name['Aggregator'].full_name}/Audit"
"""The method's name to gRPC."""

MAX_SOURCE_ID: Final = 64
MAX_LIFE: Final = 64
MAX_PATH: Final = 4096
MAX_NAME: Final = 255
MAX_TAGS: Final = 64
MAX_BEHIND: Final = 8
"""Files in a report."""

MAX_WORDS: Final = 512
"""Characters of what one of them says."""

MAX_CAUSE: Final = 1000
MAX_POSITION: Final = (1 << 63) - 1
"""Offsets are signed 64 bits to the kernel and to SQLite."""

_SKIP_REASONS: Final = {
    SkipReason.HOLE: pb.SKIP_REASON_HOLE,
    SkipReason.NULS: pb.SKIP_REASON_NULS,
    SkipReason.LOST: pb.SKIP_REASON_LOST,
    SkipReason.START_AT_END: pb.SKIP_REASON_START_AT_END,
}
_REFUSAL_REASONS: Final = {
    RefusalReason.WRONG_START: pb.REFUSAL_REASON_WRONG_START,
    RefusalReason.NOT_OPEN: pb.REFUSAL_REASON_NOT_OPEN,
    RefusalReason.MALFORMED: pb.REFUSAL_REASON_MALFORMED,
    RefusalReason.TOO_LARGE: pb.REFUSAL_REASON_TOO_LARGE,
    RefusalReason.NOT_YOURS: pb.REFUSAL_REASON_NOT_YOURS,
    RefusalReason.HELD_UP: pb.REFUSAL_REASON_HELD_UP,
    RefusalReason.OWN_OUTPUT: pb.REFUSAL_REASON_OWN_OUTPUT,
}
_STAGES: Final = {
    Stage.INGEST_BUFFER: pb.STAGE_INGEST_BUFFER,
    Stage.DESTINATION: pb.STAGE_DESTINATION,
    Stage.COMMIT: pb.STAGE_COMMIT,
}
"""Those that an aggregator can be at."""

_STAGE_OF: Final = {code: stage for stage, code in _STAGES.items()}
_SKIP_REASON_OF: Final = {code: reason for reason, code in _SKIP_REASONS.items()}
_REFUSAL_REASON_OF: Final = {code: reason for reason, code in _REFUSAL_REASONS.items()}


_BESIDE_SMALL_DATA: Final = 128
"""Bytes that a message in a group may take beside its data, or in all if it has neither data nor a path."""

_BESIDE_PATH: Final = 256
"""Likewise, beside a path."""

_BLOCK_TAG: Final = b"\x22"
"""Field 4 of `CollectorMessage`, with its length before it: https://protobuf.dev/programming-guides/encoding/."""

_PAYLOAD_TAG: Final = b"\x42"
"""Field 8 of `Block`, likewise."""


def largest_block(max_message_size: int) -> int:
    """Bytes of plain data in the largest block for a peer that takes messages of that size."""
    return max(min(max_message_size, MAX_MESSAGE_SIZE) - _BESIDE_DATA, _BESIDE_DATA)


# What the collector says


def weight(message: FromCollector) -> int:
    """Bytes that a message takes in a group, or a little less than that."""
    match message:
        case Block():
            return len(message.data) + _BESIDE_SMALL_DATA
        case Describe() | Open():
            return len(message.source.path) + _BESIDE_PATH
        case Report():
            return sum(len(each.path) + 4 * MAX_WORDS + _BESIDE_PATH for each in message.behind) + _BESIDE_SMALL_DATA
        case _:
            return _BESIDE_SMALL_DATA


def serialize_all(messages: Sequence[FromCollector], *, compress: bool = False, read_at: int = 0) -> bytes:
    """What is said at once, as it goes out: one message, or at most `MAX_GROUP` that weigh well below `MAX_GROUP_SIZE`.

    `compress` is for the data of blocks, and for groups as a whole: what many files say at once is much alike.
    """
    if len(messages) == 1:
        return serialize(messages[0], compress=compress, read_at=read_at)
    answer = pb.CollectorMessage()
    _fill(answer.group, messages, read_at)
    if compress:
        packed = _zstd.compressor.compress(answer.group.SerializeToString())
        answer = pb.CollectorMessage(group=pb.CollectorGroup(packed=packed))
    return answer.SerializeToString()


def _fill(group: pb.CollectorGroup, messages: Iterable[FromCollector], read_at: int) -> None:
    add, append = group.messages.add, group.messages.append
    for message in messages:
        if not isinstance(message, Block):
            append(encode(message))
            continue
        # One by one: naming them all in a constructor takes four times as long, which counts for small blocks.
        block = add().block
        block.source = message.source.id
        block.start = message.start
        block.size = len(message.data)
        block.entries = message.entries
        block.unterminated = message.unterminated
        block.crc32 = crc32(message.data)
        block.payload = bytes(message.data)
        block.read_at = read_at


def serialize(message: FromCollector, *, compress: bool = False, read_at: int = 0) -> bytes:
    """A `CollectorMessage` as it goes out; `compress` is for the data of blocks.

    A block's payload is put around by hand, in front of the other fields: protobuf would copy it twice more.
    """
    if not isinstance(message, Block):
        return encode(message).SerializeToString()
    payload = _zstd.compressor.compress(message.data) if compress else message.data
    rest = _encode_header(message, compress=compress, read_at=read_at).SerializeToString()
    size = _varint(len(payload))
    block_size = _varint(len(_PAYLOAD_TAG) + len(size) + len(payload) + len(rest))
    return b"".join((_BLOCK_TAG, block_size, _PAYLOAD_TAG, size, payload, rest))


def encode(message: Hello | Describe | Open | Skip | Finish | Flush | Report) -> pb.CollectorMessage:
    """A message of the collector's that is not a block."""
    match message:
        case Hello():
            return pb.CollectorMessage(hello=encode_hello(message))
        case Describe():
            return pb.CollectorMessage(describe=pb.Describe(source=encode_source(message.source)))
        case Open():
            opening = pb.Open(source=encode_source(message.source), position=message.position)
            return pb.CollectorMessage(open=opening)
        case Skip():
            skip = pb.Skip(
                source=message.source.id, start=message.start, end=message.end, reason=_SKIP_REASONS[message.reason]
            )
            return pb.CollectorMessage(skip=skip)
        case Finish():
            return pb.CollectorMessage(
                finish=pb.Finish(source=message.source.id, position=message.position, lost=message.lost)
            )
        case Flush():
            return pb.CollectorMessage(flush=pb.Flush())
        case Report():
            return pb.CollectorMessage(report=_encode_report(message))


def _encode_report(report: Report) -> pb.Report:
    behind = [
        pb.Behind(
            path=each.path,
            lag=each.lag,
            oldest=each.oldest,
            stage=each.stage[:MAX_NAME],
            cause=each.cause[:MAX_WORDS],
        )
        for each in report.behind[:MAX_BEHIND]
    ]
    return pb.Report(files=report.files, lag=report.lag, oldest=report.oldest, behind=behind)


def encode_hello(hello: Hello) -> pb.Hello:
    return pb.Hello(
        collector=hello.collector,
        host=hello.host,
        tags=dict(hello.tags),
        version=hello.version,
        life=hello.life,
        boot=hello.boot,
    )


def encode_source(source: Source) -> pb.Description:
    return pb.Description(
        source=source.id,
        path=source.path,
        device=source.device,
        inode=source.inode,
        head=_encode_marker(source.head),
    )


def encode_block(block: Block) -> pb.Block:
    """A block as `Publish` takes it."""
    message = _encode_header(block, compress=False, read_at=0)
    message.payload = bytes(block.data)
    return message


def _encode_header(block: Block, *, compress: bool, read_at: int) -> pb.Block:
    """All of a block but its payload."""
    return pb.Block(
        source=block.source.id,
        start=block.start,
        size=len(block.data),
        entries=block.entries,
        unterminated=block.unterminated,
        crc32=crc32(block.data),
        compression=pb.COMPRESSION_ZSTD if compress else pb.COMPRESSION_NONE,
        read_at=read_at,
    )


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of a collector's: what protobuf has parsed of it, and apart from that, if it is a block, its payload.

    The payload in `message` may be missing: only `payload` counts. With a `problem`, nothing was made of it at all.
    """

    message: pb.CollectorMessage
    payload: bytes = b""
    problem: str = ""

    @property
    def kind(self) -> str | None:
        """The name of its field; None for what a later version may say that this one does not know.

        Raises:
            WireError: it has a problem.
        """
        if self.problem:
            raise WireError(self.problem)
        return kind_of(self.message)


def kind_of(message: pb.CollectorMessage) -> str | None:
    """The name of a message's field; None for what a later version may say that this one does not know."""
    kind: str | None = message.WhichOneof("kind")
    return kind


def parse(data: bytes) -> Heard:
    """What has come in: the same as protobuf makes of it, but a block's payload is not copied more often than needed.

    Raises:
        DecodeError: it is no `CollectorMessage`.
    """
    return _parse_block(data) or _parse_any(data)


def _parse_block(data: bytes) -> Heard | None:
    """A block whose payload comes first, as `serialize` puts it; None for everything else."""
    try:
        size, begin = _length_behind(_BLOCK_TAG, data, 0)
        if begin + size != len(data):
            return None
        size, begin = _length_behind(_PAYLOAD_TAG, data, begin)
        rest = data[begin + size :]
        header = pb.Block.FromString(rest)
    except (ValueError, DecodeError):
        return None
    # Fields that are there twice make it longer than it must be: protobuf knows which one counts.
    if begin + size > len(data) or header.payload or header.ByteSize() != len(rest):
        return None
    return Heard(pb.CollectorMessage(block=header), data[begin : begin + size])


def _parse_any(data: bytes) -> Heard:
    # Looked at before protobuf makes anything of it.
    if len(data) > MAX_GROUP_SIZE and not _is_one_block(data):
        return Heard(pb.CollectorMessage(), problem=f"only a block may have more than {MAX_GROUP_SIZE} bytes")
    message = pb.CollectorMessage.FromString(data)
    return Heard(message, message.block.payload)


def _is_one_block(data: bytes) -> bool:
    try:
        size, begin = _length_behind(_BLOCK_TAG, data, 0)
    except ValueError:
        return False
    return begin + size == len(data)


def heard_in(group: pb.CollectorGroup) -> Sequence[pb.CollectorMessage]:
    """The messages of a group, in order.

    Raises:
        WireError: they are too many, or packed in a way that does not unpack.
    """
    if group.packed:
        unpacked = _unpack(group.packed)
        if group.messages or unpacked.packed:
            raise WireError("a group is packed once, or not at all")
        group = unpacked
    if len(group.messages) > MAX_GROUP:
        raise WireError(f"a group has at most {MAX_GROUP} messages, not {len(group.messages)}")
    return group.messages


def _unpack(packed: bytes) -> pb.CollectorGroup:
    try:
        # Asked first, as for a block. What has no size says -1.
        if not 0 <= zstandard.frame_content_size(packed) <= MAX_GROUP_SIZE:
            raise WireError(f"a packed group does not say its size, or has more than {MAX_GROUP_SIZE} bytes")
        return pb.CollectorGroup.FromString(_zstd.decompressor.decompress(packed, allow_extra_data=False))
    except (zstandard.ZstdError, DecodeError) as error:
        raise WireError("a packed group cannot be unpacked") from error


def decode_hello(hello: pb.Hello) -> Hello:
    """Who a collector says that it is.

    Raises:
        WireError: no id, or names beyond their bounds.
    """
    if not hello.collector:
        raise WireError("the collector gives no id")
    names = [hello.collector, hello.host, hello.version, *hello.tags.keys(), *hello.tags.values()]
    if any(len(name) > MAX_NAME for name in names):
        raise WireError(f"the collector's id, host, version or a tag is longer than {MAX_NAME} characters")
    if len(hello.tags) > MAX_TAGS:
        raise WireError(f"the collector has more than {MAX_TAGS} tags")
    if max(len(hello.life), len(hello.boot)) > MAX_LIFE:
        raise WireError(f"what tells the collector's processes and kernel apart has at most {MAX_LIFE} bytes")
    return Hello(hello.collector, hello.host, dict(hello.tags), hello.version, hello.life, hello.boot)


def decode_source(description: pb.Description, hello: Hello) -> Source:
    """The source that a collector describes.

    Raises:
        WireError: no id, or an id, path or marker beyond its bounds.
    """
    if not 1 <= len(description.source) <= MAX_SOURCE_ID:
        raise WireError(f"a source id has 1 to {MAX_SOURCE_ID} bytes, not {len(description.source)}")
    if len(description.path) > MAX_PATH:
        raise WireError(f"a path has at most {MAX_PATH} bytes, not {len(description.path)}")
    return Source(
        id=description.source,
        path=description.path,
        device=description.device,
        inode=description.inode,
        head=_decode_marker(description.head),
        collector=hello.collector,
        host=hello.host,
        tags=hello.tags,
    )


def decode_report(report: pb.Report) -> Report:
    """How far a collector's files are behind.

    Raises:
        WireError: a number that cannot be, or a bound is passed.
    """
    if len(report.behind) > MAX_BEHIND:
        raise WireError(f"a report has at most {MAX_BEHIND} files, not {len(report.behind)}")
    behind = tuple(map(_decode_behind, report.behind))
    return Report(report.files, report.lag, _age(report.oldest), behind)


def _decode_behind(behind: pb.Behind) -> Behind:
    if len(behind.path) > MAX_PATH:
        raise WireError(f"a path has at most {MAX_PATH} bytes, not {len(behind.path)}")
    if len(behind.stage) > MAX_NAME or len(behind.cause) > MAX_WORDS:
        raise WireError(f"what a report says has at most {MAX_WORDS} characters")
    return Behind(behind.path, behind.lag, _age(behind.oldest), behind.stage, behind.cause)


def _age(seconds: float) -> float:
    if not 0 <= seconds < math.inf:
        raise WireError(f"an age of {seconds} s is impossible")
    return seconds


def decode_block(message: pb.Block, payload: bytes, source: Source, received: int = 0) -> Block:
    """The block of a source that is open on the stream. What the message itself has as payload is not looked at.

    Raises:
        WireError: size, checksum, number of entries or payload contradict each other, or a bound is passed.
    """
    if not 0 < message.size <= MAX_BLOCK_SIZE:
        raise WireError(f"a block has 1 to {MAX_BLOCK_SIZE} bytes, not {message.size}")
    if message.start + message.size > MAX_POSITION:
        raise WireError(f"a position is at most {MAX_POSITION}")
    data = _plain(message, payload)
    if len(data) != message.size:
        raise WireError(f"the block says {message.size} bytes and has {len(data)}")
    if crc32(data) != message.crc32:
        raise WireError("the block's checksum does not match its bytes")
    if message.unterminated == data.endswith(NEWLINE):
        raise WireError("the block's last entry is not as it says: with a newline or without")
    entries = newlines(data) + message.unterminated
    if entries != message.entries:
        raise WireError(f"the block says {message.entries} entries and has {entries}")
    return Block(source, message.start, data, entries, message.unterminated, received)


def decode_skip(message: pb.Skip, source: Source) -> Skip:
    """The bytes that a collector passes over.

    Raises:
        WireError: no reason that is known, or an impossible range.
    """
    reason = _SKIP_REASON_OF.get(message.reason)
    if reason is None:
        raise WireError("a skip gives its reason")
    if not message.start < message.end <= MAX_POSITION:
        raise WireError(f"a skip from {message.start} to {message.end} is impossible")
    return Skip(source, message.start, message.end, reason)


def _plain(message: pb.Block, payload: bytes) -> bytes:
    if message.compression == pb.COMPRESSION_NONE:
        return payload
    if message.compression != pb.COMPRESSION_ZSTD:
        raise WireError(f"compression {message.compression} is not known")
    try:
        # Asked first: a frame that claims more than the block would be allocated before a byte of it is read.
        if zstandard.frame_content_size(payload) != message.size:
            raise WireError("the compressed payload does not unpack to the size that the block says")
        return _zstd.decompressor.decompress(payload, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise WireError("the compressed payload cannot be unpacked") from error


# What the aggregator says


def encode_answers(messages: Sequence[FromAggregator]) -> pb.AggregatorMessage:
    """What is said at once."""
    if len(messages) == 1:
        return encode_answer(messages[0])
    return pb.AggregatorMessage(group=pb.AggregatorGroup(messages=map(encode_answer, messages)))


def decode_answers(message: pb.AggregatorMessage) -> Iterable[FromAggregator]:
    """What the aggregator says at once, but for what a later version may say that this one does not know.

    Raises:
        WireError: a message that contradicts itself.
    """
    messages = message.group.messages if message.HasField("group") else (message,)
    return [answer for answer in map(decode_answer, messages) if answer is not None]


def encode_answer(message: FromAggregator) -> pb.AggregatorMessage:
    match message:
        case Ack():
            positions = [pb.Position(source=source, position=at) for source, at in message.positions.items()]
            return pb.AggregatorMessage(ack=pb.Ack(positions=positions))
        case Resume():
            known = [
                pb.Known(
                    source=each.source_id,
                    position=each.position,
                    before=_encode_marker(each.before),
                    head=_encode_marker(each.head),
                    finished=each.finished,
                )
                for each in message.known
            ]
            return pb.AggregatorMessage(resume=pb.Resume(source=message.source_id, known=known))
        case Refusal():
            refusal = pb.Refusal(
                source=message.source_id,
                start=message.start,
                expected=message.expected,
                reason=_REFUSAL_REASONS[message.reason],
                retry=message.retry,
                message=message.message,
            )
            return pb.AggregatorMessage(refusal=refusal)
        case Welcome():
            welcome = pb.Welcome(
                max_message_size=message.max_message_size,
                window=message.window,
                version=message.version,
                boot=message.boot,
                outputs=[pb.FileIdentity(device=device, inode=inode) for device, inode in message.outputs],
                report_interval=message.report_interval,
                batch_age=int(message.batch_age * 1e9),
            )
            return pb.AggregatorMessage(welcome=welcome)
        case Grant():
            return pb.AggregatorMessage(grant=pb.Grant(window=message.window))
        case Status(stage, cause, tries, next_try_in):
            status = pb.Status(
                stage=pb.STAGE_UNSPECIFIED if stage is None else _STAGES[stage],
                cause=cause[:MAX_CAUSE].encode("utf-8", "backslashreplace").decode(),
                tries=tries,
                next_try_in=int((next_try_in or 0) * 1e9),
            )
            return pb.AggregatorMessage(status=status)


def decode_answer(message: pb.AggregatorMessage) -> FromAggregator | None:
    """What the aggregator says; None for what a later version may say that this one does not know.

    Raises:
        WireError: a message that contradicts itself.
    """
    match message.WhichOneof("kind"):
        case "ack":
            return Ack({each.source: each.position for each in message.ack.positions})
        case "resume":
            return Resume(message.resume.source, tuple(_decode_known(each) for each in message.resume.known))
        case "refusal":
            refusal = message.refusal
            return Refusal(
                source_id=refusal.source,
                start=refusal.start,
                expected=refusal.expected,
                reason=_REFUSAL_REASON_OF.get(refusal.reason, RefusalReason.MALFORMED),
                retry=refusal.retry,
                message=refusal.message,
            )
        case "welcome":
            welcome = message.welcome
            outputs = tuple((each.device, each.inode) for each in welcome.outputs)
            return Welcome(
                welcome.max_message_size,
                welcome.window,
                welcome.version,
                welcome.boot,
                outputs,
                welcome.batch_age / 1e9,
                welcome.report_interval,
            )
        case "grant":
            return Grant(message.grant.window)
        case "status":
            status = message.status
            stage = _STAGE_OF.get(status.stage)
            next_try_in = status.next_try_in / 1e9 if status.next_try_in else None
            return Status(stage, status.cause[:MAX_CAUSE], status.tries, next_try_in)
        case _:
            return None


def _decode_known(known: pb.Known) -> Known:
    before, head = _decode_marker(known.before), _decode_marker(known.head)
    return Known(known.source, known.position, before, head, known.finished)


# What is committed, for an audit


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
        before=_encode_marker(record.before),
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
        before=_decode_marker(record.before),
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


def _encode_marker(marker: Marker) -> pb.Marker:
    return pb.Marker(length=marker.length, digest=marker.digest)


def _decode_marker(marker: pb.Marker) -> Marker:
    if len(marker.digest) > 64 or bool(marker.length) != bool(marker.digest):
        raise WireError("a marker that cannot be")
    return Marker(marker.length, marker.digest)


# One of each for a thread: making one costs as much as using it, and neither may be used by two threads at once.


class _PerThread(threading.local):
    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=1)
        self.decompressor = zstandard.ZstdDecompressor()


_zstd = _PerThread()


# Lengths as protobuf writes them


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _length_behind(tag: bytes, data: bytes, at: int) -> tuple[int, int]:
    """The length that follows a tag at `at`, and where it ends.

    Raises:
        ValueError: something else is there.
    """
    if data[at : at + 1] != tag:
        raise ValueError(f"tag {tag!r} expected")
    number = 0
    for place, byte in enumerate(data[at + 1 : at + 6]):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number, at + place + 2
    raise ValueError("a length that does not end")
