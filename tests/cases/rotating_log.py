"""A log as Python's own RotatingFileHandler writes it."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.lines import Generation, make_line


class RotatingLog:
    """So many lines a file, each file a generation in `written`. A context manager."""

    def __init__(
        self, path: Path, written: dict[Generation, list[bytes]], *, lines: int, backups: int, padding: int = 60
    ) -> None:
        self._name, self._written, self._lines, self._padding = path.stem, written, lines, padding
        self._count = 0
        # It rotates before a line that would make the file so large. Lines are of one length, whatever their numbers.
        self._handler = RotatingFileHandler(path, maxBytes=lines * len(self._line(0)) + 1, backupCount=backups)
        self._handler.setFormatter(logging.Formatter("%(message)s"))
        self._logger = logging.Logger("tested")  # noqa: LOG001 - it must not be anyone else's
        self._logger.addHandler(self._handler)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handler.close()

    def generation(self, file: int) -> Generation:
        """Of the first file, the second..."""
        return self._name, 100 + file

    def write(self, count: int) -> None:
        for number in range(self._count, self._count + count):
            line = self._line(number)
            self._written.setdefault(self.generation(number // self._lines), []).append(line)
            self._logger.info("%s", line.decode().removesuffix("\n"))
        self._count += count

    def _line(self, number: int) -> bytes:
        name, generation = self.generation(number // self._lines)
        return make_line(name, generation, 1000 + number % self._lines, self._padding)
