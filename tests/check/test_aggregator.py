"""`check aggregator` tries what an aggregator will need, and leaves no trace."""

import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from certificates import Authority
from cli.command import mega_collector
from harness.aside import Aside
from mega_collector.address import Address
from mega_collector.check.aggregator import check_aggregator
from mega_collector.check.destination import in_time
from mega_collector.check.finding import Finding
from mega_collector.emitter.configuration import FileConfiguration, NotifyConfiguration, TextConfiguration
from mega_collector.settings import AggregatorSettings
from pagerduty_server import WRONG_KEY, PagerDutyServer

AUTHORITY = Authority()
FREE = Address("127.0.0.1", 0)


def _check(tmp_path: Path, **given: object) -> list[Finding]:
    plain = {"text_configuration": TextConfiguration(), "state_directory": tmp_path / "state", "listen_address": FREE}
    return list(check_aggregator(AggregatorSettings(**(plain | given))))  # type: ignore[arg-type]


def _bad(tmp_path: Path, **given: object) -> list[str]:
    return [finding.text for finding in _check(tmp_path, **given) if not finding.ok]


def test_all_is_well_where_all_is_well(tmp_path: Path) -> None:
    assert _bad(tmp_path) == []


def test_no_destination_is_found_out(tmp_path: Path) -> None:
    assert len(bad := _bad(tmp_path, text_configuration=None)) == 1
    assert "AGGREGATOR_TEXT_CONFIGURATION" in bad[0]


def test_two_destinations_are_found_out(tmp_path: Path) -> None:
    assert len(bad := _bad(tmp_path, blackhole_configuration=True)) == 1
    assert "AGGREGATOR_BLACKHOLE_CONFIGURATION" in bad[0]


def test_a_file_whose_directory_is_there_is_well_and_is_not_made(tmp_path: Path) -> None:
    file = tmp_path / "out.log"
    assert _bad(tmp_path, text_configuration=None, file_configuration=FileConfiguration(file)) == []
    assert not file.exists()


def test_a_file_whose_directory_is_missing_is_found_out(tmp_path: Path) -> None:
    file = tmp_path / "none" / "out.log"
    bad = _bad(tmp_path, text_configuration=None, file_configuration=FileConfiguration(file))
    assert bad == [f"destination: file {file}, whose directory does not exist; make it"]


def test_a_state_directory_under_a_file_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    bad = _bad(tmp_path, state_directory=tmp_path / "file" / "state")
    assert bad == [f"state directory: {tmp_path}/file is no directory"]


