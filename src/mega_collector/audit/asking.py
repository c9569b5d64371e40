"""What the aggregator says is committed of this collector's sources."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby

import grpc

from mega_collector import wire
from mega_collector.block import Source
from mega_collector.collector.sending.channel import channel_options, open_channel
from mega_collector.errors import MegaCollectorError, WireError
from mega_collector.protocol import Hello, Record
from mega_collector.unavailable import explain

_SILENCE = 20.0
"""Seconds until the aggregator must have said something: one that is stopped still accepts connections."""

_MOST = 4_000_000
"""Records and ranges that are taken in: many times what a machine's logs come to, and about two gigabytes."""


class Unanswered(MegaCollectorError):
    """The aggregator did not say what is committed. Trying again can help."""


def ask(
    target: str,
    hello: Hello,
    *,
    credentials: grpc.ChannelCredentials | None,
    server_name: str | None,
    silence: float = _SILENCE,
) -> list[Record]:
    """All records of the collector, one for each source.

    Raises:
        Unanswered: in words that say what to do.
    """
    with _channel(target, credentials, server_name) as channel:
        return _gathered(_answered(channel, hello, silence))


def ask_which_are_own(
    target: str,
    hello: Hello,
    files: Sequence[Source],
    *,
    credentials: grpc.ChannelCredentials | None,
    server_name: str | None,
    silence: float = _SILENCE,
) -> set[bytes]:
    """The ids of those files that the aggregator writes itself; of one of an earlier version none are known.

    Raises:
        Unanswered: in words that say what to do.
    """
    own: set[bytes] = set()
    with _channel(target, credentials, server_name) as channel:
        for begin in range(0, len(files), wire.MAX_RECORDS):
            request = wire.serialize_audit_request(hello, files=files[begin : begin + wire.MAX_RECORDS])
            for page in _pages(channel, request, silence):
                own |= wire.parse_own(page)
    return own


@contextmanager
def _channel(
    target: str, credentials: grpc.ChannelCredentials | None, server_name: str | None
) -> Iterator[grpc.Channel]:
    """What goes wrong on it is Unanswered, in words that say what to do."""
    with open_channel(target, credentials, channel_options(server_name)) as channel:
        try:
            yield channel
        except grpc.RpcError as error:
            raise Unanswered(_cause(error, target, tls=credentials is not None)) from error
        except WireError as error:
            raise Unanswered(f"the aggregator at {target} cannot be understood: {error}") from error


def _answered(channel: grpc.Channel, hello: Hello, silence: float) -> Iterator[Record]:
    for page in _pages(channel, wire.serialize_audit_request(hello), silence):
        yield from wire.parse_records(page, hello)


def _pages(channel: grpc.Channel, request: bytes, silence: float) -> Iterator[bytes]:
    # As bytes: whatever cannot be parsed is to be told by us.
    call = channel.unary_stream(wire.AUDIT, request_serializer=bytes, response_deserializer=bytes)(request)
    try:
        while True:
            watchdog = threading.Timer(silence, call.cancel)
            watchdog.start()
            try:
                page = next(call, None)
            finally:
                watchdog.cancel()
            if page is None:
                return
            yield page
    finally:
        call.cancel()


def _gathered(answered: Iterator[Record]) -> list[Record]:
    """One for each source: one that has many ranges comes in parts."""
    records: list[Record] = []
    count = 0
    for _, group in groupby(answered, lambda record: record.source.id):
        parts = []
        for part in group:
            count += 1 + len(part.ranges)
            if count > _MOST:
                raise WireError(f"it tells of more than {_MOST} records and ranges")
            parts.append(part)
        records.append(replace(parts[0], ranges=tuple(each for part in parts for each in part.ranges)))
    return records


def _cause(error: grpc.RpcError, target: str, *, tls: bool) -> str:
    code, details = error.code(), error.details() or ""
    if code is grpc.StatusCode.CANCELLED:
        return f"the aggregator at {target} does not answer: see whether it hangs, and try again"
    explanation = explain(details, code, tls=tls)
    return f"the aggregator at {target}: {explanation or details or code.name}"
