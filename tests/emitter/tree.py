"""What the aggregator's ledger remembers of many output files."""

from collections.abc import Iterable
from pathlib import Path

from mega_collector.batch import Batch
from mega_collector.block import Block, Source
from mega_collector.emitter.configuration import Compression, FileConfiguration, Rotation
from mega_collector.emitter.file_tree import FileTree
from mega_collector.emitter.protocol import OutputState, Taken
from mega_collector.emitter.template import Template
from mega_collector.errors import EmitError
from mega_collector.marker import Marker

HOUR = 3_600_000_000_000


def make_source(name: str, host: str = "") -> Source:
    return Source(name.encode(), name.encode(), 1, 2, Marker(), "c", host)


def make_block(source: Source, data: bytes, *, start: int = 0, received: int = 0) -> Block:
    return Block(source, start, data, data.count(b"\n"), received=received)


def make_batch(*blocks: Block) -> Batch:
    return Batch(blocks, sum(block.entries for block in blocks), sum(len(block.data) for block in blocks))


class Tree:
    """Keeps a row a path, and starts emitters with them; `now` is their clock."""

    def __init__(
        self,
        root: Path,
        template: str = "{path}",
        *,
        rotation: Rotation | None = None,
        compression: Compression | None = None,
        mode: int | None = None,
        most_open: int = 4,
    ) -> None:
        self.root, self.state_directory = root / "logs", root / "state"
        for each in (self.root, self.state_directory):
            each.mkdir()
        path = Template(f"{self.root}/{template}", rotated=True) if "{" in template or "%" in template else None
        self.configuration = FileConfiguration(
            path or self.root / template, mode=mode, rotation=rotation, compression=compression
        )
        self.rows: dict[str, OutputState] = {}
        self.now = 0
        self.fails_to_remember = False
        self._most_open = most_open
        self.emitter = self._start(clean=True)

    def emit(self, *batches: Batch, resting: Iterable[str] = ()) -> Taken:
        """Emit and commit."""
        taken = self.emitter.emit(list(batches), {str(self.root / each): EmitError("it rests") for each in resting})
        self.commit(taken)
        return taken

    def commit(self, taken: Taken) -> None:
        self.rows |= {state.path: state for state in taken.outputs}
        for path in taken.closed:
            self.rows.pop(path, None)
        self.emitter.committed()

    def put(self, *names: str, data: bytes = b"x\n") -> Taken:
        """Emit and commit a line for each file."""
        blocks = [make_block(make_source(name), data, received=self.now) for name in names]
        return self.emit(make_batch(*blocks))

    def restart(self, *, clean: bool = False) -> None:
        self.emitter.close()
        self.emitter = self._start(clean=clean)

    def files(self) -> dict[str, bytes]:
        """What there is, by path below the root."""
        return {str(path.relative_to(self.root)): path.read_bytes() for path in self._paths()}

    def _paths(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink())

    def _start(self, *, clean: bool) -> FileTree:
        return FileTree(
            self.configuration,
            known=self.rows.get,
            rows=list(self.rows.values()),
            clean=clean,
            state_directory=self.state_directory,
            remember=self._remember,
            clock=lambda: self.now,
            most_open=self._most_open,
        )

    def _remember(self, state: OutputState) -> None:
        if self.fails_to_remember:
            raise EmitError("the ledger cannot be written")
        self.rows[state.path] = state
