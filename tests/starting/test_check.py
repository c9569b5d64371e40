"""`check` says beforehand what a start would be refused for, and touches nothing either."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from certificates import Authority
from harness.metrics import unused_port
from harness.site import Site, environ
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


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("nothing")])
@pytest.mark.parametrize("half", ["AGGREGATOR", "COLLECTOR"])
def test_a_lock_that_is_no_file(tmp_path: Path, half: str, make: Callable[[Path], object]) -> None:
    (tmp_path / "state").mkdir()
    make(tmp_path / "state" / "lock")
    assert_found_out(half, tmp_path, "state directory", "lock is no file: move it away", settings={})


def test_a_ledger_that_is_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    os.mkfifo(tmp_path / "state" / "ledger.sqlite3")
    assert_found_out("AGGREGATOR", tmp_path, "ledger.sqlite3 is no file", "move it away", settings={})


def test_what_a_running_aggregator_holds(site: Site) -> None:
    site.aggregator()
    assert_found_out("AGGREGATOR", site.directory / "logs", "in use", settings={"listen_address": site.address})
    assert_found_out(
        "AGGREGATOR", site.directory / "logs", "another process", settings={"file_configuration": str(site.out)}
    )


def test_both_halves_may_run_with_the_very_settings_meanwhile(site: Site) -> None:
    metrics = {half: f"127.0.0.1:{unused_port()}" for half in ("aggregator", "collector")}
    site.writer().write(10)
    site.aggregator(metrics_address=metrics["aggregator"])
    site.collector(metrics_address=metrics["collector"])
    site.assert_delivered()
    before = {
        half: {
            "state_directory": str(site.directory / half),
            "metrics_address": metrics[half],
        }
        for half in metrics
    }
    told = attempt(
        "check",
        "aggregator",
        cwd=site.directory,
        environ=environ(
            "AGGREGATOR",
            {"listen_address": site.address, "file_configuration": str(site.out)},
            {**before["aggregator"]},
        ),
    )
    assert (told.code, told.stderr) == (0, ""), told.stdout
    for words in ("listening: ", "metrics: ", "state directory: "):
        assert any(words in line and "in use by the aggregator that runs" in line for line in told.stdout.splitlines())
    assert "ok  running: the aggregator says: ready" in told.stdout
    told = attempt(
        "check",
        "collector",
        cwd=site.directory,
        environ=environ(
            "COLLECTOR", {"paths": str(site.logs / "*.log"), "remote_address": site.address}, {**before["collector"]}
        ),
    )
    assert (told.code, told.stderr) == (0, ""), told.stdout
    assert "in use by the collector that runs" in told.stdout
    assert f"file: {site.logs}/a.log: " in told.stdout


def test_that_the_address_of_a_running_aggregator_is_another(site: Site) -> None:
    site.aggregator()
    settings: dict[str, str | None] = {
        "state_directory": str(site.directory / "aggregator"),
        "listen_address": f"127.0.0.1:{unused_port()}",
        "file_configuration": str(site.out),
    }
    told = attempt("check", "aggregator", cwd=site.directory, environ=environ("AGGREGATOR", {}, settings))
    assert told.code == 0
    assert any(line.startswith("see listening: ") and "another address" in line for line in told.stdout.splitlines())


def test_a_checkpoint_of_a_newer_version(tmp_path: Path) -> None:
    make_newer(tmp_path / "state")
    assert_found_out("COLLECTOR", tmp_path, "version 99", settings={"remote_address": f"unix:{tmp_path}/none"})


def test_no_aggregator(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/none"
    assert_found_out("COLLECTOR", tmp_path, "aggregator", "none", settings={"remote_address": address})
