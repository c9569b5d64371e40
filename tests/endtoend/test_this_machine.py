"""The logs that this very machine has."""

import os
from pathlib import Path

import pytest

from harness.site import Site

LIMIT = 64 << 20
"""Bytes of a log that this test takes."""


def test_the_logs_of_this_machine_arrive_byte_for_byte(site: Site) -> None:
    found = sorted(path for path in Path("/var/log").glob("**/*.log") if _usable(path))
    if not found:
        pytest.skip("there is no readable log under /var/log")
    # Copies: others may be writing to the originals, and what they say is compared below.
    for number, path in enumerate(found):
        (site.logs / f"{number}.log").write_bytes(path.read_bytes())
    process = site.start("run", "--once", str(site.logs / "*.log"), "--output", str(site.out))
    assert process.wait() == 0
    assert sorted(_lines(site.out)) == sorted(line for path in site.logs.iterdir() for line in _lines(path))


def _lines(path: Path) -> list[bytes]:
    """Without their newlines, which the last one may lack."""
    data = path.read_bytes()
    return data.removesuffix(b"\n").split(b"\n") if data else []


def _usable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.R_OK) and 0 < path.stat().st_size <= LIMIT
