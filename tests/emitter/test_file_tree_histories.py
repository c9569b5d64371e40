"""Random histories of many output files, some of which cannot be written, against what must stand in them."""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from emitter.tree import HOUR, Tree, make_batch, make_block, make_source
from harness.until import until
from mega_collector.batch import Batch
from mega_collector.emitter.configuration import Compression, Rotation
from mega_collector.emitter.protocol import Taken

NAMES = ("a", "b", "c")
SOURCES = {name: make_source(name) for name in NAMES}


class Histories(RuleBasedStateMachine):
    """Each of three sources writes numbers, to a file by the hour; directories become unusable and usable again.

    What was left, or not committed before a kill, comes again, as a collector sends it.
    """

    rotation: Rotation | None = None
    compression: Compression | None = None

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.tree = Tree(
            Path(self.directory.name),
            "{path}/%Y-%m-%d-%H",
            rotation=self.rotation,
            compression=self.compression,
            most_open=2,
        )
        self.committed = dict.fromkeys(NAMES, 0)
        """How many numbers of each source are."""

    def _batches(self, counts: list[int], *, crosses: bool) -> list[Batch]:
        """The next numbers of each source, in a batch for each count; within one, an hour may pass."""
        at, batches = dict(self.committed), []
        for count in counts:
            blocks = []
            for number in range(count):
                if crosses and number == count // 2:
                    self.tree.now += HOUR
                for name in NAMES:
                    block = make_block(SOURCES[name], b"%d\n" % at[name], start=at[name], received=self.tree.now)
                    blocks.append(block)
                    at[name] += 1
            batches.append(make_batch(*blocks))
        return batches

    def _commit(self, batches: list[Batch], taken: Taken) -> None:
        self.tree.commit(taken)
        stuck = {block.source.path.decode() for each in taken.left for block in each.blocks}
        first = {
            name: min((b.start for each in taken.left for b in each.blocks if b.source is SOURCES[name]), default=0)
            for name in stuck
        }
        done = [block for batch in batches[: taken.count] for block in batch.blocks]
        for name in NAMES:
            ends = [block.start + 1 for block in done if block.source is SOURCES[name]]
            self.committed[name] = first[name] if name in stuck else max(ends, default=self.committed[name])

    @rule(counts=st.lists(st.integers(1, 4), min_size=1, max_size=3), crosses=st.booleans())
    def emit(self, counts: list[int], crosses: bool) -> None:
        batches = self._batches(counts, crosses=crosses)
        self._commit(batches, self.tree.emitter.emit(batches))

    @rule(counts=st.lists(st.integers(1, 4), min_size=1, max_size=2), crosses=st.booleans())
    def killed_before_the_commit(self, counts: list[int], crosses: bool) -> None:
        self.tree.emitter.emit(self._batches(counts, crosses=crosses))
        self.tree.restart()

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        self.tree.restart(clean=clean and self.tree.emitter.settled)

    @rule()
    def reopen(self) -> None:
        self.tree.emitter.reopen()

    @rule(name=st.sampled_from(NAMES))
    def a_directory_cannot_be_used(self, name: str) -> None:
        path = self.tree.root / name
        if path.is_dir():
            path.rename(self._away(name))
            path.write_bytes(b"")

    @rule(name=st.sampled_from(NAMES))
    def it_can_be_used_again(self, name: str) -> None:
        if self._away(name).is_dir():
            (self.tree.root / name).unlink()
            self._away(name).rename(self.tree.root / name)

    @rule(hours=st.integers(1, 3))
    def time_passes(self, hours: int) -> None:
        self.tree.now += hours * HOUR

    @invariant()
    def every_committed_number_stands_once_and_in_order(self) -> None:
        if self.compression is None:
            self._look()

    def _look(self) -> None:
        for name in NAMES:
            directory = self._away(name) if self._away(name).is_dir() else self.tree.root / name
            paths = sorted(directory.iterdir(), key=_order) if directory.is_dir() else []
            written = b"".join(_content(path) for path in paths if not _is_twice(path))
            assert written.split() == [b"%d" % number for number in range(self.committed[name])]

    def _away(self, name: str) -> Path:
        return self.tree.root / f"{name}.away"

    def teardown(self) -> None:
        compressor = self.tree.emitter._compressor
        try:
            until(lambda: compressor is None or compressor.idle, "everything should have been compressed")
            self.tree.emitter.close()
            self._look()
        finally:
            self.directory.cleanup()


def _is_twice(path: Path) -> bool:
    """Whether a compressed file is there beside itself: its directory was taken away in between."""
    plain = path.with_suffix("")
    both = path.suffix == ".gz" and plain.exists()
    return both and plain.stat().st_mtime_ns == path.stat().st_mtime_ns and _content(plain) == _content(path)


def _content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def _order(path: Path) -> tuple[str, int, bool]:
    """The hour, and within it the highest number first, and what is compressed before what came late."""
    hour, *number = path.name.removesuffix(".gz").split(".")
    return hour, -int(number[0]) if number else 0, path.suffix != ".gz"


class RotatedHistories(Histories):
    rotation = Rotation(keep=10_000, size=6)


class CompressedHistories(Histories):
    rotation = Rotation(keep=10_000, size=6)
    compression = Compression.GZIP


TestHistories, TestRotatedHistories = Histories.TestCase, RotatedHistories.TestCase
TestCompressedHistories = CompressedHistories.TestCase
TestHistories.settings = TestRotatedHistories.settings = TestCompressedHistories.settings = settings(
    max_examples=40, stateful_step_count=15, deadline=None
)
