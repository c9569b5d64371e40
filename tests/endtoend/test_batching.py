"""When batches reach the destination: by count, by bytes, by age, and never empty."""

import time

import pytest

from harness.process import Process
from harness.site import Site
from harness.until import quiet, until


@pytest.mark.case(68)
def test_a_full_batch_is_published_at_once_and_the_rest_waits_for_its_time(site: Site) -> None:
    site.aggregator(max_batch_size="10", minimum_publish_frequency="1h")
    site.collector()
    writer = site.writer()
    writer.write(9)
    quiet(site.size, "nine lines")
    assert site.size() == 0
    writer.write(1)
    site.assert_delivered()
    writer.write(25)
    site.wait_for_bytes(sum(map(len, writer.lines[:30])))
    quiet(site.size, "five lines")
    assert site.output() == b"".join(writer.lines[:30])


@pytest.mark.case(68)
def test_a_batch_that_is_not_full_is_published_when_its_first_line_is_old_enough(site: Site) -> None:
    """However steadily others come behind it."""
    site.aggregator(minimum_publish_frequency="700ms", max_batch_size="1000000")
    site.collector()
    writer = site.writer()
    begin = time.monotonic()

    def trickle() -> bool:
        writer.write(1)
        return site.size() > 0

    until(trickle, "a steady trickle should not put a batch off")
    # Nothing can have come before its time; how long after it is the machine's affair.
    assert time.monotonic() - begin >= 0.7
    site.assert_delivered()


@pytest.mark.case(68)
def test_a_batch_is_published_at_its_size_in_bytes(site: Site) -> None:
    site.aggregator(max_batch_bytes="1000", minimum_publish_frequency="1h")
    site.collector()
    writer = site.writer()
    writer.write(1, padding=2000)
    writer.write(1, padding=600)
    writer.write(1, padding=600)
    site.wait_for_bytes(sum(map(len, writer.lines[:2])))
    quiet(site.size, "the third line")
    assert site.output() == b"".join(writer.lines[:2])


def test_large_batches_and_a_long_time_never_stall(site: Site) -> None:
    """The collector's window and the ingest buffer are far smaller than a batch might be."""
    site.aggregator(
        max_batch_size="1000000000",
        max_batch_bytes="1000000000",
        minimum_publish_frequency="1h",
        ingest_buffer_size="1MiB",
    )
    site.collector(window_size="1MiB")
    site.writer().write(20_000, padding=240)
    site.wait_for_bytes(site.bytes_written * 3 // 4)


@pytest.mark.case(70)
def test_an_empty_batch_is_never_written(site: Site) -> None:
    _, collector = site.both()
    writer = site.writer()
    collector.wait_for("file_followed")
    writer.write(1)
    site.assert_delivered()
    quiet(lambda: (site.out.stat().st_mtime_ns, site.size()), "an idle destination", 0.5)


def test_a_window_that_is_full_is_published_at_once_also_after_the_aggregator_was_killed(site: Site) -> None:
    aggregator = _patient(site)
    collector = site.collector(window_size="64KiB", max_line_size="16KiB")
    writer = site.writer()
    writer.write(10_000)
    for _ in range(3):
        until(lambda: site.size() > site.bytes_written - (128 << 10), "what does not fit into the window")
        aggregator.kill()
        writer.write(5_000)
        aggregator = _patient(site)
    until(lambda: site.size() > site.bytes_written - (128 << 10), "what does not fit into the window")
    # What does not fill the window would wait for its time.
    assert collector.stop() == 0
    assert aggregator.stop() == 0
    site.both()
    site.assert_delivered()


def _patient(site: Site) -> Process:
    return site.aggregator(max_batch_size="10000000", minimum_publish_frequency="1h")
