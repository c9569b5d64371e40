"""Short lives of one half, in which it does all that it does to files; and what must hold wherever it dies in one."""

import contextlib
import json
import os
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.lines import assert_exactly
from harness.outputs import held_by
from harness.process import Process
from harness.site import Site
from harness.template import Template
from harness.until import until
from harness.writer import Writer
from mega_collector.emitter.dead_letter import read
from steps.library import Death, Library, Moment, Step, recorded

_LINES = 5

_UNCOMMITTED = Death(Step("fdatasync:out.log", 2), Moment.BEFORE)


_KEPT = {"file_configuration"}
"""Settings of a life that the next one has too."""


class NotReached(Exception):
    """How many pages the ledger writes depends on what is committed together, for example."""


@dataclass(slots=True)
class Scene:
    """A site where one log is written. `process` is the half whose life it is, `other` the other one."""

    site: Site
    library: Library
    writer: Writer
    process: Process | None = None
    other: Process | None = None

    def lives(self) -> bool:
        return self.process is not None and self.process.running

    def while_it_lives(self, condition: Callable[[], object], what: str) -> None:
        """Wait until that has come to pass, or the process has died."""
        until(lambda: not self.lives() or condition(), lambda: f"{what}: {self.process and self.process.said()}")

    def ship(self) -> None:
        """Lines are written, and arrive."""
        self.writer.write(_LINES)
        self.while_it_lives(self.all_arrived, "the lines should have arrived")

    def all_arrived(self) -> bool:
        return len(held_by(self.site.out.parent)) >= self.site.bytes_written

    def settings(self, life: "Life") -> dict[str, Any]:
        """Those of the half; `OUT` in them is where the output is."""
        return {name: text.replace("OUT", str(self.site.out.parent)) for name, text in life.settings.items()}


@dataclass(frozen=True, slots=True)
class Life:
    half: str
    run: Callable[[Scene], None]
    prepare: Callable[[Scene], None] = lambda _: None
    judge: Callable[[Scene], None] = lambda scene: scene.site.assert_delivered()
    variables: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


def record(life: Life, directory: Path, library: Library, template: Template | None = None) -> list[Step]:
    """What it does to files, as long as nobody kills it."""
    with Site(directory, template) as site:
        scene = Scene(site, library, site.writer())
        _live(scene, life, library.records(directory))
        assert scene.process is not None
        assert scene.process.wait() == 0, scene.process.said()
        _judge(scene, life)
    return recorded(directory)


def die(life: Life, directory: Path, library: Library, death: Death, template: Template | None = None) -> None:
    """It dies so, another process goes on, and each line is there once, whole, in order.

    Raises:
        NotReached: this time it did without that step.
        AssertionError: it is not, or the process ended in another way.
    """
    with Site(directory, template) as site:
        scene = Scene(site, library, site.writer())
        _live(scene, life, library.kills(directory, death))
        assert scene.process is not None
        code = scene.process.wait()
        if code == 0:
            raise NotReached(f"it did not come to {death.step}")
        assert code == -signal.SIGKILL, f"it did not die {death}: {scene.process.said()}"
        _judge(scene, life)


def _live(scene: Scene, life: Life, variables: dict[str, str]) -> None:
    life.prepare(scene)
    with scene.site.given(variables | life.variables):
        if life.half == "aggregator":
            scene.process = scene.site.aggregator(wait=False, **scene.settings(life))
        else:
            scene.process = scene.site.collector(**scene.settings(life))
    if scene.other is None:
        scene.other = scene.site.collector() if life.half == "aggregator" else scene.site.aggregator(wait=False)
    life.run(scene)
    if scene.lives():
        scene.process.signal(signal.SIGTERM)


def _judge(scene: Scene, life: Life) -> None:
    if life.half == "aggregator":
        settings = scene.settings(life)
        scene.site.aggregator(wait=False, **{name: settings[name] for name in settings if name in _KEPT})
    else:
        scene.site.collector()
    scene.writer.write(_LINES)
    life.judge(scene)


# What happens in a life


def _ship_and_rotate(scene: Scene) -> None:
    scene.ship()
    if not scene.lives():
        return  # what is renamed away before anybody has seen it is not followed
    scene.writer.rotate(scene.writer.path.with_suffix(".1"))
    scene.ship()
    collector = scene.process if scene.process and scene.process.name == "collector" else scene.other
    assert collector is not None
    scene.while_it_lives(lambda: collector.events("file_retired"), "the rotated file should have been let go")


