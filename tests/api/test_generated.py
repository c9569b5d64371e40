"""The contract: what is generated is of api.proto, and paths and payloads are bytes in it, never strings."""

import re
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from mega_collector.api import api_pb2 as pb

PROTO = (Path(__file__).parents[2] / "api" / "api.proto").read_text()
TEXT = {
    "Hello.collector",
    "Hello.host",
    "Hello.version",
    "Hello.TagsEntry.key",
    "Hello.TagsEntry.value",
    "Welcome.version",
    "Refusal.message",
    "Passage.reason",
    "Behind.stage",
    "Behind.cause",
    "TapRequest.host",
    "ReleaseRequest.collector",
    "ReleaseRequest.holder",
    "ReleaseResponse.holder",
    "TapResponse.host",
    "Status.cause",
}


def _fields(message: Descriptor) -> list[FieldDescriptor]:
    return [*message.fields, *(field for each in message.nested_types for field in _fields(each))]


FIELDS = [field for message in pb.DESCRIPTOR.message_types_by_name.values() for field in _fields(message)]


def _name(field: FieldDescriptor) -> str:
    return field.full_name.removeprefix("mega_collector.v1.")


def test_only_what_an_operator_names_is_text_and_everything_else_may_hold_any_bytes() -> None:
    assert {_name(field) for field in FIELDS if field.type == FieldDescriptor.TYPE_STRING} == TEXT


def test_positions_and_sizes_hold_64_bits() -> None:
    numbers = {"position", "start", "end", "size", "entries", "expected", "window", "max_message_size", "read_at"}
    assert all(field.type == FieldDescriptor.TYPE_UINT64 for field in FIELDS if field.name in numbers)


@pytest.mark.parametrize(
    ("service", "calls"),
    [
        ("Aggregator", {"Publish": (False, False), "PublishStream": (True, True), "Audit": (False, True)}),
        (
            "Operator",
            {"Replay": (False, False), "Top": (False, False), "Tap": (False, True), "Release": (False, False)},
        ),
    ],
)
def test_every_call_is_there(service: str, calls: dict[str, tuple[bool, bool]]) -> None:
    methods = pb.DESCRIPTOR.services_by_name[service].methods
    assert {each.name: (each.client_streaming, each.server_streaming) for each in methods} == calls


@pytest.mark.parametrize("kind", ["message", "enum"])
def test_what_is_generated_has_what_the_contract_has(kind: str) -> None:
    written = set(re.findall(rf"^{kind} (\w+)", PROTO, re.MULTILINE))
    generated = pb.DESCRIPTOR.message_types_by_name if kind == "message" else pb.DESCRIPTOR.enum_types_by_name
    assert set(generated) == written


# Numbers that were given once mean the same for ever: a peer of another version goes by them.
KINDS = {
    "CollectorMessage": {
        "hello": 1,
        "describe": 2,
        "open": 3,
        "block": 4,
        "skip": 5,
        "finish": 6,
        "flush": 7,
        "report": 9,
    },
    "AggregatorMessage": {"welcome": 1, "resume": 2, "ack": 3, "refusal": 4, "grant": 5},
    "Block": {
        "source": 1,
        "start": 2,
        "size": 3,
        "entries": 4,
        "unterminated": 5,
        "crc32": 6,
        "compression": 7,
        "payload": 8,
        "read_at": 9,
    },
    "Ack": {"positions": 1},
    "Position": {"source": 1, "position": 2},
    "Refusal": {"source": 1, "start": 2, "expected": 3, "reason": 4, "retry": 5, "message": 6},
}


@pytest.mark.parametrize("message", KINDS)
def test_numbers_that_were_given_stay(message: str) -> None:
    fields = pb.DESCRIPTOR.message_types_by_name[message].fields
    assert {field.name: field.number for field in fields}.items() >= KINDS[message].items()
