"""What is skipped is not held: of the starred cases that is told."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent

STARRED, OTHER = 24, 25

SKIPPED = f"""
import pytest

def test_of_no_case():
    pytest.skip("it is not there")

@pytest.mark.case({OTHER})
def test_of_another_case():
    pytest.skip("it is not there")

@pytest.mark.case({STARRED})
def test_of_a_starred_case_that_is_held():
    pass

@pytest.mark.case({OTHER}, {STARRED})
def test_of_a_starred_case():
    pytest.skip("it is not there")

@pytest.mark.case({STARRED})
@pytest.mark.skipif(True, reason="it is not there")
def test_of_a_starred_case_by_a_mark():
    pass
"""


@pytest.mark.parametrize("processes", ["0", "1"])
def test_where_all_starred_cases_are_asked_for_a_skipped_test_of_one_fails(tmp_path: Path, processes: str) -> None:
    code, said = _pytest(tmp_path, "-n", processes, "--all-starred")
    assert code == 1
    assert said.count("a test of a starred case, 24, was skipped: it is not there") >= 2
    assert _counts(said) == {"passed": 1, "skipped": 2, "failed": 1, "error": 1}


def test_else_it_is_skipped_as_any_other(tmp_path: Path) -> None:
    code, said = _pytest(tmp_path)
    assert code == 0
    assert _counts(said) == {"passed": 1, "skipped": 4}


def _pytest(directory: Path, *arguments: str) -> tuple[int, str]:
    """By the settings and hooks of all tests."""
    (directory / "conftest.py").symlink_to(TESTS / "conftest.py")
    (directory / "test_skipped.py").write_text(SKIPPED)
    settings = ["-c", str(TESTS.parent / "pyproject.toml"), "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *settings, *arguments, str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def _counts(said: str) -> dict[str, int]:
    return {
        what: int(number) for number, what in re.findall(r"(\d+) (\w+)", said.splitlines()[-1].partition(" in ")[0])
    }
