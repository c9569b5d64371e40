"""Files that are named and are not there."""

from pathlib import Path

import pytest

from cli.command import mega_collector


@pytest.mark.parametrize("more", [[], ["--output", "out.log"]])
def test_a_missing_file_is_one_line_and_exit_1(tmp_path: Path, more: list[str]) -> None:
    (tmp_path / "a.log").write_bytes(b"one\n")
    done = mega_collector("run", "a.log", "missing.log", "--once", *more, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "mega-collector: 'missing.log': No such file or directory\n"
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]


def test_a_pattern_may_match_nothing(tmp_path: Path) -> None:
    assert mega_collector("run", "*.log", "--once", cwd=tmp_path).returncode == 0
