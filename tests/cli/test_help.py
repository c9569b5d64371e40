import importlib
import re
from pathlib import Path

import pytest

from cli.command import mega_collector
from mega_collector import __version__
from mega_collector.settings import AggregatorSettings, CollectorSettings
from mega_collector.settings.declaration import Settings, declared
from starting.attempt import attempt


def _words(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("before", [[], ["check"]])
@pytest.mark.parametrize(("half", "settings"), [("collector", CollectorSettings), ("aggregator", AggregatorSettings)])
def test_help_shows_every_flag_with_its_variable_and_default(
    tmp_path: Path, before: list[str], half: str, settings: type[Settings]
) -> None:
    ended = attempt(*before, half, "--help", cwd=tmp_path, environ={"COLUMNS": "400"})
    assert ended.code == 0
    for setting in declared(settings):
        assert f"{setting.flag} {setting.kind.name} " in _words(ended.stdout)
        assert f"[{setting.variable}; default: {setting.shown_default}]" in _words(ended.stdout)


def test_an_audit_is_told_as_a_collector_is_what_it_looks_at_and_whom_it_asks(tmp_path: Path) -> None:
    ended = attempt("audit", "--help", cwd=tmp_path, environ={"COLUMNS": "400"})
    assert ended.code == 0
    for flag in (
        "--json",
        "--paths",
        "--exclude",
        "--remote-address",
        "--tls-certificate",
        "--id",
        "--state-directory",
    ):
        assert f"{flag} " in _words(ended.stdout)
    assert "--window-size" not in ended.stdout


def test_help_lists_the_commands(tmp_path: Path) -> None:
    ended = mega_collector("--help", cwd=tmp_path)
    assert ended.returncode == 0
    assert all(name in ended.stdout for name in ("run", "collector", "aggregator", "check", "audit", "--version"))


def test_no_command_is_help_and_exit_2(tmp_path: Path) -> None:
    ended = mega_collector(cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Usage: mega-collector" in ended.stderr


def test_the_version_is_told(tmp_path: Path) -> None:
    ended = mega_collector("--version", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, f"mega-collector {__version__}\n")


def test_the_version_costs_no_import_of_the_rest(tmp_path: Path) -> None:
    ended = mega_collector("--version", cwd=tmp_path, PYTHONPROFILEIMPORTTIME="1")
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "mega_collector.cli" in imported
    assert not {"grpc", "google.protobuf", "mega_collector.settings", "mega_collector.wire"} & imported


def test_the_entry_point_is_there() -> None:
    assert callable(importlib.import_module("mega_collector.cli").main)
