"""What a command imports is in memory for as long as it runs."""

import subprocess
import sys
from pathlib import Path

import pytest

_SOURCE = Path(__file__).parents[2] / "src"

_STARTED = """
import importlib, sys
from mega_collector.cli import command

command.get_command(None, sys.argv[1])
importlib.import_module(sys.argv[2])
print(*(name for name in ("structlog", "rich", "asyncio.events", "_hashlib") if name in sys.modules))
"""


@pytest.mark.parametrize(
    ("command", "module"),
    [
        ("run", "mega_collector.both"),
        ("collector", "mega_collector.collector.assembly"),
        ("aggregator", "mega_collector.aggregator.assembly"),
        ("audit", "mega_collector.audit.assembly"),
        ("tap", "mega_collector.operate.tap"),
    ],
)
def test_what_takes_much_memory_is_not_imported_where_it_is_not_used(command: str, module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _STARTED, command, module],
        env={"PYTHONPATH": str(_SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["structlog"]


_AWAITED = """
import sys
from mega_collector.lazily import import_lazily

import_lazily("asyncio", "json")
import asyncio, json
assert "asyncio.events" not in sys.modules
{use}
assert "asyncio.events" in sys.modules and sys.modules["asyncio"].run is asyncio.run
"""


@pytest.mark.parametrize(
    "use",
    ["asyncio.run(asyncio.sleep(0))", "import asyncio.events", "from asyncio import run", "from asyncio import *"],
)
def test_what_is_imported_lazily_is_imported_when_it_is_used(use: str) -> None:
    subprocess.run(
        [sys.executable, "-c", _AWAITED.format(use=use)],
        env={"PYTHONPATH": str(_SOURCE)},
        timeout=60,
        check=True,
    )
