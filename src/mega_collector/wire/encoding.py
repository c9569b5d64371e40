"""What is said, as it goes out."""

from collections.abc import Iterable, Sequence
from typing import Final

from mega_collector.api import api_pb2 as pb
from mega_collector.block import Block, Skip, Source
from mega_collector.checksum import crc32
from mega_collector.marker import Marker
from mega_collector.protocol import (
    Ack,
    Describe,
    Finish,
    Flush,
    FromAggregator,
    FromCollector,
    Grant,
    Granted,
    Hello,
    Holdings,
    Inventory,
    Open,
    Refusal,
    Report,
    Resume,
    Sent,
    Status,
    Welcome,
)
from mega_collector.wire.framing import framed
from mega_collector.wire.limits import MAX_BEHIND, MAX_CAUSE, MAX_NAME, MAX_WORDS
from mega_collector.wire.names import REFUSAL_REASONS, SKIP_REASONS, STAGES
from mega_collector.wire.zstd import zstd

_BESIDE_SMALL_DATA: Final = 128
"""Bytes that a message in a group may take beside its data, or in all if it has neither data nor a path."""

_BESIDE_PATH: Final = 256
"""Likewise, beside a path."""


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
        packed = zstd.compressor.compress(answer.group.SerializeToString())
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
    """A `CollectorMessage` as it goes out; `compress` is for the data of blocks."""
    if not isinstance(message, Block):
        return encode(message).SerializeToString()
    payload = zstd.compressor.compress(message.data) if compress else message.data
    rest = _encode_header(message, compress=compress, read_at=read_at).SerializeToString()
    return framed(payload, rest)


def encode(
    message: Hello | Describe | Open | Skip | Finish | Flush | Granted | Report | Inventory,
) -> pb.CollectorMessage:
    """A message of the collector's that is not a block."""
    match message:
        case Hello():
            return pb.CollectorMessage(hello=encode_hello(message))
        case Describe():
            return pb.CollectorMessage(describe=pb.Describe(source=encode_source(message.source)))
        case Open():
            before = encode_marker(message.before) if message.before.length else None
            opening = pb.Open(source=encode_source(message.source), position=message.position, before=before)
            return pb.CollectorMessage(open=opening)
        case Skip():
            skip = pb.Skip(
                source=message.source.id,
                start=message.start,
                end=message.end,
                reason=SKIP_REASONS[message.reason],
                before=encode_marker(message.before) if message.before.length else None,
            )
            return pb.CollectorMessage(skip=skip)
        case Finish():
            return pb.CollectorMessage(
                finish=pb.Finish(source=message.source.id, position=message.position, lost=message.lost)
            )
        case Flush():
            return pb.CollectorMessage(flush=pb.Flush())
        case Granted(window):
            return pb.CollectorMessage(granted=pb.Granted(window=window))
        case Report():
            return pb.CollectorMessage(report=_encode_report(message))
        case Inventory(after, ended):
            return pb.CollectorMessage(inventory=pb.Inventory(after=_encode_place(after), ended=ended))


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
        head=encode_marker(source.head),
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


# What the aggregator says


def encode_answers(messages: Sequence[FromAggregator]) -> pb.AggregatorMessage:
    """What is said at once."""
    if len(messages) == 1:
        return encode_answer(messages[0])
    return pb.AggregatorMessage(group=pb.AggregatorGroup(messages=map(encode_answer, messages)))


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
                    before=encode_marker(each.before),
                    head=encode_marker(each.head),
                    finished=each.finished,
                    sent=_encode_sent(each.sent),
                )
                for each in message.known
            ]
            return pb.AggregatorMessage(resume=pb.Resume(source=message.source_id, known=known))
        case Refusal():
            refusal = pb.Refusal(
                source=message.source_id,
                start=message.start,
                expected=message.expected,
                reason=REFUSAL_REASONS[message.reason],
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
                inventory=message.inventory,
            )
            return pb.AggregatorMessage(welcome=welcome)
        case Grant():
            return pb.AggregatorMessage(grant=pb.Grant(window=message.window))
        case Status(stage, cause, tries, next_try_in):
            status = pb.Status(
                stage=pb.STAGE_UNSPECIFIED if stage is None else STAGES[stage],
                cause=cause[:MAX_CAUSE].encode("utf-8", "backslashreplace").decode(),
                tries=tries,
                next_try_in=int((next_try_in or 0) * 1e9),
            )
            return pb.AggregatorMessage(status=status)
        case Holdings():
            return pb.AggregatorMessage(holdings=_encode_holdings(message))


def _encode_sent(sent: Sent | None) -> pb.Sent | None:
    return None if sent is None else pb.Sent(position=sent.position, before=encode_marker(sent.before))


def _encode_holdings(message: Holdings) -> pb.Holdings:
    holdings = [
        pb.Holding(source=encode_source(each.source), position=each.position, before=encode_marker(each.before))
        for each in message.holdings
    ]
    return pb.Holdings(holdings=holdings, last=_encode_place(message.last), others=message.others)


# What both say


def _encode_place(source: Source | None) -> pb.Description | None:
    """Where a page of holdings ends: by these three they are in order."""
    return None if source is None else pb.Description(source=source.id, device=source.device, inode=source.inode)


def encode_marker(marker: Marker) -> pb.Marker:
    return pb.Marker(length=marker.length, digest=marker.digest)
