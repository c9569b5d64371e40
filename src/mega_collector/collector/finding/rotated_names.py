"""What the name of a rotated file tells of its original's: a machine."""

import re
from collections.abc import Iterator

from mega_collector.marker import HEAD_SIZE, Marker

_BORDER = re.compile(rb"[._~-]")
"""Where a rotated name may begin to differ from the original's: app.log.1, app.log-20261123, app.log~."""

ARCHIVE = re.compile(rb"\.gz(?=[^a-zA-Z0-9/][^/]*$|$)")
"""At the end of a name, or before what is appended to it while the archive is written, or when it is renamed: .gz.tmp,
.gz~, .gz.1."""


_NUMBERED = re.compile(rb"(.*[^/])\.\d{1,4}(\.(?!gz$)[a-zA-Z]\w*)?")
"""What was rotated already, and is counted on with each rotation: app.log.1, and app.1.log."""

_BEFORE_EXTENSION = re.compile(rb"(.*[^/])\.\d{1,4}(\.(?!gz$)[a-zA-Z]\w*)")
"""What was rotated already, and keeps its extension: app.1.log, but not app.log.1.gz."""

_COPIED = b".tmp"


def places(path: bytes) -> Iterator[bytes]:
    """The path, and what it would be a directory above: a rotation may put it below its original (olddir)."""
    yield path
    directory, _, name = path.rpartition(b"/")
    if b"/" in directory:
        yield directory[: directory.rindex(b"/") + 1] + name


def originals(path: bytes) -> Iterator[bytes]:
    """What the original may be called, if this is the name of a copy: app.log of app.log.1, and of app.1.log.

    Or app.log.tmp, if it was found when it was to be copied.
    """
    for place in places(path):
        dot = place.rfind(b".")
        for border in _BORDER.finditer(place, place.rfind(b"/") + 2):
            yield from _called(place[: border.start()], path)
            if border.start() < dot:
                yield from _called(place[: border.start()] + place[dot:], path)


def _called(original: bytes, copy: bytes) -> Iterator[bytes]:
    yield original
    if original + _COPIED != copy:
        yield original + _COPIED


def plain(path: bytes) -> bytes:
    """What the file was called that an archive of this name was made of."""
    return ARCHIVE.split(path, 1)[0]


def unnumbered(path: bytes) -> bytes | None:
    """What the file was called before it was rotated, if rotations count: app.log of app.log.2, and of app.2.log."""
    numbered = _NUMBERED.fullmatch(path)
    return None if numbered is None else b"".join(filter(None, numbered.groups()))


def is_moved(old: bytes, new: bytes) -> bool:
    """Whether a file of the old name may be called so after rotations."""
    return old == new or old in originals(new) or (unnumbered(old) is not None and unnumbered(old) == unnumbered(new))


def uncopied(path: bytes) -> bytes:
    """What the file was called before it was renamed to be copied: app.log of app.log.tmp (logrotate's renamecopy)."""
    return path.removesuffix(_COPIED)


def is_named_after(path: bytes, original: bytes) -> bool:
    """As rotations do it: app.log.1.gz, app.log-20261123.gz; or, before the extension, app.1.log.gz."""
    return any(_extends(place, original) for place in places(path))


def unrotated(path: bytes) -> bytes | None:
    """What the file was called before it was rotated, if that was done before its extension: app.log of app.1.log.

    Or it never was: web.10.0.0.1.log may be a log of its own.
    """
    rotated = _BEFORE_EXTENSION.fullmatch(path)
    return None if rotated is None else b"".join(rotated.groups())


def root(original: bytes) -> bytes:
    """What all names begin with that are named after this one, or after what was rotated to it."""
    log = unrotated(original) or original
    stem = _stem(log)
    return log if stem is None else stem


def roots(path: bytes) -> Iterator[bytes]:
    """The roots of all that this may be named after."""
    for place in places(path):
        yield from (place[:end] for end in range(1, len(place) + 1))


def _stem(original: bytes) -> bytes | None:
    """What is before its extension, if it has one."""
    stem, dot, extension = original.rpartition(b".")
    return stem if dot and b"/" not in extension and not stem.endswith(b"/") else None


def _extends(path: bytes, original: bytes) -> bool:
    if path.startswith(original):
        return True
    stem = _stem(original)
    return stem is not None and path.startswith((stem + b".", stem + b"-"))


def is_plausible(position: int, head: Marker, original: bytes, *, of: bytes, size: int, named: bool = False) -> bool:
    """Whether the archive `of` that path and size may hold what was shipped of a source up to `position`.

    Few bytes may be a coincidence: other files can begin alike, unless the name tells otherwise, or what else is known
    of it (`named`).
    """
    return (
        position == size
        or original == of
        or named
        or is_named_after(of, original)
        or (position >= HEAD_SIZE and head.length == HEAD_SIZE)
    )
