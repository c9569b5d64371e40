import shutil
import subprocess
from pathlib import Path

import click
import pytest

from mega_collector.cli import command
from mega_collector.settings import AggregatorSettings, CollectorSettings
from mega_collector.settings.declaration import declared
from mega_collector.settings.manual import PATH, manual

PAGE = Path(__file__).parents[2] / PATH


def test_the_manual_is_up_to_date() -> None:
    assert PAGE.read_text() == manual(), "run scripts/generate"


def test_the_manual_is_read_without_a_warning_and_has_everything() -> None:
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("there is no groff to read the manual with")
    read = subprocess.run(
        [groff, "-Tascii", "-P-cbou", "-man", "-ww", "-rLL=400n", PAGE], capture_output=True, text=True, check=True
    )
    assert read.stderr == ""
    for half in (AggregatorSettings, CollectorSettings):
        for setting in declared(half):
            assert f"{setting.flag} {setting.kind.name}, {setting.variable}" in read.stdout
            assert setting.help[1:] in read.stdout
    for name in command.list_commands(click.Context(command)):
        assert f"\n       {name}" in read.stdout
