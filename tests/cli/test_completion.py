"""The shell completes commands, flags and paths."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cli.command import mega_collector


def _completed(words: str, cwd: Path) -> list[str]:
    """What is offered for the last of the words."""
    count = str(words.count(" "))
    ended = mega_collector(cwd=cwd, _MEGA_COLLECTOR_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=count)
    assert ended.stderr == ""
    return ended.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("mega-collector agg", ["plain,aggregator"]),
        ("mega-collector check ", ["plain,collector", "plain,aggregator"]),
        ("mega-collector collector --max-o", ["plain,--max-open-files"]),
        ("mega-collector collector /var/l", ["file,/var/l"]),
        ("mega-collector run --output /t", ["file,/t"]),
    ],
)
def test_what_is_begun_is_completed(tmp_path: Path, words: str, offered: list[str]) -> None:
    assert _completed(words, tmp_path) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_is_told_how(tmp_path: Path, shell: str) -> None:
    path = {"PATH": "/usr/bin:/bin"}  # click asks bash for its version
    ended = mega_collector(cwd=tmp_path, _MEGA_COLLECTOR_COMPLETE=f"{shell}_source", **path)
    assert "_MEGA_COLLECTOR_COMPLETE=" in ended.stdout
    program = shutil.which(shell)
    if program is not None:
        assert subprocess.run([program, "-n"], input=ended.stdout, text=True, check=False).returncode == 0
