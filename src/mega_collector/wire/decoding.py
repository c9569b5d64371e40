"""What has come in, held against itself: nothing of it is trusted, and whatever contradicts itself is a `WireError`."""

import math
from collections.abc import Iterable, Sequence

import zstandard
from google.protobuf.message import DecodeError

from mega_collector.api import api_pb2 as pb
from mega_collector.block import NEWLINE, Block, Skip, Source
from mega_collector.checksum import crc32
from mega_collector.entries import newlines
from mega_collector.errors import WireError
from mega_collector.marker import HEAD_SIZE, Marker
from mega_collector.protocol import (
    Ack,
    Behind,
    FromAggregator,
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
    Status,
    Welcome,
)
from mega_collector.wire.limits import (
    MAX_BEHIND,
    MAX_BLOCK_SIZE,
    MAX_CAUSE,
    MAX_GROUP,
    MAX_GROUP_SIZE,
    MAX_HOLDINGS,
    MAX_LIFE,
    MAX_NAME,
    MAX_PATH,
    MAX_POSITION,
    MAX_SOURCE_ID,
    MAX_TAGS,
    MAX_WORDS,
)
from mega_collector.wire.names import REFUSAL_REASON_OF, SKIP_REASON_OF, STAGE_OF
from mega_collector.wire.zstd import zstd

_NOBODY = Hello("", "")
"""Of what is answered the collector alone knows that it is its own."""

# What the collector says


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
        return pb.CollectorGroup.FromString(zstd.decompressor.decompress(packed, allow_extra_data=False))
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
        head=decode_marker(description.head),
        collector=hello.collector,
        host=hello.host,
        tags=hello.tags,
    )


def decode_open(opening: pb.Open, hello: Hello) -> Open:
    """Where a collector goes on with a source.

    Raises:
        WireError: as for `decode_source`; or a position or a marker that cannot be.
    """
    if opening.position > MAX_POSITION:
        raise WireError(f"a position is at most {MAX_POSITION}")
    return Open(decode_source(opening.source, hello), opening.position, decode_marker(opening.before))


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


def decode_inventory(message: pb.Inventory, hello: Hello) -> Inventory:
    """Behind which source the collector asks for what is held of it.

    Raises:
        WireError: it is none that can be.
    """
    return Inventory(decode_source(message.after, hello) if message.HasField("after") else None, message.ended)


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
        WireError: no reason that is known, or an impossible range or marker.
    """
    reason = SKIP_REASON_OF.get(message.reason)
    if reason is None:
        raise WireError("a skip gives its reason")
    if not message.start < message.end <= MAX_POSITION:
        raise WireError(f"a skip from {message.start} to {message.end} is impossible")
    return Skip(source, message.start, message.end, reason, decode_marker(message.before))


def _plain(message: pb.Block, payload: bytes) -> bytes:
    if message.compression == pb.COMPRESSION_NONE:
        return payload
    if message.compression != pb.COMPRESSION_ZSTD:
        raise WireError(f"compression {message.compression} is not known")
    try:
        # Asked first: a frame that claims more than the block would be allocated before a byte of it is read.
        if zstandard.frame_content_size(payload) != message.size:
            raise WireError("the compressed payload does not unpack to the size that the block says")
        return zstd.decompressor.decompress(payload, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise WireError("the compressed payload cannot be unpacked") from error


# What the aggregator says


def decode_answers(message: pb.AggregatorMessage) -> Iterable[FromAggregator]:
    """What the aggregator says at once, but for what a later version may say that this one does not know.

    Raises:
        WireError: a message that contradicts itself.
    """
    messages = message.group.messages if message.HasField("group") else (message,)
    return [answer for answer in map(decode_answer, messages) if answer is not None]


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
                reason=REFUSAL_REASON_OF.get(refusal.reason, RefusalReason.MALFORMED),
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
                welcome.inventory,
            )
        case "grant":
            return Grant(message.grant.window)
        case "status":
            status = message.status
            stage = STAGE_OF.get(status.stage)
            next_try_in = status.next_try_in / 1e9 if status.next_try_in else None
            return Status(stage, status.cause[:MAX_CAUSE], status.tries, next_try_in)
        case "holdings":
            return _decode_holdings(message.holdings)
        case _:
            return None


def _decode_holdings(message: pb.Holdings) -> Holdings:
    if len(message.holdings) > MAX_HOLDINGS:
        raise WireError(f"at most {MAX_HOLDINGS} sources are told at once, not {len(message.holdings)}")
    holdings = tuple(
        Holding(decode_source(each.source, _NOBODY), _decode_committed(each.position), decode_marker(each.before))
        for each in message.holdings
    )
    last = decode_source(message.last, _NOBODY) if message.HasField("last") else None
    return Holdings(holdings, last, message.others)


def _decode_known(known: pb.Known) -> Known:
    before, head = decode_marker(known.before), decode_marker(known.head)
    position = _decode_committed(known.position)
    sent = Sent(known.sent.position, decode_marker(known.sent.before)) if known.HasField("sent") else None
    if sent is not None and sent.position > position:
        raise WireError(f"{sent.position} bytes of a source were sent, and {position} committed: that cannot be")
    return Known(known.source, position, before, head, known.finished, sent)


def _decode_committed(position: int) -> int:
    """It is to be read at, in a file."""
    if position > MAX_POSITION:
        raise WireError(f"a position is at most {MAX_POSITION}")
    return position


# What both say


def decode_marker(marker: pb.Marker) -> Marker:
    if marker.length > HEAD_SIZE or len(marker.digest) > 64 or bool(marker.length) != bool(marker.digest):
        raise WireError("a marker that cannot be")
    return Marker(marker.length, marker.digest)
