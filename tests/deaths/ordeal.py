"""Plays one plan: random writers, both halves as processes, a relay between them, and what becomes of them all."""

import contextlib
import resource
import shutil
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

from deaths.audit import assert_complete
from deaths.judgement import Expected, told
from deaths.plan import OUT, Act, Mode, Plan
from deaths.scribe import Scribe
from harness.outputs import held_by
from harness.process import Process
from harness.relay import Relay
from harness.site import Site
from harness.template import Template
from harness.trigger import TRIGGERS, Trigger
from harness.until import quiet, until

_HALVES = ("aggregator", "collector")

_SCRIBES = 3

_LONGEST_WAIT = 0.7
"""Seconds after which it is done without its trigger: nothing may come of what is silent, or full."""

_PATIENCE = 60.0
"""Seconds: a connection on which nothing comes through any more is left after thirty."""

_TWICE = 0.25
"""Seconds after which a second signal is meant as one."""

_FORCED = 1
"""The exit code of what was asked twice."""

_REFUSED = 2
"""The exit code of what could not begin."""

_UNSAID = 120
"""That of what could not write its last words: Python's own, where standard error is a file that may not grow."""


class Unfaithful(AssertionError):
    """What was promised is not what was found at the destination."""


class Ordeal:
    """A context manager, at whose end no process is left."""

    def __init__(self, directory: Path, plan: Plan, template: Template | None = None) -> None:
        self.deaths = 0
        self.site = Site(directory, template)
        self._plan = plan
        self._relay = Relay(directory / "relay", directory / "socket")
        self._processes: dict[str, Process | None] = dict.fromkeys(_HALVES)
        self._frozen: list[Process] = []
        """By the last act, until the next one is done."""
        self._limit: int | None = None
        """Bytes that no file of the aggregator's may pass."""
        self._snapshots: list[bytes] = []
        """The destination, each time that the aggregator's state was wiped."""
        for half in _HALVES:
            (directory / half).mkdir(mode=0o700)

    def __enter__(self) -> Self:
        self._relay.__enter__()
        self.site.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.site.__exit__(kind, error, trace)
        finally:
            self._relay.__exit__(kind, error, trace)

    def play(self) -> None:
        """All of it, and the judgement.

        Raises:
            AssertionError: a promise was not kept.
        """
        with contextlib.ExitStack() as writing:
            for number in range(_SCRIBES):
                random = Random(f"{self._plan.seed} {number}")
                writing.enter_context(Scribe(self.site.writer(f"{'abc'[number]}.log"), random, self._plan.longest))
            self._start_all()
            for act in self._plan.acts:
                self._perform(act)
            self._thaw(self._frozen)
        self._judge()

    # Acts

    def _perform(self, act: Act) -> None:
        with (self.site.directory / "performed").open("a") as record:
            record.write(f"{datetime.now(UTC):%H:%M:%S.%f} {act}\n")
        self._circumstances(act)
        if act.how == "stop and kill":
            for process in self._those_of(act):
                process.signal(signal.SIGTERM)
        self._wait(act)
        frozen, self._frozen = self._frozen, []
        match act.how:
            case "cut" | "tear" | "half-close":
                self._disturb(act)
            case "freeze":
                self._frozen = self._those_of(act)
                for process in self._frozen:
                    process.signal(signal.SIGSTOP)
            case _:
                self._end(act)
        self._start_all()
        time.sleep(act.gap / 1000)
        self._thaw(frozen)
        self._set_right()

    def _circumstances(self, act: Act) -> None:
        self._relay.delay = 0.005 if act.network == "slow" else 0
        if act.network == "silent":
            self._relay.keep_back()
        if act.room is not None:
            self._limit = (0 if self._rotated else self.site.size()) + act.room
            self._limit_aggregator(self._limit)

    def _wait(self, act: Act) -> None:
        if act.trigger in TRIGGERS:
            with Trigger(self.site.directory, act.trigger) as trigger:
                trigger.wait(act.times, _LONGEST_WAIT)
        time.sleep(act.lag / 1000)

    def _disturb(self, act: Act) -> None:
        match act.how:
            case "cut":
                self._relay.cut()
            case "tear":
                self._relay.cut_after(int(act.lag * 100) + 1)
            case "half-close":
                self._relay.half_close(near=act.whom != "aggregator")

    def _end(self, act: Act) -> None:
        processes = self._those_of(act)
        if act.how in {"stop", "stop twice"}:
            self._stop(processes, twice=act.how == "stop twice")
        for process in processes:
            process.kill()
        for half in _HALVES:
            if act.whom in {half, "both"}:
                self._bury(half)
                if act.wiped == half:
                    self._wipe(half)
        time.sleep(act.rest / 1000)

    def _those_of(self, act: Act) -> list[Process]:
        return [
            process for half, process in self._processes.items() if process is not None and act.whom in {half, "both"}
        ]

    def _stop(self, processes: list[Process], *, twice: bool) -> None:
        self._thaw(processes)
        for process in processes:
            process.signal(signal.SIGTERM)
        if twice:
            time.sleep(_TWICE)
            for process in processes:
                process.signal(signal.SIGTERM)
        for process in processes:
            # Asked before it could hear of it, it is ended by the signal; on a full disk it may not be able to begin.
            limited = self._limit is not None and process is self._processes["aggregator"]
            others = [*([_REFUSED, _UNSAID] if limited else []), *([_FORCED] if twice else [])]
            self._assert_ended(process, process.wait(), {0, -signal.SIGTERM, *others})

    def _assert_ended(self, process: Process, code: int, allowed: set[int]) -> None:
        assert code in allowed, f"{process} ended with {code}: {process.said()[-2000:]}"

    def _wipe(self, half: str) -> None:
        if half == "aggregator":
            self._snapshots.append(self.site.output())
        for path in (self.site.directory / half).iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    # Setting right

    def _set_right(self) -> None:
        self._relay.release()
        self._relay.delay = 0
        full = self._limit is not None
        if full:
            self._limit = None
            self._limit_aggregator(resource.RLIM_INFINITY)
        for half, process in self._processes.items():
            # On a full disk it may not be able to begin.
            if process is not None and not process.running:
                assert half == "aggregator", process.said()
                assert full, process.said()
                self._bury(half)
        self._start_all()

    def _thaw(self, processes: list[Process]) -> None:
        for process in processes:
            if process.running:
                process.thaw()

    def _limit_aggregator(self, size: int) -> None:
        process = self._processes["aggregator"]
        if process is not None and process not in self._frozen:
            # At its start a full disk is a reason to end.
            until(lambda: process.events("listening") or not process.running, "the aggregator should have begun")
        if process is not None and process.running:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def _bury(self, half: str) -> None:
        if self._processes[half] is not None:
            self._processes[half] = None
            self.deaths += 1

    def _start_all(self) -> None:
        for half in _HALVES:
            if self._processes[half] is None:
                self._processes[half] = self._start(half)

    def _start(self, half: str) -> Process:
        if half == "aggregator":
            planned = {
                name: text.replace(OUT, str(self.site.out.parent)) for name, text in self._plan.aggregator.items()
            }
            settings: dict[str, Any] = {"shutdown_timeout": "1s", **planned}
            return self.site.aggregator(wait=False, **settings)
        return self.site.collector(**self._collector_settings)

    @property
    def _collector_settings(self) -> dict[str, str]:
        return {
            "paths": str(self.site.logs / "*"),
            "remote_address": self._relay.address,
            "id": "one",
            "shutdown_timeout": "1s",
            **self._plan.collector,
        }

    # Judging

    def _judge(self) -> None:
        expected = Expected(self.site.written, self._plan.longest)
        self._relay.cut_after(None)  # or the audit may be cut off
        try:
            until(lambda: self._arrived(expected), "everything should have arrived", _PATIENCE)
            if self._rotated or self._plan.mode is Mode.AGGREGATOR_WIPED:
                # Until nothing is compressed any more: what is just then may be missing, or there twice. Or until what
                # may come again has.
                until(lambda: self._is_quiet() and not self._wrong(expected), "it should stay like that", _PATIENCE)
            else:
                self._be_quiet()
        except AssertionError as error:
            raise Unfaithful(told([str(error), *self._wrong(expected)])) from error
        if wrong := self._wrong(expected):
            raise Unfaithful(told(wrong))
        forgotten = self._plan.mode is Mode.AGGREGATOR_WIPED
        assert_complete(self.site, self._collector_settings, forgotten=forgotten)

    def _be_quiet(self) -> None:
        quiet(lambda: len(self._output()), "the destination", 0.4)

    def _is_quiet(self) -> bool:
        try:
            self._be_quiet()
        except AssertionError:
            return False
        return True

    def _arrived(self, expected: Expected) -> bool:
        for process in self._processes.values():
            assert process is not None
            assert process.running, f"{process} ended by itself: {process.said()[-2000:]}"
        if self._rotated:
            # What is compressed meanwhile is looked at again.
            return not expected.exactly(self._output())
        if self.site.size() < expected.size:
            return False
        return self._plan.mode is not Mode.AGGREGATOR_WIPED or not expected.missing(self.site.output())

    @property
    def _rotated(self) -> bool:
        return self._plan.mode is Mode.ROTATED

    def _output(self) -> bytes:
        return held_by(self.site.out.parent) if self._rotated else self.site.output()

    def _wrong(self, expected: Expected) -> list[str]:
        output = self._output()
        if self._plan.mode is not Mode.AGGREGATOR_WIPED:
            return expected.exactly(output)
        return [*self._lost_snapshots(output), *expected.at_least(output, {len(each) for each in self._snapshots})]

    def _lost_snapshots(self, output: bytes) -> Iterator[str]:
        for each in self._snapshots:
            if not output.startswith(each):
                yield f"of what was there at {len(each)} bytes something was cut"
