"""The names of rotated files: `NAME.1` is the one of the last rotation, and what is compressed has a suffix more."""

import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from mega_collector.emitter.below import open_directory
from mega_collector.emitter.configuration import Compression

_SUFFIXES = ("", *(each.suffix for each in Compression))

NAMES = threading.Lock()
"""Held while names are changed, so that what is compressed meanwhile is found by the name that it has then."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A rotated file, the `number`th from the last one, under one of its names."""

    number: int
    name: str


class Rotated:
    """The rotated files of one output. A context manager; whoever uses it holds `NAMES` where it changes names.

    All is looked at without following links, and nothing but what is named so is touched. OSErrors come through.
    """

    def __init__(self, path: Path, root: Path | None) -> None:
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
        free = next((number for number in range(1, keep + 1) if not list(self.slots(number))), keep)
        for slot in self.slots(free):
            os.unlink(slot.name, dir_fd=self.directory)
        for number in range(free - 1, 0, -1):
            self._move(number)
        self.rename(self.name, f"{self.name}.1")
        self._remove_beyond(keep)
        os.fsync(self.directory)

    def slots(self, number: int) -> Iterator[Slot]:
        """What has that number: more than one only where a kill has come between compressing and removing."""
        for suffix in _SUFFIXES:
            name = f"{self.name}.{number}{suffix}"
            if self.status(name) is not None:
                yield Slot(number, name)

    def plain(self) -> Iterator[Slot]:
        """Those that are not compressed, the last first."""
        number = 1
        while found := list(self.slots(number)):
            if found[0].name == f"{self.name}.{number}":
                yield found[0]
            number += 1

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
        names = [self.name]
        number = 1
        while found := list(self.slots(number)):
            names += [slot.name for slot in found]
            number += 1
        for name in names:
            status = self.status(name)
            if status is not None and os.path.samestat(status, file):
                return name
        return None

    def _move(self, number: int) -> None:
        for slot in self.slots(number):
            suffix = slot.name.removeprefix(f"{self.name}.{number}")
            self.rename(slot.name, f"{self.name}.{number + 1}{suffix}")

    def rename(self, name: str, to: str) -> None:
        os.rename(name, to, src_dir_fd=self.directory, dst_dir_fd=self.directory)

    def _remove_beyond(self, keep: int) -> None:
        number = keep + 1
        while found := list(self.slots(number)):
            for slot in found:
                os.unlink(slot.name, dir_fd=self.directory)
            number += 1
