"""Run as a program: appends lines to a log by one write(2) each, and goes on in the new file when it was rotated.

Does so until it has written so many, and the log was rotated; into a new file go a third as many at the least. Prints
how many lines went into each file that it had open, one number a line.
"""

import os
import sys
from pathlib import Path

from harness.lines import make_line

LINE = 200


def main(path: Path, name: str, count: int) -> None:
    sys.stdin.read()  # until all may begin
    counts = [0]
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    left, number = count, 0
    rotated = path.with_name(f"{path.name}.1")
    while left > 0 or not (rotated.exists() and _is(path, descriptor)):
        # As handlers do that watch their file; seldom, so that many write to the old one after the rotation.
        if number % 50 == 0 and not _is(path, descriptor):
            os.close(descriptor)
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            counts.append(0)
            left = max(left, count // 3)
        line = appended_line(name, len(counts) - 1, counts[-1])
        assert os.write(descriptor, line) == len(line)
        counts[-1] += 1
        left, number = left - 1, number + 1
    sys.stdout.write("".join(f"{each}\n" for each in counts))


def appended_line(name: str, generation: int, sequence: int) -> bytes:
    return make_line(name, generation, sequence, LINE - len(make_line(name, generation, sequence, 0)))


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
