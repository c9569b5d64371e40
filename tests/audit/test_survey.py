"""Which of the files that are there each record is of, told by hand-made records."""

from dataclasses import replace
from pathlib import Path

import pytest

from mega_collector.audit.survey import Survey, Surveyor
from mega_collector.block import Source
from mega_collector.checksum import crc32
from mega_collector.collector.finding.discovery import Discovery
from mega_collector.marker import Marker
from mega_collector.protocol import Passage, Record

LINES = b"".join(b"line %d\n" % number for number in range(1000))


def record(path: Path, data: bytes, *, source_id: bytes = b"a") -> Record:
    """That all of `data` is committed as the content of a file that is there."""
    facts = path.stat()
    source = Source(source_id, bytes(path), facts.st_dev, facts.st_ino, Marker.of(data[:100]))
    before = Marker.of(data[-64:])
    return Record(source, 0, len(data), data.count(b"\n"), crc32(data), before, False, False, 1)


def survey(directory: Path, *records: Record, remembered: tuple[Record, ...] = ()) -> Survey:
    discovery = Discovery([bytes(directory / "*.log")])
    return Surveyor(discovery, own=directory / "state", remembered=remembered).look(records)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "a.log"
    path.write_bytes(LINES)
    return path


def test_what_the_checkpoint_remembers_counts_only_where_the_ledger_knows_nothing(log: Path) -> None:
    known, older = record(log, LINES), replace(record(log, LINES[:400]), first=400, checksum=0)
    log.write_bytes(LINES[:-5] + b"flip\n")
    assert survey(log.parent, known, remembered=(older,)).rows[0].words == "differs"
    assert survey(log.parent, remembered=(older,)).rows[0].unknown_before == 400


def test_a_number_that_another_file_has_now_says_nothing(log: Path) -> None:
    known = record(log, LINES)
    elsewhere = replace(known, source=replace(known.source, path=bytes(log.parent / "b.log")))
    log.write_bytes(LINES[::-1])
    found = survey(log.parent, elsewhere)
    assert found.rows[0].behind == len(LINES)
    assert found.gone.records == (elsewhere,)


def test_another_number_of_the_device_changes_nothing(log: Path) -> None:
    known = record(log, LINES)
    assert survey(log.parent, replace(known, source=replace(known.source, device=77))).rows[0].complete


def test_of_several_generations_the_latest_counts(log: Path) -> None:
    older = replace(record(log, LINES[:800], source_id=b"older"), finished=True)
    latest = replace(record(log, LINES[:400], source_id=b"latest"), updated_at=2)
    assert survey(log.parent, older, latest).rows[0].committed == 400


def test_what_the_collector_itself_keeps_is_not_looked_at(log: Path) -> None:
    (log.parent / "state").mkdir()
    (log.parent / "state" / "x").hardlink_to(log)
    assert survey(log.parent).rows == ()


def test_records_that_no_pattern_is_about_are_left_out(log: Path) -> None:
    known = record(log, LINES)
    other = replace(known, source=replace(known.source, id=b"b", path=b"/elsewhere/b.log", inode=1))
    lost = replace(other, ranges=(Passage(0, 5, "lost"),))
    assert survey(log.parent, known, lost).gone.records == ()
    gone = replace(lost, source=replace(lost.source, path=bytes(log.parent / "gone.log")))
    found = survey(log.parent, known, gone)
    assert found.gone.records == (gone,)
    assert not found.sound
    assert found.rows[0].complete


@pytest.mark.parametrize("path", [b"", b"x", b"relative/a.log", b"/", b"//", b"\xff\n"])
def test_whatever_is_said_to_be_a_path_harms_nothing(log: Path, path: bytes) -> None:
    known = record(log, LINES)
    odd = replace(known, source=replace(known.source, id=b"odd", path=path, inode=3))
    assert survey(log.parent, known, odd).rows[0].complete
