"""`check` says beforehand what a start would be refused for, and touches nothing either."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from certificates import Authority
from harness.site import Site, environ
from harness.until import until
from starting.attempt import attempt, tree
from starting.material import make_newer, tls

AUTHORITY = Authority()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        yield site


def assert_found_out(half: str, cwd: Path, *says: str, settings: dict[str, str | None]) -> None:
    usual = {
        "AGGREGATOR": {
            "listen_address": "127.0.0.1:0",
            "state_directory": str(cwd / "state"),
            "file_configuration": str(cwd / "out.log"),
        },
        "COLLECTOR": {"paths": "nothing", "state_directory": str(cwd / "state")},
    }[half]
    before = tree(cwd)
    ended = attempt("check", half.lower(), cwd=cwd, environ=environ(half, usual, settings))
    assert (ended.code, ended.stderr) == (2, "")
    bad = [line for line in ended.stdout.splitlines() if line.startswith("BAD ")]
    assert any(all(words in line for words in says) for line in bad), ended.stdout
    assert tree(cwd) == before


def test_an_aggregators_key_of_another_certificate(tmp_path: Path) -> None:
    wrong = tls(AUTHORITY.material(), tls_key=AUTHORITY.material().key.decode())
    assert_found_out("AGGREGATOR", tmp_path, "AGGREGATOR_TLS_KEY", settings={**wrong})


def test_a_ledger_of_a_newer_version(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with sqlite3.connect(tmp_path / "state" / "ledger.sqlite3") as ledger:
        ledger.execute("PRAGMA user_version = 99")
    ledger.close()
    assert_found_out("AGGREGATOR", tmp_path, "version 99", settings={})


def test_what_a_running_aggregator_holds(site: Site) -> None:
    site.aggregator()
    state = str(site.directory / "aggregator")
    assert_found_out("AGGREGATOR", site.directory / "logs", "in use", settings={"listen_address": site.address})
    assert_found_out("AGGREGATOR", site.directory / "logs", "in use", settings={"state_directory": state})
    assert_found_out(
        "AGGREGATOR", site.directory / "logs", "another process", settings={"file_configuration": str(site.out)}
    )


def test_what_a_running_collector_holds(site: Site) -> None:
    site.collector(log_level="debug")
    state = site.directory / "collector"
    until((state / "checkpoint").exists, "the collector should have begun")
    settings: dict[str, str | None] = {"state_directory": str(state), "remote_address": site.address}
    assert_found_out("COLLECTOR", site.logs, "in use by another collector", settings=settings)


def test_a_checkpoint_of_a_newer_version(tmp_path: Path) -> None:
    make_newer(tmp_path / "state")
    assert_found_out("COLLECTOR", tmp_path, "version 99", settings={"remote_address": f"unix:{tmp_path}/none"})


def test_no_aggregator(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/none"
    assert_found_out("COLLECTOR", tmp_path, "aggregator", "none", settings={"remote_address": address})
