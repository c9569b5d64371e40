"""The contract of everything that takes batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from mega_collector.batch import Batch
from mega_collector.block import Block
from mega_collector.errors import EmitError
from mega_collector.marker import Marker


@dataclass(frozen=True, slots=True)
class OutputState:
    """An output file as it stands after an emit: what the ledger remembers of it, to recognise it at the next start.

    `length` counts the committed bytes; `before` marks those that end there.
    """

    path: str
    device: int
    inode: int
    length: int
    before: Marker


@dataclass(frozen=True, slots=True)
class Left:
    """What one output of several did not take of the batches of an emit, while others took theirs.

    `batches` were for it. `behind` is what the same sources had for other outputs behind that: it was left too, since
    positions move in order. So of each source everything is left from its first block here on. `cause` is why, `again`
    when it is worth another try, on the monotonic clock.
    """

    output: str
    cause: EmitError
    batches: tuple[Batch, ...]
    behind: tuple[Block, ...] = ()
    again: float = 0.0

    @property
    def blocks(self) -> Iterator[Block]:
        for batch in self.batches:
            yield from batch.blocks
        yield from self.behind


@dataclass(frozen=True, slots=True)
class Taken:
    """How many of the batches, from the front, an emit has done with: `count` of them, at least one.

    `discarded` says that they were given up (and laid in the dead-letter directory, where there is one) and are not at
    the destination. `outputs` are the files whose state changed. `cause` is why the rest was not taken, if tried.

    Where there are several outputs, some of what was done with may be `left`, of which no trace is at the destination
    and nothing is to be recorded: it is to come again. `given_up` are parts that were given up as if `discarded`.
    `closed` are the paths of files that nothing more is appended to as long as nothing is recorded of them again.
    """

    count: int
    discarded: bool = False
    outputs: tuple[OutputState, ...] = field(default=())
    cause: Exception | None = None
    left: tuple[Left, ...] = field(default=())
    given_up: tuple[Batch, ...] = field(default=())
    closed: tuple[str, ...] = field(default=())


class Emitter(Protocol):
    """Takes batches. Emitters wrap one another by taking the next one.

    Called from one thread at a time.
    """

    def emit(self, batches: Sequence[Batch]) -> Taken:
        """Take as many of the batches as possible, from the front, durably where the destination can.

        Blocks until the destination has taken them, or the retry policy has decided. Of what was not taken no trace is
        left at the destination (where it can be rolled back: not in a pipe).

        Raises:
            EmitError: nothing was taken; trying again can help (but see DestinationGone).
            RetriesExhausted: nothing was taken, as often as the settings allow.
            Stopping: nothing was taken, and the shutdown does not allow another try.
        """

    def close(self) -> None:
        """Release what is held. Nothing is emitted afterwards. Never raises for what a later start can mend."""


@runtime_checkable
class Reopenable(Protocol):
    """A destination with files that others may move."""

    def reopen(self) -> None:
        """Let go of files that are not what their paths name any more. Called from the thread that emits.

        Raises:
            EmitError: what a path names now cannot be used.
        """
