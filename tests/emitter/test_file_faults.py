"""Disks that fill up and syncs that fail, for real; and what is synced."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
NAMESPACE = ["unshare", "-Urm", "--"]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(TESTS), str(TESTS.parent / "src")])
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False, timeout=60
    )


def can(*command: str) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.case(95)
@pytest.mark.parametrize("form", ["raw", "json"])
def test_a_file_size_limit_leaves_whole_batches_and_no_trace_of_others(tmp_path: Path, form: str) -> None:
    done = run(sys.executable, TESTS / "emitter" / "disk_full.py", "limit", tmp_path, form)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("out.log: File too large")


@pytest.mark.case(95)
@pytest.mark.skipif(
    not can(*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"), reason="no filesystem can be mounted in a namespace"
)
@pytest.mark.parametrize("form", ["raw", "json"])
def test_a_full_disk_leaves_whole_batches_and_no_trace_of_others(tmp_path: Path, form: str) -> None:
    done = run(*NAMESPACE, sys.executable, TESTS / "emitter" / "disk_full.py", "tmpfs", tmp_path, form)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("out.log: No space left on device")


FAILED_SYNC = """
import sys
from pathlib import Path
from emitter.batches import make_batch
from emitter.ledger import Ledger
from mega_collector.errors import EmitError

directory = Path(sys.argv[1])
ledger = Ledger(directory / "out.log", directory)
emitter = ledger.start()
ledger.commit(emitter.emit([make_batch(b"one\\n")]))
try:
    emitter.emit([make_batch(b"two\\n")])
except EmitError as error:
    assert str(error).endswith("out.log: Input/output error"), error
else:
    raise AssertionError("it was taken")
assert ledger.path.read_bytes() == b"one\\n"
ledger.commit(emitter.emit([make_batch(b"two\\n")]))
assert ledger.path.read_bytes() == b"one\\ntwo\\n"
emitter.close()
"""


needs_strace = pytest.mark.skipif(not can("strace", "-o", "/dev/null", "true"), reason="system calls cannot be traced")


@pytest.mark.case(95)
@needs_strace
def test_a_failed_sync_is_cut_and_written_again_before_the_next_sync(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    inject = ["-e", "trace=fdatasync,writev,ftruncate", "-e", "inject=fdatasync:error=EIO:when=2"]
    done = run("strace", "-f", "-o", trace, *inject, sys.executable, "-c", FAILED_SYNC, tmp_path)
    assert done.returncode == 0, done.stderr
    calls = re.findall(r"(fdatasync|writev|ftruncate)\(", trace.read_text())
    append = ["writev", "fdatasync"]
    assert calls == [*append, *append, "ftruncate", *append, "fdatasync"], "the last sync is of the close"


DURABLE = """
import sys
from pathlib import Path
from emitter.batches import make_batch
from emitter.ledger import Ledger
from mega_collector.emitter.dead_letters import DeadLetters

directory = Path(sys.argv[1])
ledger = Ledger(directory / "out.log", directory)
ledger.start().close()
DeadLetters(directory / "letters", 10_000).lay(make_batch(b"one\\n"))
"""


@needs_strace
def test_new_names_are_made_durable_after_what_they_name(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    done = run("strace", "-f", "-y", "-o", trace, "-e", "trace=fsync,rename", sys.executable, "-c", DURABLE, tmp_path)
    assert done.returncode == 0, done.stderr
    names = re.findall(r"""(fsync|rename)\((?:\d+<|")(?:[^">]*/)?\d*([^/">]*)""", trace.read_text())
    assert names == [
        ("fsync", tmp_path.name),
        ("fsync", ".unfinished"),
        ("rename", ".unfinished"),
        ("fsync", "letters"),
    ]
