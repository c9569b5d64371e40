"""A place with logs, a destination, and both halves as processes, quick instead of lazy."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from harness.lines import Generation, assert_at_least, assert_exactly
from harness.process import Process
from harness.template import Template
from harness.until import quiet, until
from harness.writer import Writer

_QUICK_AGGREGATOR = {"minimum_publish_frequency": "50ms", "retry_delay": "50ms"}
_QUICK_COLLECTOR = {"poll_interval": "50ms", "rotate_wait": "200ms", "host": "test"}


class Site:
    """`logs/*.log` go to `out/out.log`. A context manager, at whose end no process is left and no log shows a defect.

    Settings are given by their variable's name without prefix, in lower case; None takes one of the defaults away:
    `site.aggregator(max_batch_size="10", file_configuration=None, text_configuration="1")`. With a `template` the
    processes are forked from it.
    """

    def __init__(self, directory: Path, template: Template | None = None) -> None:
        self.directory = directory
        self.logs = directory / "logs"
        self.out = directory / "out" / "out.log"
        self.address = f"unix:{directory / 'socket'}"
        """Where the aggregator listens and the collectors connect."""
        self.written: dict[Generation, list[bytes]] = {}
        """What the writers have written."""
        self.processes: list[Process] = []
        self._template = template
        self._besides: dict[str, str] = {}
        self._writers: list[Writer] = []
        self.logs.mkdir()
        self.out.parent.mkdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.kill()
        for writer in self._writers:
            writer.close()
        if error is None:
            for process in self.processes:
                _assert_sound(process)

    # Processes

    def aggregator(
        self,
        *,
        wait: bool = True,
        wrapper: Sequence[str] = (),
        stdout: int | IO[bytes] | None = None,
        **settings: str | None,
    ) -> Process:
        """Start an aggregator, and wait until it listens. Started again, it has the same state."""
        usual = {
            "listen_address": self.address,
            "state_directory": str(self.directory / "aggregator"),
            "file_configuration": str(self.out),
            **_QUICK_AGGREGATOR,
        }
        process = self.start("aggregator", environ("AGGREGATOR", usual, settings), wrapper=wrapper, stdout=stdout)
        if wait:
            process.wait_for("listening")
        return process

    def collector(self, *, name: str = "collector", wrapper: Sequence[str] = (), **settings: str | None) -> Process:
        """Start a collector. Started again under the same name, it has the same state."""
        usual = {
            "paths": str(self.logs / "*.log"),
            "remote_address": self.address,
            "state_directory": str(self.directory / name),
            **_QUICK_COLLECTOR,
        }
        return self.start("collector", environ("COLLECTOR", usual, settings), name=name, wrapper=wrapper)

    def both(self, **collector_settings: str) -> tuple[Process, Process]:
        """Start an aggregator and a collector at once."""
        aggregator = self.aggregator(wait=False)
        collector = self.collector(**collector_settings)
        aggregator.wait_for("listening")
        return aggregator, collector

    def shipped(self, lines: int = 10, /, **collector_settings: str) -> tuple[Process, Process, Writer]:
        """Start both, and wait until so many lines have arrived from a log that can be written on."""
        aggregator, collector = self.both(**collector_settings)
        writer = self.writer()
        writer.write(lines)
        self.assert_delivered()
        return aggregator, collector, writer

    def start(
        self,
        *arguments: str | dict[str, str],
        name: str | None = None,
        wrapper: Sequence[str] = (),
        stdout: int | IO[bytes] | None = None,
        afresh: bool = False,
    ) -> Process:
        """Start any command: its arguments, and its environment where one of them is a dictionary.

        `afresh`: with all that a start takes, even if there is a template.
        """
        words = [each for each in arguments if isinstance(each, str)]
        variables = {key: text for each in arguments if isinstance(each, dict) for key, text in each.items()}
        process = Process(
            *words,
            directory=self.directory,
            name=name or words[0],
            environ=variables | self._besides,
            wrapper=wrapper,
            stdout=stdout,
            template=None if afresh else self._template,
        )
        self.processes.append(process)
        return process

    @contextmanager
    def given(self, variables: dict[str, str]) -> Iterator[None]:
        """What is started inside has these variables besides."""
        self._besides = variables
        yield
        self._besides = {}

    # Lines

    def writer(self, name: str = "a.log") -> Writer:
        """Begin to write a log of that name."""
        writer = Writer(self.logs / name, self.written)
        self._writers.append(writer)
        return writer

    def output(self) -> bytes:
        """What the destination holds."""
        return self.out.read_bytes() if self.out.exists() else b""

    def assert_delivered(self) -> None:
        """Wait until everything that was written has arrived; then nothing is there twice, and nothing more comes.

        What has arrived is committed by then, so that whoever is killed next does not send it again.
        """
        self.wait_for_bytes(self.bytes_written)
        until(self._is_committed, "what has arrived should be committed")
        quiet(self.size, "the destination")
        assert_exactly(self.output(), self.written)

    def assert_lossless(self) -> None:
        """As `assert_delivered`, but lines may be there more than once."""
        until(lambda: len(set(self.output().splitlines())) >= self.lines_written, self._what_is_missing)
        quiet(self.size, "the destination")
        assert_at_least(self.output(), self.written)

    @property
    def lines_written(self) -> int:
        return sum(len(lines) for lines in self.written.values())

    @property
    def bytes_written(self) -> int:
        return sum(len(line) for lines in self.written.values() for line in lines)

    def wait_for_bytes(self, size: int) -> None:
        """Wait until the destination is so large."""
        until(lambda: self.size() >= size, self._what_is_missing)

    def size(self) -> int:
        """The destination's, in bytes."""
        return self.out.stat().st_size if self.out.exists() else 0

    def _is_committed(self) -> bool:
        """Whether the ledger knows how long the destination is, if it is where it is usually, and in use."""
        ledger = self.directory / "aggregator" / "ledger.sqlite3"
        if not (ledger.exists() and ledger.with_name(f"{ledger.name}-wal").exists()):
            return True
        with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute("SELECT length FROM outputs WHERE path = ?", (str(self.out),)).fetchone()
        return found is None or found[0] == self.size()

    def _what_is_missing(self) -> str:
        try:
            assert_exactly(self.output(), self.written)
        except AssertionError as error:
            said = "\n".join(f"--- {process}\n{process.said()[-2000:]}" for process in self.processes)
            return f"not everything arrived:\n{error}\n{said}"
        return "everything arrived after all"


def environ(prefix: str, usual: dict[str, str], settings: dict[str, str | None]) -> dict[str, str]:
    """Settings as variables."""
    merged: dict[str, str | None] = {**usual, **settings}
    return {f"{prefix}_{name.upper()}": text for name, text in merged.items() if text is not None}


def _assert_sound(process: Process) -> None:
    """Whatever happened to it, it has said so in its own words: a traceback is a defect, a warning of Python's too."""
    for line in process.said().splitlines():
        assert line.startswith(("{", "mega-collector: ")), f"{process}: {process.said()}"
    assert not [event for event in process.events() if "exception" in event], process.said()
