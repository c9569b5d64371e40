"""What is done with the output file at start."""

import contextlib
import os
import time
from pathlib import Path

import structlog

from mega_collector.directory import sync_directory
from mega_collector.emitter.cause import cause
from mega_collector.emitter.output import Output
from mega_collector.emitter.protocol import OutputState
from mega_collector.emitter.recognition import Found, Verdict, recognise
from mega_collector.errors import EmitError, StartError

_KEPT = 8  # parts laid aside; a process that is killed again and again must not fill the disk with them

_MENDED = {Verdict.COMMITTED, Verdict.UNCOMMITTED}

_log = structlog.get_logger(__name__)


class Recovery:
    """Brings an output file back to its committed length, if it is certain that it is the one that the ledger knows.

    Everything else is reported, and left as it is. What is cut is laid aside in `directory` first.
    """

    def __init__(self, known: OutputState | None, *, clean: bool, directory: Path) -> None:
        self._known = known
        self._clean = clean
        self._directory = directory

    def run(self, output: Output) -> Verdict:
        """Look at the file and mend it.

        Raises:
            StartError: it cannot be read or cut, or what is cut cannot be laid aside.
        """
        try:
            verdict = self._mend(output)
            if self._known is not None and not verdict.is_same:
                self._search(output.path)
        except OSError as error:
            raise StartError(cause(output.path, error)) from error
        if verdict is Verdict.UNKNOWN and output.stamp == output.size:
            return verdict  # it says itself that it was left so
        if verdict not in _MENDED and (output.size or self._known):
            report = _log.info if verdict is Verdict.UNKNOWN else _log.warning
            report("output_adopted", path=str(output.path), length=output.size, reason=verdict.value)
        return verdict

    def search(self, path: Path) -> None:
        """Look for the file where nothing has its path any more, and mend it.

        Raises:
            StartError: it cannot be read or cut, or what is cut cannot be laid aside.
        """
        try:
            self._search(path)
        except FileNotFoundError:
            return  # not even its directory is there
        except OSError as error:
            raise StartError(cause(path, error)) from error

    def _mend(self, output: Output) -> Verdict:
        known = self._known
        before = output.before(known.length) if known else b""
        found = Found(output.device, output.inode, output.size, before, output.stamp)
        verdict = recognise(known, found, clean=self._clean)
        if known and verdict is Verdict.UNCOMMITTED:
            self._cut(output, known.length)
        if known and verdict in _MENDED and output.stamp > known.length:
            # Of a time before others cut it: it would have what the next kill leaves taken for committed.
            output.put_stamp(known.length)
        return verdict

    def _cut(self, output: Output, length: int) -> None:
        size = output.size
        aside = self._lay_aside(output, length)
        output.cut(length)
        output.sync()
        _log.warning("output_cut", path=str(output.path), size=size, length=length, aside=str(aside))

    def _lay_aside(self, output: Output, length: int) -> Path:
        prefix = f"{output.path.name}.cut-"
        aside = self._directory / f"{prefix}{time.time_ns():020d}"
        try:
            self._make_room(prefix)
            fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                output.copy_rest(length, fd)
                os.fsync(fd)
            finally:
                os.close(fd)
            sync_directory(self._directory)
        except OSError as error:
            # Half of it would only take room, where there is none, and the place of what was laid aside before.
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)
            why = f"what is to be cut from {output.path} after a kill is laid aside there first, and cannot be"
            raise StartError(f"{cause(aside, error)}: {why}") from error
        return aside

    def _make_room(self, prefix: str) -> None:
        kept = sorted(path for path in self._directory.iterdir() if path.name.startswith(prefix))
        for path in kept[: -_KEPT + 1]:
            path.unlink()

    def _search(self, path: Path) -> None:
        """Find the file that the ledger knows under another name, where it was renamed while nobody wrote."""
        directory = Path(os.path.realpath(path)).parent
        with os.scandir(directory) as entries:
            names = [entry.path for entry in entries if self._may_be_known(entry)]
        for name in names:
            self._mend_sibling(Path(name))

    def _may_be_known(self, entry: os.DirEntry[str]) -> bool:
        return self._known is not None and entry.inode() == self._known.inode and entry.is_file(follow_symlinks=False)

    def _is_certain(self, output: Output) -> bool:
        """Whether it can be told at all: of a file that was empty only its stamp, if its inode was given to another."""
        return output.is_stamped or (self._known is not None and self._known.before.length > 0)

    def _mend_sibling(self, path: Path) -> None:
        try:
            sibling = Output(path, os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC))
        except OSError as error:
            _log.error("output_renamed", path=str(path), error=str(error))
            return
        try:
            sibling.lock()
            if self._is_certain(sibling) and self._mend(sibling) in _MENDED:
                _log.warning("output_renamed", path=str(path))
        except EmitError:
            return  # it is written by somebody: another file that was given the inode
        finally:
            sibling.close()
