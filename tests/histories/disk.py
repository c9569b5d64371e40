"""A directory in memory, with what of a filesystem the collector can see: inodes, names, links, open files."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mega_collector.collector.finding.discovery import FileFacts, Scan
from mega_collector.collector.finding.watch import Events
from mega_collector.collector.reading.file import SPARE

if TYPE_CHECKING:
    from random import Random

DIRECTORY = b"/logs"
DEVICE = 7

_TICK = 4_000_001
"""Nanoseconds between two changes: as the kernel's clock goes, and never a whole second."""


@dataclass(eq=False)
class Generation:
    """What one inode holds between two truncations."""

    number: int
    inode: int
    content: bytearray = field(default_factory=bytearray)
    lines: int = 0
    excused: bool = False
    """Its bytes were, at some moment, where no collector could have had them: not all of it must arrive."""
    may_repeat: bool = False
    """Whether it may come again from its beginning."""
    least: int = 0
    """Bytes that must arrive, if it is excused."""

    def next_line(self) -> bytes:
        """Each byte of it but digits and the newline says of which generation it is."""
        self.lines += 1
        mark = bytes([128 + self.number % 128])
        return mark + b"%d" % self.lines + mark * (1 + self.number * self.lines % 23) + b"\n"


@dataclass(eq=False)
class Inode:
    number: int
    generation: Generation
    mtime: int = 0
    changed: int = 0
    born: int = 0
    names: int = 0
    open: int = 0


class MemoryFile:
    """An open file."""

    def __init__(self, disk: "MemoryDisk", inode: Inode) -> None:
        self.inode: Inode | None = inode
        self._disk = disk
        self._stale = False
        inode.open += 1

    def facts(self) -> FileFacts:
        inode = self._get()
        return FileFacts(DEVICE, inode.number, len(inode.generation.content), inode.mtime, inode.changed, inode.names)

    def read(self, size: int, at: int) -> bytes:
        inode = self._get()
        error, least = self._disk.failing.get(inode, (errno.ESTALE if self._stale else 0, 0))
        if error and size >= least:
            self._stale = error == errno.ESTALE
            raise OSError(error, os.strerror(error))
        return bytes(inode.generation.content[at : at + size])

    def hole(self, _at: int) -> int:
        return len(self._get().generation.content)

    def data(self, at: int) -> int:
        return at

    def close(self) -> None:
        inode, self.inode = self._get(), None
        self._disk.closed(inode)

    def _get(self) -> Inode:
        assert self.inode is not None, "used after it was closed"
        return self.inode


