"""Which files the patterns match now, and what can be seen of them without opening them."""

import errno
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mega_collector.collector.finding.compressed import compressed_by
from mega_collector.collector.finding.pattern import ANY_DEPTH, ANYTHING, Part, Parts, names_one, parse, path_matches

_GONE = (FileNotFoundError, NotADirectoryError)
_PAUSE = 256
"""Names between two pauses of a scan."""

_MOST_LINKS = 40
"""As many as the kernel follows: path_resolution(7)."""


class FileFacts(NamedTuple):
    """What stat(2) tells of a regular file."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    changed_ns: int = 0
    """The time of the last change to it of any kind, which nobody can set."""
    links: int = 1
    """How many names it has."""


def facts_of(facts: os.stat_result) -> FileFacts:
    return FileFacts(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_nlink)


class NotAlone(Exception):
    """What has this name says nothing by itself: a link, a directory, something odd, or hidden. A scan can tell."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the patterns want of the names in one directory."""

    names: tuple[Part, ...]
    ways: tuple[Part, ...]
    """Names that would lead further, were they links to directories."""
    excluded: Sequence[Parts]

    def file(self, path: bytes) -> bool:
        """Whether a file of that path is to be followed."""
        name = path[path.rindex(b"/") + 1 :]
        return any(part.matches(name) for part in self.names) and not _excluded(path, self.excluded)

    def way(self, path: bytes) -> bool:
        name = path[path.rindex(b"/") + 1 :]
        return any(part.matches(name) for part in self.ways)


@dataclass(slots=True)
class Scan:
    """What a scan found."""

    files: dict[bytes, FileFacts] = field(default_factory=dict)
    """Regular files by path."""
    finished: bool = True
    """Whether this is all."""
    passed_over: int = 0
    """How many there are beside these."""
    directories: set[bytes] = field(default_factory=set)
    """Where something can change: every directory that was looked into, and those that links lead through."""
    unobservable: dict[bytes, OSError] = field(default_factory=dict)
    """Files and directories that could not be looked at: they are not gone."""
    sealed: set[bytes] = field(default_factory=set)
    """Those of them that may not be opened now: when they may, that is told of their names."""
    odd: dict[bytes, str] = field(default_factory=dict)
    """What matches and is no regular file, or none that can be read as lines, with what it is. A directory that only a
    bare `*` matches is not odd."""
    listed: dict[bytes, Wanted] = field(default_factory=dict)
    """Directories whose names can be looked at one by one when they change, all but the `knots`."""
    knots: set[bytes] = field(default_factory=set)
    """Names that others hang on: links, and what they lead through. When one changes, only a scan can tell."""

    def hangs_on(self, path: bytes) -> bool:
        """Whether more than one file may depend on what that name is."""
        return path in self.knots or path in self.directories or path in self.unobservable or path in self.odd


