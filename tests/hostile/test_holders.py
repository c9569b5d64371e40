"""Whose a collector's id is: with TLS the holder of the certificate that it first came with, and nobody else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from certificates import Authority, Material
from harness.until import DEADLINE
from hostile.client import Stream, block, connect, describe
from hostile.served import Served, bystander
from mega_collector.aggregator.holder import holder_in
from mega_collector.api import api_pb2 as pb, api_pb2_grpc

AUTHORITY = Authority()
ONE = AUTHORITY.material("web-1", common_name="web-1")
TWO = AUTHORITY.material("web-2", common_name="web-2")
A = b"source a"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path, material=AUTHORITY.material()) as served:
        yield served


def publish(channel: grpc.Channel, collector: str, source: bytes = A) -> int:
    request = pb.PublishRequest(
        collector=pb.Hello(collector=collector), source=describe(source), block=block(source, 0, b"one\n")
    )
    response: pb.PublishResponse = api_pb2_grpc.AggregatorStub(channel).Publish(request, timeout=DEADLINE)
    return response.position


def greet(channel: grpc.Channel, collector: str) -> None:
    with Stream(channel) as stream:
        stream.say(hello=pb.Hello(collector=collector))
        heard = stream._next()
        if isinstance(heard, grpc.RpcError):
            raise heard


def audit(channel: grpc.Channel, collector: str) -> list[Any]:
    request = pb.AuditRequest(collector=pb.Hello(collector=collector))
    return list(api_pb2_grpc.AggregatorStub(channel).Audit(request, timeout=DEADLINE))


CALLS = pytest.mark.parametrize("call", [publish, greet, audit])


def refusal(call: Any, target: str, material: Material) -> str:
    with connect(target, material) as channel, pytest.raises(grpc.RpcError) as error:
        call(channel, "machine 1")
    assert error.value.code() is grpc.StatusCode.PERMISSION_DENIED
    return error.value.details() or ""


@CALLS
def test_an_id_is_refused_to_whoever_else_comes_with_it_on_every_call_and_others_go_on(
    served: Served, call: Any
) -> None:
    with bystander(served, AUTHORITY.material("bystander", common_name="bystander")) as beside:
        with connect(served.target, ONE) as channel:
            assert publish(channel, "machine 1") == 4
        for _ in range(3):
            says = refusal(call, served.target, TWO)
        assert "CN=web-1" in says
        assert "CN=web-2" in says
        assert "COLLECTOR_ID" in says
        with connect(served.target, ONE) as channel:
            assert audit(channel, "machine 1")[0].records[0].position == 4
        beside.assert_undisturbed([b"one\n"])
        # What the bystander checks at its end is its own lines alone.
        served.out.write_bytes(served.output().replace(b"one\n", b""))
    assert len(served.events("collector_refused")) == 1
    assert served.events("collector_refused")[0]["bound_to"] == "CN=web-1"


@CALLS
def test_whichever_call_comes_first_binds_the_id(served: Served, call: Any) -> None:
    with connect(served.target, ONE) as channel:
        call(channel, "machine 1")
    assert "CN=web-1" in refusal(audit, served.target, TWO)


def test_a_renewed_certificate_with_the_same_name_goes_on(served: Served) -> None:
    with connect(served.target, ONE) as channel:
        publish(channel, "machine 1")
    with connect(served.target, AUTHORITY.material("web-1.example.net", common_name="web-1")) as channel:
        assert publish(channel, "machine 1", b"source b") == 4


def test_a_certificate_without_a_common_name_is_known_by_all_its_names_also_when_it_is_renewed(served: Served) -> None:
    for names in (("web-1", "10.0.0.1"), ("10.0.0.1", "web-1")):
        with connect(served.target, AUTHORITY.material(*names)) as channel:
            assert publish(channel, "machine 1") == 4
    says = refusal(publish, served.target, AUTHORITY.material("web-1"))
    assert "is SAN=DNSName:web-1 IPAddress:10.0.0.1, and this one shows SAN=DNSName:web-1:" in says


def test_a_certificate_without_any_name_is_known_by_its_fingerprint(served: Served) -> None:
    nameless = AUTHORITY.nameless()
    for _ in range(2):
        with connect(served.target, nameless) as channel:
            assert publish(channel, "machine 1") == 4
    assert "SHA-256=" in refusal(publish, served.target, AUTHORITY.nameless())


def test_one_holder_may_have_several_ids(served: Served) -> None:
    with connect(served.target, ONE) as channel:
        assert audit(channel, "machine 1") == audit(channel, "machine 1, the other collector") == []


@pytest.mark.parametrize("name", ["web-1\0.evil.example", "web-1 ", "WEB-1"])
def test_a_name_that_only_looks_like_anothers_is_another(served: Served, name: str) -> None:
    with connect(served.target, ONE) as channel:
        publish(channel, "machine 1")
    assert "certificate is CN=web-1, and" in refusal(publish, served.target, AUTHORITY.without_alternative_names(name))


def test_a_name_cannot_pass_for_a_fingerprint() -> None:
    fingerprint = holder_in(AUTHORITY.nameless().certificate)
    assert fingerprint.startswith("SHA-256=")
    lookalike = AUTHORITY.without_alternative_names(fingerprint[:64]).certificate
    assert holder_in(lookalike) == f"CN={fingerprint[:64]}"


def test_without_tls_an_id_is_nobodys(tmp_path: Path) -> None:
    with Served(tmp_path) as served:
        for _ in range(2):
            with connect(served.target) as channel:
                publish(channel, "machine 1")
                greet(channel, "machine 1")
        with connect(served.target) as channel:
            assert [record.position for page in audit(channel, "machine 1") for record in page.records] == [4]
