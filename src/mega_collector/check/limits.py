"""The most memory and disk that a half can use, as a sum of what was measured and what is set: docs/performance.md."""

from collections.abc import Sequence
from dataclasses import dataclass

from mega_collector.check.finding import Finding
from mega_collector.telemetry.live import readable

_COLLECTOR = 47_000_000
_AGGREGATOR = 48_000_000
_TLS = 9_000_000
_NOTIFYING = 10_000_000
_FILE = 3_000
_STREAM = 250_000
_FREED = 15_000_000
"""Of freed memory so much cannot be used again at once."""

_OWN_DESCRIPTORS = 64
"""What a collector keeps for itself: connection, checkpoint, watch, logs, metrics."""

_ENTRY = 230
"""Bytes of a source in the checkpoint, beside its path."""

_ENDED = 1_000
"""Sources that the checkpoint remembers beyond their end."""

_GROWTH = 256 << 10
"""Bytes that a checkpoint may grow beyond twice what it began with."""

_LEDGER_LOG = 8_000_000
_LAID_ASIDE = 8
"""Parts of an output that are kept after as many kills."""


@dataclass(frozen=True, slots=True)
class Summand:
    """A part of the most: what it is for, how often, and how many bytes each time."""

    what: str
    size: int
    times: int = 1

    @property
    def total(self) -> int:
        return self.size * self.times

    @property
    def words(self) -> str:
        times = f"{self.times} x " if self.times != 1 else ""
        return f"{times}{self.what} {readable(self.size)}"


def collector_memory(*, window: int, line: int, files: int, tls: bool) -> Finding:
    return _sum(
        "memory",
        [
            Summand("started", _COLLECTOR),
            *([Summand("TLS", _TLS)] if tls else []),
            Summand("COLLECTOR_WINDOW_SIZE", window),
            Summand("COLLECTOR_MAX_LINE_SIZE", line, 2),
            Summand("file", _FILE, files),
        ],
    )


def aggregator_memory(*, buffer: int, streams: int, tls: bool, notify: bool) -> Finding:
    return _sum(
        "memory",
        [
            Summand("started", _AGGREGATOR),
            *([Summand("TLS", _TLS)] if tls else []),
            *([Summand("PagerDuty", _NOTIFYING)] if notify else []),
            Summand("freed", _FREED),
            Summand("AGGREGATOR_INGEST_BUFFER_SIZE", buffer, 2),
            Summand("stream (AGGREGATOR_MAX_STREAMS)", _STREAM, streams),
        ],
    )


def collector_disk(*, files: int, path_bytes: int, remembered: int) -> Finding:
    """`path_bytes` are those of all files' paths; `remembered` are the sources in the checkpoint now."""
    entry = _ENTRY + (path_bytes // files if files else 100)
    sources = max(files, remembered) + _ENDED
    return _sum(
        "disk, state directory",
        [
            # The checkpoint and the one before grow to twice what they began with; a third is being written.
            Summand(f"checkpoint of {sources} sources", entry * sources, 5),
            Summand("growth", _GROWTH, 2),
        ],
    )


def open_files(*, files: int, wanted: int | None, allowed: int) -> Finding:
    """`wanted` is COLLECTOR_MAX_OPEN_FILES, None for as many as possible; `allowed` what the system allows at most."""
    most = max(allowed - _OWN_DESCRIPTORS, 1) if wanted is None else min(wanted, max(allowed - _OWN_DESCRIPTORS, 1))
    rest = f"{_OWN_DESCRIPTORS} for itself (the system allows {allowed})"
    text = f"open files: at most {most}, and {rest}, of {files} that match"
    if files > most:
        return Finding(
            True, f"{text}: files are opened in turns; raise COLLECTOR_MAX_OPEN_FILES or ulimit -Hn", look=True
        )
    return Finding(True, text)


def aggregator_disk(*, ledger: int, cut: int | None, dead_letters: int | None) -> Finding:
    """`ledger` is its size now; `cut` the most that a kill leaves to be laid aside; None: that is not kept."""
    parts = [Summand("ledger now", ledger), Summand("its log", _LEDGER_LOG)]
    if cut is not None:
        parts.append(Summand("part laid aside after a kill (what is in the ingest buffer)", cut, _LAID_ASIDE))
    if dead_letters is not None:
        parts.append(Summand("AGGREGATOR_DEAD_LETTER_SIZE", dead_letters))
    finding = _sum("disk, beside the destination", parts)
    grows = "; the ledger grows by about 0.3 kB a source, until AGGREGATOR_FORGET_AFTER its end"
    return Finding(True, finding.text + grows, facts=finding.facts)


def _sum(what: str, parts: Sequence[Summand]) -> Finding:
    total = sum(part.total for part in parts)
    formula = " + ".join(part.words for part in parts)
    facts = {
        "most": what,
        "bytes": total,
        "parts": [{"what": part.what, "times": part.times, "bytes": part.size} for part in parts],
    }
    return Finding(True, f"{what}: at most about {readable(total)} = {formula}", facts=facts)