class MemoryDisk:
    """Files in one directory. Inode numbers are used again at once, the last first, as ext4 does it."""

    def __init__(self) -> None:
        self.names: dict[bytes, Inode] = {}
        self.links: dict[bytes, bytes] = {}
        self.generations: list[Generation] = []
        self._free = list(range(100, 10, -1))
        self._clock = 0
        self._beside: tuple[int, Callable[[], None]] | None = None
        self.most_open = sys.maxsize
        """Files that the system lets the collector have open at once, besides those that are spare."""
        self._open = 0
        self.unsorted: Random | None = None
        """In what order a directory tells its names: None, in that in which they were made."""
        self.failing: dict[Inode, tuple[int, int]] = {}
        """Files of which reads fail with that error, of so many bytes or more. What is stale then stays so."""
        self.forbidden: set[Inode] = set()
        """Files that may not be opened."""

    # What writers do

    def have_inodes(self, most: int) -> None:
        """So many files may be there."""
        self._free = [*range(most, 100, -1), *self._free]

    def create(self, name: bytes) -> Inode:
        inode = Inode(self._free.pop(), self._generation(0))
        inode.generation.inode = inode.number
        self._touch(inode)
        inode.born = inode.changed
        self._name(name, inode)
        return inode

    def append(self, inode: Inode, data: bytes) -> None:
        inode.generation.content += data
        self._touch(inode)

    def truncate(self, inode: Inode) -> Generation:
        old = inode.generation
        inode.generation = self._generation(inode.number)
        self._touch(inode)
        return old

    def rename(self, old: bytes, new: bytes) -> None:
        inode = self.names.pop(old)
        inode.names -= 1
        self._name(new, inode)

    def link(self, old: bytes, new: bytes) -> None:
        self._name(new, self.names[old])

    def unlink(self, name: bytes) -> None:
        inode = self.names.pop(name)
        inode.names -= 1
        self.release(inode)

    def release(self, inode: Inode) -> None:
        """Give its number back if nothing holds it any more."""
        if not inode.names and not inode.open:
            self._free.append(inode.number)

    def named(self, inode: Inode) -> list[bytes]:
        return [name for name, each in self.names.items() if each is inode]

    def matched(self) -> Iterator[tuple[bytes, Inode]]:
        """The files that the pattern `*.log*` finds, through links too."""
        for name, inode in self.names.items():
            if is_matched(name):
                yield name, inode
        for name, target in self.links.items():
            if target in self.names:
                yield name, self.names[target]

    def beside(self, calls: int, happens: Callable[[], None]) -> None:
        """It happens when the collector has asked for something so many times more: between any two looks, then."""
        self._beside = calls, happens

    # What the collector sees

    def scan(self) -> Scan:
        """The names as they are at first, and behind each what it is when its turn comes."""
        scan = Scan()
        names = [name for name, _ in self.matched()]
        if self.unsorted is not None:
            self.unsorted.shuffle(names)
        for name in names:
            facts = self.look(name)
            if facts is not None:
                scan.files[name] = facts
        return scan

    def matches(self, path: bytes) -> bool:
        return is_matched(path)

    def look(self, path: bytes) -> FileFacts | None:
        self._asked()
        inode = self._at(path)
        if inode is None:
            return None
        return FileFacts(DEVICE, inode.number, len(inode.generation.content), inode.mtime, inode.changed)

    def open(self, path: bytes) -> MemoryFile:
        return self._open_unless(path, self.most_open)

    def glance(self, path: bytes) -> MemoryFile:
        return self._open_unless(path, self.most_open + SPARE)

    def _open_unless(self, path: bytes, most: int) -> MemoryFile:
        self._asked()
        if self._open >= most:
            # Whether there is anything of that name or not: as the kernel does it.
            raise OSError(errno.EMFILE, "Too many open files")
        inode = self._at(path)
        if inode is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        if inode in self.forbidden:
            raise PermissionError(errno.EACCES, "Permission denied")
        if self._open >= most:
            raise OSError(errno.EMFILE, "Too many open files")
        self._open += 1
        return MemoryFile(self, inode)

    def closed(self, inode: Inode) -> None:
        """The collector has closed it."""
        self._open -= 1
        inode.open -= 1
        self.release(inode)

    def inode(self, path: bytes) -> int | None:
        self._asked()
        inode = self._at(path)
        return None if inode is None else inode.number

    def device(self, _path: bytes) -> int | None:
        return DEVICE

    def born(self, path: bytes, inode: int) -> int | None:
        self._asked()
        found = self._at(path)
        return found.born if found is not None and found.number == inode else None

    def home(self, path: bytes) -> bytes | None:
        return self.links.get(path)

    def real(self, directory: bytes) -> bytes:
        return directory

    def entries(self, _directory: bytes) -> Iterator[tuple[int, bytes]]:
        """In two parts, as a large directory is read: what is renamed from the second into the first is missed."""
        self._asked()
        names = sorted(self.names)
        middle = names[len(names) // 2] if names else b""
        yield from [(self.names[path].number, path) for path in names if path < middle]
        self._asked()
        yield from [(each.number, path) for path, each in sorted(self.names.items()) if path >= middle]

    def below(self, _directory: bytes) -> Iterator[bytes]:
        return iter(())

    def close(self) -> None: ...

    def _asked(self) -> None:
        if self._beside is None:
            return
        left, happens = self._beside
        self._beside = (left - 1, happens) if left else None
        if not left:
            happens()

    def _at(self, path: bytes) -> Inode | None:
        return self.names.get(self.links.get(path, path))

    def _name(self, name: bytes, inode: Inode) -> None:
        if name in self.names:
            self.unlink(name)
        self.names[name] = inode
        inode.names += 1

    def _generation(self, inode: int) -> Generation:
        self.generations.append(Generation(len(self.generations), inode))
        return self.generations[-1]

    def _touch(self, inode: Inode) -> None:
        self._clock += _TICK
        inode.mtime = inode.changed = self._clock


def is_matched(name: bytes) -> bool:
    return b".log" in name


class NoWatch:
    """Polling; but what is put into `written` is told as if it had just been written to."""

    written: frozenset[bytes] = frozenset()
    enabled = True
    failure: str | None = "there is none"
    trusted = False

    def fileno(self) -> int:
        return -1

    def update(self, _directories: set[bytes], /) -> None: ...

    def read(self) -> Events:
        written, self.written = self.written, frozenset()
        return Events(changed=set(written))

    def close(self) -> None: ...
