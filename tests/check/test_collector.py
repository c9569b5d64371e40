"""`check collector` looks for files and tries the connection, and leaves no trace."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse

from certificates import Authority, Material
from cli.command import mega_collector
from hostile.client import Stream, connect
from hostile.served import Served
from mega_collector.address import Address
from mega_collector.check.collector import check_collector
from mega_collector.settings import CollectorSettings
from mega_collector.tls import server_credentials

AUTHORITY = Authority()
STRANGER = Authority()
NOTHING_LISTENS = "nothing listens at COLLECTOR_REMOTE_ADDRESS: start the aggregator, or mend the address"


@contextmanager
def _aggregator(
    status: HealthCheckResponse.ServingStatus = HealthCheckResponse.SERVING,
    *,
    at: Address | None = None,
    material: Material | None = None,
) -> Iterator[Address]:
    server = grpc.server(ThreadPoolExecutor(1))
    health = HealthServicer()
    health.set("", status)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    where = at or Address("127.0.0.1", 0)
    if material is None:
        port = server.add_insecure_port(where.target)
    else:
        credentials = server_credentials(material.ca, material.certificate, material.key)
        port = server.add_secure_port(where.target, credentials)
    server.start()
    try:
        yield at or Address("127.0.0.1", port)
    finally:
        server.stop(None).wait()


def _connection(tmp_path: Path, address: Address, **given: object) -> tuple[bool, str]:
    settings = CollectorSettings(
        paths=(bytes(tmp_path / "*.log"),),
        remote_address=address,
        state_directory=tmp_path / "state",
        **given,  # type: ignore[arg-type]
    )
    (finding,) = (each for each in check_collector(settings) if each.text.startswith("aggregator:"))
    return finding.ok, finding.text


def _tls(material: Material) -> dict[str, object]:
    return {
        "tls": True,
        "tls_certificate": material.certificate,
        "tls_key": material.key,
        "tls_ca_certificate": material.ca,
    }


def test_an_aggregator_that_serves_is_well(tmp_path: Path) -> None:
    with _aggregator() as address:
        assert _connection(tmp_path, address) == (True, f"aggregator: {address} is connected and takes lines")


def test_an_aggregator_on_a_unix_socket_is_found(tmp_path: Path) -> None:
    with _aggregator(at=Address(path=tmp_path / "a %41?.sock")) as address:
        assert _connection(tmp_path, address)[0]


def test_an_aggregator_with_tls_is_well_under_its_own_name_and_under_the_expected_one(tmp_path: Path) -> None:
    with _aggregator(material=AUTHORITY.material()) as address:
        assert _connection(tmp_path, address, **_tls(AUTHORITY.material()))[0]
    with _aggregator(material=AUTHORITY.material("logs.example")) as address:
        assert not _connection(tmp_path, address, **_tls(AUTHORITY.material()))[0]
        assert _connection(tmp_path, address, **_tls(AUTHORITY.material()), tls_server_name="logs.example")[0]


def test_an_aggregator_whose_destination_is_down_is_not_well(tmp_path: Path) -> None:
    with _aggregator(HealthCheckResponse.NOT_SERVING) as address:
        ok, text = _connection(tmp_path, address)
    assert not ok
    assert "its destination takes nothing" in text


def test_an_aggregator_that_wants_tls_is_not_well(tmp_path: Path) -> None:
    with _aggregator(material=AUTHORITY.material()) as address:
        ok, text = _connection(tmp_path, address)
    assert not ok
    assert "COLLECTOR_TLS=1" in text


@pytest.mark.parametrize(
    ("aggregator", "collector", "says"),
    [
        (STRANGER.material(trusts=AUTHORITY), AUTHORITY.material(), "not signed by COLLECTOR_TLS_CA_CERTIFICATE"),
        (AUTHORITY.material("elsewhere"), AUTHORITY.material(), "COLLECTOR_TLS_SERVER_NAME"),
        (AUTHORITY.expired(), AUTHORITY.material(), "renew AGGREGATOR_TLS_CERTIFICATE"),
        (AUTHORITY.not_yet_valid(), AUTHORITY.material(), "check this machine's clock"),
        (AUTHORITY.material(), STRANGER.material(trusts=AUTHORITY), "refused this collector's certificate"),
        (AUTHORITY.material(), AUTHORITY.expired(), "refused this collector's certificate"),
        (None, AUTHORITY.material(), "set AGGREGATOR_TLS=1 there"),
        (AUTHORITY.material(), None, "set COLLECTOR_TLS=1 here"),
    ],
    ids=[
        "wrong CA",
        "wrong name",
        "expired",
        "not valid yet",
        "client's of a stranger",
        "client's expired",
        "no TLS there",
        "no TLS here",
    ],
)
def test_a_connection_that_fails_is_named_in_words_that_say_what_to_mend(
    tmp_path: Path, aggregator: Material | None, collector: Material | None, says: str
) -> None:
    with _aggregator(material=aggregator) as address:
        ok, text = _connection(tmp_path, address, **({} if collector is None else _tls(collector)))
    assert not ok
    assert says in text


def test_anothers_id_is_found_out_and_one_that_is_nobodys_stays_so(tmp_path: Path) -> None:
    one, other = (_tls(AUTHORITY.material(name, common_name=name)) for name in ("web-1", "web-2"))
    with Served(tmp_path, material=AUTHORITY.material()) as served:
        for _ in range(2):
            for each in (one, other):
                assert _connection(tmp_path, served.address, id="machine 1", **each)[0]
        with (
            connect(served.target, AUTHORITY.material("web-1", common_name="web-1")) as channel,
            Stream(channel) as stream,
        ):
            stream.greet("machine 1")
        assert _connection(tmp_path, served.address, id="machine 1", **one)[0]
        ok, text = _connection(tmp_path, served.address, id="machine 1", **other)
    assert not ok
    for words in ("refuses this collector", "CN=web-1", "CN=web-2", "COLLECTOR_ID"):
        assert words in text


def test_nobody_listening_is_found_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert _connection(tmp_path, Address("127.0.0.1", port)) == (
        False,
        f"aggregator: no connection to 127.0.0.1:{port}: Connection refused: {NOTHING_LISTENS}",
    )
    assert not _connection(tmp_path, Address(path=tmp_path / "none"))[0]


@pytest.mark.timeout(30)
def test_a_listener_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ok, text = _connection(tmp_path, Address("127.0.0.1", server.getsockname()[1]))
    assert not ok
    assert "does not answer" in text


def test_the_command_tells_settings_and_files(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.log").touch()
    (logs / "b.txt").touch()
    with _aggregator() as address:
        ended = mega_collector("check", "collector", "logs/*.log", cwd=tmp_path, COLLECTOR_REMOTE_ADDRESS=str(address))
    lines = ended.stdout.splitlines()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert """COLLECTOR_PATHS = ["logs/*.log"] (flag --paths)""" in lines
    assert "ok  files: 1 matched now" in lines
    assert next(line for line in lines if line.startswith("ok  file: ")).endswith(
        "logs/a.log: 0 bytes, from its beginning"
    )
    assert list(tmp_path.iterdir()) == [logs]


def test_the_command_exits_2_without_an_aggregator(tmp_path: Path) -> None:
    ended = mega_collector("check", "collector", "*.log", f"--remote-address=unix:{tmp_path}/none", cwd=tmp_path)
    assert ended.returncode == 2
    assert "BAD aggregator: no connection to unix:" in ended.stdout
    assert "ok  files: 0 matched now" in ended.stdout


def test_the_command_says_the_same_to_machines(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"one\n")
    with _aggregator() as address:
        ended = mega_collector("check", "collector", "a.log", f"--remote-address={address}", "--json", cwd=tmp_path)
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["ready"]) == (0, True)
    assert {"variable": "COLLECTOR_START_AT", "value": "beginning", "from": "default"} in told["settings"]
    (file,) = [each for each in told["findings"] if each.get("from")]
    assert (file["state"], file["from"], file["position"], file["size"]) == ("ok", "beginning", 0, 4)
    assert {each["most"] for each in told["findings"] if "most" in each} == {"memory", "disk, state directory"}
    bad = mega_collector(
        "check", "collector", "a.log", f"--remote-address=unix:{tmp_path}/none", "--json", cwd=tmp_path
    )
    assert bad.returncode == 2
    assert json.loads(bad.stdout)["ready"] is False
