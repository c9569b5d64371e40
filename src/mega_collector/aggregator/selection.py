"""Which lines of what is committed somebody wants to see."""

import fnmatch
import re
from collections.abc import Iterator

from mega_collector.block import NEWLINE, Block
from mega_collector.errors import WireError

_LONGEST = 4096
"""Bytes of a glob or an expression."""

_MOST_MEMORY = 1 << 20
"""Bytes that an expression may take: RE2 refuses a larger one."""

_PIECE = 64 << 10
"""Bytes that are gone through at once, or one line."""


class Selection:
    """Globs as of a shell, where `*` matches anything, and an expression that is found in the line.

    The expression is RE2's, which takes time in proportion to the text, whatever it is:
    https://github.com/google/re2/wiki/WhyRE2.

    Raises:
        WireError: one of them cannot be understood, or is too long.
    """

    def __init__(self, *, host: str = "", path: bytes = b"", match: bytes = b"") -> None:
        if max(len(host), len(path), len(match)) > _LONGEST:
            raise WireError(f"a pattern has at most {_LONGEST} bytes")
        self._host = re.compile(fnmatch.translate(host)) if host else None
        # As fnmatch itself does for bytes.
        self._path = re.compile(fnmatch.translate(path.decode("latin-1")).encode("latin-1")) if path else None
        self._finds = _expression(match) if match else None

    def wants(self, block: Block) -> bool:
        """Whether it is of a file whose lines are wanted."""
        source = block.source
        if self._host is not None and not self._host.match(source.host):
            return False
        return self._path is None or self._path.match(source.path) is not None

    def lines(self, block: Block) -> Iterator[bytes]:
        """The lines of a block that are wanted, some at a time, each with its end; or nothing, for a piece without."""
        data = bytes(block.data)
        if not data.endswith(NEWLINE):
            data += NEWLINE
        for piece in _pieces(data):
            yield piece if self._finds is None else self._found(piece)

    def _found(self, piece: bytes) -> bytes:
        finds = self._finds
        assert finds is not None
        return b"".join(line + NEWLINE for line in piece[:-1].split(NEWLINE) if finds(line) is not None)


def _expression(match: bytes):  # type: ignore[no-untyped-def]  # noqa: ANN202 - re2 has no types
    try:
        import re2  # noqa: PLC0415 - it takes memory that nobody else needs
    except ImportError as error:
        raise WireError("there is no RE2 on the aggregator's machine: do without --match there") from error
    options = re2.Options()
    options.max_mem = _MOST_MEMORY
    options.log_errors = False
    try:
        return re2.compile(match, options).search
    except re2.error as error:
        reason = error.args[0] if error.args else error
        said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise WireError(f"the expression cannot be understood: {said}") from error


def _pieces(data: bytes) -> Iterator[bytes]:
    begin = 0
    while begin < len(data):
        end = data.rfind(NEWLINE, begin, begin + _PIECE)
        if end < 0:
            end = data.index(NEWLINE, begin)
        yield data[begin : end + 1]
        begin = end + 1
