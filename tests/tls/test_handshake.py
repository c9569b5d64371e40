"""What a failed connection says is explained: each row is brought about by a real server and a real client."""

import socket
from pathlib import Path

import grpc
import pytest

from certificates import Authority, Material
from mega_collector.tls import client_credentials
from mega_collector.unavailable import explain
from tls.echo import DEADLINE, Echo, echo_on, serving

AUTHORITY = Authority()
STRANGER = Authority()
GOOD = AUTHORITY.material()


def call(target: str, material: Material | None) -> bytes:
    if material is None:
        channel = grpc.insecure_channel(target)
    else:
        credentials = client_credentials(material.ca, material.certificate, material.key)
        channel = grpc.secure_channel(target, credentials)
    with channel:
        return echo_on(channel)


def explained(target: str, material: Material | None, *, tls: bool | None) -> str:
    with pytest.raises(grpc.RpcError) as failure:
        call(target, material)
    words = explain(failure.value.details(), failure.value.code(), tls=tls)
    assert words is not None, failure.value.details()
    return words


def test_two_sides_that_trust_each_other_talk() -> None:
    with serving(GOOD, Echo()) as port:
        assert call(f"127.0.0.1:{port}", AUTHORITY.material()) == b"line"


@pytest.mark.case(78)
@pytest.mark.parametrize(
    ("server", "client", "expected"),
    [
        (STRANGER.material(trusts=AUTHORITY), GOOD, "not signed by COLLECTOR_TLS_CA_CERTIFICATE"),
        (AUTHORITY.expired(), GOOD, "aggregator's certificate has expired"),
        (AUTHORITY.not_yet_valid(), GOOD, "aggregator's certificate is not valid yet"),
        (AUTHORITY.material("elsewhere.example"), GOOD, "COLLECTOR_TLS_SERVER_NAME"),
        (GOOD, STRANGER.material(trusts=AUTHORITY), "refused this collector's certificate"),
        (GOOD, AUTHORITY.expired(), "refused this collector's certificate"),
        (GOOD, None, "set COLLECTOR_TLS=1 here"),
        (None, GOOD, "set AGGREGATOR_TLS=1 there"),
        (GOOD, Material(b"rubbish", GOOD.certificate, GOOD.key), "cannot use this collector's own TLS material"),
    ],
    ids=[
        "server signed by a stranger",
        "server expired",
        "server not yet valid",
        "server of another name",
        "client signed by a stranger",
        "client expired",
        "plaintext to TLS",
        "TLS to plaintext",
        "unusable CA",
    ],
)
def test_a_failed_handshake_is_explained_and_delivers_nothing(
    server: Material | None, client: Material | None, expected: str
) -> None:
    echo = Echo()
    with serving(server, echo) as port:
        assert expected in explained(f"127.0.0.1:{port}", client, tls=client is not None)
    assert echo.calls == 0


@pytest.mark.case(79)
def test_without_a_client_certificate_nothing_is_served() -> None:
    echo = Echo()
    with (
        serving(GOOD, echo) as port,
        grpc.secure_channel(f"127.0.0.1:{port}", grpc.ssl_channel_credentials(GOOD.ca)) as channel,
    ):
        with pytest.raises(grpc.RpcError) as failure:
            echo_on(channel)
        words = explain(failure.value.details(), failure.value.code())
    assert words is not None
    assert "it refused this collector's certificate" in words
    assert echo.calls == 0


def test_a_refused_client_leaves_the_others_served() -> None:
    with serving(GOOD, Echo()) as port:
        explained(f"127.0.0.1:{port}", AUTHORITY.expired(), tls=True)
        assert call(f"127.0.0.1:{port}", GOOD) == b"line"


def test_random_bytes_leave_the_others_served() -> None:
    with serving(GOOD, Echo()) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as garbage:
            garbage.sendall(bytes(range(256)) * 16)
        assert call(f"127.0.0.1:{port}", GOOD) == b"line"


@pytest.mark.case(78)
@pytest.mark.parametrize(("name", "accepted"), [("localhost", True), ("elsewhere.example", False)])
def test_a_certificate_that_names_its_holder_only_as_common_name_is_judged_by_that(
    name: str, *, accepted: bool
) -> None:
    """As gRPC has it; others would refuse it."""
    with serving(AUTHORITY.without_alternative_names(name), Echo()) as port:
        if accepted:
            assert call(f"localhost:{port}", GOOD) == b"line"
        else:
            assert "COLLECTOR_TLS_SERVER_NAME" in explained(f"localhost:{port}", GOOD, tls=True)


def test_a_port_where_nobody_listens_is_explained() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # and does not listen
        assert "start the aggregator" in explained(f"127.0.0.1:{unheard.getsockname()[1]}", None, tls=False)


def test_an_absent_socket_is_explained(tmp_path: Path) -> None:
    assert "there is no such socket" in explained(f"unix:{tmp_path}/absent", None, tls=False)


def test_a_name_without_address_is_explained() -> None:
    words = explained("absent.invalid:8000", None, tls=False)
    assert "the host in COLLECTOR_REMOTE_ADDRESS" in words


def test_a_connection_that_breaks_later_is_left_to_grpcs_own_words() -> None:
    assert explain("Socket closed", grpc.StatusCode.UNAVAILABLE, tls=True) is None


def test_a_service_that_is_no_aggregator_is_explained() -> None:
    assert "no aggregator" in str(explain("Method not found!", grpc.StatusCode.UNIMPLEMENTED))
