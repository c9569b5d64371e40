"""Long scans in short slices."""

from itertools import count
from pathlib import Path

from mega_collector.collector.finding.discovery import Discovery
from mega_collector.collector.finding.slices import Slices


def test_a_scan_goes_on_where_its_slice_ended_and_the_next_begins_anew(tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / f"{number}.log").touch()
    discovery = Discovery([bytes(tmp_path / "*.log")])
    time = count()
    slices = Slices(discovery, seconds=1, clock=lambda: next(time))
    for _ in range(2):
        found = [0]
        while not (scan := slices.scan()).finished:
            assert len(scan.files) >= found[-1]
            found.append(len(scan.files))
        assert len(set(found)) > 2
        assert scan.files == discovery.scan().files


def test_a_short_scan_is_done_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    assert Slices(Discovery([bytes(tmp_path / "*.log")]), clock=lambda: 0.0).scan().finished
