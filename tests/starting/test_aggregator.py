"""What an aggregator does not start on: exit 2, one line, and nothing is touched."""

import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from certificates import Authority
from harness.site import Site, environ
from mega_collector.aggregator.ledger import VERSION, Ledger
from starting.attempt import assert_refused, attempt, give_away, tree, unprivileged
from starting.material import encrypted, tls

AUTHORITY = Authority()
GOOD = AUTHORITY.material()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        yield site


def settings(directory: Path, **changed: str | None) -> dict[str, str]:
    usual = {
        "listen_address": "127.0.0.1:0",
        "state_directory": str(directory / "state"),
        "file_configuration": str(directory / "out.log"),
    }
    return environ("AGGREGATOR", usual, changed)


def refused(directory: Path, *says: str, **changed: str | None) -> None:
    assert_refused("aggregator", cwd=directory, environ=settings(directory, **changed), says=says)


def refused_to_nobody(directory: Path, *says: str, **changed: str | None) -> None:
    """As `refused`, where it runs without privileges."""
    give_away(directory)
    environ = settings(directory, **changed)
    assert_refused("aggregator", cwd=directory, environ=environ, says=says, wrapper=unprivileged())


@pytest.mark.case(99)
def test_a_bad_value(tmp_path: Path) -> None:
    refused(tmp_path, "AGGREGATOR_MAX_BATCH_SIZE", "'many'", "allowed", max_batch_size="many")


@pytest.mark.case(99)
def test_an_unknown_variable(tmp_path: Path) -> None:
    refused(tmp_path, "AGGREGATOR_MAX_BATCHSIZE", "did you mean AGGREGATOR_MAX_BATCH_SIZE", max_batchsize="1")


@pytest.mark.case(99)
def test_json_that_is_none(tmp_path: Path) -> None:
    refused(tmp_path, "AGGREGATOR_FILE_CONFIGURATION", "JSON", file_configuration='{"path": ')


@pytest.mark.case(82)
def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    key = AUTHORITY.material().key.decode()
    refused(tmp_path, "AGGREGATOR_TLS_KEY", "does not belong to AGGREGATOR_TLS_CERTIFICATE", **tls(GOOD, tls_key=key))


@pytest.mark.case(82)
def test_an_encrypted_key(tmp_path: Path) -> None:
    refused(tmp_path, "AGGREGATOR_TLS_KEY", "is encrypted", **tls(GOOD, tls_key=encrypted(GOOD.key)))


@pytest.mark.case(99)
def test_no_destination(tmp_path: Path) -> None:
    refused(tmp_path, "AGGREGATOR_TEXT_CONFIGURATION", "AGGREGATOR_FILE_CONFIGURATION", file_configuration=None)


@pytest.mark.case(99)
def test_two_destinations(tmp_path: Path) -> None:
    refused(tmp_path, "AGGREGATOR_TEXT_CONFIGURATION", "AGGREGATOR_FILE_CONFIGURATION", text_configuration="1")


@pytest.mark.case(99)
def test_an_output_whose_directory_is_missing(tmp_path: Path) -> None:
    refused(
        tmp_path,
        "AGGREGATOR_FILE_CONFIGURATION",
        str(tmp_path / "none"),
        file_configuration=str(tmp_path / "none" / "out.log"),
    )


def test_an_output_that_is_a_directory(tmp_path: Path) -> None:
    (tmp_path / "out.log").mkdir()
    refused(tmp_path, "AGGREGATOR_FILE_CONFIGURATION", "names a directory")


@pytest.mark.parametrize(
    "output",
    [
        "state/ledger.sqlite3",
        "link/ledger.sqlite3-wal",
        "{host}/{path}",
        "link/{path}",
        "{host}/{collector}/{path}.dead",
    ],
)
def test_an_output_that_may_be_what_the_aggregator_keeps_for_itself(tmp_path: Path, output: str) -> None:
    """A template too: a collector's host, path and id are whatever it says."""
    (tmp_path / "state").mkdir()
    (tmp_path / "link").symlink_to("state")
    says = f"{tmp_path}/{output}: lines could go into {tmp_path}/state/"
    changed = {
        "file_configuration": str(tmp_path / output),
        "dead_letter_directory": str(tmp_path / "state/dead/letters"),
    }
    refused(tmp_path, "AGGREGATOR_FILE_CONFIGURATION", says, "the aggregator's own: name another place", **changed)
    looked = attempt("check", "aggregator", cwd=tmp_path, environ=settings(tmp_path, **changed))
    assert any(line.startswith("BAD destination: ") and says in line for line in looked.stdout.splitlines()), looked


@pytest.mark.case(99)
def test_an_output_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "out.log").touch(0o444)
    refused_to_nobody(tmp_path, "AGGREGATOR_FILE_CONFIGURATION", "ermission denied")


@pytest.mark.case(99)
def test_a_state_directory_that_may_not_be_made(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o555)
    refused_to_nobody(
        tmp_path,
        "AGGREGATOR_STATE_DIRECTORY",
        "cannot be written",
        state_directory=str(closed / "state"),
    )


def test_a_state_directory_under_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(tmp_path, "AGGREGATOR_STATE_DIRECTORY", state_directory=str(tmp_path / "file" / "state"))


