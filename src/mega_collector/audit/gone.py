"""What is committed of files that are gone."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from mega_collector.audit.sums import is_discard, is_loss
from mega_collector.protocol import Passage, Record


@dataclass(frozen=True, slots=True)
class Gone:
    """Records whose files are not there: truncated, rotated away, or deleted."""

    records: tuple[Record, ...]

    @property
    def entries(self) -> int:
        return sum(record.entries for record in self.records)

    @property
    def lost(self) -> int:
        """Bytes that are known to be lost."""
        return _bytes(each for each in self._ranges if is_loss(each))

    @property
    def unknown(self) -> int:
        """How many of them were lost sight of: nobody knows whether anything was behind, and how much."""
        return sum(1 for each in self._ranges if is_loss(each) and each.start == each.end)

    @property
    def discarded(self) -> int:
        return _bytes(each for each in self._ranges if is_discard(each))

    @property
    def sound(self) -> bool:
        """Whether nothing of them is lost."""
        return not any(is_loss(each) or is_discard(each) for each in self._ranges)

    @property
    def words(self) -> str:
        """Empty if there are none."""
        if not self.records:
            return ""
        said = f"{len(self.records)} more whose files are gone: {self.entries} entries; {self.lost} bytes lost"
        if self.unknown:
            said += f"; of {self.unknown} nobody knows what was lost behind the end"
        return said + (f"; {self.discarded} bytes discarded" if self.discarded else "")

    @property
    def _ranges(self) -> Iterable[Passage]:
        return (each for record in self.records for each in record.ranges)


def gone(records: Iterable[Record], claimed: Collection[bytes]) -> Gone:
    """Those that no file has, but for such as hold nothing."""
    return Gone(tuple(each for each in records if each.source.id not in claimed and (each.position > 0 or each.ranges)))


def _bytes(ranges: Iterable[Passage]) -> int:
    return sum(each.end - each.start for each in ranges)
