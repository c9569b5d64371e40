"""Peers that do not even speak gRPC: others are served all the same, and nothing of it is delivered."""

import random
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from certificates import Authority, Material
from harness.until import DEADLINE
from hostile.client import Stream, connect
from hostile.served import Bystander, Served, bystander
from mega_collector.address import Address
from mega_collector.aggregator.listener import Listener
from mega_collector.api import api_pb2_grpc
from mega_collector.tls import server_credentials

HALF_OPEN = 300
GOOD = Authority().material()

HTTP = b"POST /mega_collector.v1.Aggregator/Publish HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nevil\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NOISE = random.Random(1).randbytes(1 << 20)
SAID = {
    "a megabyte of noise": NOISE,
    "HTTP/1.1": HTTP,
    "HTTP/2, then noise": PREFACE + NOISE,
    "HTTP/2, then a frame of 16 MB": PREFACE + b"\xff\xff\xff\x00\x05\x00\x00\x00\x01",
    "lines": b"evil\n" * 1000,
}


@pytest.fixture(scope="module", params=[None, GOOD], ids=["plaintext", "TLS"])
def beside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bystander]:
    """Ships to the aggregator that is attacked."""
    with (
        Served(tmp_path_factory.mktemp("sockets"), material=request.param) as served,
        bystander(served, request.param) as beside,
    ):
        yield beside


def connected(address: Address) -> socket.socket:
    return socket.create_connection((address.host, address.port), timeout=DEADLINE)


def assert_served(beside: Bystander) -> None:
    """Who is connected is, and so is who comes anew."""
    beside.assert_undisturbed()
    with connect(beside.served.target, beside.material) as channel, Stream(channel) as stream:
        assert stream.greet().window


@pytest.mark.case(80)
@pytest.mark.parametrize("said", SAID.values(), ids=SAID.keys())
def test_who_speaks_something_else_is_cut_off(beside: Bystander, said: bytes) -> None:
    with connected(beside.served.address) as peer, suppress(ConnectionError):
        peer.sendall(said)
        while peer.recv(1 << 16):
            pass
    assert_served(beside)


@pytest.mark.case(80)
def test_who_speaks_tls_without_a_certificate_or_where_it_is_not_spoken_is_cut_off(beside: Bystander) -> None:
    with connected(beside.served.address) as peer, pytest.raises((ssl.SSLError, ConnectionError)):
        _speak_tls(peer)
    assert_served(beside)


def _speak_tls(peer: socket.socket) -> None:
    """With TLS 1.3 the refusal comes only when something is read."""
    with ssl.create_default_context(cadata=GOOD.ca.decode()).wrap_socket(peer, server_hostname="localhost") as spoken:
        spoken.sendall(PREFACE)
        while spoken.recv(1 << 16):
            pass
    raise ConnectionError("cut off in silence")


@pytest.mark.case(80)
def test_hundreds_of_connections_that_never_finish_a_word_are_borne(beside: Bystander) -> None:
    with ExitStack() as kept:
        for number in range(HALF_OPEN):
            peer = kept.enter_context(connected(beside.served.address))
            peer.sendall((b"", PREFACE[:9], b"\x16\x03\x01")[number % 3])  # nothing, half a preface, half a TLS hello
        assert_served(beside)


@pytest.mark.case(80)
@pytest.mark.parametrize("material", [None, GOOD], ids=["plaintext", "TLS"])
def test_who_does_not_finish_the_handshake_in_time_is_cut_off(material: Material | None) -> None:
    credentials = None if material is None else server_credentials(material.ca, material.certificate, material.key)
    listener = Listener(Address("127.0.0.1", 0), max_streams=1, credentials=credentials, handshake_timeout=0.3)
    listener.start(api_pb2_grpc.AggregatorServicer())
    try:
        for half in (b"", b"\x16\x03\x01" if material else PREFACE[:9]):
            with connected(listener.address) as peer:
                peer.sendall(half)
                while peer.recv(1 << 16):
                    pass
    finally:
        listener.stop(0)
