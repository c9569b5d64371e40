"""In which stage a file waits, and for what, in words: a machine."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mega_collector.collector.reading.lag import FileLag, Hold
from mega_collector.protocol import Stage, Status
from mega_collector.stuck import Waiting

_FIRST_CONNECTION = "the first connection is being made"


@dataclass(frozen=True, slots=True)
class Step:
    """What the tailer is at: since when, and if it reads a file, which."""

    since: float
    path: bytes | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is the same for all files."""

    connected: bool
    failure: str | None
    """Why there is no connection."""
    status: Status
    """What holds up the aggregator."""
    batch_age: float
    """Seconds that the aggregator may wait for a batch to be full."""
    room: bool
    """Whether there is room in the window."""
    waits: bool = False
    """Whether the aggregator lets other collectors send for now."""
    hanging: Step | None = None
    """What the tailer has been at for so long that a filesystem must hang."""


NOWHERE = Surroundings(connected=False, failure=None, status=Status(), batch_age=0.0, room=True)
"""Before anything has begun."""


class Whereabouts(NamedTuple):
    """`cause` is the same for as long as it is the same cause; `words` say how it stands by now, if that is more."""

    stage: Stage
    cause: str
    words: str = ""
    patience: float = 0.0
    """Seconds that it may rightly be so."""


def whereabouts(file: FileLag, around: Surroundings) -> Whereabouts:
    """Where the file waits: what keeps it from being read first, then from the nearest to the farthest."""
    if around.hanging is not None:
        return Whereabouts(Stage.READING, _hangs(around.hanging))
    if file.hold is Hold.UNREADABLE:
        return Whereabouts(Stage.READING, file.reason)
    if not around.connected:
        return Whereabouts(Stage.CONNECTION, around.failure or _FIRST_CONNECTION)
    if file.hold is Hold.REFUSED:
        return Whereabouts(Stage.CONNECTION, f"the aggregator refuses the source for good: {file.reason}")
    status = around.status
    if status.stage is not None:
        return Whereabouts(status.stage, status.cause, status.words)
    if file.hold is Hold.DESCRIBED:
        return Whereabouts(Stage.CONNECTION, "the aggregator does not say from where on it wants the file")
    if file.hold is Hold.SENT:
        cause = "the aggregator has what was sent, and does not say why it waits"
        return Whereabouts(Stage.INGEST_BUFFER, cause, patience=around.batch_age)
    if around.waits:
        return Whereabouts(Stage.INGEST_BUFFER, "other collectors have their turn to send")
    if not around.room:
        cause = "as much is in flight as may be: by COLLECTOR_WINDOW_SIZE, or the share that the aggregator grants"
        return Whereabouts(Stage.WINDOW, cause, patience=around.batch_age)
    return Whereabouts(Stage.READING, "it has not been its turn")


def waiting(files: Iterable[FileLag], around: Surroundings) -> Iterator[Waiting]:
    """All that waits: the files, and what the tailer is at."""
    for each in files:
        where = whereabouts(each, around)
        yield Waiting(_text(each.path), where.stage, where.cause, each.progressed_at, where.patience, where.words)
    if (step := around.hanging) is not None:
        yield Waiting(_text(step.path or b"?"), Stage.READING, _hangs(step), step.since)


def _text(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


def _hangs(step: Step) -> str:
    what = "a filesystem (of the logs, or of its state)" if step.path is None else _text(step.path)
    return f"the collector waits for {what} and gets no answer"
