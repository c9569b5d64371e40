"""The destination is standard output: everything comes at least once, in order, as long as somebody reads."""

from typing import Any

import pytest

from harness.lines import assert_exactly
from harness.pipe import Pipe
from harness.process import Process
from harness.site import Site
from harness.until import quiet, until


def _to_stdout(site: Site, pipe: Pipe, **settings: Any) -> Process:
    aggregator = site.aggregator(file_configuration=None, text_configuration="1", stdout=pipe.writing, **settings)
    pipe.close_writing()
    return aggregator


@pytest.mark.case(62, 86)
def test_a_full_pipe_holds_up_the_collectors_and_memory_stays(site: Site) -> None:
    writer = site.writer()
    writer.write(500_000, padding=240)
    with Pipe() as pipe:
        aggregator = _to_stdout(site, pipe)
        collector = site.collector()
        until(lambda: pipe.full, "the pipe should fill")
        quiet(lambda: pipe.waiting, "a full pipe")
        limit = 160_000_000
        assert aggregator.peak_memory() < limit
        assert collector.peak_memory() < limit
        pipe.drain()
        until(lambda: pipe.size == site.bytes_written, "not everything came through the pipe")
        quiet(lambda: pipe.size, "the pipe")
        assert_exactly(pipe.data, site.written)
        assert aggregator.stop() == 0


@pytest.mark.case(86)
def test_with_a_full_pipe_the_end_comes_in_time_and_nothing_is_acknowledged(site: Site) -> None:
    site.writer().write(10_000)
    with Pipe() as pipe:
        aggregator = _to_stdout(site, pipe, shutdown_timeout="300ms", max_batch_size="100000")
        collector = site.collector()
        until(lambda: pipe.full, "the pipe should fill")
        assert aggregator.stop() == 0
        assert aggregator.events("shutdown_incomplete")
        assert aggregator.events("stopped", complete=False)
        collector.kill()
    with Pipe() as pipe:
        _to_stdout(site, pipe)
        pipe.drain()
        site.collector()
        until(lambda: pipe.size == site.bytes_written, "not everything came through the pipe")
        assert_exactly(pipe.data, site.written)
        for process in site.processes:
            process.kill()


@pytest.mark.case(86)
def test_a_reader_that_dies_ends_the_aggregator_with_an_error(site: Site) -> None:
    writer = site.writer()
    writer.write(100)
    with Pipe() as pipe:
        aggregator = _to_stdout(site, pipe)
        site.collector()
        until(lambda: pipe.waiting == site.bytes_written, "nothing came into the pipe")
        pipe.close_reading()
        writer.write(100)
        assert aggregator.wait() == 1
    assert "nobody reads it any more" in aggregator.events("failed")[0]["error"]