@pytest.mark.case(65, 99)
@pytest.mark.parametrize("which", ["listen_address", "metrics_address"])
def test_a_port_in_use(tmp_path: Path, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        refused(tmp_path, f"AGGREGATOR_{which.upper()}", "in use", **{which: f"127.0.0.1:{port}"})


def test_a_unix_socket_in_use(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        server.listen()
        refused(tmp_path, "AGGREGATOR_LISTEN_ADDRESS", "another", listen_address=f"unix:{tmp_path}/socket")


def test_a_unix_socket_in_a_directory_that_is_missing(tmp_path: Path) -> None:
    refused(tmp_path, "AGGREGATOR_LISTEN_ADDRESS", "directory", listen_address=f"unix:{tmp_path}/none/socket")


def test_a_file_where_the_unix_socket_belongs_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "socket").write_text("precious")
    refused(tmp_path, "AGGREGATOR_LISTEN_ADDRESS", "socket", listen_address=f"unix:{tmp_path}/socket")


def test_a_unix_socket_is_not_left_behind_when_something_else_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "out.log").mkdir()
    refused(tmp_path, "AGGREGATOR_FILE_CONFIGURATION", listen_address=f"unix:{tmp_path}/socket")


def test_a_ledger_of_a_newer_version(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "lock").touch(0o600)
    with sqlite3.connect(state / "ledger.sqlite3") as ledger:
        ledger.execute("PRAGMA user_version = 99")
    ledger.close()
    refused(tmp_path, "AGGREGATOR_STATE_DIRECTORY", "ledger.sqlite3", "of version 99", f"knows {VERSION}")


def test_a_ledger_that_is_none(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "lock").touch(0o600)
    (state / "ledger.sqlite3").write_bytes(b"no ledger" * 1000)
    refused(tmp_path, "AGGREGATOR_STATE_DIRECTORY", "ledger.sqlite3")


def test_a_ledger_with_a_value_that_makes_no_sense(tmp_path: Path) -> None:
    Ledger(tmp_path / "state").close(clean=True)
    with sqlite3.connect(tmp_path / "state" / "ledger.sqlite3") as ledger:
        ledger.execute("UPDATE ends SET clean = 'perhaps'")
    ledger.close()
    refused(tmp_path, "AGGREGATOR_STATE_DIRECTORY", "ledger.sqlite3", "'perhaps' is no clean", "Move it away")


@pytest.mark.parametrize("name", ["ledger.sqlite3", "lock"])
def test_a_pipe_that_has_the_name_of_a_file_of_the_state(tmp_path: Path, name: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "lock").touch(0o600)
    (tmp_path / "state" / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / "state" / name)
    refused(tmp_path, "AGGREGATOR_STATE_DIRECTORY", f"{name} is no file", "move it away")


@pytest.mark.case(99)
def test_a_dead_letter_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(
        tmp_path,
        "AGGREGATOR_DEAD_LETTER_DIRECTORY",
        after_retries="discard",
        dead_letter_directory=str(tmp_path / "file" / "dead"),
    )


@pytest.mark.case(65, 99)
def test_what_a_running_aggregator_holds_is_refused_to_a_second(site: Site) -> None:
    running = site.aggregator(listen_address="127.0.0.1:0")
    address = running.wait_for("listening")["address"]
    state = site.directory / "aggregator"
    before = tree(state), site.out.stat()
    for says, changed in (
        (
            ("AGGREGATOR_STATE_DIRECTORY", "in use by another aggregator"),
            {"state_directory": str(site.directory / "aggregator")},
        ),
        (("AGGREGATOR_LISTEN_ADDRESS", "in use"), {"listen_address": address}),
        (("AGGREGATOR_FILE_CONFIGURATION", "another process writes it"), {"file_configuration": str(site.out)}),
    ):
        second = site.directory / "second"
        second.mkdir()
        refused(second, *says, **changed)
        second.rmdir()
    assert (tree(state), site.out.stat()) == before
    site.collector(remote_address=address)
    site.writer().write(100)
    site.assert_delivered()


@pytest.mark.case(65)
def test_a_running_aggregators_unix_socket_is_not_taken_from_it(site: Site) -> None:
    site.aggregator()
    second = site.directory / "second"
    second.mkdir()
    refused(second, "AGGREGATOR_LISTEN_ADDRESS", "another process listens", listen_address=site.address)
    site.collector()
    site.writer().write(100)
    site.assert_delivered()


@pytest.mark.case(77)
def test_no_secret_is_told_whatever_is_wrong(tmp_path: Path) -> None:
    key, body = "0123456789abcdef0123456789ABCDEF", GOOD.key.decode().splitlines()[1]
    notify = f'{{"integration_key": "{key}", "incident_key": "i", "identifier": "d"}}'
    wrong: list[dict[str, str]] = [
        {"notify_configuration": notify[:-1]},
        {"notify_configuration": notify.replace("incident_key", "incident_kay")},
        {"notify_configuration": notify.replace(key, key + "!")},
        tls(GOOD, tls_key=GOOD.key.decode().replace("END", "EMD")),
        tls(GOOD, tls_key=GOOD.key.decode().replace(body[5:9], "????")),
        tls(GOOD, tls_certificate=GOOD.key.decode()),
        tls(GOOD, tls_ca_certificate=GOOD.key.decode()),
        {"tls": GOOD.key.decode()},
    ]
    for command in (("aggregator",), ("check", "aggregator")):
        for changed in wrong:
            ended = attempt(*command, cwd=tmp_path, environ=settings(tmp_path, **changed))
            assert ended.code == 2
            for secret in (key, body, body[10:40]):
                assert secret not in ended.stderr + ended.stdout


@pytest.mark.case(75)
def test_no_secret_is_logged_by_one_that_runs(site: Site) -> None:
    key, body = "0123456789abcdef0123456789ABCDEF", GOOD.key.decode().splitlines()[1]
    notify = {"integration_key": key, "incident_key": "i", "identifier": "d", "url": "http://127.0.0.1:9"}
    changed: dict[str, Any] = {"notify_configuration": json.dumps(notify), "log_level": "debug", **tls(GOOD)}
    process = site.aggregator(**changed)
    assert process.stop() == 0
    assert key not in process.said()
    assert body not in process.said()
