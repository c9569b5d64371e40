"""The first step of each name: `scripts/torture --steps` goes through all of them."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.template import Template
from steps.library import Death, Library, Step
from steps.lives import LIVES, die, record

# By life, the steps that none before has.
STEPS = {
    "aggregator": [
        "mkdir:aggregator",
        "create:lock",
        "create:ledger.sqlite3",
        "create:ledger.sqlite3-journal",
        "pwrite:ledger.sqlite3-journal",
        "fdatasync:ledger.sqlite3-journal",
        "fdatasync:aggregator",
        "pwrite:ledger.sqlite3",
        "fdatasync:ledger.sqlite3",
        "unlink:ledger.sqlite3-journal",
        "create:ledger.sqlite3-wal",
        "create:ledger.sqlite3-shm",
        "ftruncate:ledger.sqlite3-shm",
        "pwrite:ledger.sqlite3-shm",
        "pwrite:ledger.sqlite3-wal",
        "fdatasync:ledger.sqlite3-wal",
        "create:out.log",
        "fsync:out",
        "writev:out.log",
        "fdatasync:out.log",
        "fsetxattr:out.log",
        "ftruncate:ledger.sqlite3",
        "unlink:ledger.sqlite3-shm",
        "unlink:ledger.sqlite3-wal",
        "unlink:operator.sock",
    ],
    "aggregator mends": [
        "create:out.log.cut-N",
        "sendfile:out.log.cut-N",
        "fsync:out.log.cut-N",
        "fsync:aggregator",
        "ftruncate:out.log",
    ],
    "aggregator discards": [
        "mkdir:dead-letters",
        "create:N.unfinished",
        "write:N.unfinished",
        "fsync:N.unfinished",
        "rename:N.dead",
        "fsync:dead-letters",
    ],
    "aggregator rotates": [
        "mkdir:test",
        "fsync:test",
        "rename:out.log.1",
        "fdatasync:out.log.1",
        "create:.out.log.compressing",
        "write:.out.log.compressing",
        "fsync:.out.log.compressing",
        "rename:out.log.1.gz",
        "unlink:out.log.1",
        "rename:out.log.2.gz",
    ],
    "collector": [
        "mkdir:collector",
        "create:checkpoint.new",
        "pwrite:checkpoint.new",
        "fdatasync:checkpoint.new",
        "link:checkpoint.kept",
        "rename:checkpoint",
        "fsync:collector",
        "pwrite:checkpoint",
        "fdatasync:checkpoint",
    ],
    "collector again": ["rename:checkpoint.previous"],
    "collector mends": ["rename:checkpoint.damaged-N"],
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    if shutil.which("cc") is None:
        pytest.skip("there is no compiler for the library that kills at a step")
    return Library(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def template(library: Library) -> Iterator[Template]:
    with Template(library.variables) as template:
        yield template


@pytest.mark.parametrize(("life", "step"), [(life, step) for life, steps in STEPS.items() for step in steps])
def test_wherever_a_half_dies_each_line_is_there_once(
    life: str, step: str, library: Library, template: Template, tmp_path: Path
) -> None:
    """Before the step, amid and after it, side by side."""

    def play(death: Death) -> None:
        directory = tmp_path / death.moment
        directory.mkdir()
        die(LIVES[life], directory, library, death, template)

    deaths = [Death(Step(step), moment) for moment in Step(step).moments]
    with ThreadPoolExecutor(len(deaths)) as pool:
        list(pool.map(play, deaths))


def test_these_are_all_steps_that_there_are(library: Library, template: Template, tmp_path: Path) -> None:
    recorded = set[str]()
    for number, life in enumerate(LIVES.values()):
        directory = tmp_path / str(number)
        directory.mkdir()
        recorded |= {step.name for step in record(life, directory, library, template)}
    assert recorded == {step for steps in STEPS.values() for step in steps}
