"""Messages become bytes and back: with the publisher and the server the only place that knows the generated code.

What arrives is not trusted: whatever contradicts itself is a `WireError`.
"""

from mega_collector.wire.audit import AUDIT, encode_records, parse_records, serialize_audit_request
from mega_collector.wire.decoding import (
    decode_answer,
    decode_answers,
    decode_block,
    decode_hello,
    decode_report,
    decode_skip,
    decode_source,
    heard_in,
)
from mega_collector.wire.encoding import (
    encode_answer,
    encode_answers,
    encode_block,
    encode_hello,
    encode_source,
    serialize,
    serialize_all,
    weight,
)
from mega_collector.wire.framing import Heard, kind_of, parse
from mega_collector.wire.limits import (
    MAX_BEHIND,
    MAX_BLOCK_SIZE,
    MAX_CAUSE,
    MAX_GROUP,
    MAX_GROUP_SIZE,
    MAX_LIFE,
    MAX_MESSAGE_SIZE,
    MAX_NAME,
    MAX_PATH,
    MAX_POSITION,
    MAX_SOURCE_ID,
    MAX_TAGS,
    MAX_WORDS,
    largest_block,
)

__all__ = [
    "AUDIT",
    "MAX_BEHIND",
    "MAX_BLOCK_SIZE",
    "MAX_CAUSE",
    "MAX_GROUP",
    "MAX_GROUP_SIZE",
    "MAX_LIFE",
    "MAX_MESSAGE_SIZE",
    "MAX_NAME",
    "MAX_PATH",
    "MAX_POSITION",
    "MAX_SOURCE_ID",
    "MAX_TAGS",
    "MAX_WORDS",
    "Heard",
    "decode_answer",
    "decode_answers",
    "decode_block",
    "decode_hello",
    "decode_report",
    "decode_skip",
    "decode_source",
    "encode_answer",
    "encode_answers",
    "encode_block",
    "encode_hello",
    "encode_records",
    "encode_source",
    "heard_in",
    "kind_of",
    "largest_block",
    "parse",
    "parse_records",
    "serialize",
    "serialize_all",
    "serialize_audit_request",
    "weight",
]
