"""The logs that are shipped. No line is like another within 20 MB of one log."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

Line = Callable[[int], bytes]
"""Makes the line of that number, with its newline."""

_UNLIKE = 20_000_000


def access(number: int) -> bytes:
    """Of an access log, 188 bytes or so."""
    return (
        b'10.%d.%d.%d - - [23/Nov/2026:20:%02d:%02d +0000] "GET /index/%07d.html?x=%d HTTP/1.1" 200 %d "-"'
        b' "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/154.0"\n'
    ) % (
        number % 256,
        number // 7 % 256,
        number // 99 % 256,
        number // 60 % 60,
        number % 60,
        number,
        number * 7919 % 99991,
        number % 5000,
    )


def short(number: int) -> bytes:
    """40 bytes."""
    return b"%08d level=info took=%05dus ok=true \n" % (number, number * 7919 % 99991)


def long(number: int) -> bytes:
    """8 KiB: what a stack trace in one line, or an audit record, is like."""
    part = b" | ".join(access(number * 50 + each)[:-1] for each in range(44))
    return part[:8191].ljust(8191, b".") + b"\n"


def write(path: Path, size: int, line: Line = access, tag: bytes = b"") -> int:
    """Write a log of at least so many bytes, each line behind a tag; the number of its lines."""
    part, count, left = _tagged(_plain_part(line), size, tag), 0, size
    with path.open("wb") as log:
        while left > 0:
            piece = part if left >= len(part) else part[: part.index(b"\n", left - 1) + 1]
            left -= log.write(piece)
            count += piece.count(b"\n")
    return count


def _tagged(plain: bytes, size: int, tag: bytes) -> bytes:
    """What is not needed for a log of that size is not tagged."""
    if not tag:
        return plain
    needed = plain if size >= len(plain) else plain[: plain.index(b"\n", size - 1) + 1]
    return tag + needed[:-1].replace(b"\n", b"\n" + tag) + b"\n"


@lru_cache(maxsize=1)
def _plain_part(line: Line) -> bytes:
    return b"".join(map(line, range(_UNLIKE // len(line(0)))))


def tag(number: int) -> bytes:
    """Says whose line it is: all are of one length."""
    return b"s%05d " % number


TAG_LENGTH = len(tag(0))


def write_many(directory: Path, count: int, size: int) -> list[Path]:
    """So many logs, whose lines say whose they are, of so many bytes altogether."""
    paths = []
    for number in range(count):
        path = directory / f"{number:05d}.log"
        write(path, size // count, tag=tag(number))
        paths.append(path)
    return paths
