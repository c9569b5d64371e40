"""How much a destination has taken."""

from collections.abc import Sequence
from dataclasses import dataclass

from mega_collector.batch import Batch


@dataclass(frozen=True, slots=True)
class Emitted:
    """Sums since the start. `size` is bytes of data, without the newlines that unterminated entries get."""

    batches: int = 0
    entries: int = 0
    size: int = 0

    def plus(self, batches: Sequence[Batch]) -> "Emitted":
        return Emitted(
            self.batches + len(batches),
            self.entries + sum(batch.entries for batch in batches),
            self.size + sum(batch.size for batch in batches),
        )
