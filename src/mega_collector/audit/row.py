"""What an audit says of one file."""

from collections.abc import Iterator
from dataclasses import dataclass

from mega_collector.audit.sums import is_discard, is_loss
from mega_collector.protocol import Passage
from mega_collector.telemetry.printable import text

_MOST_SHOWN = 5
"""Ranges of a file that are shown: a sparse one may have thousands."""


@dataclass(frozen=True, slots=True)
class Row:
    """Sizes and positions in bytes; of an archive, in what it holds."""

    path: bytes
    size: int = 0
    committed: int = 0
    entries: int = 0
    differs: bool = False
    """Whether the file holds something else than what was committed of it."""
    behind: int = 0
    """Bytes that are not committed yet."""
    waiting_for: str = ""
    """Why they are not, if that is known."""
    unknown_before: int = 0
    passages: tuple[Passage, ...] = ()
    error: str = ""
    """Why it cannot be read."""
    own: bool = False
    """Whether the aggregator writes it: it is not to be shipped."""

    @property
    def complete(self) -> bool:
        left = self.differs or self.behind or self.unknown_before or self.passages or self.error
        return not (left or self.own)

    @property
    def sound(self) -> bool:
        """Whether it can be read, and nothing differs or is lost."""
        return not (self.differs or self.error or any(is_loss(each) or is_discard(each) for each in self.passages))

    @property
    def words(self) -> str:
        return ", ".join(self._said()) or "complete"

    def _said(self) -> Iterator[str]:
        if self.own:
            yield "own output"
        if self.error:
            yield f"cannot be read: {self.error}"
        if self.differs:
            yield "differs"
        if self.unknown_before:
            yield f"unknown before {self.unknown_before}"
        yield from map(_told, self.passages[:_MOST_SHOWN])
        if len(self.passages) > _MOST_SHOWN:
            further = self.passages[_MOST_SHOWN:]
            yield f"{len(further)} more ranges of {sum(each.end - each.start for each in further)} bytes"
        if self.behind:
            yield f"behind by {self.behind}" + (f" ({self.waiting_for})" if self.waiting_for else "")


def _told(passage: Passage) -> str:
    where = f"{passage.start}-{passage.end}"
    if is_loss(passage) or is_discard(passage):
        return f"{passage.reason} {where}"
    return f"skipped {where} ({text(passage.reason)})"
