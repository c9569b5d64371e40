"""What does not arrive is told, with the stage it waits in and the cause in words; and when it goes on."""

import resource
import signal
from pathlib import Path

from cases.namespace import mounted
from cases.nobody import both_as_nobody, site_of_nobody
from cases.reads import Reads
from harness.metrics import metric, unused_port
from harness.pipe import Pipe
from harness.process import Event, Process
from harness.site import Site
from harness.until import quiet, until

SOON = "300ms"


def stuck(collector: Process, stage: str, path: Path, cause: str) -> Event:
    """What the collector tells: of the file, in that stage, for a cause with these words."""
    told = collector.wait_for("file_stuck", stage=stage)
    assert (told["path"], told["files"]) == (str(path), 1)
    assert cause in told["cause"], told
    return told


def test_a_file_that_cannot_be_opened_waits_in_reading() -> None:
    with site_of_nobody() as site:
        path = site.logs / "a.log"
        path.write_bytes(b"secret\n")
        path.chmod(0)
        _, collector = both_as_nobody(site, stuck_after=SOON)
        stuck(collector, "reading", path, "Permission denied")
        path.chmod(0o644)
        collector.wait_for("file_unstuck", path=str(path))
        until(lambda: site.output() == b"secret\n", "the line should arrive")


def test_a_file_whose_reads_fail_waits_in_reading_and_the_others_go_on(site: Site) -> None:
    sick, sound = site.writer("sick.log"), site.writer("sound.log")
    sick.write(10)
    reads = Reads(site.directory, site.logs / "sick.log", "EIO")
    site.aggregator()
    collector = site.collector(wrapper=reads.wrapper, stuck_after=SOON)
    site.assert_delivered()
    reads.fail()
    sick.write(10)
    stuck(collector, "reading", site.logs / "sick.log", "Input/output error")
    before = site.size()
    sound.write(10)
    until(lambda: site.size() > before, "the other file should arrive")
    reads.work()
    site.assert_delivered()
    collector.wait_for("file_unstuck", stage="reading")


def test_a_filesystem_that_hangs_is_told_by_the_file_that_is_read(site: Site) -> None:
    writer = site.writer()
    writer.write(10)
    reads = Reads(site.directory, site.logs / "a.log", None)
    site.aggregator()
    collector = site.collector(wrapper=reads.wrapper, stuck_after=SOON)
    site.assert_delivered()
    reads.fail()
    writer.write(10)
    told = collector.wait_for("file_stuck", stage="reading")
    assert told["path"] == str(site.logs / "a.log")
    assert "a.log and gets no answer" in told["cause"]
    reads.work()
    site.assert_delivered()
    collector.wait_for("file_unstuck", stage="reading")


def test_without_an_aggregator_all_wait_for_the_connection_and_that_is_said_once(site: Site) -> None:
    writers = [site.writer(f"{number}.log") for number in range(20)]
    for writer in writers:
        writer.write(10)
    address = f"127.0.0.1:{unused_port()}"
    collector = site.collector(stuck_after=SOON, metrics_address=address)
    told = collector.wait_for("file_stuck", stage="connection")
    # On a machine that is busy those that are found later may not have waited for long enough yet.
    assert told["files"] <= 20
    assert "start the aggregator" in told["cause"]
    until(lambda: metric(address, "mega_collector_collector_stuck_files") == 20, "all files should be stuck")
    assert (metric(address, "mega_collector_collector_lag_seconds") or 0) >= 0.3
    collector.signal(signal.SIGHUP)
    site.aggregator()
    collector.signal(signal.SIGHUP)
    site.assert_delivered()
    collector.wait_for("file_unstuck", stage="connection", files=20)
    until(lambda: metric(address, "mega_collector_collector_lag_seconds") == 0, "nothing should lag")
    until(lambda: metric(address, "mega_collector_collector_stuck_files") == 0, "no file should be stuck")
    # Connected, they may wait for something else for a moment.
    assert len(collector.events("file_stuck", cause=told["cause"])) == 1


