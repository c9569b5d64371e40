"""What the aggregator's ledger remembers of one output file."""

from collections.abc import Callable
from pathlib import Path

from mega_collector.emitter.configuration import Format
from mega_collector.emitter.file import FileEmitter
from mega_collector.emitter.protocol import OutputState, Taken

Hook = Callable[[], None]


class Ledger:
    """Keeps the last state, and starts emitters with it. `on_remember` happens just before an append."""

    def __init__(self, path: Path, state_directory: Path, form: Format = Format.RAW) -> None:
        self.path = path
        self.form = form
        self.state_directory = state_directory
        self.state: OutputState | None = None
        self.remembered: list[OutputState] = []
        self.on_remember: Hook = lambda: None

    def start(self, *, clean: bool = False) -> FileEmitter:
        return FileEmitter(
            self.path,
            known=self.state,
            clean=clean,
            state_directory=self.state_directory,
            remember=self._remember,
            format=self.form,
        )

    def rename(self, suffix: str) -> None:
        """As a log rotator does."""
        self.path.rename(self.path.with_suffix(suffix))

    def commit(self, taken: Taken) -> None:
        (self.state,) = taken.outputs

    def _remember(self, state: OutputState) -> None:
        self.state = state
        self.remembered.append(state)
        on_remember, self.on_remember = self.on_remember, lambda: None
        on_remember()
