"""Stdout, and whatever else is written without a promise: pipes and devices."""

import os
import select
import stat
from collections.abc import Sequence
from pathlib import Path

from mega_collector.batch import Batch
from mega_collector.block import NEWLINE
from mega_collector.emitter.cause import cause
from mega_collector.emitter.configuration import Format
from mega_collector.emitter.emitted import Emitted
from mega_collector.emitter.format import payload_in
from mega_collector.emitter.payload import Payload
from mega_collector.emitter.protocol import Taken
from mega_collector.emitter.stop import Stop
from mega_collector.errors import DestinationGone, EmitError, StartError, Stopping


class TextEmitter:
    """Writes the bytes of batches, in order, to a descriptor that nobody can roll back: at least once.

    What a failure has cut short is continued at the exact byte when the same batch comes again. A pipe that is full
    holds it up until the pipe is read, its reader dies (DestinationGone) or `stop` is set (Stopping).
    """

    def __init__(self, fd: int, stop: Stop, *, name: str = "stdout", format: Format = Format.RAW) -> None:  # noqa: A002
        """Write to `fd`, which is not closed in the end and whose flags stay as they are: others may share it.

        Raises:
            StartError: the descriptor is not open.
        """
        self._name = name
        self._make_payload = payload_in(format)
        try:
            self._fd, self._own, self._largest = _unblocked(fd)
        except OSError as error:
            raise StartError(cause(name, error)) from error
        status = os.fstat(self._fd)
        self.writes_to = ((status.st_dev, status.st_ino),) if stat.S_ISREG(status.st_mode) else ()
        """Device and inode, if it is a regular file after all."""
        self._stop = stop
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLOUT)
        self._poll.register(stop, select.POLLIN)
        self._begun: Batch | None = None
        self._begun_size = 0
        self._prefix = b""
        self._torn = False
        self._emitted = Emitted()

    @classmethod
    def at(cls, path: Path, stop: Stop, *, format: Format = Format.RAW) -> "TextEmitter":  # noqa: A002
        """Write to a pipe or device by its path.

        Raises:
            StartError: it cannot be opened, such as a pipe that nobody reads.
        """
        try:
            # Not to hang on a pipe that nobody has opened to read: that is ENXIO.
            fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            raise StartError(cause(path, error)) from error
        emitter = cls(fd, stop, name=str(path), format=format)
        if emitter._own:
            os.close(fd)
        emitter._own = True
        return emitter

    def emit(self, batches: Sequence[Batch]) -> Taken:
        payload = self._resume(batches)
        problem: EmitError | Stopping | None = None
        try:
            self._write(payload)
        except (EmitError, Stopping) as error:
            problem = error
        taken = payload.whole
        self._remember(batches, payload)
        if problem is not None and (not taken or isinstance(problem, DestinationGone)):
            raise problem
        self._emitted = self._emitted.plus(batches[:taken])
        return Taken(taken, cause=problem)

    def statistics(self) -> Emitted:
        return self._emitted

    def close(self) -> None:
        if self._own:
            os.close(self._fd)

    def _resume(self, batches: Sequence[Batch]) -> Payload:
        """What is to be written: without what is out already, or else on a line of its own."""
        if self._begun is not batches[0]:
            self._begun_size = 0
            self._prefix = NEWLINE if self._torn else b""
        payload = self._make_payload(batches, self._prefix)
        payload.advance(self._begun_size)
        return payload

    def _remember(self, batches: Sequence[Batch], payload: Payload) -> None:
        if not payload.written:
            return
        taken = payload.whole
        self._torn = payload.torn
        self._begun_size = payload.written - payload.end(taken)
        self._begun = batches[taken] if self._begun_size else None
        if taken:
            self._prefix = b""

    def _write(self, payload: Payload) -> None:
        while payload:
            self._wait()
            try:
                payload.advance(self._write_some(payload))
            except BlockingIOError:
                continue
            except (BrokenPipeError, ConnectionResetError) as error:
                raise DestinationGone(f"{self._name}: nobody reads it any more") from error
            except OSError as error:
                raise EmitError(cause(self._name, error)) from error

    def _write_some(self, payload: Payload) -> int:
        if self._largest is None:
            return os.writev(self._fd, payload.head())
        return os.write(self._fd, payload.piece(self._largest))

    def _wait(self) -> None:
        """Until it takes bytes. A regular file always does."""
        ready = {fd for fd, _ in self._poll.poll()}
        if self._fd not in ready:
            raise Stopping(f"{self._name}: it takes nothing more, and the shutdown does not wait")


def _unblocked(fd: int) -> tuple[int, bool, int | None]:
    """A descriptor whose writes never block after POLLOUT, whether it is new, and the largest such write.

    O_NONBLOCK belongs to the open description, which a shell and its other children may share: setting it would break
    them. A pipe or terminal is opened once more instead. Where that fails (a socket; another user's pipe), writes are
    small: POLLOUT means that PIPE_BUF bytes fit (pipe(7)), and this costs four fifths of the speed.
    """
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return fd, False, None
    try:
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        return os.open(f"/proc/self/fd/{fd}", flags), True, None
    except OSError:
        return fd, False, select.PIPE_BUF
