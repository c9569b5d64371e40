"""What is larger than a message, what is empty, and what is cut off between the destination and its acknowledgement."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cases.noted import acknowledged
from collector.accepting import Accepting
from collector.scripted_aggregator import scripted
from harness.pipe import Pipe
from harness.proxy import Proxy
from harness.site import Site
from harness.until import quiet, rests, until
from mega_collector import wire
from mega_collector.settings.collector import MAX_LINE_SIZE

MIB = 1 << 20
LONGEST = MAX_LINE_SIZE
"""Bytes of the longest line that the settings allow, without its newline."""


def _pieces(line: bytes, size: int) -> bytes:
    """What becomes of a line without its newline that is split."""
    return b"".join(line[at : at + size] + b"\n" for at in range(0, len(line), size))


def _ledger(site: Site) -> Path:
    return site.directory / "aggregator" / "ledger.sqlite3"


def _committed(site: Site) -> int:
    """Bytes of all sources that the ledger has."""
    with closing(sqlite3.connect(_ledger(site))) as ledger:
        return int(ledger.execute("SELECT sum(CAST(position AS INTEGER)) FROM sources").fetchone()[0] or 0)


@pytest.mark.case(69)
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_lines_at_and_beyond_every_limit_arrive_and_so_do_those_behind_them(site: Site, compression: str) -> None:
    """gRPC's own limit would be 4 MiB."""
    path = site.logs / "a.log"
    exact, longer, short = b"x" * LONGEST, b"y" * (LONGEST + 1), b"a line that is short"
    many = b"".join(b"%07d" % number + b"." * 8184 + b"\n" for number in range(1000))
    path.write_bytes(b"\n".join([short, exact, short, longer, short, b""]) + many)
    aggregator = site.aggregator()
    collector = site.collector(max_line_size=str(LONGEST), compression=compression)
    wanted = b"\n".join([short, exact, short, b""]) + _pieces(longer, LONGEST) + short + b"\n" + many
    site.wait_for_bytes(len(wanted))
    quiet(site.size, "the destination")
    assert site.output() == wanted
    assert not aggregator.events("block_refused") + aggregator.events("stream_refused")
    assert len(collector.events("connected")) == 1


@pytest.mark.case(69)
def test_a_line_beyond_the_default_limit_is_split_into_pieces_that_are_counted(site: Site) -> None:
    path, line = site.logs / "a.log", b"x" * (5 * MIB + 5)
    path.write_bytes(b"before\n" + line + b"\nbehind\n")
    site.both()
    wanted = b"before\n" + _pieces(line, MIB) + b"behind\n"
    site.wait_for_bytes(len(wanted))
    quiet(site.size, "the destination")
    assert site.output() == wanted


@pytest.mark.case(69)
def test_an_aggregator_with_a_smaller_limit_gets_smaller_blocks(site: Site) -> None:
    """Never a message that it must refuse, again and again."""
    limit = 256 << 10
    line, writer = b"x" * (3 * limit), site.writer()
    (site.logs / "long.log").write_bytes(line + b"\nbehind\n")
    writer.write(5000)
    accepting = Accepting(max_message_size=limit)
    with scripted(accepting) as aggregator:
        collector = site.collector(remote_address=aggregator.target)
        until(
            lambda: (
                accepting.taken.get(bytes(writer.path)) == b"".join(writer.lines)
                and accepting.taken.get(bytes(site.logs / "long.log")) == line + b"\nbehind\n"
            ),
            "all lines",
        )
        assert accepting.largest <= wire.largest_block(limit)
        assert len(aggregator.calls) == 1
        collector.kill()


@pytest.mark.case(70)
def test_where_nothing_is_written_nothing_is_said_or_touched(site: Site) -> None:
    site.aggregator(minimum_publish_frequency="20ms")
    writer = site.writer()

    def idle() -> tuple[int, int]:
        return proxy.carried, site.out.stat().st_mtime_ns

    with Proxy(site.address) as proxy:
        site.collector(remote_address=proxy.address)
        until(lambda: proxy.carried, "it should be greeted")
        rests(lambda: proxy.carried, "what a start has to ask", 1.5)
        for _ in range(2):
            writer.write(10)
            site.assert_delivered()
            what = "the checkpoint should know that all is acknowledged"
            until(lambda: acknowledged(site.directory / "collector") == site.bytes_written, what)
            # What was measured when it was behind may be reported later, once.
            rests(idle, "an idle connection and destination", 1.0)
    assert b"\n\n" not in site.output()


@pytest.mark.case(71)
def test_killed_between_the_destination_and_the_ledger_it_gives_each_line_once(site: Site) -> None:
    """Another one holds the ledger: what has reached the destination cannot be committed."""
    writer = site.writer()
    writer.write(100)
    aggregator, collector = site.both()
    site.assert_delivered()
    for _ in range(3):
        before = site.size()
        with closing(sqlite3.connect(_ledger(site))) as other:
            other.execute("BEGIN IMMEDIATE")
            writer.write(3000)
            site.wait_for_bytes(before + 1)
            aggregator.kill()
        aggregator = site.aggregator()
        assert aggregator.events("output_cut"), "nothing stood there uncommitted"
        site.assert_delivered()
    assert collector.running


@pytest.mark.case(71)
@pytest.mark.parametrize("both", [False, True], ids=["aggregator", "both"])
def test_killed_between_the_ledger_and_the_acknowledgement_it_gives_each_line_once(site: Site, both: bool) -> None:
    writer = site.writer()
    aggregator = site.aggregator()
    with Proxy(site.address) as proxy:
        collector = site.collector(remote_address=proxy.address)
        for _ in range(3):
            writer.write(1000)
            site.assert_delivered()
            proxy.withholds = True
            writer.write(1000)
            until(lambda: _committed(site) == site.bytes_written, "the ledger should have it")
            aggregator.kill()
            if both:
                collector.kill()
                collector = site.collector(remote_address=proxy.address)
            proxy.withholds = False
            aggregator = site.aggregator()
            assert not aggregator.events("output_cut")
        site.assert_delivered()


@pytest.mark.case(71)
def test_killed_whenever_its_destination_grows_it_gives_each_line_once(site: Site) -> None:
    site.writer().write(100_000)
    collector = site.collector(window_size="1MiB")
    for _ in range(10):
        aggregator = site.aggregator(max_batch_size="300")
        before = site.size()
        until(lambda before=before: site.size() > before, "the destination should grow")  # type: ignore[misc]
        aggregator.kill()
    assert site.size() < site.bytes_written, "it was over already"
    site.aggregator()
    site.assert_delivered()
    assert collector.running


@pytest.mark.case(71)
def test_killed_while_it_writes_to_a_pipe_it_loses_nothing_and_glues_nothing(site: Site) -> None:
    """What was written to a pipe cannot be taken back: each line at least once, and one that was cut comes whole."""
    site.writer().write(3000)
    heard = b""
    for number in range(3):
        with Pipe() as pipe:
            aggregator = site.aggregator(
                file_configuration=None, text_configuration="1", stdout=pipe.writing, max_batch_size="100"
            )
            pipe.close_writing()
            if number == 0:
                site.collector()
            pipe.read(60_000)
            aggregator.kill()
            pipe.drain()
        heard += pipe.data[: pipe.data.rfind(b"\n") + 1]
    site.out.write_bytes(heard)
    site.aggregator()
    site.assert_lossless()
