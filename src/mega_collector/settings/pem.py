"""Certificates and keys: PEM text, or the path of a file with it."""

import stat
from pathlib import Path

from mega_collector.settings.kind import Kind

_BEGIN = "-----BEGIN "
_MAX_FILE = 1024 * 1024


class PEMFile(bytes):
    """What a file holds, with the file."""

    path: Path


def exposed(content: bytes | None) -> Path | None:
    """The file that a key was read from, if everybody on this machine can read it too."""
    if isinstance(content, PEMFile) and content.path.stat().st_mode & stat.S_IROTH:
        return content.path
    return None


def pem(text: str) -> bytes:
    """Read PEM, which is taken as it is: whether it can be used is for TLS to say.

    Raises:
        ValueError: it is neither PEM nor the path of a file with PEM.
    """
    if _BEGIN in text:
        return text.encode("utf-8", "surrogateescape")
    content: bytes = _content(text)
    if _BEGIN.encode() not in content:
        raise ValueError("names a file without PEM in it")
    return content


def _content(path: str) -> PEMFile:
    try:
        if not Path(path).is_file():  # a pipe or a device could keep us for ever
            raise ValueError("is neither PEM nor the path of a file")
        with Path(path).open("rb") as file:
            content = PEMFile(file.read(_MAX_FILE))
            content.path = Path(path)
            return content
    except OSError as error:
        raise ValueError(f"names a file that cannot be read: {error.strerror}") from None


PEM = Kind("PEM", "PEM text, or the path of a PEM file", pem)
