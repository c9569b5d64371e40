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
print("structlog" in sys.modules, "rich" in sys.modules)
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
def test_rich_is_imported_only_where_something_is_drawn(command: str, module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _STARTED, command, module],
        env={"PYTHONPATH": str(_SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["True", "False"]
