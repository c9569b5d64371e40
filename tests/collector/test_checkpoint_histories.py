"""Random histories of a checkpoint, against a dictionary."""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from collector.entry import make_entry
from mega_collector.collector.state.checkpoint import Checkpoint, Entry

MEMORY = Path("/dev/shm")

SOURCES = st.integers(0, 5)


class Histories(RuleBasedStateMachine):
    """Puts, forgets and flushes; clean ends and kills; a directory that is removed; a file that is damaged."""

    def __init__(self) -> None:
        super().__init__()
        self.scratch = TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
        self.directory = Path(self.scratch.name) / "state"
        self.checkpoint = Checkpoint(self.directory)
        self.noted: dict[bytes, Entry] = {}
        self.flushed: dict[bytes, Entry] = {}
        self.position = 0

    @rule(source=SOURCES)
    def put(self, source: int) -> None:
        self.position += 1
        entry = make_entry(source, self.position)
        self.checkpoint.put(entry)
        self.noted[entry.source_id] = entry

    @rule(source=SOURCES)
    def forget(self, source: int) -> None:
        self.checkpoint.forget(make_entry(source).source_id)
        self.noted.pop(make_entry(source).source_id, None)

    @rule()
    def flush(self) -> None:
        self.checkpoint.flush()
        self.flushed = dict(self.noted)

    @rule()
    def many_come_and_go(self) -> None:
        """So many that the file is written anew now and then."""
        for source in range(100, 500):
            self.put(source)
        self.flush()
        for source in range(100, 500):
            self.forget(source)

    @rule(clean=st.booleans())
    def start_again(self, clean: bool) -> None:
        if clean:
            self.flush()
        self.checkpoint.close()
        self._open()
        assert self.checkpoint.damage is None
        assert self.checkpoint.entries == self.flushed
        self.noted = dict(self.flushed)

    @rule()
    def remove_the_directory(self) -> None:
        shutil.rmtree(self.directory)
        self.put(0)
        self.flush()

    @rule(cut=st.integers(1, 600))
    def cut_short(self, cut: int) -> None:
        """Older positions, or forgotten sources, but none that is newer than the last, and not in silence."""
        self.checkpoint.close()
        path = self.directory / "checkpoint"
        path.write_bytes(path.read_bytes()[:-cut])
        self._open()
        assert self.checkpoint.damage is not None
        for source_id, entry in self.checkpoint.entries.items():
            assert entry.position <= self.position
            assert entry == make_entry(int.from_bytes(source_id, "big"), entry.position)
        self.noted, self.flushed = dict(self.checkpoint.entries), dict(self.checkpoint.entries)

    @invariant()
    def knows_what_was_noted(self) -> None:
        assert self.checkpoint.entries == self.noted

    def _open(self) -> None:
        self.checkpoint = Checkpoint(self.directory)

    def teardown(self) -> None:
        self.checkpoint.close()
        self.scratch.cleanup()


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
