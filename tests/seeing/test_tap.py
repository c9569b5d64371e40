"""`mega-collector tap` beside real processes: what passes is seen, chosen there, and nothing waits for it."""

import os
import re
import signal
from pathlib import Path

import pytest

from harness.lines import assert_exactly
from harness.pipe import Pipe
from harness.process import Process
from harness.site import Site, environ
from harness.until import until
from seeing.looking import Seen


def tap(site: Site, *arguments: str, stdout: int | None = None) -> Process:
    variables = environ("AGGREGATOR", {"state_directory": str(site.directory / "aggregator")}, {})
    return site.start("tap", *arguments, variables, stdout=stdout)


@pytest.fixture
def site(seen: Seen) -> Site:
    return seen.site


def watched(site: Site, process: Process) -> None:
    """Write lines until the first one is seen: then the tap is there."""
    beacon = site.logs / "beacon.log"

    def beckon() -> bool:
        with beacon.open("ab") as log:
            log.write(b"beacon 500\n")
        return process.stdout.stat().st_size > 0

    until(beckon, process.said)


def test_what_passes_is_seen_as_it_is_in_order(site: Site) -> None:
    site.both()
    process = tap(site)
    watched(site, process)
    site.writer().write(5000)

    def lines() -> list[bytes]:
        return [line for line in process.stdout.read_bytes().splitlines(keepends=True) if b"beacon" not in line]

    until(lambda: len(lines()) == 5000, process.said)
    assert_exactly(b"".join(lines()), site.written)
    process.signal(signal.SIGINT)
    assert process.wait() == 0


def test_host_path_and_expression_choose(site: Site) -> None:
    site.aggregator()
    site.collector(host="web-1")
    site.collector(name="other", host="db-1", id="other")
    process = tap(site, "--host", "web-*", "--path", "*/b*.log", "--match", "5[0-9]{2}")
    watched(site, process)
    (site.logs / "a.log").write_bytes(b"500 a\n")
    (site.logs / "b.log").write_bytes(b"200 b\n500 b\n")
    until(lambda: b"500 b\n" in process.stdout.read_bytes(), process.said)
    until(lambda: site.output().count(b"500 b\n") == 2, "both collectors")
    with (site.logs / "b.log").open("ab") as log:
        log.write(b"599 end\n")
    until(lambda: b"599 end\n" in process.stdout.read_bytes(), process.said)
    assert set(process.stdout.read_bytes().splitlines()) == {b"beacon 500", b"500 b", b"599 end"}
    assert process.stdout.read_bytes().count(b"500 b\n") == 1


def test_one_who_does_not_read_holds_up_nothing_and_is_told_how_much_was_missed(site: Site) -> None:
    site.aggregator()
    site.collector()
    with Pipe() as pipe:
        process = tap(site, stdout=pipe.writing)
        pipe.close_writing()
        until(lambda: _beacon(site) and pipe.waiting, process.said)
        process.freeze()
        writer = site.writer()
        for _ in range(30):
            writer.write(20_000)
        until(lambda: site.size() >= site.bytes_written, "the lines at the destination")
        pipe.drain()
        process.thaw()
        missed = until(lambda: re.findall(r"missed (\d+) lines", process.said()), process.said)
        until(lambda: _beacon(site) and b"beacon" in pipe.data[-2000:], "what passes now")
        process.signal(signal.SIGINT)
        assert process.wait() == 0
    assert 0 < sum(map(int, missed)) <= 600_000


def _beacon(site: Site) -> bool:
    return _append(site.logs / "beacon.log")


def _append(path: Path) -> bool:
    with path.open("ab") as log:
        log.write(b"beacon\n")
    return True


def test_a_disk_that_is_full_is_told_in_one_line(site: Site) -> None:
    site.both()
    with Path("/dev/full").open("wb") as full:
        process = tap(site, stdout=full.fileno())
        until(lambda: _beacon(site) and not process.running, process.said)
    assert process.wait() == 1
    assert process.said() == "mega-collector: what is seen cannot be written to stdout: No space left on device\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--match", "("], "mega-collector: the expression cannot be understood: missing ): ("),
        (["--match", "x" * 5000], "mega-collector: a pattern has at most 4096 bytes"),
    ],
)
def test_what_cannot_be_looked_for_is_refused_in_one_line(site: Site, arguments: list[str], words: str) -> None:
    site.aggregator()
    process = tap(site, *arguments)
    assert process.wait() == 1
    assert process.said() == f"{words}\n"


def test_more_than_so_many_are_refused(site: Site) -> None:
    site.both()
    for _ in range(4):
        watched(site, tap(site))
    process = tap(site)
    assert process.wait() == 1
    assert process.said() == "mega-collector: 4 tap it already: end one of them\n"


def test_the_end_of_the_aggregator_is_told_and_does_not_wait_for_it(site: Site) -> None:
    aggregator, _ = site.both()
    process = tap(site)
    watched(site, process)
    assert aggregator.stop() == 0
    assert process.wait() == 1
    assert process.said() == "mega-collector: the aggregator has ended\n"


def test_a_reader_that_has_enough_ends_it(site: Site) -> None:
    site.both()
    with Pipe() as pipe:
        process = tap(site, stdout=pipe.writing)
        pipe.close_writing()
        until(lambda: _beacon(site) and pipe.waiting, process.said)
        pipe.close_reading()
        until(lambda: _beacon(site) and not process.running, process.said)
        assert process.wait() == 0


def test_on_a_terminal_lines_move_no_cursor_and_files_are_named(site: Site) -> None:
    site.both()
    leader, follower = os.openpty()
    try:
        process = tap(site, "--path", "*/evil*", stdout=follower)
        path = site.logs / "evil.log"
        shown = b""

        def seen() -> bool:
            nonlocal shown
            with path.open("ab") as log:
                log.write(b"\x1b[2J\ttab \xff \xc2\x9b31m\n")
            os.set_blocking(leader, False)
            try:
                shown += os.read(leader, 65536)
            except BlockingIOError:
                return False
            return shown.count(b"\r\n") > 2

        until(seen, process.said)
    finally:
        os.close(leader)
        os.close(follower)
    until(lambda: _append(path) and not process.running, process.said)
    assert (process.wait(), process.said()) == (0, "")
    first, second, *_ = shown.decode().split("\r\n")
    assert first == f"==> test {path} <=="
    assert second.expandtabs() == "\\x1b[2J\ttab \\xff \\x9b31m".expandtabs()
