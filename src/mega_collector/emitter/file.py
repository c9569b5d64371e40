"""The file destination: exactly once, together with the ledger."""

import contextlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

import structlog

from mega_collector.batch import Batch
from mega_collector.block import NEWLINE
from mega_collector.emitter.cause import cause
from mega_collector.emitter.configuration import Format
from mega_collector.emitter.emitted import Emitted
from mega_collector.emitter.format import payload_in
from mega_collector.emitter.output import Output
from mega_collector.emitter.payload import Payload
from mega_collector.emitter.protocol import OutputState, Taken
from mega_collector.emitter.recognition import Verdict
from mega_collector.emitter.recovery import Recovery
from mega_collector.errors import EmitError, StartError
from mega_collector.marker import Marker
from mega_collector.telemetry.once import Once

_TRIES = 3  # replacements of the file during one emit, before something else must be wrong

_INTERVAL = 60.0
"""Seconds between two tellings that others change the file: who writes to it too may do so at each batch."""

_log = structlog.get_logger(__name__)


class FileEmitter:
    """Appends to a regular file, so that it can be cut back to what the ledger has committed.

    An emit appends, syncs, and answers with the file's new state, which the caller commits in one transaction with the
    positions. Whatever fails is cut away again; nothing is synced once more, because a failed sync may have dropped
    pages that the next one no longer knows of (fsync(2), "Error reporting").

    Before it appends to a file in a state that the ledger does not know (one that is new, was adopted, or was changed
    by others), it hands that state to `remember`: otherwise what a kill leaves there could not be told from what
    belongs there.
    """

    def __init__(
        self,
        path: Path,
        *,
        known: OutputState | None,
        clean: bool,
        state_directory: Path,
        remember: Callable[[OutputState], None],
        format: Format = Format.RAW,  # noqa: A002
        mode: int | None = None,
        root: Path | None = None,
    ) -> None:
        """Open the file and bring it back to its committed length.

        `known` is what the ledger has for `str(path)`, `clean` whether the last process ended in order. `remember`
        commits a state durably, or raises EmitError. `mode` and `root` are as for `Output.open`.

        Raises:
            StartError: the file cannot be used, or another process does, or what others have appended cannot be
                remembered.
        """
        self._path = path
        self._remember = remember
        self._make_payload = payload_in(format)
        self._open = partial(Output.open, path, mode=mode, root=root)
        try:
            self._output = self._open()
        except EmitError as error:
            raise StartError(str(error)) from error
        self._remembered = known
        self._torn = False
        try:
            verdict = Recovery(known, clean=clean, directory=state_directory).run(self._output)
            self._length = self._output.size
            if verdict is Verdict.GROWN:
                self._keep_grown()
        except BaseException:
            self._output.close()
            raise
        self._told = Once(interval=_INTERVAL)
        self._emitted = Emitted()

    @property
    def settled(self) -> bool:
        """Whether the file holds nothing but what was taken: else the next start must treat this end as unclean."""
        return not self._torn

    @property
    def writes_to(self) -> tuple[tuple[int, int], ...]:
        """The file's device and inode. From any thread."""
        output = self._output
        return ((output.device, output.inode),)

    @property
    def length(self) -> int:
        """Bytes that were taken, with those that were there before."""
        return self._length

    @property
    def written_at(self) -> int:
        """When the file was written to last, in nanoseconds since the epoch; OSError if it cannot be looked at."""
        return self._output.written_at

    @property
    def is_as_left(self) -> bool:
        """Whether the path names the file, and nobody else has changed its length; OSError likewise."""
        return not self._torn and self._output.is_named and self._output.size == self._length

    def emit(self, batches: Sequence[Batch]) -> Taken:
        try:
            taken = self._emit(batches)
        except OSError as error:
            raise EmitError(cause(self._path, error)) from error
        self._emitted = self._emitted.plus(batches[: taken.count])
        return taken

    def reopen(self) -> None:
        """Turn at once to the file that the path names, if the one that is held was moved: that is free then.

        Raises:
            EmitError: it cannot be opened; the next emit tries again.
        """
        try:
            self._mend()
            if not self._output.is_named:
                self._reopen()
        except OSError as error:
            raise EmitError(cause(self._path, error)) from error

    def committed(self) -> None:
        """The ledger has the state that the last emit answered with: the file says so too.

        By that a ledger that was restored from an older copy is told from one that a kill left behind: what the latter
        does not know is cut away, what the former does not know was acknowledged.
        """
        if self._remembered is not None:
            self._output.put_stamp(self._remembered.length)

    def statistics(self) -> Emitted:
        return self._emitted

    def close(self) -> None:
        """Cut away what an earlier cut has left, and make the cut durable."""
        try:
            self._roll_back()
            self._output.sync()
        except OSError as error:
            self._torn = True
            _log.error("output_left_torn", path=str(self._path), length=self._length, error=str(error))
        self._output.close()

    def _emit(self, batches: Sequence[Batch]) -> Taken:
        for _ in range(_TRIES):
            before = self._prepare()
            payload = self._make_payload(batches, NEWLINE if before and not before.endswith(NEWLINE) else b"")
            problem = self._append(payload)
            if self._is_still_named():
                return self._take(payload, problem)
            # The old file is torn now: the next preparation mends it, then turns to the new one.
        raise EmitError(f"{self._path}: it is replaced again and again")

    def _prepare(self) -> bytes:
        """Be at the end of the file that the path names, in a state that the ledger knows; the last bytes there."""
        self._mend()
        if not self._output.is_named:
            self._reopen()
        self._adopt_changes()
        return self._be_known()

    def _be_known(self) -> bytes:
        """Have the ledger know the file's state; the last bytes there."""
        before = self._output.before(self._length)
        state = self._state(self._length, before)
        if state != self._remembered:
            self._remember(state)
            self._remembered = state
            self.committed()
        return before

    def _keep_grown(self) -> None:
        """After a kill nobody could tell what others have appended before this start from what is to be cut."""
        try:
            self._be_known()
        except OSError as error:
            raise StartError(cause(self._path, error)) from error
        except EmitError as error:
            raise StartError(str(error)) from error

    def _mend(self) -> None:
        if not self._torn:
            return
        try:
            self._roll_back()
        except OSError as error:
            if self._output.is_named:
                raise
            _log.error("output_left_torn", path=str(self._path), length=self._length, error=str(error))
            self._torn = False

    def _reopen(self) -> None:
        """Others have renamed, removed or replaced the file."""
        output = self._open()
        self._output.close()
        self._output = output
        self._length = output.size
        _log.warning("output_replaced", path=str(self._path), length=self._length)

    def _adopt_changes(self) -> None:
        size = self._output.size
        if size != self._length:
            withheld = self._told.due("output_changed", time.monotonic())
            if withheld is not None:
                where = {"path": str(self._path), "expected": self._length, "length": size}
                _log.warning("output_changed", **where, withheld=withheld)
            self._length = size

    def _append(self, payload: Payload) -> EmitError | None:
        """Write durably as many whole batches as possible; what stopped the others, if any."""
        self._torn = True
        try:
            self._output.append(payload)
        except OSError as error:
            if not payload.whole:
                self._fail(error)
            return self._keep_whole(payload, error)
        self._sync()
        return None

    def _keep_whole(self, payload: Payload, error: OSError) -> EmitError:
        try:
            self._output.cut(self._length + payload.end(payload.whole))
        except OSError as worse:
            self._fail(worse)
        self._sync()
        return EmitError(cause(self._path, error))

    def _sync(self) -> None:
        try:
            self._output.sync()
        except OSError as error:
            self._fail(error)

    def _is_still_named(self) -> bool:
        try:
            return self._output.is_named
        except OSError as error:
            self._fail(error)

    def _take(self, payload: Payload, problem: EmitError | None) -> Taken:
        length = self._length + payload.end(payload.whole)
        # If it cannot be read, nothing is taken, and what was written is cut away.
        self._remembered = self._state(length, self._output.before(length))
        self._length = length
        self._torn = False
        return Taken(payload.whole, outputs=(self._remembered,), cause=problem)

    def _fail(self, error: OSError) -> NoReturn:
        """Leave no trace, now or before the next emit."""
        with contextlib.suppress(OSError):
            self._roll_back()
        raise error

    def _roll_back(self) -> None:
        if self._torn:
            self._output.cut(self._length)
            self._torn = False

    def _state(self, length: int, before: bytes) -> OutputState:
        output = self._output
        return OutputState(str(self._path), output.device, output.inode, length, Marker.of(before))
