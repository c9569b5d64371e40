"""A block's message is put around its payload, and taken off, by hand: protobuf would copy the payload twice more.

The payload stands first, before all other fields of the block. What has any other form is left to protobuf.
"""

from dataclasses import dataclass
from typing import Final

from google.protobuf.message import DecodeError

from mega_collector.api import api_pb2 as pb
from mega_collector.errors import WireError
from mega_collector.wire.limits import MAX_GROUP_SIZE

_BLOCK_TAG: Final = b"\x22"
"""Field 4 of `CollectorMessage`, with its length before it: https://protobuf.dev/programming-guides/encoding/."""

_PAYLOAD_TAG: Final = b"\x42"
"""Field 8 of `Block`, likewise."""


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


def framed(payload: bytes | memoryview, rest: bytes) -> bytes:
    """A `CollectorMessage` with a block: its payload, and `rest`, all its other fields as protobuf writes them."""
    size = _varint(len(payload))
    block_size = _varint(len(_PAYLOAD_TAG) + len(size) + len(payload) + len(rest))
    return b"".join((_BLOCK_TAG, block_size, _PAYLOAD_TAG, size, payload, rest))


def parse(data: bytes) -> Heard:
    """What has come in: the same as protobuf makes of it, but a block's payload is not copied more often than needed.

    Raises:
        DecodeError: it is no `CollectorMessage`.
    """
    return _parse_block(data) or _parse_any(data)


def _parse_block(data: bytes) -> Heard | None:
    """A block whose payload comes first, as `framed` puts it; None for everything else."""
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