class Discovery:
    """Finds what the patterns match and `exclude` does not.

    Patterns are bytes, as names are: `*`, `?`, `[...]` and `[!...]` match within a name, `**` any number of
    directories. A name that begins with a dot is matched by a part that begins with one. Directories that are links are
    entered where a part of the pattern names or matches them, but not by `**`, which could run in circles.

    Of files that `passes_over` says to pass over, the scan keeps only their number: there may be very many.
    """

    def __init__(
        self,
        patterns: Sequence[bytes],
        exclude: Sequence[bytes] = (),
        *,
        passes_over: Callable[[FileFacts], bool] = lambda _: False,
    ) -> None:
        self._passes_over = passes_over
        self._patterns = [parse(absolute(pattern)) for pattern in patterns]
        self._excluded = [parse(absolute(pattern)) for pattern in exclude]

    def scan(self) -> Scan:
        """Look. Nothing is opened but directories, one at a time, each once; and what is named as if compressed."""
        scan = Scan()
        for _ in self.steps(scan):
            pass
        return scan

    def steps(self, scan: Scan) -> Iterator[None]:
        """Look, as `scan` does, and pause every now and then."""
        if () in self._patterns:
            scan.odd[b"/"] = "a directory"
        waiting: list[tuple[bytes, Collection[Parts]]] = [(b"/", {parts for parts in self._patterns if parts})]
        while waiting:
            directory, patterns = waiting.pop()
            waiting.extend((yield from self._visit(directory, patterns, scan)))
            yield

    def matches(self, path: bytes) -> bool:
        """Whether a file of that path, were it there, would be found."""
        absolute = path.startswith(b"/") and b"\0" not in path and not _excluded(path, self._excluded)
        return absolute and any(path_matches(path, parts) for parts in self._patterns)

    def look(self, path: bytes) -> FileFacts | None:
        """The regular file of that very name, whether it matches or not; None if nothing has that name.

        Raises:
            NotAlone: it is something else, or hidden.
        """
        try:
            facts = os.lstat(path)
        except _GONE:
            return None
        except OSError as error:
            raise NotAlone from error
        if not stat.S_ISREG(facts.st_mode):
            raise NotAlone
        try:
            compressed = compressed_by(path)
        except OSError as error:
            raise NotAlone from error
        if compressed:
            raise NotAlone
        return facts_of(facts)

    def _visit(
        self, directory: bytes, patterns: Collection[Parts], scan: Scan
    ) -> Generator[None, None, list[tuple[bytes, Collection[Parts]]]]:
        """Look at what matches in a directory; returns the directories below to be visited, with what is left."""
        below: defaultdict[bytes, set[Parts]] = defaultdict(set)
        listed: set[Parts] = set()
        every = _with_none_skipped(patterns)
        scan.listed[directory] = self._wanted(every)
        for parts in every:
            if not parts[0].literal:
                listed.add(parts)
            elif parts[1:]:
                path = _join(directory, parts[0].text)
                if os.path.islink(path):  # noqa: PTH114 - bytes
                    scan.directories.add(directory)
                    _add_way(path, scan)
                    if _leads_nowhere(path, scan):
                        continue
                below[path].add(parts[1:])
            else:
                # It may be made at any time.
                scan.directories.add(directory)
                self._look(_join(directory, parts[0].text), scan)
        if listed:
            yield from self._list(directory, listed, scan, below)
        return list(below.items())

    def _wanted(self, patterns: Collection[Parts]) -> Wanted:
        return Wanted(
            names=tuple(parts[0] for parts in patterns if not parts[1:]),
            ways=tuple(parts[0] for parts in patterns if parts[1:] and parts[0] is not ANY_DEPTH),
            excluded=self._excluded,
        )

    def _list(
        self, directory: bytes, patterns: Collection[Parts], scan: Scan, below: defaultdict[bytes, set[Parts]]
    ) -> Iterator[None]:
        wanted = [parts[0] for parts in patterns if not parts[1:]]
        further = [parts for parts in patterns if parts[1:]]
        for count, entry in enumerate(_entries(directory, scan)):
            if count % _PAUSE == 0:
                yield
            name = entry.name
            matching = [part for part in wanted if part.matches(name)]
            if matching and not _passed_over(entry, matching, scan):
                self._look(entry.path, scan)
            for parts in further:
                if not parts[0].matches(name):
                    continue
                if parts[0] is not ANY_DEPTH and entry.is_symlink():
                    _add_way(entry.path, scan)
                if _is_directory(entry, scan, follow_links=parts[0] is not ANY_DEPTH):
                    below[entry.path].add(parts if parts[0] is ANY_DEPTH else parts[1:])

    def _look(self, path: bytes, scan: Scan) -> None:
        if path in scan.files or _excluded(path, self._excluded):
            return
        try:
            facts = os.lstat(path)
            if stat.S_ISLNK(facts.st_mode):
                _add_way(path, scan)
                facts = os.stat(path)  # noqa: PTH116 - bytes
        except OSError as error:
            _note(path, error, scan)
            return
        try:
            compressed = compressed_by(path) if stat.S_ISREG(facts.st_mode) else None
        except OSError as error:
            _note(path, error, scan)
            if isinstance(error, PermissionError):
                scan.sealed.add(path)
            return
        if compressed:
            # An empty one may turn out to be a log: there is nothing to tell of it yet, nor to ship.
            if facts.st_size:
                scan.odd[path] = f"compressed by {compressed}, and only gzip's archives are read"
        elif stat.S_ISREG(facts.st_mode):
            found = facts_of(facts)
            if self._passes_over(found):
                scan.passed_over += 1
            else:
                scan.files[path] = found
        else:
            scan.odd[path] = _kind(facts.st_mode)


