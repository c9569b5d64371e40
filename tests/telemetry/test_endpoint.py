"""The endpoint answers what it is asked, and nobody can keep it from answering others."""

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse

import pytest

from mega_collector.errors import StartError
from mega_collector.telemetry.endpoint import MAX_CLIENTS, Endpoint, serve
from mega_collector.telemetry.metrics import Sample
from telemetry.part import Part

PATIENCE = 10.0
LOOPBACK = ("127.0.0.1", 0)


@contextmanager
def served(part: Part, deadline: float = PATIENCE) -> Iterator[Endpoint]:
    with closing(serve(LOOPBACK, part, deadline=deadline)) as endpoint:
        yield endpoint


def ask(endpoint: Endpoint, path: str, method: str = "GET") -> tuple[HTTPResponse, bytes]:
    with closing(HTTPConnection("127.0.0.1", endpoint.port, timeout=PATIENCE)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer, answer.read()


def connect(endpoint: Endpoint) -> socket.socket:
    return socket.create_connection(("127.0.0.1", endpoint.port), timeout=PATIENCE)


def everything(connection: socket.socket) -> bytes:
    """Read until the other side ends, by whatever means."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_each_scrape_reads_the_numbers_anew() -> None:
    with served(Part()) as endpoint:
        answer, body = ask(endpoint, "/metrics?x=y")
        assert b"mega_collector_scrapes_total 1.0\n" in body
        until(lambda: b"mega_collector_scrapes_total 2.0\n" in ask(endpoint, "/metrics")[1])
    assert answer.getheader("Content-Type", "").startswith("text/plain; version=0.0.4")


def test_a_living_process_is_healthy_even_when_it_is_not_ready() -> None:
    part = Part()
    part.ready = (False, "the destination is full")
    with served(part) as endpoint:
        assert ask(endpoint, "/healthz")[0].status == 200


def test_readiness_follows_the_part_and_gives_the_reason() -> None:
    part = Part()
    with served(part) as endpoint:
        assert ask(endpoint, "/readyz")[0].status == 200
        part.ready = (False, "the destination is full\r\nX-Forged: 1")
        until(lambda: ask(endpoint, "/readyz")[0].status == 503)
        _, body = ask(endpoint, "/readyz")
    assert body == b"the destination is full\\x0d\\x0aX-Forged: 1\n"


@pytest.mark.parametrize(
    "path", ["//", "/index.html", "/metrics/", "/metricsx", "//metrics", "/../metrics", "/%6detrics"]
)
def test_other_paths_are_not_found(path: str) -> None:
    with served(Part()) as endpoint:
        assert ask(endpoint, path)[0].status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_not_allowed(method: str) -> None:
    with served(Part()) as endpoint:
        answer, _ = ask(endpoint, "/metrics", method)
    assert (answer.status, answer.getheader("Allow")) == (405, "GET, HEAD")


def test_head_gives_the_length_without_the_body() -> None:
    with served(Part()) as endpoint, connect(endpoint) as connection:
        connection.sendall(b"HEAD /healthz HTTP/1.1\r\n\r\n")
        head, _, body = everything(connection).partition(b"\r\n\r\n")
    assert b"Content-Length: 3" in head
    assert body == b""


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /healthz\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 100_000, b"431"),
    ],
    ids=["no version", "no HTTP", "too long"],
)
def test_what_is_no_request_is_refused(request_: bytes, status: bytes) -> None:
    with served(Part()) as endpoint:
        with connect(endpoint) as connection:
            try:
                connection.sendall(request_)
            except OSError:
                assert status == b"431"  # it need not be read to its end
            received = everything(connection)
        assert received == b"" or received.split(b" ")[1] == status
        assert ask(endpoint, "/healthz")[0].status == 200


def test_silent_clients_hold_up_nobody() -> None:
    with served(Part()) as endpoint, ExitStack() as silent:
        for _ in range(MAX_CLIENTS // 2):
            silent.enter_context(connect(endpoint)).sendall(b"GET /metrics")
        assert ask(endpoint, "/metrics")[0].status == 200


def test_a_silent_client_is_left_after_the_deadline() -> None:
    with served(Part(), deadline=0.05) as endpoint, connect(endpoint) as connection:
        connection.sendall(b"GET /metrics")
        assert everything(connection) == b""


def test_a_client_that_does_not_read_is_left_after_the_deadline() -> None:
    size = 32_000_000  # more than the kernel keeps for a connection

    class Much(Part):
        def samples(self) -> Iterable[Sample]:
            yield Sample("mega_collector_much", "gauge", "x" * size, 1)

    with closing(serve(LOOPBACK, Much(), deadline=1.0)) as endpoint, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", endpoint.port))
        connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        until(lambda: bool(endpoint._clients))
        until(lambda: not endpoint._clients)
        assert 0 < len(everything(connection)) < size


def test_beyond_the_limit_clients_are_turned_away_and_room_is_found_again() -> None:
    with served(Part()) as endpoint:
        with ExitStack() as silent:
            for _ in range(MAX_CLIENTS):
                silent.enter_context(connect(endpoint))
            until(lambda: len(endpoint._clients) == MAX_CLIENTS)
            with connect(endpoint) as further:
                with suppress(OSError):  # it may be closed already
                    further.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
                assert everything(further) == b""
        until(lambda: not endpoint._clients)
        assert ask(endpoint, "/healthz")[0].status == 200


def test_a_mistake_in_a_part_is_an_error_of_that_answer_only() -> None:
    class Broken(Part):
        def samples(self) -> Iterable[Sample]:
            raise KeyError("part")

    with closing(serve(LOOPBACK, Broken())) as endpoint:
        answer, body = ask(endpoint, "/metrics")
        assert (answer.status, body) == (500, b"Internal Server Error\n")
        assert ask(endpoint, "/readyz")[0].status == 200


def test_a_port_in_use_forbids_the_start_and_is_named() -> None:
    part = Part()
    with served(part) as endpoint, pytest.raises(StartError) as refusal:
        serve(("127.0.0.1", endpoint.port), part, variable="AGGREGATOR_METRICS_ADDRESS")
    assert str(refusal.value) == (
        f"AGGREGATOR_METRICS_ADDRESS: cannot listen on 127.0.0.1:{endpoint.port}: "
        "Address already in use. Choose another one"
    )


def test_an_address_of_another_machine_forbids_the_start() -> None:
    part = Part()
    with pytest.raises(StartError, match=r"AGGREGATOR_METRICS_ADDRESS: cannot listen on 192\.0\.2\.1:0"):
        serve(("192.0.2.1", 0), part, variable="AGGREGATOR_METRICS_ADDRESS")


def test_closing_frees_the_port_whoever_is_connected() -> None:
    part = Part()
    endpoint = serve(LOOPBACK, part)
    with connect(endpoint) as silent:
        endpoint.close()
        endpoint.close()
        assert everything(silent) == b""
    with closing(serve(("127.0.0.1", endpoint.port), part)) as again:
        assert ask(again, "/healthz")[0].status == 200


def test_the_page_may_do_nothing_but_what_it_brings_along() -> None:
    with served(Part()) as endpoint:
        answer, body = ask(endpoint, "/")
    assert answer.getheader("Content-Type") == "text/html; charset=utf-8"
    assert answer.getheader("Content-Security-Policy", "").startswith("default-src 'none'; script-src 'sha256-")
    assert answer.getheader("X-Content-Type-Options") == "nosniff"
    assert body.startswith(b"<!doctype html>")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9100", "127.0.0.1.evil.example", ""])
@pytest.mark.parametrize("path", ["/", "/metrics"])
def test_on_the_loopback_a_name_of_somebody_elses_choice_is_not_answered(host: str, path: str) -> None:
    with served(Part()) as endpoint, connect(endpoint) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert everything(connection).startswith(b"HTTP/1.1 421 ")


@pytest.mark.parametrize("host", ["127.0.0.1:9100", "[::1]:9100", "localhost", "LOCALHOST.:80", "192.0.2.1"])
def test_on_the_loopback_addresses_and_localhost_are_answered(host: str) -> None:
    with served(Part()) as endpoint, connect(endpoint) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert everything(connection).startswith(b"HTTP/1.1 200 ")


def test_a_thousand_who_look_at_the_page_and_do_not_read_hold_up_nobody_and_are_gone_after_the_deadline() -> None:
    with served(Part(), deadline=1.0) as endpoint, ExitStack() as many:
        for _ in range(1000):
            connection = many.enter_context(socket.socket())
            connection.settimeout(PATIENCE)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with suppress(OSError):  # turned away
                connection.connect(("127.0.0.1", endpoint.port))
                connection.sendall(b"GET / HTTP/1.1\r\n")
        assert len(endpoint._clients) <= MAX_CLIENTS
        until(lambda: not endpoint._clients)
        assert ask(endpoint, "/")[0].status == 200
