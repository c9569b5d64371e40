"""Which files the patterns match now, and what can be seen of them without opening them."""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import translate

_MAGIC = re.compile(rb"[*?\[]")
_ANY_DEPTH = b"**"
_GONE = (FileNotFoundError, NotADirectoryError)
_CIRCULAR = errno.ELOOP


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What stat(2) tells of a regular file."""

    device: int
    inode: int
    size: int
    mtime_ns: int


@dataclass(slots=True)
class Scan:
    """What a scan found."""

    files: dict[bytes, FileFacts] = field(default_factory=dict)
    """Regular files by path."""
    directories: set[bytes] = field(default_factory=set)
    """Where something can change: every directory that was listed, and those of the targets of links."""
    unobservable: dict[bytes, OSError] = field(default_factory=dict)
    """Files and directories that could not be looked at: they are not gone."""
    odd: dict[bytes, str] = field(default_factory=dict)
    """What matches and is no regular file, with what it is."""


class Discovery:
    """Finds what the patterns match and `exclude` does not.

    Patterns are bytes, as names are: `*`, `?`, `[...]` and `[!...]` match within a name, `**` any number of
    directories. A name that begins with a dot is matched by a part that begins with one. Directories that are links are
    entered where a part of the pattern names or matches them, but not by `**`, which could run in circles.
    """

    def __init__(self, patterns: Sequence[bytes], exclude: Sequence[bytes] = ()) -> None:
        self._patterns = [_parts(_absolute(pattern)) for pattern in patterns]
        self._excluded = [_matcher(_absolute(pattern)) for pattern in exclude]

    def scan(self) -> Scan:
        """Look. Nothing is opened but directories."""
        scan = Scan()
        for parts in self._patterns:
            for path in _expand(b"/", parts, scan):
                if path not in scan.files and not any(excluded(path) for excluded in self._excluded):
                    _look(path, scan)
        return scan


def _absolute(pattern: bytes) -> bytes:
    # Two slashes at the front are kept by normpath, as POSIX lets them mean something; on Linux they do not.
    return b"/" + os.path.normpath(os.path.join(os.getcwdb(), pattern)).lstrip(b"/")  # noqa: PTH109, PTH118 - bytes


def _parts(pattern: bytes) -> tuple[bytes, ...]:
    return tuple(part for part in pattern.split(b"/") if part)


def _expand(directory: bytes, parts: tuple[bytes, ...], scan: Scan) -> Iterator[bytes]:
    part, rest = parts[0], parts[1:]
    if part == _ANY_DEPTH:
        yield from _expand_any_depth(directory, rest, scan)
    elif not _MAGIC.search(part):
        path = _join(directory, part)
        if rest:
            yield from _expand(path, rest, scan)
        else:
            # It may be made at any time.
            scan.directories.add(directory)
            yield path
    else:
        matches = _name_matcher(part)
        for entry in _list(directory, scan):
            if matches(entry.name):
                if not rest:
                    yield entry.path
                elif _is_directory(entry, scan, follow_links=True):
                    yield from _expand(entry.path, rest, scan)


def _expand_any_depth(directory: bytes, rest: tuple[bytes, ...], scan: Scan) -> Iterator[bytes]:
    yield from _expand(directory, rest or (b"*",), scan)
    for entry in _list(directory, scan):
        if not entry.name.startswith(b".") and _is_directory(entry, scan, follow_links=False):
            yield from _expand_any_depth(entry.path, rest, scan)


def _list(directory: bytes, scan: Scan) -> Iterator["os.DirEntry[bytes]"]:
    try:
        with os.scandir(directory) as entries:
            scan.directories.add(directory)
            yield from entries
    except _GONE:
        # Its nearest ancestor that is there tells when it is made.
        scan.directories.add(_nearest(directory))
    except OSError as error:
        scan.unobservable[directory] = error


def _nearest(directory: bytes) -> bytes:
    while directory != b"/" and not os.path.isdir(directory):  # noqa: PTH112 - bytes
        directory = os.path.dirname(directory)  # noqa: PTH120 - bytes
    return directory


def _is_directory(entry: "os.DirEntry[bytes]", scan: Scan, *, follow_links: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow_links)
    except OSError as error:
        scan.unobservable[entry.path] = error
        return False


def _look(path: bytes, scan: Scan) -> None:
    try:
        facts = os.stat(path)  # noqa: PTH116 - bytes
    except _GONE:
        if os.path.islink(path):  # noqa: PTH114 - bytes
            scan.odd[path] = "a link to nothing"
        else:
            scan.directories.add(_nearest(os.path.dirname(path)))  # noqa: PTH120 - bytes
        return
    except OSError as error:
        if error.errno == _CIRCULAR:
            scan.odd[path] = "a link that leads to itself"
        else:
            scan.unobservable[path] = error
        return
    if not stat.S_ISREG(facts.st_mode):
        scan.odd[path] = _what(facts.st_mode)
        return
    scan.files[path] = FileFacts(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
    if os.path.islink(path):  # noqa: PTH114 - bytes
        scan.directories.add(os.path.dirname(os.path.realpath(path)))  # noqa: PTH120 - bytes


def _what(mode: int) -> str:
    kinds: list[tuple[Callable[[int], bool], str]] = [
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISSOCK, "a socket"),
    ]
    return next((name for is_kind, name in kinds if is_kind(mode)), "a device")


def _name_matcher(part: bytes) -> Callable[[bytes], bool]:
    pattern = re.compile(translate(part.decode("latin-1")).encode("latin-1"), re.DOTALL)
    hidden = part.startswith(b".")
    return lambda name: (hidden or not name.startswith(b".")) and pattern.match(name) is not None


def _matcher(pattern: bytes) -> Callable[[bytes], bool]:
    """Whether a whole path matches."""
    parts = _parts(pattern)
    return lambda path: _path_matches(_parts(path), parts)


def _path_matches(names: tuple[bytes, ...], parts: tuple[bytes, ...]) -> bool:
    if not parts:
        return not names
    if parts[0] == _ANY_DEPTH:
        return any(_path_matches(names[skipped:], parts[1:]) for skipped in range(len(names) + 1))
    return bool(names) and _name_matcher(parts[0])(names[0]) and _path_matches(names[1:], parts[1:])


def _join(directory: bytes, name: bytes) -> bytes:
    return directory.rstrip(b"/") + b"/" + name
