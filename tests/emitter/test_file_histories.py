"""Random histories of a file output, against what must stand in its files."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from emitter.batches import make_batch
from emitter.formats import in_format
from emitter.ledger import Ledger
from mega_collector.batch import Batch
from mega_collector.emitter.configuration import Format
from mega_collector.emitter.protocol import Taken

BATCHES = st.lists(
    st.builds(
        lambda pieces: make_batch(*pieces), st.lists(st.binary(min_size=1, max_size=100), min_size=1, max_size=3)
    ),
    min_size=1,
    max_size=3,
)


class Histories(RuleBasedStateMachine):
    """Emits that are committed or not, kills, clean ends, and rotation by others, whether it runs or not."""

    form = Format.RAW

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        root = Path(self.directory.name)
        (root / "logs").mkdir()
        (root / "state").mkdir()
        self.ledger = Ledger(root / "logs" / "out.log", root / "state", self.form)
        self.emitter = self.ledger.start()
        self.committed = b""
        self.rotated = 0

    @rule(batches=BATCHES)
    def emit(self, batches: list[Batch]) -> None:
        self._commit(self.emitter.emit(batches), batches)

    @rule(batches=BATCHES)
    def emit_while_it_is_renamed(self, batches: list[Batch]) -> None:
        self.ledger.on_remember = self.rotate
        self._commit(self.emitter.emit(batches), batches)
        self.ledger.on_remember = lambda: None

    @rule(batches=BATCHES, rotate=st.booleans())
    def killed_before_the_commit(self, batches: list[Batch], rotate: bool) -> None:
        self.emitter.emit(batches)
        self.emitter.close()
        if rotate:
            self.rotate()
        self.emitter = self.ledger.start()

    @rule(rotate=st.booleans(), clean=st.booleans())
    def restart(self, rotate: bool, clean: bool) -> None:
        self.emitter.close()
        if rotate:
            self.rotate()
        self.emitter = self.ledger.start(clean=clean)

    @rule()
    def rotate(self) -> None:
        if self.ledger.path.exists():
            self.rotated += 1
            self.ledger.rename(f".{self.rotated:04d}")

    @invariant()
    def every_committed_byte_stands_once_and_in_order(self) -> None:
        files = sorted(self.ledger.path.parent.glob("out.0*"))
        current = self.ledger.path.read_bytes() if self.ledger.path.exists() else b""
        assert b"".join(path.read_bytes() for path in files) + current == self.committed

    def teardown(self) -> None:
        self.emitter.close()
        self.directory.cleanup()

    def _commit(self, taken: Taken, batches: list[Batch]) -> None:
        assert taken.count == len(batches)
        self.ledger.commit(taken)
        self.committed += in_format(self.form, batches)


class JsonHistories(Histories):
    """The same, where other bytes are written than came in."""

    form = Format.JSON


TestHistories, TestJsonHistories = Histories.TestCase, JsonHistories.TestCase
TestHistories.settings = TestJsonHistories.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
