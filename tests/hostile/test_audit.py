"""What the ledger holds of a collector, as it is asked for over the wire."""

from pathlib import Path

import grpc
import pytest

from harness.until import DEADLINE, until
from hostile.client import Stream, block, connect, describe
from hostile.served import Served
from mega_collector import wire
from mega_collector.aggregator.ledger import Advance, Ledger, LedgerError, Range
from mega_collector.api import api_pb2 as pb, api_pb2_grpc
from mega_collector.block import Source
from mega_collector.checksum import crc32
from mega_collector.marker import Marker
from mega_collector.protocol import Hello, Record

ME = Hello("me", "test")


def pages(channel: grpc.Channel, collector: str = "me") -> list[pb.AuditResponse]:
    request = pb.AuditRequest(collector=pb.Hello(collector=collector))
    return list(api_pb2_grpc.AggregatorStub(channel).Audit(request, timeout=DEADLINE))


def records(channel: grpc.Channel, collector: str = "me") -> list[Record]:
    return [record for page in pages(channel, collector) for record in wire.parse_records(page.SerializeToString(), ME)]


def fill(ledger: Ledger, count: int, *, path: bytes = b"/log", collector: str = "me") -> None:
    sources = [
        Source(b"%b %06d" % (collector.encode(), number), path, 1, number, Marker(), collector)
        for number in range(count)
    ]
    ledger.commit(Advance(source, 0, 10, 1, Marker.of(b"0123456789"), checksum=5) for source in sources)


def test_a_collector_hears_of_its_own_sources_alone(served: Served, channel: grpc.Channel) -> None:
    for collector in ("me", "another"):
        source = collector.encode()
        request = pb.PublishRequest(
            collector=pb.Hello(collector=collector), source=describe(source), block=block(source, 0, b"one\n")
        )
        api_pb2_grpc.AggregatorStub(channel).Publish(request, timeout=DEADLINE)
    (record,) = records(channel)
    assert (record.source.id, record.position, record.entries) == (b"me", 4, 1)
    assert record.checksum == crc32(b"one\n")
    assert record.before == Marker.of(b"one\n")
    assert records(channel, "nobody") == []


def test_many_sources_come_in_small_pages_each_once(served: Served, channel: grpc.Channel) -> None:
    fill(served.aggregator._ledger, 3000, path=b"/" + b"p" * 4000)
    answered = pages(channel)
    assert max(page.ByteSize() for page in answered) < 1 << 20
    assert [record.source.inode for record in records(channel)] == list(range(3000))


def test_a_source_with_very_many_ranges_is_told_in_parts(served: Served, channel: grpc.Channel) -> None:
    ledger = served.aggregator._ledger
    source = Source(b"holes", b"/log", 1, 2, Marker(), "me")
    ranges = [Range(source, at, at + 5, "hole") for at in range(0, 50_000, 10)]
    ledger.commit([Advance(source, 0, 50_000, 1, Marker())], ranges)
    answered = pages(channel)
    assert max(page.ByteSize() for page in answered) < 1 << 20
    told = records(channel)
    assert {record.source.id for record in told} == {b"holes"}
    assert [each.start for record in told for each in record.ranges] == list(range(0, 50_000, 10))


def test_a_call_that_is_given_up_leaves_its_place_to_others(tmp_path: Path) -> None:
    with Served(tmp_path, max_streams=8) as served:
        fill(served.aggregator._ledger, 5000, path=b"/" + b"p" * 4000)
        request = pb.AuditRequest(collector=pb.Hello(collector="me"))
        for _ in range(8):
            with connect(served.target) as channel:
                call = api_pb2_grpc.AggregatorStub(channel).Audit(request, timeout=DEADLINE)
                next(call)
                call.cancel()
        with connect(served.target) as channel:
            until(lambda: served.aggregator._servicer._slots._value == 8, "the places should be free")
            with Stream(channel) as stream:
                stream.greet()


def test_an_audit_takes_a_place_as_a_stream_does(served: Served, channel: grpc.Channel) -> None:
    slots = served.aggregator._servicer._slots
    held = [slots.acquire(blocking=False) for _ in range(256)]
    with pytest.raises(grpc.RpcError) as error:
        pages(channel)
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    slots.release(len(held))
    assert pages(channel) == []


def test_a_ledger_that_cannot_be_read_is_told(
    served: Served, channel: grpc.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise LedgerError("the ledger is gone")

    monkeypatch.setattr(served.aggregator._ledger, "records", fail)
    with pytest.raises(grpc.RpcError) as error:
        pages(channel)
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "cannot use its ledger" in (error.value.details() or "")


def test_who_does_not_say_who_it_is_hears_nothing(served: Served, channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as error:
        pages(channel, "")
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_who_asks_for_very_many_files_at_once_is_refused(served: Served, channel: grpc.Channel) -> None:
    files = [pb.Description(source=b"%d" % number, path=b"/log") for number in range(257)]
    request = pb.AuditRequest(collector=pb.Hello(collector="me"), files=files)
    with pytest.raises(grpc.RpcError) as error:
        list(api_pb2_grpc.AggregatorStub(channel).Audit(request, timeout=DEADLINE))
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    request = pb.AuditRequest(collector=pb.Hello(collector="me"), files=files[:256])
    assert [page.own for page in api_pb2_grpc.AggregatorStub(channel).Audit(request, timeout=DEADLINE)] == [[]]
