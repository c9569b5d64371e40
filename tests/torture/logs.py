"""Log files as programs and rotators treat them: each call does it to the files, and tells the model."""

import contextlib
import gzip
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.lines import make_line, make_long_line
from torture.model import Body, Identity, Model

_LONG = 900
"""Bytes."""

LINKED = "s"
"""The log of which the pattern finds only a symlink, that is pointed elsewhere."""


@dataclass(slots=True)
class Program:
    """What writes a log: it has the current file open, and the one before, for what it says late."""

    lines: int = 0
    current: tuple[Body, int] | None = None
    before: tuple[Body, int] | None = None


@dataclass(slots=True)
class Logs:
    """`held()` are the inodes that the collector has open, `committed()` the lines of the destination that stay.

    A call that makes no sense as things are does nothing: so a history stays one when a part of it is left out.
    """

    directory: Path
    model: Model
    held: Callable[[], set[Identity]]
    committed: Callable[[], Counter[bytes]]
    bytes_written: int = 0
    lines_written: int = 0
    _names: dict[Path, Body] = field(default_factory=dict)
    _programs: dict[str, Program] = field(default_factory=dict)
    _number: int = 0

    @property
    def patterns(self) -> list[str]:
        return [
            f"{self.directory}/logs/*.log",
            f"{self.directory}/logs/*.log.[0-9]",
            f"{self.directory}/logs/*.log.[0-9].gz",
        ]

    # Writing

    def write(self, name: str, count: int, padding: int) -> None:
        """So many lines, with one write; first the rest of the one that was begun."""
        body, descriptor = self._open(name)
        self._append(body, descriptor, body.rest + self._lines(name, count, padding))
        body.rest = b""

    def part(self, name: str, thousandths: int, padding: int = 50) -> None:
        """The begin of a line."""
        body, descriptor = self._open(name)
        if not body.rest:
            line = self._lines(name, 1, padding)
            size = max(len(line) * thousandths // 1000, 1)
            body.rest = line[size:]
            self._append(body, descriptor, line[:size])

    def late(self, name: str, count: int) -> None:
        """Lines to the file that was the current one before: its writer learns late of the rotation."""
        program = self._program(name)
        if program.before is not None and not program.before[0].sealed:
            body, descriptor = program.before
            self._append(body, descriptor, body.rest + self._lines(name, count, 30))
            if not body.sealed:
                body.rest = b""

    def reopen(self, name: str) -> None:
        """Go on in the file that has the path now, or a new one."""
        program = self._program(name)
        if program.before is not None:
            os.close(program.before[1])
        program.before, program.current = program.current, None
        self._open(name)

    # Renaming and removing

    def rotate(self, name: str) -> None:
        """The cascade: .2 goes, .1 becomes .2, the log .1."""
        path = self._path(name)
        with self._naming():
            self._rename(self._beside(path, 1), self._beside(path, 2))
            self._rename(path, self._beside(path, 1))

    def leave(self, name: str) -> None:
        """Renamed out of the pattern."""
        with self._naming():
            self._rename(self._path(name), self._outside(name))

    def come_back(self, name: str) -> None:
        """What was renamed out of the pattern last is renamed into it."""
        gone = [path for path in self._names if path.name.startswith(f"{name}.out.")]
        free = self._free(name)
        if gone and free:
            with self._naming():
                self._rename(gone[-1], free)

    def unlink(self, name: str) -> None:
        with self._naming():
            self._unlink(self._path(name))

    def drop(self, name: str) -> None:
        """The oldest of the rotated ones, or another name in the pattern, is removed."""
        path = self._path(name)
        others = sorted(each for each in self._names if each.name.startswith(f"{path.name}."))
        if others:
            with self._naming():
                self._unlink(others[-1])

    def recreate(self, name: str, count: int) -> None:
        """Removed and made anew at once: ext4 gives the same inode, where nobody has the old one open."""
        program = self._program(name)
        for each in (program.before, program.current):
            if each is not None:
                os.close(each[1])
        program.before = program.current = None
        self.unlink(name)
        self.write(name, count, 40)

    def link(self, name: str, inside: bool) -> None:
        """A second name."""
        path, other = self._path(name), self._free(name) if inside else self._outside(name)
        if path in self._names and other:
            with self._naming():
                other.hardlink_to(path)
                self._names[other] = self._names[path]

    def replace(self, name: str, count: int) -> None:
        """As an editor: the content and more is written beside, and renamed over."""
        path, beside = self._path(name), self.directory / "logs" / f".{name}.tmp"
        if path in self._names:
            more = self._lines(name, count, 40)
            # Where the last line has no end, the first one more is of it.
            own = more.partition(b"\n")[2] if self._names[path].now.fragment else more
            beside.write_bytes(path.read_bytes() + more.removesuffix(own))
            self._adopt(beside)
            with beside.open("ab") as file:
                self._append(self._names[beside], file.fileno(), own)
            with self._naming():
                self._rename(beside, path)

    def swap(self, back: bool) -> None:
        """The symlink is pointed at a new file, or at the one before."""
        now = self._path(LINKED)
        beside_it = [path for path in self._names if path.parent == now.parent and path != now]
        others = [path for path in beside_it if path.suffix != ".gz"]  # an archive is one by its name
        target = others[-1] if back and others else now.with_name(f"{LINKED}.{self._next()}")
        with self._naming():
            beside = self.directory / "logs" / f".{LINKED}.tmp"
            beside.symlink_to(target)
            beside.rename(self._link)
            if target not in self._names:
                target.touch()
                self._adopt(target)

    # Cutting

    def copy_and_truncate(self, name: str, inside: bool) -> None:
        """As logrotate's copytruncate; the copy is a file of its own where the pattern finds it."""
        path, to = self._path(name), self._free(name) if inside else self._outside(name)
        if to and self._may_be_cut(path):
            with self._naming():
                shutil.copyfile(path, to)
                self._adopt(to)
            self._cut(path, 0)

    def truncate(self, name: str, thousandths: int) -> None:
        """To a part of what it holds."""
        path = self._path(name)
        if self._may_be_cut(path):
            self._cut(path, path.stat().st_size * thousandths // 1000)

    def refill(self, name: str, percent: int) -> None:
        """Truncated and at once written to so much of the size that it had: 100 is to the byte."""
        path = self._path(name)
        if not self._may_be_cut(path):
            return
        size = path.stat().st_size * percent // 100
        data = bytearray(self._lines(name, 1, 40))
        while len(data) + 300 < size:
            data += self._lines(name, 1, 40)
        last = self._lines(name, 1, 0)
        if 1 < len(data) + len(last) <= size:
            # The number of the line is not to grow by a digit: it is made again, longer.
            self._program(name).lines -= 1
            last = self._lines(name, 1, size - len(data) - len(last))
        self._cut(path, 0)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._append(self._names[path], descriptor, bytes(data + last))
        os.close(descriptor)

    def compress(self, name: str, inside: bool) -> None:
        """The one that was rotated last is compressed, in the pattern or out of it, and removed."""
        path = self._beside(self._path(name), 1)
        to = path.with_name(f"{path.name}.gz") if inside else self.directory / "logs" / f"{name}.{self._next()}.gz"
        if path in self._names and to not in self._names:
            with self._naming():
                content = path.read_bytes()
                to.write_bytes(gzip.compress(content))
                written = path.stat()
                os.utime(to, ns=(written.st_atime_ns, written.st_mtime_ns))
                facts = to.stat()
                self._names[to] = self.model.archive((facts.st_dev, facts.st_ino), content)
                self._unlink(path)

    # The end

    def complete(self) -> None:
        """Every line that was begun in a file with a name gets its end."""
        for path, body in list(self._names.items()):
            if body.now.fragment and not body.sealed and body.lost_at is None:
                descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
                self._append(body, descriptor, body.rest or self._lines("end", 1, 10))
                body.rest = b""
                os.close(descriptor)

    def check_model(self) -> None:
        """That the model and the disk agree: a test of the test."""
        for path, body in self._names.items():
            if not body.sealed:
                assert path.read_bytes() == body.now.content, f"the model is wrong about {path}"

    def close(self) -> None:
        for program in self._programs.values():
            for each in (program.before, program.current):
                if each is not None:
                    os.close(each[1])

    # Below

    def _program(self, name: str) -> Program:
        return self._programs.setdefault(name, Program())

    @property
    def _link(self) -> Path:
        return self.directory / "logs" / f"{LINKED}.log"

    def _path(self, name: str) -> Path:
        """Of the file itself, which for one of them lies elsewhere."""
        if name != LINKED:
            return self.directory / "logs" / f"{name}.log"
        if not self._link.is_symlink():
            self._link.symlink_to(self.directory / "targets" / f"{LINKED}.0")
        return self._link.readlink()

    @staticmethod
    def _beside(path: Path, number: int) -> Path:
        return path.with_name(f"{path.name}.{number}")

    def _free(self, name: str) -> Path | None:
        """A name in the pattern, beside the log."""
        paths = (self.directory / "logs" / f"{name}.log.{digit}" for digit in range(3, 10))
        return next((path for path in paths if path not in self._names), None)

    def _outside(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.out.{self._next()}"

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _lines(self, name: str, count: int, padding: int) -> bytes:
        program = self._program(name)
        program.lines += count
        return b"".join(_line(name, program.lines - count + each, padding) for each in range(count))

    def _open(self, name: str) -> tuple[Body, int]:
        program = self._program(name)
        if program.current is not None and program.current[0].sealed:
            program.before, stale = None, (program.before, program.current)
            program.current = None
            for each in stale:
                if each is not None:
                    os.close(each[1])
        if program.current is None:
            path = self._path(name)
            with self._naming():
                descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
                if path not in self._names:
                    self._adopt(path)
            program.current = self._names[path], descriptor
            if program.current[0].sealed:
                os.close(descriptor)
                program.current = None
                self.unlink(name)
                return self._open(name)
        return program.current

    def _append(self, body: Body, descriptor: int, data: bytes) -> None:
        assert os.write(descriptor, data) == len(data)
        self.bytes_written += len(data)
        self.lines_written += data.count(b"\n")
        self.model.wrote(body, data, held=body.lost_at is not None and body.identity in self.held())

    def _may_be_cut(self, path: Path) -> bool:
        body = self._names.get(path)
        return body is not None and not body.sealed and body.lost_at is None

    def _cut(self, path: Path, size: int) -> None:
        committed = self.committed()
        os.truncate(path, size)
        self.model.truncated(self._names[path], size, committed)

    def _adopt(self, path: Path) -> None:
        """A file that is new."""
        facts = path.stat()
        self._names[path] = self.model.appear((facts.st_dev, facts.st_ino), path.read_bytes())

    def _rename(self, path: Path, to: Path) -> None:
        if path in self._names:
            path.rename(to)
            self._names[to] = self._names.pop(path)

    def _unlink(self, path: Path) -> None:
        if path in self._names:
            path.unlink()
            del self._names[path]

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        """What happens inside changes names: some files gain their first in the pattern, some lose their last."""
        held, committed = self.held(), self.committed()
        yield
        named = self._named()
        for body in named:
            if body.lost_at is not None:
                self.model.regained(body)
        for body in self.model.bodies:
            if body.lost_at is None and body not in named:
                self.model.lost(body, committed, held=body.identity in held)

    def _named(self) -> set[Body]:
        logs = self.directory / "logs"
        found = {body for path, body in self._names.items() if path.parent == logs and _matches(path.name)}
        if self._link.is_symlink() and (body := self._names.get(self._link.readlink())):
            found.add(body)
        return found


def _line(name: str, number: int, padding: int) -> bytes:
    """What is long enough to be cut says everywhere what it is: its pieces are told from those of others."""
    return make_line(name, 0, number, padding) if padding < _LONG else make_long_line(name, 0, number, padding)


def _matches(name: str) -> bool:
    return re.fullmatch(r"[^.].*\.log(\.[0-9](\.gz)?)?", name) is not None
