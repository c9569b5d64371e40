"""Where the time goes: what each stage of the way costs alone, in one thread, on blocks of 1 MiB of an access log."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import zstandard

from bench import check, workload
from bench.contenders.ours import MegaCollector
from bench.record import Record, Run
from bench.session import Session
from mega_collector import wire
from mega_collector.aggregator.batcher import Batcher
from mega_collector.aggregator.checksums import Checksums
from mega_collector.aggregator.ledger import Advance, Ledger
from mega_collector.batch import Batch
from mega_collector.block import NEWLINE, Block, Source
from mega_collector.checksum import crc32
from mega_collector.emitter.configuration import Format
from mega_collector.emitter.format import payload_in
from mega_collector.emitter.output import Output
from mega_collector.entries import newlines
from mega_collector.marker import Marker

T = TypeVar("T")

_BLOCK = 1 << 20
_BLOCKS = 64
_BATCH_ENTRIES = 1000
_BLOCKS_TOGETHER, _BATCHES_TOGETHER = 8, 44
"""What shares one write, sync and transaction: about as much as is ready at once under load."""

_WRITTEN = "written.log"

_SOURCE = Source(b"\0" * 16, b"/var/log/access.log", 1, 2, Marker(), host="bench", tags={"host": "bench"})


def stages(session: Session) -> Record:
    """CPU seconds for a gigabyte, of each stage."""
    return session.rounds("stages", [(MegaCollector(), lambda round_: _measure(session, round_))], session.runs(5))


def _measure(session: Session, round_: int) -> Run:
    log = session.memory / "access.log"
    if not log.exists():
        workload.write(log, _BLOCK * _BLOCKS)
    blocks = _blocks(log)
    size = sum(len(block.data) for block in blocks)
    figures = {"bytes": size, **_stages(session.memory, log, blocks)}
    written = session.memory / _WRITTEN
    run = Run(MegaCollector.name, round_, check.compare(log, written), figures)
    written.unlink()
    return run


def _stages(directory: Path, log: Path, blocks: list[Block]) -> dict[str, float]:
    messages = [wire.serialize(block) for block in blocks]
    heard = [wire.parse(message) for message in messages]
    packed = [zstandard.ZstdCompressor(level=1).compress(block.data) for block in blocks]
    unpacker = zstandard.ZstdDecompressor()
    batches = _batches(blocks)
    return {
        "read": _cpu(lambda: _read(log)),
        "count": _each(blocks, lambda block: newlines(bytes(block.data))),
        "checksum": _each(blocks, lambda block: crc32(block.data)),
        "copy": _each(blocks, lambda block: bytes(memoryview(block.data))),
        "compress": _each(blocks, lambda block: wire.serialize(block, compress=True)),
        "serialize": _each(blocks, wire.serialize),
        "parse": _each(messages, wire.parse),
        "check": _each(heard, lambda each: wire.decode_block(each.message.block, each.payload, _SOURCE)),
        "decompress": _each(packed, unpacker.decompress),
        "batch": _cpu(lambda: _batches(blocks)),
        "format_json": _cpu(lambda: _format(batches)),
        "write": _cpu(lambda: _write(directory, batches)),
        "commit": _cpu(lambda: _commit(directory, blocks)),
    }


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _each(values: list[T], work: Callable[[T], object]) -> float:
    def all_of_them() -> None:
        for value in values:
            work(value)

    return _cpu(all_of_them)


def _blocks(log: Path) -> list[Block]:
    blocks, data, start = [], log.read_bytes(), 0
    while start < len(data):
        end = data.rfind(NEWLINE, start, start + _BLOCK) + 1
        part = data[start:end]
        blocks.append(Block(_SOURCE, start, part, part.count(NEWLINE)))
        start = end
    return blocks


def _read(log: Path) -> None:
    with log.open("rb") as file:
        at = 0
        while data := os.pread(file.fileno(), _BLOCK, at):
            at += len(data)


def _batches(blocks: list[Block]) -> list[Batch]:
    batcher = Batcher(max_entries=_BATCH_ENTRIES, max_bytes=8 * _BLOCK, max_age=1.0)
    return [*(batch for block in blocks for batch in batcher.add(block, 0.0)), *batcher.flush()]


def _format(batches: list[Batch]) -> None:
    payload = payload_in(Format.JSON)(batches, b"")
    while payload:
        payload.advance(sum(map(len, payload.head())))


def _write(directory: Path, batches: list[Batch]) -> None:
    output = Output.open(directory / _WRITTEN)
    for at in range(0, len(batches), _BATCHES_TOGETHER):
        output.append(payload_in(Format.RAW)(batches[at : at + _BATCHES_TOGETHER], b""))
        output.sync()
    output.close()


def _commit(directory: Path, blocks: list[Block]) -> None:
    ledger = Ledger(directory / "ledger")
    checksums = Checksums(lambda _: None)
    checksums.look_up([_SOURCE.id])
    for at in range(0, len(blocks), _BLOCKS_TOGETHER):
        some = blocks[at : at + _BLOCKS_TOGETHER]
        checksum, _ = checksums.extend(_SOURCE.id, some)
        ledger.commit([Advance(_SOURCE, some[0].start, some[-1].end, 1, Marker.of(b"x" * 64), checksum=checksum)])
    ledger.close(clean=True)