def test_a_destination_that_refuses_is_named_on_both_sides_with_the_next_try(site: Site) -> None:
    site.writer().write(100, padding=1000)
    limited = ("prlimit", "--fsize=50000:unlimited")
    aggregator = site.aggregator(wrapper=limited, stuck_after=SOON, retry_count="1", retry_delay="50ms")
    collector = site.collector(stuck_after=SOON)
    told = stuck(collector, "destination", site.logs / "a.log", f"{site.out}: File too large")
    assert "try" in told["cause"]
    here = aggregator.wait_for("delivery_stuck", stage="destination")
    assert f"{site.out}: File too large" in here["cause"]
    assert "try, next in " in here["cause"]
    # Its pace is a minute by now; asked to end, it tries once more.
    resource.prlimit(aggregator.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    aggregator.stop()
    site.aggregator()
    site.assert_delivered()
    collector.wait_for("file_unstuck")


def test_of_many_outputs_the_one_that_hangs_is_named(site: Site) -> None:
    sick, sound = site.writer("sick.log"), site.writer("sound.log")
    template = str(site.out.parent / "{path}")
    aggregator, collector = site.aggregator(file_configuration=template), site.collector()
    sick.write(1)
    sound.write(1)
    output = until(lambda: list(site.out.parent.rglob("*/sick.log")), "the output")[0]
    collector.stop()
    aggregator.stop()
    hang = Reads(site.directory, output, None)
    aggregator = site.aggregator(file_configuration=template, wrapper=hang.wrapper, stuck_after=SOON)
    collector = site.collector(stuck_after=SOON)
    hang.fail()
    sick.write(1)
    told = aggregator.wait_for("delivery_stuck", stage="destination")
    assert told["cause"] == f"{output} does not answer: it is slow, or hangs"
    assert str(output) in collector.wait_for("file_stuck", stage="destination")["cause"]
    hang.work()
    collector.wait_for("file_unstuck")


def test_a_destination_that_does_not_answer_is_told_and_when_it_does_again(site: Site) -> None:
    writer = site.writer()
    with Pipe() as pipe:
        aggregator = site.aggregator(
            file_configuration=None, text_configuration="1", stdout=pipe.writing, stuck_after=SOON
        )
        collector = site.collector(stuck_after=SOON)
        writer.write(1000, padding=1000)
        collector.wait_for("file_stuck", stage="destination", cause="stdout does not answer: it is slow, or hangs")
        aggregator.wait_for("delivery_stuck", stage="destination", cause="stdout does not answer: it is slow, or hangs")
        pipe.drain()
        aggregator.wait_for("delivery_unstuck")
        collector.wait_for("file_unstuck", stage="destination")
        collector.stop()
        aggregator.stop()
        pipe.close_writing()


def test_a_ledger_that_cannot_be_written_is_where_lines_wait_to_be_committed(site: Site) -> None:
    state = site.directory / "aggregator"
    state.mkdir()
    aggregator = site.aggregator(wrapper=mounted(state, size="8m"), stuck_after=SOON)
    collector = site.collector(stuck_after=SOON)
    writer = site.writer()
    writer.write(10)
    site.assert_delivered()
    ledger = Path(f"/proc/{aggregator.pid}/root{state}") / "ledger.sqlite3"
    ledger.rename(ledger.with_name("elsewhere"))
    writer.write(10)
    stuck(collector, "commit", site.logs / "a.log", "the ledger cannot be written: ")
    aggregator.wait_for("delivery_stuck", stage="commit")
    ledger.with_name("elsewhere").rename(ledger)
    aggregator.wait_for("delivery_unstuck", stage="commit")
    collector.wait_for("file_unstuck", stage="commit")
    site.assert_delivered()


def test_an_aggregator_that_hangs_is_where_lines_wait(site: Site) -> None:
    aggregator, writer = site.aggregator(), site.writer()
    collector = site.collector(stuck_after=SOON)
    writer.write(10)
    site.assert_delivered()
    aggregator.freeze()
    writer.write(10)
    stuck(collector, "ingest buffer", site.logs / "a.log", "does not say why")
    aggregator.thaw()
    collector.wait_for("file_unstuck", stage="ingest buffer")
    site.assert_delivered()


def test_neither_a_batch_that_waits_to_be_full_nor_a_line_without_its_end_is_stuck(site: Site) -> None:
    site.aggregator(minimum_publish_frequency="1h")
    address = f"127.0.0.1:{unused_port()}"
    collector = site.collector(stuck_after="3s", metrics_address=address)
    site.writer().write(10)
    (site.logs / "b.log").write_bytes(b"a line without its end")
    until(lambda: (metric(address, "mega_collector_collector_lag_seconds") or 0) > 5, "the lines should grow old")
    quiet(lambda: collector.events("file_stuck"), "what may wait")
    assert not collector.events("file_stuck")
