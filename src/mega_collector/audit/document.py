"""An audit as a machine reads it."""

from collections.abc import Callable, Iterable
from typing import Any

from mega_collector.audit.row import Row
from mega_collector.audit.sums import is_discard, is_loss
from mega_collector.audit.survey import Survey
from mega_collector.protocol import Passage, Record
from mega_collector.telemetry.printable import printable


def document(collector: str, survey: Survey) -> dict[str, Any]:
    """What `audit --json` gives: plain values. `sound` is what the exit code says."""
    rows = survey.rows
    return {
        "collector": collector,
        "known": survey.known,
        "sound": survey.sound,
        "files": [_file(row) for row in rows],
        "gone": [_gone(record) for record in survey.gone.records],
        "total": {
            "files": len(rows),
            "size": sum(row.size for row in rows),
            "committed": sum(row.committed for row in rows),
            "entries": sum(row.entries for row in rows),
            "complete": sum(row.complete for row in rows),
            "behind": sum(row.behind for row in rows),
            "own": sum(row.own for row in rows),
            "differing": sum(row.differs for row in rows),
            "unreadable": sum(bool(row.error) for row in rows),
            "gone": len(survey.gone.records),
            "gone_entries": survey.gone.entries,
            "gone_lost": survey.gone.lost,
            "gone_discarded": survey.gone.discarded,
        },
    }


def _file(row: Row) -> dict[str, Any]:
    return {
        "path": printable(row.path),
        "size": row.size,
        "committed": row.committed,
        "entries": row.entries,
        "state": row.words,
        "complete": row.complete,
        "sound": row.sound,
        "differs": row.differs,
        "behind": row.behind,
        "unknown_before": row.unknown_before,
        "own": row.own,
        "skipped": _ranges(row.passages, lambda each: not is_loss(each) and not is_discard(each)),
        "discarded": _ranges(row.passages, is_discard),
        "lost": _ranges(row.passages, is_loss),
        "error": row.error or None,
    }


def _gone(record: Record) -> dict[str, Any]:
    return {
        "path": printable(record.source.path),
        "committed": record.position,
        "entries": record.entries,
        "discarded": _ranges(record.ranges, is_discard),
        "lost": _ranges(record.ranges, is_loss),
    }


def _ranges(passages: Iterable[Passage], wanted: Callable[[Passage], bool]) -> list[dict[str, Any]]:
    """Where `end` is `start`, nobody knows how much it was."""
    return [
        {"start": each.start, "end": each.end, "reason": printable(each.reason)} for each in passages if wanted(each)
    ]
