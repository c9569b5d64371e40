"""Several collectors into one destination: each line of each stands there whole."""

import pytest

from harness.lines import assert_exactly
from harness.pipe import Pipe
from harness.site import Site
from harness.until import quiet, until

COLLECTORS, LINES = 4, 1500


@pytest.mark.case(72)
def test_into_one_file(site: Site) -> None:
    site.aggregator(max_batch_size="100")
    _start(site)
    site.assert_delivered()


@pytest.mark.case(72)
def test_into_one_pipe_with_lines_longer_than_what_is_written_in_one_piece(site: Site) -> None:
    with Pipe() as pipe:
        site.aggregator(file_configuration=None, text_configuration="1", stdout=pipe.writing, max_batch_size="100")
        pipe.close_writing()
        _start(site)
        pipe.drain()
        until(lambda: pipe.size >= site.bytes_written, "not everything came through the pipe")
        quiet(lambda: pipe.size, "the pipe")
        assert_exactly(pipe.data, site.written)
        for process in site.processes:
            process.kill()


def test_two_collectors_of_one_name_are_two(site: Site) -> None:
    """Machines made from one image may have all in common but the identity in their state."""
    site.aggregator()
    for name in ("one", "two"):
        site.writer(f"{name}.log").write(1000)
        site.collector(name=name, paths=str(site.logs / f"{name}.log"))
    site.assert_delivered()


def _start(site: Site) -> None:
    for number in range(COLLECTORS):
        writer = site.writer(f"{number}.log")
        for padding in (1000, 3000, 5000):
            writer.write(LINES // 3, padding=padding)
        site.collector(name=f"collector{number}", paths=str(writer.path))
