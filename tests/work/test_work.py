"""How much is done for each megabyte, counted and not timed: a loop over lines on the way of a block would show.

A log of 8 MB in lines of 40 bytes has 200 000 of them. Everything below is far from that, and several times what was
counted when it was written: it catches what grows with lines, not what costs a little more.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.process import SOURCE

_LINE = 40
_MEGABYTES = 8
_SECONDS = 4
_ONCE = 25
"""Looks, steps and the like of the start and the end."""
_COUNTING = Path(__file__).with_name("counting.py")
_CARRYING = {"read", "pread64", "write", "writev", "pwrite64", "pwritev", "sendmsg", "recvmsg", "fdatasync", "lseek"}
"""System calls that move bytes, or could."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What was done while a log was shipped."""

    log_lines: int
    code_lines: int
    calls: Mapping[str, int]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Counted:
    directory = tmp_path_factory.mktemp("work")
    log, output = directory / "a.log", directory / "out.log"
    lines = write(log, _MEGABYTES * 1_000_000)
    said = json.loads(run(sys.executable, str(_COUNTING), str(log), str(output)))
    assert output.read_bytes() == log.read_bytes()
    return Counted(lines, said["lines"], said["calls"])


def test_no_code_is_executed_for_each_line(counted: Counted) -> None:
    # Counted: 0.13, of which batches of 1000 lines take the most.
    assert counted.code_lines < counted.log_lines / 3


def test_a_megabyte_travels_in_about_one_message(counted: Counted) -> None:
    # Counted: 1.6, with hello and handshake.
    assert _MEGABYTES / 2 < counted.calls["framing.parse"] < 4 * _MEGABYTES


def test_a_megabyte_is_read_as_about_one_block(counted: Counted) -> None:
    # Counted: 1.3.
    assert _MEGABYTES / 2 < counted.calls["reader.read"] < 4 * _MEGABYTES


def test_acknowledgements_are_fewer_than_batches(counted: Counted) -> None:
    # Counted: 1 for each megabyte, which is 25 batches.
    assert 0 < counted.calls["decoding.decode_answer"] < 5 * _MEGABYTES


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, int]:
    """The calls while a log grew for some seconds, of which each 50 ms are one read: batches wait for 100."""
    directory = tmp_path_factory.mktemp("growing")
    log, output = directory / "logs" / "a.log", directory / "out.log"
    log.parent.mkdir()
    log.touch()
    said = json.loads(run(sys.executable, str(_COUNTING), str(log), str(output), str(_SECONDS)))
    calls: Mapping[str, int] = said["calls"]
    assert _SECONDS < calls["reader.read"] < 25 * _SECONDS
    return calls


def test_what_grows_is_looked_at_once_between_two_reads(growing: Mapping[str, int]) -> None:
    # Counted: 2.0 a read, with the one before it. Were it woken by writes and acknowledgements, it would be 5.
    assert growing["tailer._look"] - growing["tailer._poll"] < 3 * growing["reader.read"] + _ONCE


def test_no_acknowledgement_wakes_the_tailer_between_two_reads(growing: Mapping[str, int]) -> None:
    # Counted: 1.05 a read; 1.5 if each acknowledgement is one.
    assert growing["decoding.decode_answer"] > _SECONDS
    assert growing["tailer.step"] - growing["tailer._poll"] < 1.2 * growing["reader.read"] + _ONCE / 3


def test_one_log_that_grows_tells_the_same_each_time(growing: Mapping[str, int]) -> None:
    assert growing["watch._parse"] < _ONCE


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_megabyte_takes_few_system_calls(tmp_path: Path) -> None:
    nothing, something = tmp_path / "0.log", tmp_path / "1.log"
    write(nothing, 1000)
    write(something, _MEGABYTES * 1_000_000)
    # What the start takes is taken off. Counted: 45, most of them parts of a message as they come out of the socket.
    assert system_calls(something) - system_calls(nothing) < 250 * _MEGABYTES


def write(log: Path, size: int) -> int:
    """Write a log; the number of its lines."""
    lines = size // _LINE
    log.write_bytes(b"".join((b"%08d " % number).ljust(_LINE - 1, b"x") + b"\n" for number in range(lines)))
    return lines


def system_calls(log: Path) -> int:
    """How many of those that carry bytes it takes to ship that log."""
    summary, output = log.with_suffix(".strace"), log.with_suffix(".out")
    command = [sys.executable, "-m", "mega_collector", "run", str(log), "--output", str(output), "--once"]
    run("strace", "-f", "-c", "-U", "calls,name", "-o", str(summary), *command)
    assert output.read_bytes() == log.read_bytes()
    counted = (line.split() for line in summary.read_text().splitlines())
    return sum(int(words[0]) for words in counted if len(words) == 2 and words[1] in _CARRYING)


def run(*command: str) -> bytes:
    environ = {"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=environ, capture_output=True, check=False, timeout=100)
    if command[0] == "strace" and b"PTRACE" in done.stderr:
        pytest.skip("nobody may be traced here")
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
