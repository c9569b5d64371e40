"""What a collector does not start on: exit 2, one line, and nothing is touched."""

import os
import socket
from pathlib import Path

import pytest

from certificates import Authority
from harness.site import Site, environ
from starting.attempt import assert_refused, attempt, give_away, unprivileged
from starting.material import encrypted, make_newer, tls

AUTHORITY = Authority()
GOOD = AUTHORITY.material()


def settings(directory: Path, **changed: str | None) -> dict[str, str]:
    usual = {
        "paths": str(directory / "*.log"),
        "remote_address": f"unix:{directory}/socket",
        "state_directory": str(directory / "state"),
    }
    return environ("COLLECTOR", usual, changed)


def refused(directory: Path, *says: str, **changed: str | None) -> None:
    assert_refused("collector", cwd=directory, environ=settings(directory, **changed), says=says)


def refused_to_nobody(directory: Path, *says: str, **changed: str | None) -> None:
    """As `refused`, where it runs without privileges."""
    give_away(directory)
    environ = settings(directory, **changed)
    assert_refused("collector", cwd=directory, environ=environ, says=says, wrapper=unprivileged())


@pytest.mark.case(99)
def test_a_bad_value(tmp_path: Path) -> None:
    refused(tmp_path, "COLLECTOR_START_AT", "'middle'", "allowed: beginning or end", start_at="middle")


@pytest.mark.case(99)
def test_an_unknown_variable(tmp_path: Path) -> None:
    refused(tmp_path, "COLLECTOR_EXCLUDES", "did you mean COLLECTOR_EXCLUDE", excludes="1")


@pytest.mark.case(99)
def test_json_that_is_none(tmp_path: Path) -> None:
    refused(tmp_path, "COLLECTOR_PATHS", "JSON", paths='["a", ')


@pytest.mark.case(99)
def test_no_paths(tmp_path: Path) -> None:
    refused(tmp_path, "COLLECTOR_PATHS", "names no files", paths=None)


@pytest.mark.case(82)
def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    key = AUTHORITY.material().key.decode()
    refused(tmp_path, "COLLECTOR_TLS_KEY", "does not belong to COLLECTOR_TLS_CERTIFICATE", **tls(GOOD, tls_key=key))


@pytest.mark.case(82)
def test_an_encrypted_key(tmp_path: Path) -> None:
    refused(tmp_path, "COLLECTOR_TLS_KEY", "is encrypted", **tls(GOOD, tls_key=encrypted(GOOD.key)))


@pytest.mark.case(82)
def test_a_key_file_that_may_not_be_read(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(GOOD.key)
    key.chmod(0)
    refused_to_nobody(
        tmp_path,
        "COLLECTOR_TLS_KEY",
        "ermission denied",
        **tls(GOOD, tls_key=str(key)),
    )


@pytest.mark.case(82)
def test_a_ca_file_that_is_empty(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    refused(tmp_path, "COLLECTOR_TLS_CA_CERTIFICATE", "empty", **tls(GOOD, tls_ca_certificate=str(tmp_path / "ca.pem")))


@pytest.mark.case(56, 99)
def test_a_state_directory_that_may_not_be_made(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o555)
    refused_to_nobody(
        tmp_path,
        "COLLECTOR_STATE_DIRECTORY",
        "ermission denied",
        state_directory=str(closed / "state"),
    )


@pytest.mark.case(99)
def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        refused(tmp_path, "COLLECTOR_METRICS_ADDRESS", "in use", metrics_address=f"127.0.0.1:{port}")


@pytest.mark.case(57)
def test_a_checkpoint_of_a_newer_version(tmp_path: Path) -> None:
    make_newer(tmp_path / "state")
    refused(tmp_path, "COLLECTOR_STATE_DIRECTORY", "is of version 99", "knows 1")


@pytest.mark.parametrize("name", ["checkpoint", "lock"])
def test_a_pipe_that_has_the_name_of_a_file_of_the_state(tmp_path: Path, name: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "lock").touch(0o600)
    (tmp_path / "state" / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / "state" / name)
    refused(tmp_path, "COLLECTOR_STATE_DIRECTORY", name, "move it away")


@pytest.mark.case(58, 99)
def test_a_second_one_on_the_same_state(tmp_path: Path) -> None:
    with Site(tmp_path) as site:
        site.aggregator()
        site.collector()
        site.writer().write(100)
        site.assert_delivered()
        second = tmp_path / "second"
        second.mkdir()
        refused(second, "COLLECTOR_STATE_DIRECTORY", "another collector", state_directory=str(tmp_path / "collector"))
        site.writer("b.log").write(100)
        site.assert_delivered()


@pytest.mark.case(82)
@pytest.mark.parametrize("command", [("collector",), ("check", "collector")])
def test_no_secret_is_told_whatever_is_wrong(tmp_path: Path, command: tuple[str, ...]) -> None:
    body = GOOD.key.decode().splitlines()[1]
    for changed in (
        tls(GOOD, tls_key=GOOD.key.decode().replace(body[5:9], "????")),
        tls(GOOD, tls_certificate=GOOD.key.decode()),
        {"tls_server_name": GOOD.key.decode()},
    ):
        ended = attempt(*command, cwd=tmp_path, environ=settings(tmp_path, **changed))
        assert ended.code == 2
        assert body not in ended.stderr + ended.stdout
        assert body[10:40] not in ended.stderr + ended.stdout
