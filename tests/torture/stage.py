"""Plays one history: real files, a real collector, a real aggregator that writes to a file, a relay between them."""

import contextlib
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.process import Process
from harness.relay import Relay
from harness.site import Site
from harness.template import Template
from harness.until import until
from mega_collector.settings import kinds
from torture.history import FILE_OPERATIONS, History, Operation
from torture.logs import Logs
from torture.model import Identity, Model

ROTATE_WAIT = 0.4
"""Seconds. Long enough for what is written late to be written within it."""

_PATIENCE = 45.0
"""Seconds: what is written by a name that another file has by now is only found by the scan, every 30."""

_MOST_TOLD = 20


class Unfaithful(AssertionError):
    """What was promised is not what was found at the destination."""


class Stage:
    """A context manager, at whose end no process is left."""

    def __init__(
        self, directory: Path, history: History, template: Template | None = None, *, patience: float = _PATIENCE
    ) -> None:
        self._patience = patience
        self._history = history
        self._site = Site(directory, template)
        (directory / "targets").mkdir()
        self.model = Model(
            rotate_wait=ROTATE_WAIT, max_line_size=kinds.size(history.collector.get("max_line_size", "1MiB"))
        )
        self.logs = Logs(directory, self.model, self._held, self._committed)
        self._relay = Relay(directory / "relay", directory / "socket")
        self._collector: Process | None = None
        self._aggregator: Process | None = None
        self._last_committed: Counter[bytes] = Counter()
        self.kills = 0

    def __enter__(self) -> Self:
        self._relay.__enter__()
        self._site.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.logs.close()
        try:
            self._site.__exit__(kind, error, trace)
        finally:
            self._relay.__exit__(kind, error, trace)

    def play(self) -> None:
        """All of it, and the judgement.

        Raises:
            AssertionError: a promise was not kept.
        """
        for operation in self._history.operations:
            self.perform(operation)
        self.settle()
        self.logs.complete()
        self.settle()
        self.logs.check_model()
        self._come_to_rest()
        wrong = self.model.judge(self._site.output())
        if wrong:
            raise Unfaithful(_told(wrong))

    def perform(self, operation: Operation) -> None:
        name, *values = operation
        with (self._site.directory / "performed").open("a") as record:
            at = datetime.now(UTC).strftime("%H:%M:%S.%f")
            record.write(f"{at} {' '.join(map(str, operation))}\n")
        call: Callable[..., object] = getattr(self.logs if name in FILE_OPERATIONS else self, str(name))
        call(*values)

    # Operations

    def pause(self, milliseconds: int) -> None:
        time.sleep(milliseconds / 1000)

    def settle(self) -> None:
        """Everything runs, and what must be delivered is."""
        self.up_again()
        try:
            until(self._delivered, "what must be delivered", self._patience)
        except AssertionError as error:
            raise Unfaithful(_told([str(error), *self.model.judge(self._site.output())])) from error

    def up_again(self) -> None:
        """Everything that is down is started, what is frozen runs, what is kept back goes on."""
        self.start_aggregator()
        self.start_collector()
        self.thaw_aggregator()
        self.thaw_collector()
        self._relay.release()

    def start_collector(self) -> None:
        if self._collector is None:
            self._collector = self._site.collector(
                paths="\n".join(self.logs.patterns),
                remote_address=self._relay.address,
                rotate_wait=f"{ROTATE_WAIT}s",
                shutdown_timeout="1s",
                **self._history.collector,
            )

    def start_aggregator(self) -> None:
        if self._aggregator is None:
            settings: dict[str, Any] = {"shutdown_timeout": "1s", **self._history.aggregator}
            self._aggregator = self._site.aggregator(wait=False, **settings)

    def kill_collector(self) -> None:
        self._end_collector(Process.kill)

    def wipe_collector(self) -> None:
        """Killed, and its state is lost."""
        if self._collector is not None:
            self._end_collector(Process.kill, wiped=True)
            shutil.rmtree(self._site.directory / "collector", ignore_errors=True)

    def stop_collector(self) -> None:
        self._end_collector(_stop)

    def kill_aggregator(self) -> None:
        self._end_aggregator(Process.kill)

    def stop_aggregator(self) -> None:
        self._end_aggregator(_stop)

    def freeze_collector(self) -> None:
        if self._collector is not None:
            self._collector.freeze()

    def thaw_collector(self) -> None:
        if self._collector is not None:
            self._collector.thaw()

    def freeze_aggregator(self) -> None:
        if self._aggregator is not None:
            self._aggregator.freeze()

    def thaw_aggregator(self) -> None:
        if self._aggregator is not None:
            self._aggregator.thaw()

    def cut_connection(self) -> None:
        self._relay.cut()

    def keep_back_answers(self) -> None:
        self._relay.keep_back()

    def release_answers(self) -> None:
        self._relay.release()

    # Below

    def _delivered(self) -> bool:
        for process in (self._aggregator, self._collector):
            assert process is None or process.running, f"{process} ended by itself: {process.said()}"
        return not self.model.missing(self._committed())

    def _end_collector(self, end: Callable[[Process], object], *, wiped: bool = False) -> None:
        if self._collector is not None:
            committed = self._committed()
            end(self._collector)
            unsaved = not wiped and self._has_unsaved(self._collector)
            self._collector = None
            self.kills += 1
            self.model.collector_ended(committed, unsaved=unsaved, wiped=wiped)

    def _has_unsaved(self, collector: Process) -> bool:
        """Whether it began to follow something after it wrote its checkpoint for the last time."""
        checkpoint = self._site.directory / "collector" / "checkpoint"
        saved = checkpoint.stat().st_mtime if checkpoint.exists() else 0
        followed = (datetime.fromisoformat(str(event["timestamp"])) for event in collector.events("file_followed"))
        return any(at.timestamp() > saved for at in followed)

    def _end_aggregator(self, end: Callable[[Process], object]) -> None:
        if self._aggregator is not None:
            end(self._aggregator)
            self._aggregator = None
            self.kills += 1

    def _held(self) -> set[Identity]:
        """The inodes that the collector has open."""
        found: set[Identity] = set()
        if self._collector is not None and self._collector.running:
            for link in Path(f"/proc/{self._collector.pid}/fd").iterdir():
                with contextlib.suppress(OSError):  # closed meanwhile
                    facts = link.stat()
                    found.add((facts.st_dev, facts.st_ino))
        return found

    def _committed(self) -> Counter[bytes]:
        """The lines that the destination will hold whatever comes: never fewer than before."""
        ledger = self._site.directory / "aggregator" / "ledger.sqlite3"
        if self._aggregator is not None and ledger.exists():
            with (
                contextlib.suppress(sqlite3.Error),
                contextlib.closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=0.2)) as connection,
            ):
                row = connection.execute("SELECT length FROM outputs").fetchone()
                if row is not None:
                    lines = self._site.output()[: row[0]].splitlines(keepends=True)
                    self._last_committed = Counter(lines)
        return self._last_committed

    def _come_to_rest(self) -> None:
        """Wait until nothing comes any more: what only may come, does so when a file has been quiet for long enough."""
        seen, end = (-1, time.monotonic()), time.monotonic() + self._patience
        while time.monotonic() < end and time.monotonic() - seen[1] < ROTATE_WAIT + 0.3:
            time.sleep(0.02)
            if self._site.size() != seen[0]:
                seen = self._site.size(), time.monotonic()


def _told(wrong: list[str]) -> str:
    more = len(wrong) - _MOST_TOLD
    return "\n".join([*wrong[:_MOST_TOLD], *([f"and {more} more"] if more > 0 else [])])


def _stop(process: Process) -> None:
    process.thaw()
    code = process.stop()
    # Asked before it could hear of it, it is ended by the signal.
    assert code in {0, -15}, f"{process} ended with {code}: {process.said()}"
