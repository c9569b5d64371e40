"""The file destination where it is many files, or one that is rotated: each exactly once, together with the ledger."""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog

from mega_collector.batch import Batch
from mega_collector.block import Block, Source
from mega_collector.emitter.cause import cause
from mega_collector.emitter.compressor import Compressor, Job
from mega_collector.emitter.configuration import FileConfiguration
from mega_collector.emitter.file import FileEmitter
from mega_collector.emitter.output import Output
from mega_collector.emitter.protocol import Left, OutputState, Taken
from mega_collector.emitter.recovery import Recovery
from mega_collector.emitter.removed import Removed
from mega_collector.emitter.rotated import NAMES, Rotated
from mega_collector.emitter.template import Template
from mega_collector.errors import EmitError, StartError

_MOST_OPEN = 256
"""Files that are open at once: beyond it the one that was appended to the longest ago is closed."""

_LINGER = 60_000_000_000
"""Nanoseconds until a file that is over is closed: what was received in time may come late."""

_LOOK_INTERVAL = 10_000_000_000
"""Nanoseconds between two looks for files that are over."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _File:
    emitter: FileEmitter
    path: str
    appended: int = 0
    """When it was appended to last, in nanoseconds since the epoch."""


@dataclass(slots=True)
class _Round:
    """What an emit comes to."""

    outputs: dict[str, OutputState] = field(default_factory=dict)
    left: dict[str, Left] = field(default_factory=dict)
    stuck: dict[bytes, str] = field(default_factory=dict)
    """Sources of which something was left, and the output on account of which."""

    def leave(self, output: str, why: EmitError, batches: Sequence[Batch]) -> None:
        before = self.left.get(output)
        self.left[output] = Left(output, why, (*(before.batches if before else ()), *batches))
        for batch in batches:
            for block in batch.blocks:
                self.stuck.setdefault(block.source.id, output)

    def leave_behind(self, blocks: Iterable[Block]) -> None:
        """These come behind something of their source that was left."""
        for block in blocks:
            left = self.left[self.stuck[block.source.id]]
            self.left[left.output] = Left(left.output, left.cause, left.batches, (*left.behind, block))


class FileTree:
    """Appends each block to the file that is its source's by then, and answers with the states of all that changed.

    One file that cannot be appended to holds up what is for it, and nothing else: that is `left`. Each file is kept as
    `FileEmitter` keeps one. They are rotated between two emits: then all that they hold is committed. The ledger has a
    record of each that is open, or was when the last process died; those are mended at the start, or when they can be.

    `known` looks up what the ledger has for a path, `rows` is all that it has, `clean` whether the last process ended
    in order. `remember` commits a state durably, or raises EmitError. `clock` gives nanoseconds since the epoch.
    """

    def __init__(
        self,
        configuration: FileConfiguration,
        *,
        known: Callable[[str], OutputState | None],
        rows: Iterable[OutputState],
        clean: bool,
        state_directory: Path,
        remember: Callable[[OutputState], None],
        clock: Callable[[], int] = time.time_ns,
        most_open: int = _MOST_OPEN,
    ) -> None:
        path = configuration.path
        self._template = path if isinstance(path, Template) else None
        self._path = str(path)
        self._root = None if self._template is None else self._template.root
        self._rotation = configuration.rotation
        self._known = known
        self._clock = clock
        self._most_open = most_open
        self._make = partial(
            FileEmitter,
            state_directory=state_directory,
            remember=remember,
            format=configuration.format,
            mode=configuration.mode,
            root=self._root,
        )
        self._state_directory = state_directory
        self._removed = Removed()
        compression = configuration.compression
        self._compressor = None if compression is None else Compressor(compression, self._removed)
        self._files: dict[str, _File] = {}
        """The one that was appended to last is the last."""
        self._closed: set[str] = set()
        """Closed files of which the ledger still has a record that it needs no longer."""
        self._over: dict[str, int] = {}
        """Closed files, with their lengths, that are to be compressed once all that they hold is committed. Their
        records stay until that is done: from them the next process knows."""
        self._unmended: set[str] = set()
        """Files that may hold what was not taken, and could not be cut back yet."""
        self._appended: set[str] = set()
        self._answered: set[str] = set()
        """Of the last emit: files whose states were answered, and closed ones that were."""
        self._told: set[str] = set()
        """Files of which it was said that they cannot be rotated."""
        self.appending: str | None = None
        """The file that is appended to just now: it hangs if that stays as it is. From any thread."""
        self._look_at = 0
        self._look_at_rows(list(rows), clean=clean)

    @property
    def settled(self) -> bool:
        """Whether the files hold nothing but what was taken: else the next start must treat this end as unclean."""
        return not self._unmended and all(file.emitter.settled for file in list(self._files.values()))

    @property
    def writes_to(self) -> tuple[tuple[int, int], ...]:
        """None that could be told: files are rotated away and removed, and then a log may be given their inode.

        Whoever follows one is told by `is_output`, by its path.
        """
        return ()

    @property
    def open_files(self) -> int:
        return len(self._files)

    def is_output(self, source: Source) -> bool:
        """Whether a source of this machine is a file that is written here, now or before, rotated or compressed.

        Shipped, it would grow by all that is shipped of it. Its path is the one by which the collector has found it: it
        may have another name since, or none. From any thread.
        """
        path = Path(os.fsdecode(os.path.realpath(source.path)))
        if not self._is_named_as_ours(path):
            return False
        identity = source.device, source.inode
        # Where it is none of these, it is another file that has this path, where the aggregator looks.
        return _is_there(path, identity) or self._has_been_moved(path.parent, identity)

    def _is_named_as_ours(self, path: Path) -> bool:
        ours = Path(os.path.realpath(self._root or self._path))
        if self._root is not None:
            return path.is_relative_to(ours)
        return path.parent == ours.parent and f"{path.name}.".startswith(f"{ours.name}.")

    def _has_been_moved(self, directory: Path, identity: tuple[int, int]) -> bool:
        """Whether it has another name of ours now, or was removed here."""
        with contextlib.suppress(OSError), NAMES, os.scandir(directory) as entries:
            names = [Path(entry.path) for entry in entries if entry.inode() == identity[1]]
            if any(self._is_named_as_ours(name) and _is_there(name, identity) for name in names):
                return True
        return identity in self._removed

    def reopen(self) -> None:
        """Let go of every file: all that they hold is committed. What is appended to next is opened anew."""
        for file in list(self._files.values()):
            self._close(file)

    def emit(self, batches: Sequence[Batch], resting: Mapping[str, EmitError] | None = None) -> Taken:
        """Take batches from the front; none of them is for a file that is due to be rotated, unless it is the first.

        `resting` are outputs that are not to be tried, and why. It takes all that it takes, or leaves it: it does not
        raise EmitError.
        """
        self._tidy()
        routed = self._within_size([self._route(batch) for batch in batches])
        taken = _Round()
        for phase in _phases(routed):
            for path, parts in phase.items():
                self._append(path, parts, taken, resting or {})
        self._appended, self._answered = set(taken.outputs), set(self._closed)
        return Taken(
            len(routed),
            outputs=tuple(taken.outputs.values()),
            left=tuple(taken.left.values()),
            closed=tuple(sorted(self._closed)),
        )

    def committed(self) -> None:
        """The ledger has the states that the last emit answered with: the files say so too."""
        for path in self._appended & self._files.keys():
            self._files[path].emitter.committed()
        self._closed -= self._answered
        self._appended, self._answered = set(), set()

    def close(self) -> None:
        """Cut away what an earlier cut has left, make that durable, and let go of all files."""
        if self._compressor is not None:
            self._compressor.stop()
        for file in self._files.values():
            file.emitter.close()

    # What is for which file

    def _route(self, batch: Batch) -> "list[tuple[str, Batch]]":
        """Its parts, in order: one that all goes to one file is left whole."""
        if self._template is None:
            return [(self._path, batch)]
        path_of, parts = self._template.path, list[tuple[str, list[Block]]]()
        by_path: dict[str, int] = {}
        last: dict[bytes, str] = {}
        for block in batch.blocks:
            path = path_of(block.source, block.received)
            index = by_path.get(path)
            if index is None or last.get(block.source.id, path) != path:
                # A source turns to another file: what it has for that stands behind.
                index = by_path[path] = len(parts)
                parts.append((path, []))
            parts[index][1].append(block)
            last[block.source.id] = path
        if len(parts) == 1:
            return [(parts[0][0], batch)]
        return [(path, _batch(blocks)) for path, blocks in parts]

    def _within_size(self, routed: "list[list[tuple[str, Batch]]]") -> "list[list[tuple[str, Batch]]]":
        """As many from the front as are taken before a file must be rotated; at least one."""
        if self._rotation is None or self._rotation.size is None:
            return routed
        lengths: dict[str, int] = {}
        for number, parts in enumerate(routed):
            for path, part in parts:
                length = lengths.get(path)
                if length is None:
                    file = self._files.get(path)
                    length = 0 if file is None else file.emitter.length
                    length = 0 if length >= self._rotation.size else length  # it is rotated before that
                elif length >= self._rotation.size:
                    return routed[:number]
                lengths[path] = length + part.size
        return routed

    # The files

    def _append(self, path: str, parts: list[Batch], taken: _Round, resting: Mapping[str, EmitError]) -> None:
        parts = self._unstuck(parts, taken)
        if not parts:
            return
        why = resting.get(path) or (taken.left[path].cause if path in taken.left else None)
        if why is None:
            self.appending = path
            try:
                file = self._file(path, taken.outputs)
                done = file.emitter.emit(parts)
            except EmitError as error:
                why, count = error, 0
            else:
                why, count = done.cause if isinstance(done.cause, EmitError) else None, done.count
                taken.outputs |= {state.path: state for state in done.outputs}
                file.appended = self._clock()
            finally:
                self.appending = None
            parts = parts[count:]
        if parts:
            taken.leave(path, why or EmitError(f"{path}: it took only a part"), parts)

    def _unstuck(self, parts: list[Batch], taken: _Round) -> list[Batch]:
        """Without what comes behind something that was left."""
        if not taken.stuck:
            return parts
        free = []
        for part in parts:
            stuck = [block for block in part.blocks if block.source.id in taken.stuck]
            taken.leave_behind(stuck)
            blocks = [block for block in part.blocks if block.source.id not in taken.stuck] if stuck else part.blocks
            if blocks:
                free.append(_batch(blocks) if stuck else part)
        return free

    def _file(self, path: str, pending: Mapping[str, OutputState]) -> _File:
        """The file, open, and rotated before if it is due; of those in `pending` not all is committed yet.

        Raises:
            EmitError: it cannot be opened.
        """
        file = self._files.get(path) or self._open(path, pending)
        if path not in pending and self._rotate_if_due(file):
            file = self._open(path, pending)
        self._files[path] = self._files.pop(path)
        return file

    def _open(self, path: str, pending: Mapping[str, OutputState]) -> _File:
        self._make_room()
        # What was closed by us holds nothing that must be known; after a rotation it is another file.
        known = pending.get(path) or (None if path in self._closed else self._known(path))
        try:
            emitter = self._make(Path(path), known=known, clean=path not in self._unmended)
        except StartError as error:
            raise EmitError(str(error)) from error
        self._unmended.discard(path)
        self._closed.discard(path)
        self._over.pop(path, None)
        file = self._files[path] = _File(emitter, path, self._clock())
        if self._compressor is not None and self._rotation is not None:
            # What an earlier process did not come to.
            self._compressor.submit(Job(Path(path), self._root))
        return file

    def _make_room(self) -> None:
        while len(self._files) >= self._most_open:
            self._close(next(iter(self._files.values())))

    def _close(self, file: _File) -> None:
        """Nothing is lost by it: all that it holds is committed, or in the states that are answered."""
        del self._files[file.path]
        file.emitter.close()
        if not file.emitter.settled:
            self._unmended.add(file.path)
        elif self._compressor is not None and self._is_over(file.path):
            self._over[file.path] = file.emitter.length
        else:
            self._closed.add(file.path)

    def _tidy(self) -> None:
        """What can be done only here, where all that the files hold is committed."""
        if self._compressor is not None:
            self._closed |= set(self._compressor.done()) - self._files.keys() - self._unmended - self._over.keys()
            self._close_what_is_over(self._clock())
            for path, length in self._over.items():
                self._compressor.submit(Job(Path(path), self._root, over=length))
            self._over.clear()

    def _close_what_is_over(self, now: int) -> None:
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_INTERVAL
        for file in list(self._files.values()):
            if now - file.appended < _LINGER:
                break
            if self._is_over(file.path):
                self._close(file)

    def _is_over(self, path: str) -> bool:
        template, now = self._template, self._clock()
        return template is not None and all(template.is_over(path, each) for each in (now, now - _LINGER))

    # Rotation

    def _rotate_if_due(self, file: _File) -> bool:
        """Whether it was due and is rotated, and closed by that."""
        if self._rotation is None:
            return False
        try:
            if not self._is_due(file) or not file.emitter.is_as_left:
                return False
            path = Path(file.path)
            with Rotated(path, self._root, self._removed) as rotated, NAMES:
                rotated.rotate(self._rotation.keep)
        except OSError as error:
            if file.path not in self._told:
                self._told.add(file.path)
                _log.error("output_not_rotated", error=cause(file.path, error))
            return False
        self._told.discard(file.path)
        _log.info("output_rotated", path=file.path, length=file.emitter.length)
        del self._files[file.path]
        file.emitter.close()
        self._closed.add(file.path)
        if self._compressor is not None:
            self._compressor.submit(Job(path, self._root))
        return True

    def _is_due(self, file: _File) -> bool:
        rotation, length = self._rotation, file.emitter.length
        if rotation is None or not length:
            return False
        if rotation.size is not None and length >= rotation.size:
            return True
        every = rotation.every
        return every is not None and file.emitter.written_at // every < self._clock() // every

    # The start

    def _look_at_rows(self, rows: list[OutputState], *, clean: bool) -> None:
        for row in rows:
            if not clean:
                self._mend(row)
            if row.path not in self._unmended:
                self._let_go(row)

    def _let_go(self, row: OutputState) -> None:
        """It is as committed: a record of it is needed again when it is appended to."""
        path = Path(row.path)
        if self._compressor is not None and self._is_ours(path):
            self._compressor.submit(Job(path, self._root, over=row.length if self._is_over(row.path) else None))
        elif self._template is not None:
            self._closed.add(row.path)

    def _is_ours(self, path: Path) -> bool:
        return self._root is None or path.is_relative_to(self._root)

    def _mend(self, row: OutputState) -> None:
        path = Path(row.path)
        root = self._root if self._is_ours(path) else None
        recovery = Recovery(row, clean=False, directory=self._state_directory)
        try:
            try:
                output = Output.open(path, create=False, root=root)
            except EmitError as error:
                if not isinstance(error.__cause__, FileNotFoundError):
                    raise
                if row.before.length:  # else nothing tells it from another file that was given its inode
                    recovery.search(path)
                return
            try:
                recovery.run(output)
            finally:
                output.close()
        except (EmitError, StartError) as error:
            _log.error("output_not_mended", error=str(error))
            self._unmended.add(row.path)


def _is_there(path: Path, identity: tuple[int, int]) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == identity


def _batch(blocks: Sequence[Block]) -> Batch:
    return Batch(tuple(blocks), sum(block.entries for block in blocks), sum(len(block.data) for block in blocks))


def _phases(routed: "Iterable[list[tuple[str, Batch]]]") -> "Iterator[dict[str, list[Batch]]]":
    """What goes to which file, in parts within which no source goes to two files."""
    phase: dict[str, list[Batch]] = {}
    at: dict[bytes, str] = {}
    for parts in routed:
        for path, part in parts:
            if any(at.get(block.source.id, path) != path for block in part.blocks):
                yield phase
                phase, at = {}, {}
            phase.setdefault(path, []).append(part)
            at.update((block.source.id, path) for block in part.blocks)
    if phase:
        yield phase