def _leave_uncommitted(scene: Scene) -> None:
    """The aggregator before wrote, and died before it could commit."""
    with scene.site.given(scene.library.kills(scene.site.directory, _UNCOMMITTED)):
        scene.process = scene.site.aggregator(wait=False)
    scene.other = scene.site.collector()
    scene.ship()
    scene.ship()
    assert scene.process.wait() == -signal.SIGKILL


def _kill_collector(scene: Scene) -> None:
    """The collector before was killed when it had shipped something, and its file was rotated."""
    scene.other = scene.site.aggregator(wait=False)
    scene.process = scene.site.collector()
    scene.ship()
    scene.process.kill()
    scene.writer.rotate(scene.writer.path.with_suffix(".0"))


def _spoil_checkpoint(scene: Scene) -> None:
    _kill_collector(scene)
    with (scene.site.directory / "collector" / "checkpoint").open("r+b") as file:
        file.truncate(os.fstat(file.fileno()).st_size - 3)


def _discard(scene: Scene) -> None:
    scene.writer.write(_LINES)
    assert scene.process is not None
    scene.while_it_lives(lambda: scene.process and scene.process.events("batch_discarded"), "it should be given up")


def _judge_discarded(scene: Scene) -> None:
    """What the ledger holds as discarded is in the dead letters, and all else at the destination."""
    site, lines = scene.site, scene.writer.lines
    until(lambda: lines[-1] in site.output(), "what was written last should have arrived")
    for process in reversed(site.processes):
        if process.running:
            assert process.stop() == 0, process.said()
    discarded = _discarded(site)
    written = b"".join(lines)
    kept = b"".join(b"" if start in discarded else written[start : start + 1] for start in range(len(written)))
    assert_exactly(site.output(), {("a", 0): kept.splitlines(keepends=True)})
    letters = {
        block.start: bytes(block.data)
        for path in (site.directory / "aggregator" / "dead-letters").glob("*.dead")
        for block in read(path).blocks
    }
    for start, data in letters.items():
        assert written[start : start + len(data)] == data
    laid = {start + each for start, data in letters.items() for each in range(len(data))}
    assert discarded <= laid, "what was given up should be in the dead letters"


def _discarded(site: Site) -> set[int]:
    """The bytes of the one source that the ledger holds as given up."""
    with contextlib.closing(sqlite3.connect(site.directory / "aggregator" / "ledger.sqlite3")) as ledger:
        ranges = ledger.execute("SELECT start, end FROM ranges WHERE reason = 'discarded'").fetchall()
    return {byte for start, end in ranges for byte in range(start, end)}


def _rotate_output(scene: Scene) -> None:
    """Each time something is compressed before the next."""
    for _ in range(3):
        scene.ship()
        scene.while_it_lives(lambda: _is_settled(scene.site), "what was rotated should be compressed")


def _judge_outputs(scene: Scene) -> None:
    until(lambda: scene.all_arrived() and _is_settled(scene.site), "everything should have arrived")
    assert_exactly(held_by(scene.site.out.parent), scene.site.written)


def _is_settled(site: Site) -> bool:
    """Whether nothing is left to be compressed."""
    return not list(site.out.parent.rglob("*.compressing")) and not list(site.out.parent.rglob("*.[0-9]"))


LIVES = {
    "aggregator": Life("aggregator", _ship_and_rotate),
    "aggregator mends": Life("aggregator", Scene.ship, _leave_uncommitted),
    "aggregator discards": Life(
        "aggregator",
        _discard,
        judge=_judge_discarded,
        variables={"STEPS_FULL": "out.log"},
        settings={"after_retries": "discard", "retry_count": "1", "retry_delay": "1ms"},
    ),
    "aggregator rotates": Life(
        "aggregator",
        _rotate_output,
        judge=_judge_outputs,
        settings={
            "file_configuration": json.dumps(
                {"path": "OUT/{host}/out.log", "rotate_size": "1", "keep": 1000, "compress": "gzip", "mode": "0640"}
            )
        },
    ),
    "collector": Life("collector", _ship_and_rotate),
    "collector again": Life("collector", _ship_and_rotate, _kill_collector),
    "collector mends": Life("collector", Scene.ship, _spoil_checkpoint),
}
