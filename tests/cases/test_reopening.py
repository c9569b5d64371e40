"""SIGHUP, by which people have daemons turn to new files: here it means the output, and the certificates."""

import signal

import pytest

from harness.site import Site
from harness.until import until


@pytest.mark.case(96)
def test_on_sighup_the_aggregator_lets_go_of_a_moved_output_at_once_and_nothing_is_lost(site: Site) -> None:
    """So that what moved it may compress it."""
    aggregator, collector, writer = site.shipped(100)
    moved = site.out.with_suffix(".1")
    site.out.rename(moved)
    aggregator.signal(signal.SIGHUP)
    until(site.out.exists, "the output should be made anew, with nothing to write")
    until(lambda: not aggregator.holds(moved), "what was moved should be free")
    collector.signal(signal.SIGHUP)
    collector.wait_for("reopening")
    before = moved.read_bytes()
    writer.write(100)
    site.wait_for_bytes(site.bytes_written - len(before))
    assert before + site.output() == b"".join(line for lines in site.written.values() for line in lines)
    assert (collector.stop(), aggregator.stop()) == (0, 0)
    assert len(collector.events("connected")) == 1
