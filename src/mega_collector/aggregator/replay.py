"""A dead letter on its way back through the pipeline."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from mega_collector.block import Block


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was pushed and is committed; and the bytes that were not pushed: delivered before, or nobody's."""

    entries: int
    size: int
    known: int
    unknown: int


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """The blocks of a dead letter, and what becomes of them.

    The outcome can be cancelled until the pipeline comes to it. It is `Replayed`, or else: EmitError, the destination
    did not take everything (what it took is committed); LedgerError, the ledger cannot be read; Stopping.
    """

    blocks: Sequence[Block]
    outcome: "Future[Replayed]" = field(default_factory=Future)
