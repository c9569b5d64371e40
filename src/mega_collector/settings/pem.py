"""Certificates and keys: PEM text, or the path of a file with it."""

import stat
from pathlib import Path

from mega_collector.pem_file import PEMFile, read
from mega_collector.settings.kind import Kind

_BEGIN = "-----BEGIN "


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
    content: bytes = read(Path(text))
    if _BEGIN.encode() not in content:
        raise ValueError("names a file without PEM in it")
    return content


PEM_AT_START = Kind("PEM", "PEM text, or the path of a PEM file", pem)
"""For a command that looks, and ends."""

PEM = Kind("PEM", f"{PEM_AT_START.allowed}, which is read again when it changes", pem)
