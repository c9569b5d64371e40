"""Either side is stopped or killed in the middle of a shipment: the destination is complete, in order, each once."""

import pytest

from harness.lines import make_line
from harness.process import Process
from harness.site import Site

LINES, PADDING = 250_000, 240
"""One file of 66 MB."""

PARTS = 4
"""Into how many parts the ends cut the shipment."""

WINDOW = "4MiB"
"""What is in flight is still delivered by an aggregator that is asked to end: it must not be all the rest."""


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    return [make_line("a", 0, sequence, PADDING) for sequence in range(LINES)]


@pytest.fixture
def shipment(site: Site, lines: list[bytes]) -> list[int]:
    """A file waits to be shipped: the sizes of the destination at which something is to happen."""
    (site.logs / "a.log").write_bytes(b"".join(lines))
    site.written["a", 0] = lines
    size = site.bytes_written
    return [size * part // PARTS for part in range(1, PARTS)]


@pytest.mark.case(85)
def test_the_aggregator_is_stopped_in_the_middle(site: Site, shipment: list[int]) -> None:
    collector = site.collector(window_size=WINDOW)
    for size in shipment:
        aggregator = site.aggregator()
        site.wait_for_bytes(size)
        assert aggregator.stop() == 0
        assert aggregator.events("stopped", complete=True)
        _assert_under_way(site, size, shipment)
    site.aggregator()
    site.assert_delivered()
    assert collector.running


@pytest.mark.case(71)
def test_the_aggregator_is_killed_in_the_middle(site: Site, shipment: list[int]) -> None:
    collector = site.collector(window_size=WINDOW)
    for size in shipment:
        aggregator = site.aggregator()
        site.wait_for_bytes(size)
        aggregator.kill()
        _assert_under_way(site, size, shipment)
    site.aggregator()
    site.assert_delivered()
    assert collector.running


def test_the_collector_is_killed_in_the_middle(site: Site, shipment: list[int]) -> None:
    site.aggregator()
    for size in shipment:
        collector = site.collector(window_size=WINDOW)
        site.wait_for_bytes(size)
        collector.kill()
        _assert_under_way(site, size, shipment)
    site.collector()
    site.assert_delivered()


def test_both_are_killed_in_the_middle_and_their_logs_rotate(site: Site, shipment: list[int]) -> None:
    writer = site.writer("b.log")
    for number, size in enumerate(shipment):
        both = site.both()
        writer.write(1000)
        site.wait_for_bytes(size)
        for process in both:
            process.kill()
        _assert_under_way(site, size, shipment)
        writer.rotate(site.logs / f"b.{number}.log")
    writer.write(1000)
    site.both()
    site.assert_delivered()


def test_both_are_killed_where_nothing_happens_and_go_on_from_there(site: Site) -> None:
    writer = site.writer()
    for _ in range(2):
        both = site.both()
        writer.write(100)
        site.assert_delivered()
        for process in both:
            process.kill()
        writer.write(100)


def test_one_machine_is_killed_in_the_middle(site: Site, shipment: list[int]) -> None:
    for size in shipment:
        process = _one_machine(site)
        site.wait_for_bytes(size)
        process.kill()
        _assert_under_way(site, size, shipment)
    assert _one_machine(site, "--once").wait() == 0
    site.assert_delivered()


def _one_machine(site: Site, *arguments: str) -> Process:
    return site.start("run", str(site.logs / "*.log"), "--output", str(site.out), *arguments)


def _assert_under_way(site: Site, size: int, shipment: list[int]) -> None:
    """Otherwise the test would show nothing. Later ends may come too late, on a machine that is busy."""
    assert size > shipment[0] or site.size() < shipment[0] * PARTS, "it was over already"
