"""What TLS is made of, as PEM, and the files that it was read from."""

from pathlib import Path
from typing import NamedTuple

_MOST = 1 << 20
"""Bytes that are read of a file: far more than any chain has."""


class PEMFile(bytes):
    """What a file holds, with the file."""

    path: Path


class Material(NamedTuple):
    """The CA of the other side, this side's certificate, with those between the two behind it, and its key.

    A part that is a `PEMFile` can be read again.
    """

    ca: bytes
    certificate: bytes
    key: bytes


def read(path: Path) -> PEMFile:
    """What the file holds now, whatever that is.

    Raises:
        ValueError: it is no regular file, or cannot be read; worded to follow its name.
    """
    try:
        if not path.is_file():  # a pipe or a device could keep us for ever
            raise ValueError("is neither PEM nor the path of a file")
        with path.open("rb") as file:
            content = PEMFile(file.read(_MOST))
    except OSError as error:
        raise ValueError(f"names a file that cannot be read: {error.strerror}") from None
    content.path = path
    return content