class Patterns:
    """The patterns by themselves, each as it was given."""

    def __init__(self, patterns: Sequence[bytes]) -> None:
        paths = {pattern: absolute(pattern) for pattern in patterns}
        self._single = {pattern: path for pattern, path in paths.items() if names_one(path)}
        self._others = {pattern: parse(path) for pattern, path in paths.items() if not names_one(path)}

    def without_match(self, paths: Sequence[bytes]) -> Iterator[bytes]:
        """Those that match none of the paths. There may be ten thousand, of one file each: a shell makes such."""
        there = set(paths)
        yield from (pattern for pattern, path in self._single.items() if path not in there)
        for pattern, parts in self._others.items():
            if not any(path_matches(path, parts) for path in paths):
                yield pattern


def absolute(pattern: bytes) -> bytes:
    """As it is matched, from the root on."""
    # Two slashes at the front are kept by abspath, as POSIX lets them mean something; on Linux they do not.
    return b"/" + os.path.abspath(pattern).lstrip(b"/")  # noqa: PTH100 - bytes


def _excluded(path: bytes, patterns: Sequence[Parts]) -> bool:
    return bool(patterns) and any(path_matches(path, parts) for parts in patterns)


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
        _add_nearest(os.path.dirname(directory), os.path.basename(directory), scan)  # noqa: PTH119, PTH120 - bytes
    except OSError as error:
        if error.errno != errno.ELOOP:
            scan.unobservable[directory] = error
            # It tells when it may be looked into.
            _add_nearest(os.path.dirname(directory), os.path.basename(directory), scan)  # noqa: PTH119, PTH120 - bytes


def _passed_over(entry: "os.DirEntry[bytes]", matching: Sequence[Part], scan: Scan) -> bool:
    """Whether it is a directory that nobody meant: `*` says no more than 'what is in here'."""
    return matching == [ANYTHING] and _is_directory(entry, scan, follow_links=False)


def _is_directory(entry: "os.DirEntry[bytes]", scan: Scan, *, follow_links: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow_links)
    except _GONE:
        return False
    except OSError as error:
        if error.errno != errno.ELOOP:
            scan.unobservable[entry.path] = error
        return False


def _add_nearest(directory: bytes, name: bytes, scan: Scan) -> None:
    """The nearest ancestor that is there tells when what is missing is made."""
    while directory != b"/" and not os.path.isdir(directory):  # noqa: PTH112 - bytes
        directory, _, name = directory.rpartition(b"/")
        directory = directory or b"/"
    scan.directories.add(directory)
    scan.knots.add(_join(directory, name))


def _add_way(link: bytes, scan: Scan) -> None:
    """The directories through which a link leads: any of its steps may be replaced, or what it leads to be made."""
    scan.knots.add(link)
    for _ in range(_MOST_LINKS):
        try:
            target = os.readlink(link)  # noqa: PTH115 - bytes
        except OSError:
            return
        link = os.path.join(os.path.dirname(link), target)  # noqa: PTH118, PTH120 - bytes
        directory, name = os.path.split(link)
        _add_nearest(os.path.realpath(directory), name, scan)


def _leads_nowhere(link: bytes, scan: Scan) -> bool:
    """Whether there is nothing behind it, as of a link to nothing or to itself: that is noted."""
    try:
        os.stat(link)  # noqa: PTH116 - bytes
    except OSError as error:
        if error.errno == errno.ELOOP or isinstance(error, _GONE):
            _note(link, error, scan)
            return True
    return False


def _note(path: bytes, error: OSError, scan: Scan) -> None:
    if error.errno == errno.ELOOP:
        scan.odd[path] = "a link that leads to itself"
    elif not isinstance(error, _GONE):
        scan.unobservable[path] = error
    elif os.path.islink(path):  # noqa: PTH114 - bytes
        scan.odd[path] = "a link to nothing"
    else:
        _add_nearest(*os.path.split(path), scan)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
