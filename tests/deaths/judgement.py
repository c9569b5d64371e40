"""What came of what was written, where a line that is too long comes in pieces."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from harness.lines import Generation, pieces

_MOST_TOLD = 10


class Expected:
    """What is written, as it must stand at the destination. No two entries are alike."""

    def __init__(self, written: Mapping[Generation, Sequence[bytes]], longest: int) -> None:
        self._places: dict[bytes, tuple[Generation, int]] = {}
        for generation, lines in written.items():
            for number, entry in enumerate(entry for line in lines for entry in pieces(line, longest)):
                assert entry not in self._places, f"two entries are alike: {entry!r:.100}"
                self._places[entry] = generation, number
        self.size = sum(map(len, self._places))
        """In bytes."""

    def __len__(self) -> int:
        return len(self._places)

    def missing(self, output: bytes) -> set[bytes]:
        return self._places.keys() - set(output.splitlines(keepends=True))

    def exactly(self, output: bytes) -> list[str]:
        """What is wrong, where each entry must be there once, in the order of its source."""
        counts = Counter(output.splitlines(keepends=True))
        twice = [f"{count} times: {entry!r:.100}" for entry, count in counts.items() if count > 1]
        return [*twice, *self._wrong(counts)]

    def at_least(self, output: bytes, seams: Collection[int]) -> list[str]:
        """What is wrong, where entries may come again, and be torn where the output ended once, at one of `seams`."""
        return self._wrong(dict.fromkeys(_whole(output, seams)))

    def _wrong(self, found: Collection[bytes]) -> list[str]:
        """Of entries by their first place."""
        strange = [f"never written: {entry!r:.100}" for entry in found if entry not in self._places]
        missing = [f"missing: {place} {entry!r:.60}" for entry, place in self._places.items() if entry not in found]
        return [*strange, *missing, *self._disorder(found)]

    def _disorder(self, found: Collection[bytes]) -> Iterator[str]:
        last: dict[Generation, int] = {}
        for entry in found:
            if entry in self._places:
                generation, number = self._places[entry]
                if number < last.get(generation, 0):
                    yield f"out of order: {generation} {number} behind {last[generation]}"
                last[generation] = number


def told(wrong: Sequence[str]) -> str:
    more = len(wrong) - _MOST_TOLD
    return "\n".join([*wrong[:_MOST_TOLD], *([f"and {more} more"] if more > 0 else [])])


def _whole(output: bytes, seams: Collection[int]) -> Iterator[bytes]:
    """The lines, but for what was torn at a seam: the aggregator ends that line and begins a new one."""
    at = 0
    for line in output.splitlines(keepends=True):
        at += len(line)
        if at - 1 not in seams:
            yield line
