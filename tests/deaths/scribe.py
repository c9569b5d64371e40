"""A program that writes a log at random, rotates it, and compresses what it rotated, for as long as it is let."""

import gzip
import threading
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from harness.writer import Writer

_TOO_LONG = 0.03
"""How often a write is of one line that is longer than an entry may be."""

_PAUSES = (0.0005, 0.005, 0.02, 0.02, 0.02, 0.1, 0.3)
"""Seconds."""


class Scribe:
    """Writes in a thread of its own. A context manager, at whose end every line is whole."""

    def __init__(self, writer: Writer, random: Random, longest: int) -> None:
        self._writer = writer
        self._random = random
        self._longest = longest
        self._rotations = 0
        self._rotated: list[Path] = []
        """Those that are not compressed."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._random.choice(_PAUSES)):
            self._step()

    def _step(self) -> None:
        match self._random.random():
            case chance if chance < _TOO_LONG:
                self._write_long()
            case chance if chance < 0.05:
                self._writer.rotate(self._free())
            case chance if chance < 0.08:
                self._compress()
            case chance if chance < 0.13:
                rest = self._writer.write_part(self._random.randint(1, 60))
                self._ended.wait(self._random.choice(_PAUSES))
                self._writer.write_rest(rest)
            case _:
                self._writer.write(
                    self._random.choice([1, 1, 3, 10, 10, 200]), padding=self._random.choice([0, 60, 400])
                )

    def _write_long(self) -> None:
        size = self._random.randint(self._longest, 5 * self._longest)
        # Behind a piece that ends with the line it depends on when it is read whether an empty one follows.
        self._writer.write_long(size + ((size + 8) % self._longest == 0))

    def _free(self) -> Path:
        """As with dates: what is rotated away keeps its name."""
        self._rotations += 1
        self._rotated.append(self._writer.path.with_name(f"{self._writer.path.name}.{self._rotations}"))
        return self._rotated[-1]

    def _compress(self) -> None:
        """As gzip(1) does it, under a name that no pattern matches until it is whole; not always the oldest."""
        if not self._rotated:
            return
        plain = self._rotated.pop(self._random.randrange(len(self._rotated)))
        unfinished = plain.with_name(f".{plain.name}")
        unfinished.write_bytes(gzip.compress(plain.read_bytes()))
        unfinished.rename(plain.with_name(f"{plain.name}.gz"))
        plain.unlink()
