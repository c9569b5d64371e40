"""The names of rotated files: `NAME.1` is the one of the last rotation, and what is compressed has a suffix more."""

import os
import stat
import threading
from pathlib import Path
from typing import Self

from mega_collector.emitter.below import open_directory
from mega_collector.emitter.configuration import Compression
from mega_collector.emitter.removed import Removed

_SUFFIXES = ("", *(each.suffix for each in Compression))

NAMES = threading.Lock()
"""Held while names are changed, so that what is compressed meanwhile is found by the name that it has then."""


class Rotated:
    """The rotated files of one output. A context manager; whoever uses it holds `NAMES` where it changes names.

    All is looked at without following links, and nothing but what is named so is touched. OSErrors come through.
    What is removed is noted in `removed` before it is.
    """

    def __init__(self, path: Path, root: Path | None, removed: Removed) -> None:
        self._removed = removed
        self.path = path
        self.name = path.name
        self.directory = open_directory(root or path.parent, path.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.directory)

    def rotate(self, keep: int) -> None:
        """Give the file the name `.1`, those before a higher number, and remove what is beyond `keep`.

        Each step leaves what the next call goes on from: a kill leaves a number without a file, which is filled then.
        """
        names = self._listed()
        free = next((number for number in range(1, keep + 1) if not self._slots(number, names)), keep)
        self._remove(free, names)
        for number in range(free - 1, 0, -1):
            for name in self._slots(number, names):
                suffix = name.removeprefix(f"{self.name}.{number}")
                self.rename(name, f"{self.name}.{number + 1}{suffix}")
        self.rename(self.name, f"{self.name}.1")
        number = keep + 1
        while self._remove(number, names):
            number += 1
        os.fsync(self.directory)

    def plain(self) -> list[str]:
        """The names of those that are not compressed, the last first."""
        names, plain, number = self._listed(), [], 1
        while slots := self._slots(number, names):
            plain += [name for name in slots if name == f"{self.name}.{number}"]
            number += 1
        return plain

    def status(self, name: str) -> os.stat_result | None:
        """What is there under a name; None: nothing."""
        try:
            return os.stat(name, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def is_regular(self, name: str) -> bool:
        status = self.status(name)
        return status is not None and stat.S_ISREG(status.st_mode)

    def name_of(self, file: os.stat_result) -> str | None:
        """The name that a file has now among these; None: it has none any more."""
        with os.scandir(self.directory) as entries:
            names = [entry.name for entry in entries if entry.inode() == file.st_ino]
        for name in names:
            status = self.status(name)
            if name.startswith(self.name) and status is not None and os.path.samestat(status, file):
                return name
        return None

    def rename(self, name: str, to: str) -> None:
        os.rename(name, to, src_dir_fd=self.directory, dst_dir_fd=self.directory)

    def remove(self, name: str) -> None:
        if (status := self.status(name)) is not None:
            self._removed.note(status)
        os.unlink(name, dir_fd=self.directory)

    def _listed(self) -> set[str]:
        return set(os.listdir(self.directory))  # noqa: PTH208 - of a descriptor

    def _slots(self, number: int, names: set[str]) -> list[str]:
        """What has that number: more than one only where a kill has come between compressing and removing."""
        return [name for suffix in _SUFFIXES if (name := f"{self.name}.{number}{suffix}") in names]

    def _remove(self, number: int, names: set[str]) -> bool:
        """Remove what has that number, if anything."""
        slots = self._slots(number, names)
        for name in slots:
            self.remove(name)
        return bool(slots)
