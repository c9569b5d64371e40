"""Reads that fail, or hang, as those of a sick disk or a dead network filesystem do."""

import shutil
import subprocess
from pathlib import Path

import pytest

_SOURCE = Path(__file__).parent / "failing_reads.c"


class Reads:
    """The reads that a process under `wrapper` does of one file: they fail from `fail` on, until `work`.

    With ESTALE as on a network filesystem: a descriptor that has failed stays broken, and only a new one works. With
    `error` None they do not fail but hang, and so do writes to it.
    """

    def __init__(self, directory: Path, path: Path, error: str | None) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("there is no compiler for the library that makes reads fail")
        self._flag, library = directory / "failing", directory / "failing_reads.so"
        fails = "-DHANGS" if error is None else f"-DERROR={error}"
        defines = [fails, f"-DINODE={path.stat().st_ino}", f'-DFLAG="{self._flag}"']
        command = [compiler, "-shared", "-fPIC", *defines, "-o", str(library), str(_SOURCE), "-ldl"]
        subprocess.run(command, check=True)
        self.wrapper = ["env", f"LD_PRELOAD={library}"]

    def fail(self) -> None:
        self._flag.touch()

    def work(self) -> None:
        self._flag.unlink()
