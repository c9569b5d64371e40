"""What an aggregator shows of itself, and of the collectors."""

import re
from collections.abc import Iterable, Iterator, Sequence

from mega_collector import __version__
from mega_collector.aggregator.acquaintances import Acquaintance
from mega_collector.aggregator.statistics import AggregatorStatistics
from mega_collector.emitter.notify import AlertStatistics
from mega_collector.protocol import Behind, Report
from mega_collector.telemetry.live import readable
from mega_collector.telemetry.printable import printable
from mega_collector.telemetry.recent import Note
from mega_collector.telemetry.view import OLD, Fact, Flow, Group, Row, Table, View, age, count, expiry

MOST_ROWS = 100
"""Collectors that are shown, and files of theirs."""

_MADE = re.compile("[0-9a-f]{32}")

_LONGEST_TAGS = 200
"""Characters of a collector's tags."""


def flows(statistics: AggregatorStatistics) -> tuple[Flow, ...]:
    """What flows through it."""
    return (
        Flow("Received", "bytes", statistics.buffer.bytes_received),
        Flow("Lines received", "lines", statistics.buffer.entries_received),
        Flow("Delivered", "bytes", statistics.pipeline.bytes_emitted),
    )


def view(
    statistics: AggregatorStatistics,
    collectors: Sequence[Acquaintance],
    *,
    host: str,
    destination: str,
    uptime: float,
    now: float,
    notes: Sequence[Note],
) -> View:
    """As of `now`, in seconds since the epoch. `destination` says what that is; `uptime` in seconds."""
    behind = _behind(collectors)
    ready, state = _state(statistics, behind)
    return View(
        half="aggregator",
        host=host,
        version=__version__,
        uptime=uptime,
        ready=ready,
        state=state,
        flows=flows(statistics),
        groups=(
            _destination(statistics, destination),
            _on_the_way(statistics, now),
            _missing(statistics),
            _alerts(statistics.alerts),
        ),
        tables=(behind, _collectors(collectors)),
        notes=tuple(notes),
    )


def _state(statistics: AggregatorStatistics, behind: Table) -> tuple[bool, str]:
    """Whether all is well, and if not, the one thing to know."""
    ready, reason = statistics.ready
    held_up = statistics.held_up
    if not ready:
        words = _silent(statistics) if statistics.hanging and not statistics.retry.failing else held_up.words
        return False, f"the {held_up.stage.value} takes nothing: {words}" if held_up.stage is not None else reason
    stuck = sum(row.bad for row in behind.rows)
    if stuck:
        more = " or more" if behind.left_out else ""
        return False, f"files that are late or do not arrive: {count(stuck)}{more}, see below"
    if statistics.failing_output is not None:
        return False, f"some outputs take nothing: {held_up.words}"
    if statistics.alerts is not None and statistics.alerts.problem is not None:
        return False, f"an alert did not get out: {statistics.alerts.problem}"
    return True, reason


def _silent(statistics: AggregatorStatistics) -> str:
    return f"{statistics.destination} has not answered for {age(statistics.pipeline.emitting)}: it is slow, or hangs"


def _destination(statistics: AggregatorStatistics, destination: str) -> Group:
    retry, pipeline = statistics.retry, statistics.pipeline
    if retry.failing:
        state = Fact("state", "takes nothing", bad=True)
    elif statistics.failing_outputs:
        state = Fact("state", f"{count(statistics.failing_outputs)} outputs take nothing", bad=True)
    elif pipeline.emitting >= 1:
        state = Fact("state", f"has not answered for {age(pipeline.emitting)}", bad=statistics.hanging)
    else:
        state = Fact("state", "takes what comes")
    return Group(
        "Destination",
        (
            Fact("where", destination),
            state,
            Fact("failed tries", count(retry.failures)),
            Fact("ledger", "written" if pipeline.committing else "cannot be written", bad=not pipeline.committing),
            Fact("batches delivered", count(pipeline.batches_emitted)),
        ),
    )


def _on_the_way(statistics: AggregatorStatistics, now: float) -> Group:
    buffer, batcher, server = statistics.buffer, statistics.batcher, statistics.server
    return Group(
        "On the way",
        (
            Fact("ingest buffer", f"{readable(buffer.size)} of {readable(buffer.limit)}"),
            Fact("open batch", f"{count(batcher.entries_pending)} lines, {readable(batcher.bytes_pending)}"),
            Fact("connections", count(server.streams)),
            Fact("that wait for room", count(buffer.waiting)),
            *expiry(statistics.certificate_expires_at, now),
        ),
    )


