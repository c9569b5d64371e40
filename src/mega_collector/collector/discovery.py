"""Which files the patterns match now, and what can be seen of them without opening them."""

import errno
import os
import stat
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mega_collector.collector.pattern import ANY_DEPTH, ANYTHING, Part, Parts, parse, path_matches

_GONE = (FileNotFoundError, NotADirectoryError)
_MOST_LINKS = 40
"""As many as the kernel follows: path_resolution(7)."""


class FileFacts(NamedTuple):
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
    """Where something can change: every directory that was looked into, and those that links lead through."""
    unobservable: dict[bytes, OSError] = field(default_factory=dict)
    """Files and directories that could not be looked at: they are not gone."""
    odd: dict[bytes, str] = field(default_factory=dict)
    """What matches and is no regular file, with what it is. A directory that only a bare `*` matches is not odd."""


class Discovery:
    """Finds what the patterns match and `exclude` does not.

    Patterns are bytes, as names are: `*`, `?`, `[...]` and `[!...]` match within a name, `**` any number of
    directories. A name that begins with a dot is matched by a part that begins with one. Directories that are links are
    entered where a part of the pattern names or matches them, but not by `**`, which could run in circles.
    """

    def __init__(self, patterns: Sequence[bytes], exclude: Sequence[bytes] = ()) -> None:
        self._patterns = [parse(_absolute(pattern)) for pattern in patterns]
        self._excluded = [parse(_absolute(pattern)) for pattern in exclude]

    def scan(self) -> Scan:
        """Look. Nothing is opened but directories, one at a time, each once."""
        scan = Scan()
        if () in self._patterns:
            scan.odd[b"/"] = "a directory"
        waiting: list[tuple[bytes, Collection[Parts]]] = [(b"/", {parts for parts in self._patterns if parts})]
        while waiting:
            directory, patterns = waiting.pop()
            waiting.extend(self._visit(directory, patterns, scan))
        return scan

    def look(self, path: bytes) -> FileFacts | None:
        """The regular file of that name, whether it matches or not; None if there is none, or it is hidden."""
        try:
            facts = os.stat(path)  # noqa: PTH116 - bytes
        except OSError:
            return None
        if not stat.S_ISREG(facts.st_mode):
            return None
        return FileFacts(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)

    def _visit(
        self, directory: bytes, patterns: Collection[Parts], scan: Scan
    ) -> list[tuple[bytes, Collection[Parts]]]:
        """Look at what matches in a directory; the directories below that are to be visited, with what is left."""
        below: defaultdict[bytes, set[Parts]] = defaultdict(set)
        listed: set[Parts] = set()
        for parts in _with_none_skipped(patterns):
            if not parts[0].literal:
                listed.add(parts)
            elif parts[1:]:
                below[_join(directory, parts[0].text)].add(parts[1:])
            else:
                # It may be made at any time.
                scan.directories.add(directory)
                self._look(_join(directory, parts[0].text), scan)
        if listed:
            self._list(directory, listed, scan, below)
        return list(below.items())

    def _list(
        self, directory: bytes, patterns: Collection[Parts], scan: Scan, below: defaultdict[bytes, set[Parts]]
    ) -> None:
        wanted = [parts[0] for parts in patterns if not parts[1:]]
        further = [parts for parts in patterns if parts[1:]]
        for entry in _entries(directory, scan):
            name = entry.name
            matching = [part for part in wanted if part.matches(name)]
            if matching and not _passed_over(entry, matching, scan):
                self._look(entry.path, scan)
            for parts in further:
                if parts[0].matches(name) and _is_directory(entry, scan, follow_links=parts[0] is not ANY_DEPTH):
                    below[entry.path].add(parts if parts[0] is ANY_DEPTH else parts[1:])

    def _look(self, path: bytes, scan: Scan) -> None:
        if path in scan.files or any(path_matches(path, parts) for parts in self._excluded):
            return
        try:
            facts = os.lstat(path)
            if stat.S_ISLNK(facts.st_mode):
                _add_way(path, scan)
                facts = os.stat(path)  # noqa: PTH116 - bytes
        except OSError as error:
            _note(path, error, scan)
            return
        if stat.S_ISREG(facts.st_mode):
            scan.files[path] = FileFacts(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
        else:
            scan.odd[path] = _kind(facts.st_mode)


def _absolute(pattern: bytes) -> bytes:
    # Two slashes at the front are kept by abspath, as POSIX lets them mean something; on Linux they do not.
    return b"/" + os.path.abspath(pattern).lstrip(b"/")  # noqa: PTH100 - bytes


def _join(directory: bytes, name: bytes) -> bytes:
    return directory.rstrip(b"/") + b"/" + name


def _with_none_skipped(patterns: Collection[Parts]) -> set[Parts]:
    """`**` may stand for no directory at all: then what is behind it begins here."""
    return {*patterns, *(parts[1:] for parts in patterns if parts[0] is ANY_DEPTH)}


def _entries(directory: bytes, scan: Scan) -> Iterator["os.DirEntry[bytes]"]:
    try:
        with os.scandir(directory) as entries:
            scan.directories.add(directory)
            yield from entries
    except _GONE:
        _add_nearest(directory, scan)
    except OSError as error:
        if error.errno != errno.ELOOP:
            scan.unobservable[directory] = error


def _passed_over(entry: "os.DirEntry[bytes]", matching: Sequence[Part], scan: Scan) -> bool:
    """Whether it is a directory that nobody meant: `*` says no more than 'what is in here'."""
    return all(part is ANYTHING for part in matching) and _is_directory(entry, scan, follow_links=False)


def _is_directory(entry: "os.DirEntry[bytes]", scan: Scan, *, follow_links: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow_links)
    except OSError as error:
        if error.errno != errno.ELOOP:
            scan.unobservable[entry.path] = error
        return False


def _add_nearest(path: bytes, scan: Scan) -> None:
    """The nearest ancestor that is there tells when what is missing is made."""
    while path != b"/" and not os.path.isdir(path):  # noqa: PTH112 - bytes
        path = os.path.dirname(path)  # noqa: PTH120 - bytes
    scan.directories.add(path)


def _add_way(link: bytes, scan: Scan) -> None:
    """The directories through which a link leads: any of its steps may be replaced, or what it leads to be made."""
    for _ in range(_MOST_LINKS):
        try:
            target = os.readlink(link)  # noqa: PTH115 - bytes
        except OSError:
            return
        link = os.path.join(os.path.dirname(link), target)  # noqa: PTH118, PTH120 - bytes
        _add_nearest(os.path.realpath(os.path.dirname(link)), scan)  # noqa: PTH120 - bytes


def _note(path: bytes, error: OSError, scan: Scan) -> None:
    if error.errno == errno.ELOOP:
        scan.odd[path] = "a link that leads to itself"
    elif not isinstance(error, _GONE):
        scan.unobservable[path] = error
    elif os.path.islink(path):  # noqa: PTH114 - bytes
        scan.odd[path] = "a link to nothing"
    else:
        _add_nearest(os.path.dirname(path), scan)  # noqa: PTH120 - bytes


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
