"""What is started with standard descriptors closed, as some supervisors do."""

import subprocess
import sys
from pathlib import Path

import pytest

from starting.attempt import Attempt, assert_refused, attempt

AGGREGATOR = {"AGGREGATOR_TEXT_CONFIGURATION": "1", "AGGREGATOR_LISTEN_ADDRESS": "127.0.0.1:0"}


def closed(*descriptors: int) -> tuple[str, ...]:
    """What a command is wrapped in."""
    return ("sh", "-c", f'exec "$@" {" ".join(f"{each}>&-" for each in descriptors)}', "sh")


def ship(directory: Path, *descriptors: int) -> Attempt:
    (directory / "a.log").write_bytes(b"one\ntwo\n")
    arguments = ("run", "a.log", "--output", "out.txt", "--once")
    return attempt(*arguments, cwd=directory, wrapper=closed(*descriptors))


def test_nothing_is_shipped_to_a_closed_stdout_by_run(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"one\n")
    assert_refused("run", "a.log", cwd=tmp_path, environ={}, says=["stdout", "closed"], wrapper=closed(1))


def test_nothing_is_shipped_to_a_closed_stdout_by_an_aggregator(tmp_path: Path) -> None:
    says = ["AGGREGATOR_TEXT_CONFIGURATION", "stdout", "closed"]
    assert_refused("aggregator", cwd=tmp_path, environ=AGGREGATOR, says=says, wrapper=closed(0, 1))


@pytest.mark.parametrize("descriptors", [(0,), (1,), (2,), (0, 2), (0, 1, 2)])
def test_what_goes_to_a_file_is_shipped(tmp_path: Path, descriptors: tuple[int, ...]) -> None:
    ended = ship(tmp_path, *descriptors)
    assert (ended.code, ended.stderr) == (0, "")
    assert (tmp_path / "out.txt").read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("descriptors", [(0,), (2,), (0, 2), (0, 1, 2)])
def test_no_file_takes_their_numbers(descriptors: tuple[int, ...]) -> None:
    code = (
        "import os; from mega_collector import cli; cli.execute = lambda _: os.open('/proc/self/status', 0);"
        "cli.sys.exit = lambda fd: os._exit(0 if fd > 2 and cli.sys.stderr.write('') == 0 else 1); cli.main()"
    )
    environ = {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    assert subprocess.run([*closed(*descriptors), sys.executable, "-c", code], env=environ, check=False).returncode == 0
