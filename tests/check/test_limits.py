"""The most that is said is the sum of what is said beside it."""

from collections.abc import Mapping
from typing import Any

from mega_collector.check.finding import Finding
from mega_collector.check.limits import aggregator_disk, aggregator_memory, collector_disk, collector_memory, open_files

MIB = 1 << 20


def _assert_sums_up(finding: Finding) -> Mapping[str, Any]:
    assert finding.facts["bytes"] == sum(part["times"] * part["bytes"] for part in finding.facts["parts"])
    return finding.facts


def test_the_sums_are_those_of_their_parts() -> None:
    _assert_sums_up(collector_memory(window=32 * MIB, line=MIB, files=10, tls=True))
    _assert_sums_up(collector_disk(files=10, path_bytes=200, remembered=5))
    _assert_sums_up(aggregator_memory(buffer=12 * MIB, streams=256, tls=True, notify=True))
    _assert_sums_up(aggregator_disk(ledger=0, cut=12 * MIB, dead_letters=1024 * MIB))


def test_what_was_measured_is_below_it() -> None:
    """docs/performance.md: a backlog; 10 000 files that grow; 50 collectors at a destination that hangs."""
    assert _assert_sums_up(collector_memory(window=32 * MIB, line=MIB, files=100, tls=False))["bytes"] > 79e6
    assert _assert_sums_up(collector_memory(window=32 * MIB, line=MIB, files=10_000, tls=False))["bytes"] > 91e6
    assert _assert_sums_up(aggregator_memory(buffer=12 * MIB, streams=50, tls=False, notify=False))["bytes"] > 99e6
    assert _assert_sums_up(aggregator_memory(buffer=64 * MIB, streams=50, tls=False, notify=False))["bytes"] > 190e6


def test_more_files_than_may_be_open_are_told() -> None:
    assert not open_files(files=100, wanted=None, allowed=164).look
    assert open_files(files=101, wanted=None, allowed=164).look
    assert open_files(files=11, wanted=10, allowed=1024).look
