"""Whether this process may get at a path, and which component of it says no."""

import os
import pwd
import stat
from collections.abc import Iterator


def who() -> str:
    """As whom this process looks: what it may do, others may not."""
    return _user(os.geteuid())


def forbidden(path: bytes) -> str | None:
    """Why this process cannot read what has that absolute path, in words that name the component; None if it can.

    What is not there is not forbidden.
    """
    for each in dict.fromkeys((path, os.path.realpath(path))):
        for directory in _above(each):
            if not _may(directory, os.X_OK):
                return f"{who()} may not enter {shown(directory)} ({_mode(directory)}): {_advice('rx')}"
        if os.path.isdir(each) and not _may(each, os.R_OK | os.X_OK):  # noqa: PTH112 - bytes
            return f"{who()} may not list {shown(each)} ({_mode(each)}): {_advice('rx')}"
        if not _may(each, os.R_OK):
            return f"{who()} may not read {shown(each)} ({_mode(each)}): {_advice('r')}"
    return None


def shown(path: bytes) -> str:
    """A path for people, on one line whatever is in it."""
    text = path.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else repr(text)


def _advice(leave: str) -> str:
    return f"change its group or mode, or setfacl -m u:{who()}:{leave}"


def _above(path: bytes) -> Iterator[bytes]:
    """The directories that lead to it, from the root on."""
    names = path.split(b"/")[1:-1]
    yield b"/"
    yield from (b"/" + b"/".join(names[:count]) for count in range(1, len(names) + 1))


def _may(path: bytes, how: int) -> bool:
    return os.access(path, how, effective_ids=True) or not os.path.lexists(path)


def _mode(path: bytes) -> str:
    try:
        facts = os.stat(path)  # noqa: PTH116 - bytes
    except OSError as error:
        return error.strerror or str(error)
    return f"{stat.filemode(facts.st_mode)} of {_user(facts.st_uid)}"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
