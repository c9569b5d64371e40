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
from starting.attempt import Attempt, attempt

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


@pytest.mark.parametrize("call", [publish, greet])
def test_whichever_call_comes_first_binds_the_id(served: Served, call: Any) -> None:
    with connect(served.target, ONE) as channel:
        call(channel, "machine 1")
    assert "CN=web-1" in refusal(audit, served.target, TWO)


def test_an_audit_of_an_id_that_was_mistyped_keeps_it_from_nobody(served: Served) -> None:
    with connect(served.target, ONE) as channel:
        assert audit(channel, "machine 2") == []
    with connect(served.target, TWO) as channel:
        assert publish(channel, "machine 2") == 4
        assert audit(channel, "machine 2")[0].records[0].position == 4
    assert "CN=web-2" in refusal(lambda channel, _: audit(channel, "machine 2"), served.target, ONE)


def test_what_is_held_under_an_id_that_is_nobodys_is_told_to_nobody(served: Served) -> None:
    """As when it was shipped without TLS, or handed over to whoever comes."""
    with connect(served.target, ONE) as channel:
        publish(channel, "machine 1")
    assert hand_over(served, "--release", "machine 1").code == 0
    for material in (ONE, TWO):
        assert "nobody's yet" in refusal(audit, served.target, material)
    with connect(served.target, TWO) as channel:
        greet(channel, "machine 1")
        assert audit(channel, "machine 1")[0].records[0].position == 4


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


# Handed over


def hand_over(served: Served, *arguments: str) -> Attempt:
    state = {"AGGREGATOR_STATE_DIRECTORY": str(served.directory / "aggregator")}
    return attempt("ledger", *arguments, cwd=served.directory, environ=state)


@pytest.mark.parametrize("to", [("--to", "CN=web-2"), ()], ids=["to one who is named", "to whoever comes"])
def test_an_id_is_handed_over_to_another_holder(served: Served, to: tuple[str, ...]) -> None:
    with connect(served.target, ONE) as channel:
        publish(channel, "machine 1")
        publish(channel, "machine 2", b"its own")
    assert "ledger --release" in refusal(publish, served.target, TWO)
    ended = hand_over(served, "--release", "machine 1", *to)
    assert (ended.code, ended.stderr) == (0, "")
    now = "held by CN=web-2" if to else "whoever's comes first with it"
    assert ended.stdout == f"collector machine 1: was held by CN=web-1, is {now} from now on\n"
    with connect(served.target, TWO) as channel:
        assert publish(channel, "machine 1", b"source b") == 4
        assert {each.position for each in audit(channel, "machine 1")[0].records} == {4}
        with pytest.raises(grpc.RpcError, match="CN=web-1"):
            publish(channel, "machine 2", b"source c")
    assert "is CN=web-2, and this one shows CN=web-1" in refusal(publish, served.target, ONE)
    assert [event["holder"] for event in served.events("collector_released")] == ["CN=web-1"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (
            ("--release", "nobody's"),
            1,
            "nobody holds the id nobody's: `mega-collector ledger` shows those that are held",
        ),
        (("--release", ""), 2, "--to needs --release COLLECTOR_ID"),
        (("--to", "CN=web-2"), 2, "--to needs --release COLLECTOR_ID"),
        (("--release", "machine 1", "--to", "web-2"), 2, "--to takes a holder as this command shows them: CN=..., "),
    ],
)
def test_what_cannot_be_handed_over_stays_whose_it_is(
    served: Served, arguments: tuple[str, ...], code: int, says: str
) -> None:
    with connect(served.target, ONE) as channel:
        publish(channel, "machine 1")
    ended = hand_over(served, *arguments)
    assert (ended.code, ended.stdout) == (code, "")
    assert says in ended.stderr
    assert "CN=web-1" in refusal(publish, served.target, TWO)


def test_without_an_aggregator_nothing_is_handed_over(tmp_path: Path) -> None:
    state = {"AGGREGATOR_STATE_DIRECTORY": str(tmp_path)}
    ended = attempt("ledger", "--release", "machine 1", cwd=tmp_path, environ=state)
    assert ended.code == 1
    assert "no aggregator runs in" in ended.stderr
