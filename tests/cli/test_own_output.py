"""What is shipped to a file that the patterns match too."""

from pathlib import Path

import pytest

from cli.command import mega_collector


@pytest.mark.case(100)
@pytest.mark.parametrize("name", ["out[1].log", "link"])
def test_an_output_that_the_pattern_matches_is_not_shipped_into_itself(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.log").write_bytes(b"one\ntwo\n")
    output = tmp_path / name
    if name == "link":
        output.symlink_to("target.log")
    output.write_bytes(b"was there\n")
    done = mega_collector("run", "*.log", "--output", name, "--once", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.count("own_file_left_out") == 1
    assert output.read_bytes() == b"was there\none\ntwo\n"
