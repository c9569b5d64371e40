"""What both halves in one process do not start on."""

from pathlib import Path

from starting.attempt import assert_refused


def test_an_output_whose_directory_is_missing(tmp_path: Path) -> None:
    assert_refused(
        "run", "a.log", "--output", "none/out.log", cwd=tmp_path, environ={}, says=["none/out.log", "No such file"]
    )


def test_an_output_that_is_a_directory(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert_refused("run", "a.log", "--output", "out", cwd=tmp_path, environ={}, says=["out", "directory"])