def _missing(statistics: AggregatorStatistics) -> Group:
    pipeline, server, letters = statistics.pipeline, statistics.server, statistics.dead_letters
    given_up = f"{count(pipeline.entries_discarded)} lines, {readable(pipeline.bytes_discarded)}"
    lost = f"{readable(pipeline.bytes_lost)} of {count(pipeline.sources_lost)} files"
    return Group(
        "What is missing",
        (
            Fact("discarded", given_up if pipeline.batches_discarded else "nothing", pipeline.batches_discarded > 0),
            Fact("dead letters", readable(letters.kept_size)),
            Fact("vanished unread", lost if pipeline.sources_lost else "nothing", pipeline.sources_lost > 0),
            Fact("refused blocks", count(server.blocks_refused)),
            Fact("refused connections", count(server.streams_refused)),
        ),
    )


def _alerts(alerts: AlertStatistics | None) -> Group:
    if alerts is None:
        return Group("Alerts", (Fact("to", "nobody: AGGREGATOR_NOTIFY_CONFIGURATION is not set"),))
    state = "nothing was sent yet" if not alerts.accepted else "the last one got there"
    return Group(
        "Alerts",
        (
            Fact("to", "PagerDuty"),
            Fact("state", alerts.problem or state, bad=alerts.problem is not None),
            Fact("taken", count(alerts.accepted)),
            Fact("refused", count(alerts.refused)),
            Fact("failed tries", count(alerts.failed)),
            Fact("waiting", count(alerts.pending)),
        ),
    )


def _collectors(collectors: Sequence[Acquaintance]) -> Table:
    return Table(
        "Collectors",
        ("collector", "state", "files", "behind", "oldest", "version", "tags"),
        tuple(map(_row, collectors[:MOST_ROWS])),
        none="none has come yet",
        left_out=max(len(collectors) - MOST_ROWS, 0),
    )


def _row(known: Acquaintance) -> Row:
    hello, report = known.hello, known.report
    name = hello.host if hello.collector in {"", hello.host} else f"{hello.host} ({_short(hello.collector)})"
    state = f"connected for {age(known.since)}" if known.connected else f"gone for {age(known.since)}"
    lag = ("", "", "") if report is None else (_files(report), _lag(report), _oldest(report.oldest))
    tags = ", ".join(f"{key}={value}" for key, value in sorted(hello.tags.items()) if key != "host")
    shown = tags if len(tags) <= _LONGEST_TAGS else tags[:_LONGEST_TAGS] + "..."
    idle = report is not None and not report.files and not report.behind
    return Row((name, state, *lag, hello.version, shown), bad=not known.connected or idle)


def _short(collector: str) -> str:
    """An id that was made, not chosen, is long, and told apart by its beginning."""
    return f"{collector[:8]}..." if _MADE.fullmatch(collector) else collector


def _lag(report: Report) -> str:
    if report.lag:
        return readable(report.lag)
    return "unknown" if report.behind else "up to date"


def _files(report: Report) -> str:
    return count(report.files) if report.files or report.behind else "none"


def _oldest(seconds: float) -> str:
    return age(seconds) if seconds else ""


def _behind(collectors: Iterable[Acquaintance]) -> Table:
    found = sorted(_lagging(collectors), key=lambda each: each[1].oldest, reverse=True)
    return Table(
        "Files that are behind",
        ("file", "host", "behind", "oldest", "waits at", "why"),
        tuple(
            Row(
                (
                    printable(file.path),
                    host,
                    readable(file.lag) if file.lag else "unknown",
                    _oldest(file.oldest),
                    file.stage or "on its way",
                    file.cause,
                ),
                bad=bool(file.stage) and (file.oldest >= OLD or not file.lag),
            )
            for host, file in found[:MOST_ROWS]
        ),
        none="none that a collector tells of",
        left_out=max(len(found) - MOST_ROWS, 0),
    )


def _lagging(collectors: Iterable[Acquaintance]) -> Iterator[tuple[str, Behind]]:
    for known in collectors:
        for file in known.report.behind if known.report else ():
            yield known.hello.host, file
