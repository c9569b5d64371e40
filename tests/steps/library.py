"""The library that names the steps of a process, and kills it at one of them."""

import shutil
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_SOURCE = Path(__file__).parent / "steps.c"

_WRITES = {"write", "writev", "pwrite", "sendfile"}


class Moment(StrEnum):
    BEFORE = "before"
    AMID = "amid"
    """Half of what is written is."""
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Step:
    """`name` is the call and the file: `fdatasync:out.log`; `number` counts those of the same name from 1."""

    name: str
    number: int = 1

    def __str__(self) -> str:
        return f"{self.name} {self.number}"

    @property
    def moments(self) -> list[Moment]:
        writes = self.name.partition(":")[0] in _WRITES
        return [moment for moment in Moment if writes or moment is not Moment.AMID]


@dataclass(frozen=True, slots=True)
class Death:
    step: Step
    moment: Moment

    def __str__(self) -> str:
        return f"{self.moment} {self.step}"


class Library:
    """Compiled into a directory.

    Raises:
        FileNotFoundError: there is no compiler.
    """

    def __init__(self, directory: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            raise FileNotFoundError(
                "there is no compiler (cc) for the library that kills at a step: apt-get install gcc"
            )
        path = directory / "steps.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", path, _SOURCE, "-ldl"], check=True)
        self.variables = {"LD_PRELOAD": str(path)}
        """Those that a process begins with, or the template that it is forked from."""

    def records(self, site: Path) -> dict[str, str]:
        """The variables of a process whose steps are noted, for `recorded`."""
        return {**self._preloaded(site), "STEPS_RECORD": str(site / "steps")}

    def kills(self, site: Path, death: Death) -> dict[str, str]:
        """Those of a process that dies so."""
        return {**self._preloaded(site), "STEPS_DEATH": str(death.step), "STEPS_MOMENT": death.moment}

    def _preloaded(self, site: Path) -> dict[str, str]:
        below = "".join(f"{site / name}:" for name in ("aggregator", "collector", "out"))
        return {**self.variables, "STEPS_BELOW": below}


def recorded(site: Path) -> list[Step]:
    """The steps of the process, in the order in which they were done."""
    lines = (site / "steps").read_text().splitlines()
    return [Step(name, int(number)) for name, _, number in (line.rpartition(" ") for line in lines)]
