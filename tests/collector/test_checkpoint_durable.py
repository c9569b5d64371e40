"""In which order the checkpoint's files are written, synced and named: seen from the kernel."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent / 'src'}"}

CALLS = "trace=pwrite64,fsync,fdatasync,rename,link"

TWO_FLUSHES = """
import sys
from pathlib import Path
from collector.entry import make_entry
from mega_collector.collector.state.checkpoint import Checkpoint, CheckpointError

for start in range(2):
    checkpoint = Checkpoint(Path(sys.argv[1]))
    print(checkpoint.damage, [entry.position for entry in checkpoint.entries.values()])
    for position in (1, 2):
        checkpoint.put(make_entry(0, position))
        try:
            checkpoint.flush()
        except CheckpointError as error:
            print(str(error).rsplit(": ", 1)[1])
    checkpoint.close()
"""

WRITTEN = [("pwrite64", "checkpoint.new"), ("pwrite64", "checkpoint.new"), ("fdatasync", "checkpoint.new")]
NAMED = [("rename", "checkpoint.new"), ("fsync", "state")]
# Where there is nothing to link the call fails.
FIRST = [*WRITTEN, ("link", "checkpoint"), *NAMED]
# Linked before it is replaced, so that there is a checkpoint at every instant.
ANEW = [*WRITTEN, ("link", "checkpoint"), ("rename", "checkpoint.kept"), *NAMED]
APPENDED = [("pwrite64", "checkpoint"), ("fdatasync", "checkpoint")]


def _can_trace() -> bool:
    command = ["strace", "-o", "/dev/null", "true"]
    return shutil.which("strace") is not None and subprocess.run(command, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _can_trace(), reason="system calls cannot be traced")


def traced(directory: Path, *injection: str) -> tuple[list[tuple[str, str]], list[str]]:
    """The calls, each with the name of the first file that it is about; and what was said."""
    trace = directory.with_name("trace")
    program = [sys.executable, "-c", TWO_FLUSHES, str(directory)]
    command = ["strace", "-y", "-o", str(trace), "-e", CALLS, *injection, *program]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    calls = re.findall(r"""^(\w+)\((?:\d+<|")(?:[^">]*/)?([^/">]*)""", trace.read_text(), re.MULTILINE)
    return calls, done.stdout.splitlines()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_a_flush_returns_when_it_is_on_the_disk_and_a_new_file_is_there_before_it_is_named(directory: Path) -> None:
    calls, said = traced(directory)
    assert calls == [*FIRST, *APPENDED, *APPENDED, *ANEW, *APPENDED, *APPENDED]
    assert said == ["None []", "None [2]"]


def test_after_a_sync_that_failed_a_new_file_is_written(directory: Path) -> None:
    # The kernel counts what it could not write as clean then: syncing the same file once more would prove nothing.
    calls, said = traced(directory, "-e", "inject=fdatasync:error=EIO:when=2")
    assert calls == [*FIRST, *APPENDED, *ANEW, *ANEW, *APPENDED, *APPENDED]
    assert said == ["None []", "Input/output error", "None [2]"]


def test_where_there_are_no_links_the_previous_file_is_renamed(directory: Path) -> None:
    calls, said = traced(directory, "-e", "inject=link:error=EPERM:when=2")
    renamed = [*WRITTEN, ("link", "checkpoint"), ("rename", "checkpoint"), *NAMED]
    assert calls == [*FIRST, *APPENDED, *APPENDED, *renamed, *APPENDED, *APPENDED]
    assert said == ["None []", "None [2]"]
    assert (directory / "checkpoint.previous").exists()


def test_any_other_error_forbids_the_start_and_leaves_what_is_there(directory: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as raised:
        traced(directory, "-e", "inject=link:error=ENOSPC:when=2")
    assert "StartError" in raised.value.stderr
    assert (directory / "checkpoint").exists()
