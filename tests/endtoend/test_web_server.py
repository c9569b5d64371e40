"""nginx under load, its access log rotated by logrotate: each request that it logged stands in the destination once."""

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from endtoend.web import CONNECTIONS, WebServer, lines_of, require
from harness.site import Site
from harness.until import quiet, rests, until


@pytest.fixture
def server(site: Site) -> Iterator[WebServer]:
    require("nginx", "wrk", "logrotate")
    with WebServer(site.directory / "nginx", site.logs / "access.log") as server:
        yield server


@pytest.mark.case(21)
@pytest.mark.parametrize("pattern", ["access.log", "access.log*"])
def test_created_anew_under_load(site: Site, server: WebServer, pattern: str) -> None:
    site.aggregator()
    collector = site.collector(paths=str(site.logs / pattern))
    load = server.load(seconds=2)
    for number in range(5):
        # Whoever rotates faster than anyone can look, and takes the name away, has not been seen.
        collector.wait_for("file_followed", count=number + 1)
        server.rotate("create", server.reopen)
    requests = load.requests()
    server.stop()
    files = sorted(site.logs.glob("access.log*"))
    assert len(files) == 6
    _assert_delivered(site, files, requests)


@pytest.mark.case(30)
def test_compressed_under_load(site: Site, server: WebServer) -> None:
    """An archive may lack what was written while it was made: the collector does not.

    However late the server learns of the rotation.
    """
    _, collector = site.both(rotate_wait="30s")
    load = server.load(seconds=1)
    for number in range(3):
        collector.wait_for("file_followed", count=number + 1)
        server.rotate("create", "compress", server.reopen)
    requests = load.requests()
    server.stop()
    until(lambda: site.output().count(b"\n") >= requests, "not every request arrived")
    # Of those that were under way when the load ended some are not counted, and come last.
    rests(site.size, "the destination", 0.5)
    archived = [line for path in site.logs.glob("*.gz") for line in gzip.decompress(path.read_bytes()).splitlines(True)]
    found = site.output().splitlines(keepends=True)
    assert len(set(found)) == len(found)
    assert set(found) >= {*archived, *lines_of([site.logs / "access.log"])}
    assert requests <= len(found) <= requests + CONNECTIONS


@pytest.mark.case(48)
def test_copied_and_truncated_between_loads(site: Site, server: WebServer) -> None:
    site.both()
    requests = 0
    for number in range(2):
        load = server.load(seconds=1)
        requests += load.requests()
        until(lambda: site.size() >= _size(site), "not everything arrived")
        if number < 1:
            server.rotate("copytruncate")
    server.stop()
    _assert_delivered(site, sorted(site.logs.glob("access.log*")), requests, loads=2)


def _size(site: Site) -> int:
    return sum(path.stat().st_size for path in site.logs.glob("access.log*"))


def _assert_delivered(site: Site, files: Sequence[Path], requests: int, *, loads: int = 1) -> None:
    logged = {path: lines_of([path]) for path in files}
    until(lambda: site.size() >= _size(site), lambda: f"{site.size()} of {_size(site)} bytes arrived")
    quiet(site.size, "the destination")
    found = site.output().splitlines(keepends=True)
    assert sorted(found) == sorted(line for lines in logged.values() for line in lines)
    whose = {line: path for path, lines in logged.items() for line in lines}
    for path, lines in logged.items():
        assert [line for line in found if whose[line] == path] == lines, f"{path} is out of order"
    assert requests <= len(found) <= requests + loads * CONNECTIONS