@pytest.mark.parametrize("which", ["listen_address", "metrics_address"])
def test_a_port_in_use_is_found_out(tmp_path: Path, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        bad = _bad(tmp_path, **{which: Address("127.0.0.1", port)})
    assert len(bad) == 1
    assert f"127.0.0.1:{port} cannot be had: Address already in use" in bad[0]


def test_a_unix_socket_in_use_is_found_out(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        assert _bad(tmp_path, listen_address=Address(path=path)) == [f"listening: unix:{path} is in use"]


def test_a_unix_socket_that_was_left_behind_is_free(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    assert path.exists()
    assert _bad(tmp_path, listen_address=Address(path=path)) == []


def test_a_unix_socket_is_not_made(tmp_path: Path) -> None:
    assert _bad(tmp_path, listen_address=Address(path=tmp_path / "s")) == []
    assert list(tmp_path.iterdir()) == []


def test_a_key_of_another_certificate_is_found_out(tmp_path: Path) -> None:
    own, other = AUTHORITY.material(), AUTHORITY.material()
    tls = {"tls": True, "tls_certificate": own.certificate, "tls_ca_certificate": own.ca}
    assert _bad(tmp_path, **tls, tls_key=own.key) == []
    assert len(bad := _bad(tmp_path, **tls, tls_key=other.key)) == 1
    assert "AGGREGATOR_TLS_KEY" in bad[0]


def test_operators_certificates_that_let_in_collectors_are_found_out(tmp_path: Path) -> None:
    own, operators = AUTHORITY.material(), Authority().pem
    address = {"operator_address": FREE, "tls_certificate": own.certificate, "tls_key": own.key}
    found = [each.text for each in _check(tmp_path, **address, operator_certificates=operators) if each.ok]
    assert "operators: their certificates can be used, and let no collector in" in found
    (bad,) = _bad(tmp_path, **address, operator_certificates=own.ca, tls_ca_certificate=own.ca)
    assert "every collector could read all logs" in bad


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


NOTIFY = NotifyConfiguration("k" * 32, "i", "d")


@pytest.mark.usefixtures("direct")
def test_the_key_is_tried_and_nobody_is_alerted(tmp_path: Path) -> None:
    with PagerDutyServer() as server:
        notify = replace(NOTIFY, url=server.url)
        (told,) = [each for each in _check(tmp_path, notify_configuration=notify) if "PagerDuty: " in each.text]
        (event,) = server.events
        assert (event["event_action"], server.alerts) == ("resolve", [])
        assert event["dedup_key"] != notify.incident_key, "an incident that is open stays so"
    assert (told.ok, told.text) == (True, f"PagerDuty: {server.url} takes the integration key; nobody was alerted")


@pytest.mark.usefixtures("direct")
def test_a_wrong_key_and_a_way_that_leads_nowhere_are_found_out(tmp_path: Path) -> None:
    with PagerDutyServer(usual=WRONG_KEY) as server:
        notify = replace(NOTIFY, url=server.url)
        (bad,) = _bad(tmp_path, notify_configuration=notify)
    assert "refuses it: 400 Event object is invalid" in bad
    assert "mend the integration_key in AGGREGATOR_NOTIFY_CONFIGURATION" in bad
    assert NOTIFY.integration_key not in bad
    (bad,) = _bad(tmp_path, notify_configuration=notify)
    assert f"PagerDuty: at {server.url}: PagerDuty cannot be reached: " in bad


def test_a_destination_on_a_disk_that_does_not_answer_is_found_out(tmp_path: Path, aside: Aside) -> None:
    answers = threading.Event()
    looked = aside(lambda: in_time(tmp_path, lambda: [Finding(answers.wait(60), "")], deadline=0.01))
    found = looked.result(30)
    answers.set()
    assert not found.ok
    assert "it hangs" in found.text


def test_the_command_tells_settings_and_findings_and_exits_0(tmp_path: Path) -> None:
    ended = mega_collector(
        "check", "aggregator", "--text-configuration", cwd=tmp_path, AGGREGATOR_LISTEN_ADDRESS="127.0.0.1:0"
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert "AGGREGATOR_TEXT_CONFIGURATION = 1 (flag --text-configuration)" in lines
    assert "AGGREGATOR_LISTEN_ADDRESS = 127.0.0.1:0 (variable)" in lines
    assert "AGGREGATOR_MAX_BATCH_SIZE = 1000 (default)" in lines
    assert "AGGREGATOR_METRICS_ADDRESS = not set (default)" in lines
    assert "ok  listening: 127.0.0.1:0 is free" in lines
    assert list(tmp_path.iterdir()) == []


def test_the_command_exits_2_where_something_is_not_ready(tmp_path: Path) -> None:
    ended = mega_collector("check", "aggregator", "--listen-address=127.0.0.1:0", cwd=tmp_path)
    assert ended.returncode == 2
    assert "BAD destination: AGGREGATOR_TEXT_CONFIGURATION" in ended.stdout


def test_secrets_are_told_as_set(tmp_path: Path) -> None:
    material = AUTHORITY.material()
    key = "0123456789abcdef0123456789ABCDEF"
    ended = mega_collector(
        "check",
        "aggregator",
        cwd=tmp_path,
        AGGREGATOR_TEXT_CONFIGURATION="1",
        AGGREGATOR_LISTEN_ADDRESS="127.0.0.1:0",
        AGGREGATOR_TLS="1",
        AGGREGATOR_TLS_KEY=material.key.decode(),
        AGGREGATOR_TLS_CERTIFICATE=material.certificate.decode(),
        AGGREGATOR_TLS_CA_CERTIFICATE=material.ca.decode(),
        AGGREGATOR_NOTIFY_CONFIGURATION=f'{{"integration_key": "{key}", "incident_key": "i", "identifier": "d",'
        ' "url": "http://127.0.0.1:1"}',
    )
    assert ended.returncode == 2  # nothing listens there
    assert "AGGREGATOR_TLS_KEY = (set) (variable)" in ended.stdout
    assert "AGGREGATOR_NOTIFY_CONFIGURATION = (set) (variable)" in ended.stdout
    assert key not in ended.stdout
    assert "PRIVATE KEY" not in ended.stdout
