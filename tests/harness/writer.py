"""A program that writes a log: it appends self-describing lines, and rotates as real ones do."""

import os
import shutil
from pathlib import Path

from harness.lines import Generation, make_line, make_long_line


class Writer:
    """Appends to one file, and remembers what it wrote, by generation, in `written` (shared by all writers)."""

    def __init__(self, path: Path, written: dict[Generation, list[bytes]]) -> None:
        self.path = path
        self._written = written
        self._generation = 0
        self._file = path.open("ab", buffering=0)

    @property
    def lines(self) -> list[bytes]:
        """Those of this generation."""
        return self._written.setdefault((self.path.stem, self._generation), [])

    def write(self, count: int, *, padding: int = 60) -> None:
        """Append so many lines, with one write."""
        begin = len(self.lines)
        fresh = [make_line(self.path.stem, self._generation, begin + each, padding) for each in range(count)]
        self.lines.extend(fresh)
        self._append(b"".join(fresh))

    def write_long(self, size: int) -> None:
        """Append a line of about that size, of which every piece says what it is."""
        self.lines.append(make_long_line(self.path.stem, self._generation, len(self.lines), size))
        self._append(self.lines[-1])

    def write_part(self, size: int = 20) -> bytes:
        """Append the first bytes of a line, and return the rest of it, for `write_rest`."""
        line = make_line(self.path.stem, self._generation, len(self.lines))
        self._append(line[:size])
        return line[size:]

    def write_rest(self, rest: bytes) -> None:
        self.lines.append(make_line(self.path.stem, self._generation, len(self.lines)))
        assert self.lines[-1].endswith(rest)
        self._append(rest)

    def rotate(self, to: Path, *, reopen: bool = True) -> None:
        """Rename the file away and, unless `reopen` is false, go on in a new one."""
        self.path.rename(to)
        if reopen:
            self.reopen()

    def reopen(self) -> None:
        """Go on in the file that now has the path, or a new one: the next generation."""
        self._file.close()
        self._file = self.path.open("ab", buffering=0)
        self._generation += 1

    def truncate(self) -> None:
        """Begin again at 0 in the same file: the next generation."""
        os.ftruncate(self._file.fileno(), 0)
        self._generation += 1

    def copy_and_truncate(self, to: Path) -> None:
        """As logrotate's copytruncate."""
        shutil.copyfile(self.path, to)
        self.truncate()

    def close(self) -> None:
        self._file.close()

    def _append(self, data: bytes) -> None:
        assert self._file.write(data) == len(data)
