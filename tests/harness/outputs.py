"""What many output files hold, rotated and compressed ones too."""

import gzip
from pathlib import Path


def held_by(directory: Path) -> bytes:
    """All that the files in it hold, the rotated ones of each before it, the oldest before the others.

    What is rotated or compressed meanwhile may be missing, or there twice: look again.
    """
    paths = [path for path in directory.rglob("*") if path.is_file() and not path.name.endswith(".compressing")]
    return b"".join(map(_content, sorted((path for path in paths if not _is_twice(path)), key=_order)))


def _is_twice(path: Path) -> bool:
    """A kill between compressing and removing leaves both."""
    return path.suffix == ".gz" and path.with_suffix("").exists()


def _content(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return b""
    return gzip.decompress(data) if path.suffix == ".gz" else data


def _order(path: Path) -> tuple[tuple[str, ...], int]:
    """What is for `a.log` before what is for `a.log.1`: so the name changes by which a collector knows a file."""
    name, _, number = path.name.removesuffix(".gz").rpartition(".")
    if number.isdigit():
        return (*path.parent.parts, name), -int(number)
    return (*path.parent.parts, path.name.removesuffix(".gz")), 0
