"""How entries look at a destination of lines, and what becomes the bytes of batches by that."""

from collections.abc import Callable, Sequence
from functools import partial

from mega_collector.batch import Batch
from mega_collector.emitter.configuration import Format
from mega_collector.emitter.format_json import json_lines
from mega_collector.emitter.format_prefix import prefixed_lines
from mega_collector.emitter.payload import MADE_AT_ONCE, Payload

MakePayload = Callable[[Sequence[Batch], bytes], Payload]
"""Of batches, and what goes before the first of them."""


def payload_in(format: Format) -> MakePayload:  # noqa: A002
    """What is to be written of batches. Raw ones are not copied."""
    match format:
        case Format.RAW:
            return Payload
        case Format.JSON:
            return partial(Payload, lines=json_lines, at_once=MADE_AT_ONCE)
        case Format.PREFIX:
            return partial(Payload, lines=prefixed_lines, at_once=MADE_AT_ONCE)
