"""How processes end: drained when asked once, forced when asked twice, never later than they may."""

import signal
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.health import NOT_SERVING, SERVING, health
from harness.metrics import metric, unused_port
from harness.pipe import Pipe
from harness.process import Process
from harness.site import Site, environ
from harness.until import quiet, until

PENDING = 100_000


@pytest.mark.case(51, 83)
def test_the_collector_ends_with_a_hundred_thousand_lines_pending_and_goes_on_exactly(site: Site) -> None:
    site.writer().write(PENDING)
    site.aggregator()
    for _ in range(2):
        collector = site.collector(window_size="1MiB")
        collector.wait_for("connected")
        assert collector.stop() == 0
    site.collector()
    site.assert_delivered()


@pytest.mark.case(85)
def test_the_aggregator_ends_with_a_hundred_thousand_lines_pending_and_goes_on_exactly(site: Site) -> None:
    site.collector()
    for number in range(2):
        site.writer(f"{number}.log").write(PENDING)
        aggregator = site.aggregator(minimum_publish_frequency="1h")
        aggregator.wait_for("collector_connected")
        assert aggregator.stop() == 0
        assert aggregator.events("stopped", complete=True)
    site.aggregator()
    site.assert_delivered()


@pytest.mark.case(83)
def test_both_end_together_with_a_hundred_thousand_lines_pending_and_go_on_exactly(site: Site) -> None:
    site.writer().write(PENDING)
    aggregator, collector = site.aggregator(), site.collector(shutdown_timeout="2s")
    site.wait_for_bytes(1)
    for process in (collector, aggregator):
        process.signal(signal.SIGTERM)
    assert (collector.wait(), aggregator.wait()) == (0, 0)
    site.both()
    site.assert_delivered()


@pytest.mark.case(85)
def test_stopping_flushes_the_batch_that_waits_for_its_time(site: Site) -> None:
    aggregator, _ = _with_lines_in_flight(site)
    assert aggregator.stop() == 0
    assert site.output() == b"".join(site.written["a", 0])


def test_a_stopping_collector_has_the_aggregator_flush_what_is_in_flight(site: Site) -> None:
    _, collector = _with_lines_in_flight(site)
    assert collector.stop() == 0
    assert collector.events("stopped", acknowledged=site.bytes_written)
    assert site.output() == b"".join(site.written["a", 0])


@pytest.mark.case(84)
def test_the_collector_ends_in_time_when_no_aggregator_is_there(site: Site) -> None:
    site.writer().write(10)
    collector = site.collector(shutdown_timeout="1h")
    collector.wait_for("connection_failed")
    # Nothing is in flight: there is nothing to wait for.
    assert collector.stop() == 0


@pytest.mark.case(84)
def test_the_collector_ends_in_time_when_its_aggregator_died_or_hangs(site: Site) -> None:
    writer = site.writer()
    writer.write(10)
    for end in ("killed", "frozen"):
        aggregator, collector = site.aggregator(), site.collector(shutdown_timeout="300ms")
        site.assert_delivered()
        aggregator.freeze()
        writer.write(10)
        quiet(site.size, "a frozen aggregator")
        if end == "killed":
            aggregator.kill()
        assert collector.stop() == 0
        assert collector.events("stopped")[-1]["acknowledged"] < site.bytes_written
        aggregator.kill()
    site.both()
    site.assert_delivered()


@pytest.mark.case(84)
def test_a_second_signal_forces_the_collector(site: Site) -> None:
    aggregator, collector = _with_lines_in_flight(site, shutdown_timeout="1h")
    aggregator.freeze()
    collector.signal(signal.SIGTERM)
    quiet(lambda: collector.running, "a collector that waits for acknowledgements")
    collector.signal(signal.SIGINT)
    assert collector.wait() == 1


@pytest.mark.case(84)
def test_a_second_signal_forces_the_aggregator(site: Site) -> None:
    site.writer().write(10_000)
    with Pipe() as pipe:
        aggregator = site.aggregator(
            file_configuration=None, text_configuration="1", shutdown_timeout="1h", stdout=pipe.writing
        )
        site.collector()
        until(lambda: pipe.full, "the pipe should fill")
        aggregator.signal(signal.SIGTERM)
        quiet(lambda: aggregator.running, "an aggregator whose destination hangs")
        aggregator.signal(signal.SIGTERM)
        assert aggregator.wait() == 1


@pytest.mark.case(84)
def test_signals_during_the_start_end_it(site: Site) -> None:
    """At whatever instant: before the handlers stand the signal itself does, and afterwards the shutdown."""
    usual = {"listen_address": site.address, "state_directory": str(site.directory / "aggregator")}
    variables = environ("AGGREGATOR", usual, {"file_configuration": str(site.out)})
    for step in range(5):
        process = site.start("aggregator", variables)
        ended = threading.Event()
        ended.wait(step / 10)
        assert process.stop() in {0, -signal.SIGTERM}
        assert "exception" not in process.said()
    site.aggregator()


@pytest.mark.case(85)
def test_health_says_not_serving_before_anything_else_ends(site: Site) -> None:
    """What waits for its time, and is more than the pipe takes, is emitted only then: what hangs is told likewise."""
    site.writer().write(2000)
    metrics = f"127.0.0.1:{unused_port()}"
    with Pipe() as pipe:
        aggregator = site.aggregator(
            file_configuration=None,
            text_configuration="1",
            minimum_publish_frequency="1h",
            max_batch_size="10000",
            metrics_address=metrics,
            stdout=pipe.writing,
        )
        pipe.close_writing()
        site.collector()
        # In several blocks: what is not taken in yet would be refused.
        received = "mega_collector_aggregator_received_bytes_total"
        until(lambda: metric(metrics, received) == site.bytes_written, "not everything is taken in")
        assert health(site.address) == SERVING
        aggregator.signal(signal.SIGTERM)
        until(lambda: health(site.address) == NOT_SERVING, "it still serves")
        until(lambda: pipe.full, "the pipe should fill")
        assert aggregator.running
        pipe.drain()
        assert aggregator.wait() == 0
    assert pipe.data == b"".join(site.written["a", 0])


def test_one_machine_ends_when_asked_and_goes_on_exactly(site: Site) -> None:
    site.writer().write(PENDING)
    for _ in range(2):
        before = site.size()
        process = site.start("run", str(site.logs / "*.log"), "--output", str(site.out))
        site.wait_for_bytes(before + 1)
        assert process.stop() == 0
        site.writer("b.log").write(PENDING // 10)
    site.start("run", str(site.logs / "*.log"), "--output", str(site.out))
    site.assert_delivered()


def test_the_port_is_free_again_at_the_end(site: Site) -> None:
    aggregator = site.aggregator(listen_address="127.0.0.1:0")
    host, port = aggregator.events("listening")[0]["address"].rsplit(":", 1)
    assert aggregator.stop() == 0
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, int(port)))
    assert not [each for each in Path(site.directory).iterdir() if each.name == "socket"]


def _with_lines_in_flight(site: Site, **collector: Any) -> tuple[Process, Process]:
    """Nineteen lines were read at once: ten of them are published, and nine wait for others, or for their time."""
    writer = site.writer()
    writer.write(19)
    processes = site.aggregator(minimum_publish_frequency="1h", max_batch_size="10"), site.collector(**collector)
    site.wait_for_bytes(sum(map(len, writer.lines[:10])))
    quiet(site.size, "a batch whose time has not come")
    return processes
