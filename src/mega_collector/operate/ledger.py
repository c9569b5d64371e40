"""What the ledger holds, for people and for machines."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from mega_collector.aggregator.ledger_reader import Holder, LedgerReader
from mega_collector.emitter.protocol import OutputState
from mega_collector.protocol import Passage, Record
from mega_collector.telemetry.printable import printable, text


def lines(directory: Path) -> Iterator[str]:
    """Everything, a line each: sources with what is not at the destination of them, output files, collectors; totals.

    Raises:
        LedgerError: it cannot be read: why, in one line.
    """
    with closing(LedgerReader.at(directory)) as ledger:
        total = _Total()
        for record in ledger.records():
            total.add(record)
            yield from _source_lines(record)
        yield from map(_output_line, ledger.outputs())
        yield from map(_holder_line, ledger.holders())
        yield str(total)


def document(directory: Path) -> bytes:
    """The same as one JSON object. Paths that are not UTF-8 are escaped as in the lines; `path_hex` is exact.

    Raises:
        LedgerError: it cannot be read: why, in one line.
    """
    with closing(LedgerReader.at(directory)) as ledger:
        total = _Total()
        sources = [_source(total.add(record)) for record in ledger.records()]
        held = {
            "sources": sources,
            "outputs": [_output(each) for each in ledger.outputs()],
            "collectors": [_holder(each) for each in ledger.holders()],
            "total": printable(total.values()),  # whoever skips without bounds makes sums that JSON has no number for
        }
    return orjson.dumps(held, option=orjson.OPT_INDENT_2)


class _Total:
    def __init__(self) -> None:
        self._sources = self._entries = self._bytes = 0
        self._passed: dict[str, int] = {}
        """Bytes by reason."""

    def add(self, record: Record) -> Record:
        self._sources += 1
        self._entries += record.entries
        self._bytes += record.position - record.first
        for each in record.ranges:
            self._passed[each.reason] = self._passed.get(each.reason, 0) + each.end - each.start
            self._bytes -= max(0, min(each.end, record.position) - max(each.start, record.first))
        return record

    def values(self) -> dict[str, Any]:
        return {
            "sources": self._sources,
            "entries": self._entries,
            "bytes_delivered": self._bytes,
            "bytes_not_delivered": self._passed,
        }

    def __str__(self) -> str:
        passed = "".join(f", {count} {reason}" for reason, count in sorted(self._passed.items()))
        return f"total: {self._sources} sources, {self._entries} entries, {self._bytes} bytes delivered{passed}"


def _source_lines(record: Record) -> Iterator[str]:
    source = record.source
    unknown = f", unknown before {record.first}" if record.first else ""
    yield (
        f"source {text(source.collector)} {text(source.name)}: at {record.position}, {record.entries} entries, "
        f"{_state(record)} {_time(record.updated_at)}{unknown}"
    )
    yield from _passage_lines(record.ranges)


def _passage_lines(ranges: Iterable[Passage]) -> Iterator[str]:
    for each in ranges:
        end = "?" if each.end == each.start else each.end
        yield f"  {text(each.reason)} {each.start}-{end}"


def _output_line(output: OutputState) -> str:
    return f"output {text(output.path)}: {output.length} bytes committed, device {output.device} inode {output.inode}"


def _holder_line(holder: Holder) -> str:
    return f"collector {text(holder.collector)}: held by {text(holder.holder)} since {_time(holder.since)}"


def _source(record: Record) -> dict[str, Any]:
    source = record.source
    return {
        "id": source.id.hex(),
        "collector": text(source.collector),
        "path": text(source.name),
        "path_hex": source.path.hex(),
        "device": source.device,
        "inode": source.inode,
        "first": record.first,
        "position": record.position,
        "entries": record.entries,
        "crc32": record.checksum,
        "state": _state(record),
        "updated_at": _time(record.updated_at),
        "ranges": [{"start": each.start, "end": each.end, "reason": each.reason} for each in record.ranges],
    }


def _output(output: OutputState) -> dict[str, Any]:
    named = {"path": text(output.path), "device": output.device, "inode": output.inode}
    return {**named, "committed": output.length}


def _holder(holder: Holder) -> dict[str, Any]:
    named = {"collector": text(holder.collector), "holder": text(holder.holder)}
    return {**named, "since": _time(holder.since)}


def _state(record: Record) -> str:
    if record.gone:
        return "gone"
    return "finished" if record.finished else "open"


def _time(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
