"""`top` and `tap` from another machine: those in the list of operators see everything, and nobody else anything."""

import re
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from cases.nobody import as_nobody
from certificates import Authority, Material
from harness.process import Process
from harness.site import Site
from harness.template import Template
from harness.until import until
from mega_collector import pem_file as pem
from mega_collector.address import Address
from mega_collector.api import api_pb2 as pb
from mega_collector.operator_client import Remote, operator_of
from starting.attempt import attempt
from starting.material import tls

COLLECTORS, OPERATORS = Authority(), Authority()
SERVER = COLLECTORS.material(common_name="aggregator")
ANN = OPERATORS.material(common_name="ann")
WEB = COLLECTORS.material(common_name="web-1")


class Place:
    """An aggregator with an operators' address."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.address = self.port = ""

    def aggregator(self, operators: str) -> Process:
        settings: dict[str, Any] = tls(SERVER)
        process = self.site.aggregator(
            wrapper=("env",),  # not from the template, whose gRPC says nothing of handshakes
            listen_address="127.0.0.1:0",
            operator_address="127.0.0.1:0",
            operator_certificates=operators,
            **settings,
        )
        self.address = process.wait_for("operators_listening")["address"]
        self.port = process.wait_for("listening")["address"]
        collector: dict[str, Any] = tls(WEB)
        self.site.collector(remote_address=self.port, **collector)
        return process

    def look(
        self, command: str, shown: Material, *arguments: str, trusted: bytes = COLLECTORS.pem, homeless: bool = False
    ) -> Process:
        """Start `top` or `tap`, which shows that certificate. `homeless`: by a user without a home."""
        parts = {"CERTIFICATE": shown.certificate, "KEY": shown.key, "CA_CERTIFICATE": trusted}
        variables = {f"MEGA_COLLECTOR_OPERATOR_TLS_{name}": pem.decode() for name, pem in parts.items()}
        variables |= {"HOME": "", "XDG_STATE_HOME": ""} if homeless else {}
        wrapper = as_nobody() if homeless else ()
        return self.site.start(command, "--address", self.address, *arguments, variables, wrapper=wrapper)


@pytest.fixture
def place(tmp_path: Path, template: Template) -> Iterator[Place]:
    with Site(tmp_path, template) as site:
        yield Place(site)


def refused(process: Process, *words: str) -> None:
    assert process.wait() == 1
    assert re.fullmatch(r"mega-collector: .*\n", process.said()), "one line"
    assert all(word in process.said() for word in words), process.said()
    assert process.stdout.read_bytes() == b""


def test_an_operator_sees_what_the_aggregator_does_and_what_passes(place: Place) -> None:
    place.aggregator(OPERATORS.pem.decode())
    place.site.writer().write(100)
    place.site.assert_delivered()
    top = place.look("top", ANN)
    assert top.wait() == 0, top.said()
    assert "100 lines so far" in top.stdout.read_text()
    tap = place.look("tap", ANN, "--match", "beacon")
    beacon = place.site.logs / "beacon.log"

    def beckon() -> bool:
        with beacon.open("ab") as log:
            log.write(b"beacon\n")
        return tap.stdout.stat().st_size > 0

    until(beckon, tap.said)
    tap.signal(signal.SIGINT)
    assert tap.wait() == 0
    assert set(tap.stdout.read_bytes().splitlines()) == {b"beacon"}


def test_whoever_looks_elsewhere_needs_no_home_here(place: Place) -> None:
    place.aggregator(OPERATORS.pem.decode())
    top = place.look("top", ANN, homeless=True)
    assert top.wait() == 0, top.said()


@pytest.mark.parametrize("command", ["top", "tap"])
def test_a_certificate_that_is_good_for_collectors_is_refused(place: Place, command: str) -> None:
    aggregator = place.aggregator(OPERATORS.pem.decode())
    place.site.writer().write(1)
    place.site.assert_delivered()
    refused(place.look(command, WEB), f"mega-collector: {place.address}: ", "AGGREGATOR_OPERATOR_CERTIFICATES")
    refused(place.look(command, SERVER), "AGGREGATOR_OPERATOR_CERTIFICATES")
    aggregator.wait_for("handshake_failed")


def test_an_operators_certificate_is_refused_where_collectors_connect(place: Place) -> None:
    place.aggregator(OPERATORS.pem.decode())
    place.address = place.port
    refused(place.look("top", ANN), "nobody")


def test_single_certificates_can_be_listed_and_their_issuer_is_not_trusted_by_that(place: Place) -> None:
    ben = OPERATORS.material(common_name="ben")
    place.aggregator(ANN.certificate.decode() + WEB.certificate.decode())
    for material in (ANN, WEB):
        top = place.look("top", material)
        assert top.wait() == 0, top.said()
    refused(place.look("top", ben), "AGGREGATOR_OPERATOR_CERTIFICATES")
    refused(place.look("top", COLLECTORS.material(common_name="web-2")), "AGGREGATOR_OPERATOR_CERTIFICATES")


def test_who_is_taken_from_the_list_is_refused_without_a_restart(place: Place) -> None:
    ben = OPERATORS.material(common_name="ben")
    listed = place.site.directory / "operators.pem"
    listed.write_bytes(ANN.certificate + ben.certificate)
    aggregator = place.aggregator(str(listed))
    assert place.look("top", ben).wait() == 0
    listed.write_bytes(ANN.certificate)
    aggregator.wait_for("certificate_renewed")
    refused(place.look("top", ben), "AGGREGATOR_OPERATOR_CERTIFICATES")
    assert place.look("top", ANN).wait() == 0
    # Nor does the list let in the collectors' CA, in whatever order it is changed.
    listed.write_bytes(ANN.certificate + COLLECTORS.pem)
    assert "every collector could read" in aggregator.wait_for("certificate_not_usable")["reason"]
    refused(place.look("top", WEB), "AGGREGATOR_OPERATOR_CERTIFICATES")


def test_an_aggregator_that_is_somebody_elses_is_not_believed(place: Place) -> None:
    place.aggregator(OPERATORS.pem.decode())
    refused(place.look("top", ANN, trusted=OPERATORS.pem), "MEGA_COLLECTOR_OPERATOR_TLS_CA_CERTIFICATE")
    refused(place.look("top", ANN, "--tls-server-name", "other"), "MEGA_COLLECTOR_OPERATOR_TLS_SERVER_NAME")


def test_dead_letters_do_not_come_back_from_there(place: Place) -> None:
    place.aggregator(OPERATORS.pem.decode())
    remote = Remote(Address.parse(place.address), pem.Material(COLLECTORS.pem, ANN.certificate, ANN.key))
    with operator_of(remote, "aggregator") as operator, pytest.raises(grpc.RpcError) as refusal:
        operator.Replay(pb.ReplayRequest(dead_letter=b"whatever"), timeout=20)
    assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_those_who_never_finish_a_word_or_speak_something_else_hold_up_nobody(place: Place) -> None:
    place.aggregator(OPERATORS.pem.decode())
    host, port = place.address.split(":")
    with ExitStack() as many:
        for number in range(300):
            connection = many.enter_context(socket.create_connection((host, int(port))))
            connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n" if number % 3 else b"\x16\x03")
        top = place.look("top", ANN)
        assert top.wait() == 0, top.said()


@pytest.mark.parametrize("beside", [("collector",), ("--state-directory", "state")])
def test_an_address_and_what_is_on_this_machine_are_not_both_meant(tmp_path: Path, beside: tuple[str, ...]) -> None:
    parts = {"CERTIFICATE": ANN.certificate, "KEY": ANN.key, "CA_CERTIFICATE": COLLECTORS.pem}
    given = {f"MEGA_COLLECTOR_OPERATOR_TLS_{name}": text.decode() for name, text in parts.items()}
    ended = attempt("top", "--address", "127.0.0.1:1", *beside, cwd=tmp_path, environ=given)
    assert (ended.code, ended.stdout) == (2, "")
    assert "--address" in ended.stderr


def test_an_address_without_a_certificate_is_refused_in_one_line(tmp_path: Path) -> None:
    ended = attempt("tap", "--address", "127.0.0.1:1", cwd=tmp_path, environ={})
    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("mega-collector: MEGA_COLLECTOR_OPERATOR_TLS_CERTIFICATE: is not set")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"operator_certificates": COLLECTORS.pem.decode()}, ("OPERATOR_CERTIFICATES", "every collector could read")),
        ({"operator_certificates": None}, ("OPERATOR_CERTIFICATES", "is not set")),
        ({"operator_certificates": ANN.key.decode()}, ("OPERATOR_CERTIFICATES", "holds a private key")),
        ({"tls": None, "tls_certificate": None}, ("TLS_CERTIFICATE", "is not set")),
    ],
)
def test_what_would_let_in_others_or_nobody_is_refused_at_the_start(
    tmp_path: Path, changed: dict[str, str | None], words: tuple[str, ...]
) -> None:
    usual: dict[str, str | None] = {
        "operator_address": "127.0.0.1:0",
        "operator_certificates": OPERATORS.pem.decode(),
        "blackhole_configuration": "1",
        "listen_address": "127.0.0.1:0",
        "state_directory": str(tmp_path / "state"),
        **tls(SERVER),
        **changed,
    }
    given = {f"AGGREGATOR_{name.upper()}": text for name, text in usual.items() if text is not None}
    ended = attempt("aggregator", cwd=tmp_path, environ=given)
    assert (ended.code, ended.stdout) == (2, "")
    assert all(word in ended.stderr for word in words), ended.stderr
    assert not (tmp_path / "state").exists()
