"""What an emitter takes."""

from dataclasses import dataclass

from mega_collector.block import Block


@dataclass(frozen=True, slots=True)
class Batch:
    """Blocks that are emitted together, in order: at least one, of any number of sources.

    `entries` is at most `AGGREGATOR_MAX_BATCH_SIZE`; `size` is the bytes of their data, without the newlines that
    unterminated entries get.
    """

    blocks: tuple[Block, ...]
    entries: int
    size: int
