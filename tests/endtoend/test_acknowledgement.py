"""The checkpoint moves only with acknowledgements, and either side may lose what it remembers."""

import shutil

import pytest

from harness.pipe import Pipe
from harness.site import Site
from harness.until import quiet, until


@pytest.mark.case(52)
def test_what_is_not_acknowledged_is_shipped_again_after_a_restart_of_both(site: Site) -> None:
    writer = site.writer()
    writer.write(20_000)
    with Pipe() as pipe:
        aggregator = site.aggregator(
            file_configuration=None, text_configuration="1", max_batch_size="100000", stdout=pipe.writing
        )
        collector = site.collector(shutdown_timeout="300ms")
        until(lambda: pipe.full, "the pipe should fill")
        assert collector.stop() == 0
        assert collector.events("stopped")[-1]["acknowledged"] == 0
        aggregator.kill()
    site.both()
    site.assert_delivered()


def test_a_killed_collector_sends_again_what_was_only_in_flight(site: Site) -> None:
    writer = site.writer()
    writer.write(1000)
    aggregator, collector = site.both()
    site.assert_delivered()
    aggregator.freeze()
    writer.write(1000)
    quiet(site.size, "a destination whose aggregator hangs")
    collector.kill()
    site.collector()
    aggregator.thaw()
    site.assert_delivered()


def test_what_the_aggregator_holds_and_has_not_published_is_not_taken_twice(site: Site) -> None:
    writer = site.writer()
    writer.write(1000)
    aggregator = site.aggregator(minimum_publish_frequency="1h", max_batch_size="700")
    collector = site.collector()
    site.wait_for_bytes(sum(map(len, writer.lines[:700])))
    quiet(site.size, "a batch whose time has not come")
    for _ in range(2):
        collector.kill()
        # The next one hears of what was held when that is published.
        collector = site.collector()
        collector.wait_for("file_followed")
        assert site.size() >= sum(map(len, writer.lines[:1000]))
        writer.write(10)
        quiet(site.size, "a batch whose time has not come")
        writer.write(10)
    assert aggregator.stop() == 0
    site.aggregator()
    site.assert_delivered()


@pytest.mark.case(60)
def test_the_collector_resends_after_a_reconnect(site: Site) -> None:
    writer = site.writer()
    aggregator, collector = site.both()
    for more in (1000, 0):
        collector.wait_for("connected")
        aggregator.freeze()
        writer.write(5000)
        quiet(site.size, "a destination whose aggregator hangs")
        aggregator.kill()
        if more:
            writer.write(more)
        aggregator = site.aggregator()
        site.assert_delivered()
    assert len(collector.events("connected")) == 3


def test_a_collector_that_lost_its_state_goes_on_from_the_ledger(site: Site) -> None:
    writers = [site.writer(f"{name}.log") for name in "abc"]
    for writer in writers:
        writer.write(1000)
    site.aggregator()
    collector = site.collector(id="me")
    site.assert_delivered()
    collector.stop()
    shutil.rmtree(site.directory / "collector")
    writers[0].write(100)
    site.collector(id="me")
    site.assert_delivered()


def test_a_lost_ledger_loses_nothing(site: Site) -> None:
    writer = site.writer()
    writer.write(1000)
    aggregator, _ = site.both()
    site.assert_delivered()
    aggregator.stop()
    shutil.rmtree(site.directory / "aggregator")
    writer.write(1000)
    site.aggregator()
    writer.write(1000)
    # The collector's checkpoint says where to go on, so that nothing comes twice either.
    site.assert_delivered()


def test_a_checkpoint_and_a_ledger_that_are_both_lost_begin_again_and_lose_nothing(site: Site) -> None:
    writer = site.writer()
    writer.write(1000)
    aggregator, collector = site.both()
    site.assert_delivered()
    collector.stop()
    aggregator.stop()
    for name in ("aggregator", "collector"):
        shutil.rmtree(site.directory / name)
    writer.write(1000)
    site.both()
    site.wait_for_bytes(site.bytes_written + 1000 * len(writer.lines[0]))
    site.assert_lossless()
