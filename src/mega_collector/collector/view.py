"""What a collector shows of itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mega_collector import __version__
from mega_collector.collector.reading.lag import Hold
from mega_collector.collector.statistics import CollectorStatistics, FileState
from mega_collector.protocol import Hello
from mega_collector.telemetry.live import readable
from mega_collector.telemetry.printable import printable
from mega_collector.telemetry.recent import Note
from mega_collector.telemetry.view import OLD, Fact, Flow, Group, Row, Table, View, age, count, expiry

_FEW = 3

_CHECK = "`mega-collector check collector`, as this user, says how to mend it"

MOST_FILES = 50
"""Files that are shown: more than a person reads."""


@dataclass(frozen=True, slots=True)
class Unfound:
    """What was looked for and not found; nothing before the first look."""

    patterns: Sequence[bytes] = ()
    """Those that match no file."""
    hidden: Sequence[tuple[bytes, str]] = ()
    """What could not be looked at, and why."""
    passed_over: int = 0
    """Files that match some pattern and are not followed: too old, or written by the aggregator or the collector."""


def flows(statistics: CollectorStatistics) -> tuple[Flow, ...]:
    """What flows through it."""
    return (
        Flow("Read", "bytes", statistics.tailer.bytes_read),
        Flow("Lines read", "lines", statistics.tailer.entries_read),
        Flow("Acknowledged", "bytes", statistics.shipper.bytes_acknowledged),
    )


def view(
    statistics: CollectorStatistics,
    *,
    hello: Hello,
    address: str,
    uptime: float,
    now: float,
    notes: Sequence[Note],
    unfound: Unfound = Unfound(),
) -> View:
    """As of `now`, in seconds since the epoch. `uptime` in seconds."""
    behind = _behind(statistics)
    ready, state = _state(statistics, behind, unfound)
    return View(
        half="collector",
        host=hello.host,
        version=__version__,
        uptime=uptime,
        ready=ready,
        state=state,
        flows=flows(statistics),
        groups=(
            _files(statistics),
            _connection(statistics, hello, address, now),
            _missing(statistics),
        ),
        tables=(behind, *_unfound(unfound)),
        notes=tuple(notes),
    )


def _state(statistics: CollectorStatistics, behind: Table, unfound: Unfound) -> tuple[bool, str]:
    """Whether all is well, and if not, the one thing to know."""
    ready, reason = statistics.ready
    if not ready:
        return ready, reason
    status = statistics.surroundings.status
    if status.stage is not None:
        return False, f"the aggregator waits for its {status.stage.value}: {status.words}"
    if statistics.files_stuck:
        return False, f"files that are stuck: {count(statistics.files_stuck)}, see below"
    closed = [file for file in statistics.tailer.behind if file.hold is Hold.UNREADABLE]
    if closed:
        return False, f"files that cannot be read: {count(len(closed))} ({closed[0].reason}): {_CHECK}"
    late = sum(row.bad for row in behind.rows)
    if late:
        more = " or more" if behind.left_out else ""
        return False, f"files that are late: {count(late)}{more}, see below"
    if not statistics.tailer.files and unfound.patterns and not unfound.passed_over:
        named = " nor ".join(map(printable, unfound.patterns[:_FEW]))
        more = ", nor any other pattern" if len(unfound.patterns) > _FEW else ""
        return False, f"no file matches {named}{more}: {_CHECK}"
    return True, reason


def _files(statistics: CollectorStatistics) -> Group:
    tailer, shipper = statistics.tailer, statistics.shipper
    return Group(
        "Files",
        (
            Fact("followed", count(tailer.files)),
            Fact("open", count(tailer.open_files)),
            Fact("stuck", count(statistics.files_stuck), bad=statistics.files_stuck > 0),
            Fact("not acknowledged", readable(statistics.lag)),
            Fact("in flight", f"{readable(shipper.bytes_in_flight)} of {readable(shipper.window)}"),
        ),
    )


def _connection(statistics: CollectorStatistics, hello: Hello, address: str, now: float) -> Group:
    publisher = statistics.publisher
    state = "connected" if publisher.connected else publisher.last_failure or "being made"
    facts = (
        Fact("aggregator", address),
        Fact("state", state, bad=not publisher.connected),
        Fact("failures", count(publisher.failures)),
        Fact("as", hello.collector),
        Fact("tags", tags(hello)),
    )
    return Group("Connection", (*facts, *expiry(statistics.certificate_expires_at, now)))


def _missing(statistics: CollectorStatistics) -> Group:
    tailer, shipper = statistics.tailer, statistics.shipper
    return Group(
        "What is missing",
        (
            Fact("vanished unread", _sources(tailer.sources_lost, tailer.bytes_lost), bad=tailer.sources_lost > 0),
            Fact(
                "refused for good",
                _sources(shipper.sources_stopped, shipper.bytes_refused),
                shipper.sources_stopped > 0,
            ),
            Fact("truncated", f"{count(tailer.sources_truncated)} files"),
            Fact("cut lines", count(tailer.long_lines)),
            Fact("checkpoint", "cannot be written", bad=True)
            if shipper.checkpoint_failing
            else Fact("checkpoint", "found damaged" if statistics.checkpoint_damaged else "sound"),
        ),
    )


def _sources(sources: int, size: int) -> str:
    return f"{readable(size)} of {count(sources)} files" if sources else "nothing"


def _behind(statistics: CollectorStatistics) -> Table:
    files = statistics.worst(MOST_FILES)
    return Table(
        "Files that are behind",
        ("file", "behind", "oldest", "waits at", "why"),
        tuple(_row(file) for file in files),
        none="none: everything that was read is acknowledged",
        left_out=len(statistics.tailer.behind) - len(files),
    )


def _row(file: FileState) -> Row:
    size = readable(file.size) if file.size else "unknown"
    where = ("on its way", "") if file.usual else (file.stage.value, file.cause)
    bad = file.unreadable or (not file.usual and file.seconds >= OLD)
    return Row((printable(file.path), size, age(file.seconds), *where), bad=bad)


def _unfound(unfound: Unfound) -> Iterator[Table]:
    """Nothing, where all was found: a pattern without a file may be in order, but a person should know of it."""
    none = "no file matches it"
    if unfound.passed_over:
        none += f", but perhaps one of {count(unfound.passed_over)} that are passed over"
    rows = [Row((printable(pattern), none)) for pattern in unfound.patterns]
    rows += [Row((printable(path), f"cannot be looked at: {why}"), bad=True) for path, why in unfound.hidden]
    if rows:
        yield Table(
            "What was not found", ("pattern or path", "why"), tuple(rows[:MOST_FILES]), "", len(rows[MOST_FILES:])
        )


def tags(hello: Hello) -> str:
    """A collector's, in one line."""
    return ", ".join(f"{name}={value}" for name, value in sorted(hello.tags.items()))
