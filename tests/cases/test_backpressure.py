"""The aggregator is down, hangs, is slow, flaps, or refuses: the files wait, and nothing is lost or doubled."""

import math
import time
from collections.abc import Iterator

import grpc
import pytest

from collector.accepting import Accepting
from collector.scripted_aggregator import scripted
from harness.lines import assert_exactly
from harness.metrics import metric, unused_port
from harness.pipe import Pipe
from harness.process import Process
from harness.proxy import Proxy
from harness.site import Site
from harness.until import quiet, until
from mega_collector.collector.sending.inbox import Connected, Disconnected, Event
from mega_collector.collector.sending.publisher import Publisher
from mega_collector.protocol import Hello

MIB = 1 << 20


@pytest.fixture
def proxy(site: Site) -> Iterator[Proxy]:
    """In front of the aggregator; the collector is to be told of it: `remote_address=proxy.address`."""
    with Proxy(site.address) as proxy:
        yield proxy


def _write_much(site: Site, collector: Process, megabytes: int) -> None:
    """Rotate a log at each megabyte, as soon as the collector has seen it."""
    writer = site.writer("much.log")
    for number in range(megabytes):
        writer.write(MIB // 1024, padding=1000)
        until(lambda: collector.holds(writer.path), "the collector should open what appears")
        writer.rotate(site.logs / f"much.log.{number}")


@pytest.mark.case(60)
def test_files_rotate_and_wait_while_the_aggregator_is_down(site: Site) -> None:
    aggregator = site.aggregator()
    collector = site.collector(window_size="2MiB")
    writer = site.writer()
    writer.write(10_000)
    site.assert_delivered()
    before = collector.peak_memory()
    aggregator.freeze()
    writer.write(10_000)
    quiet(site.size, "a destination whose aggregator hangs")
    aggregator.kill()
    _write_much(site, collector, 30)
    assert collector.peak_memory() - before < 12 * MIB
    assert not collector.events("source_lost")
    site.aggregator()
    site.assert_delivered()
    assert collector.peak_memory() - before < 16 * MIB
    assert len(collector.events("connected")) == 2


@pytest.mark.case(60)
def test_what_was_closed_and_grows_while_the_aggregator_is_down_is_held_open(site: Site) -> None:
    aggregator, collector, writer = site.shipped(10, close_inactive="50ms")
    until(lambda: not collector.holds(writer.path), "it should be closed")
    aggregator.kill()
    collector.wait_for("connection_failed")
    writer.write(10)
    until(lambda: collector.holds(writer.path), "it should be opened")
    writer.path.unlink()
    site.aggregator()
    site.assert_delivered()


@pytest.mark.case(60)
def test_a_collector_may_be_there_before_its_aggregator(site: Site) -> None:
    collector = site.collector()
    assert "no such socket" in collector.wait_for("connection_failed")["cause"]
    writer = site.writer()
    writer.write(1000)
    until(lambda: collector.holds(writer.path), "the collector should open what appears")
    writer.rotate(site.logs / "a.log.1")
    writer.write(1000)
    site.aggregator()
    site.assert_delivered()
    assert len(collector.events("connection_failed")) == 1


@pytest.mark.case(61)
def test_an_aggregator_that_hangs_for_a_while_gets_every_line_once(site: Site) -> None:
    aggregator, collector, writer = site.shipped(1000)
    for _ in range(3):
        aggregator.freeze()
        writer.write(20_000)
        quiet(site.size, "a destination whose aggregator hangs")
        aggregator.thaw()
        site.assert_delivered()
    # It never answered late enough to be left.
    assert len(collector.events("connected")) == 1


@pytest.mark.case(61)
def test_a_collector_that_finds_a_hanging_aggregator_waits_for_it(site: Site) -> None:
    aggregator = site.aggregator()
    aggregator.freeze()
    writer = site.writer()
    writer.write(1000)
    collector = site.collector()
    until(lambda: collector.holds(writer.path), "the collector should open what appears")
    quiet(site.size, "a destination whose aggregator hangs")
    aggregator.thaw()
    site.assert_delivered()


@pytest.mark.case(61)
def test_an_aggregator_that_answers_no_pings_is_left_and_tried_again() -> None:
    """With the connection's own clock a hundred times as fast: it takes half a minute."""
    events: list[Event] = []
    with scripted() as aggregator, Proxy(aggregator.target) as proxy:
        publisher = Publisher(target=proxy.address, hello=Hello("me", "here"), deliver=events.append)
        quicker = {name: value // 100 for name, value in publisher._options if isinstance(value, int) and "_ms" in name}
        assert quicker
        publisher._options = tuple((dict(publisher._options) | quicker).items())
        publisher.start()
        try:
            until(lambda: events, "the connection")
            proxy.withholds = True
            until(lambda: publisher.statistics().failures, "it should be left")
            proxy.withholds = False
            until(lambda: len(events) >= 3, "it should be tried again")
        finally:
            publisher.close(20)
    assert [type(event) for event in events[:3]] == [Connected, Disconnected, Connected]


@pytest.mark.case(62)
def test_a_slow_destination_makes_the_files_wait_and_sends_nothing_twice(site: Site, proxy: Proxy) -> None:
    writer = site.writer()
    writer.write(200_000, padding=240)
    metrics = f"127.0.0.1:{unused_port()}"
    with Pipe() as pipe:
        aggregator = site.aggregator(file_configuration=None, text_configuration="1", stdout=pipe.writing)
        pipe.close_writing()
        collector = site.collector(remote_address=proxy.address, window_size="4MiB", metrics_address=metrics)
        pipe.read(5 * MIB)
        in_flight = "mega_collector_collector_in_flight_bytes"
        until(lambda: (metric(metrics, in_flight) or 0) > MIB, "the window should fill")
        before = aggregator.peak_memory(), collector.peak_memory()
        for _ in range(20):
            pipe.read(100_000)
            assert metric(metrics, in_flight) <= 4 * MIB  # type: ignore[operator]
        lag = metric(metrics, "mega_collector_collector_lag_bytes")
        assert lag is not None
        assert lag > site.bytes_written // 2
        assert aggregator.peak_memory() - before[0] < 8 * MIB
        assert collector.peak_memory() - before[1] < 8 * MIB
        pipe.drain()
        until(lambda: pipe.size == site.bytes_written, "not everything came through the pipe")
        quiet(lambda: pipe.size, "the pipe")
        assert_exactly(pipe.data, site.written)
        assert proxy.carried < site.bytes_written * 1.1
        assert proxy.connections == 1
        assert aggregator.stop() == 0


@pytest.mark.case(63)
def test_an_aggregator_that_comes_and_goes_gets_every_line_once(site: Site) -> None:
    collector = site.collector(window_size="1MiB")
    writer = site.writer()
    for number in range(6):
        aggregator = site.aggregator()
        writer.write(5000)
        if number % 3:
            site.wait_for_bytes(site.bytes_written - 2500 * len(writer.lines[0]))
        writer.write(5000)
        aggregator.kill()
    site.aggregator()
    site.assert_delivered()
    assert collector.running


@pytest.mark.case(63)
def test_connections_that_are_reset_in_the_middle_of_a_block_cost_nothing(site: Site, proxy: Proxy) -> None:
    site.writer().write(60_000, padding=240)
    site.aggregator()
    for number in range(10):
        proxy.cut_after(100 + number * 300_000)
        if number == 0:
            collector = site.collector(remote_address=proxy.address, compression="none")
        until(lambda: proxy.cut, "the connection should be cut")
    site.assert_delivered()
    assert proxy.connections == 11
    assert collector.running


@pytest.mark.case(63)
def test_the_collector_knocks_less_and_less_often_and_at_once_again_after_a_success(site: Site, proxy: Proxy) -> None:
    writer = site.writer()
    writer.write(10)
    begin = time.monotonic()
    site.collector(remote_address=proxy.address)
    until(lambda: proxy.connections >= 4, "the collector should try again")
    connections = proxy.connections
    assert connections <= _most_knocks(time.monotonic() - begin)
    aggregator = site.aggregator()
    site.assert_delivered()
    connections = proxy.connections
    begin = time.monotonic()
    aggregator.kill()
    until(lambda: proxy.connections >= connections + 3, "the collector should come back")
    more = proxy.connections - connections
    assert more <= _most_knocks(time.monotonic() - begin)
    site.aggregator()
    writer.write(10)
    site.assert_delivered()


def _most_knocks(seconds: float) -> float:
    """Each wait is at least half of its full length: these are the most that fit into the time."""
    return 1 + math.log2(1 + seconds / 0.1)


TRANSIENT = [
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.DATA_LOSS,
]


@pytest.mark.case(64)
def test_a_stream_that_fails_with_whatever_status_is_made_anew_and_goes_on_at_the_same_byte(site: Site) -> None:
    """Those that only a person can mend wait for half a minute: `test_publisher` has them all."""
    writer = site.writer()
    writer.write(10_000)
    accepting = Accepting(failures=TRANSIENT)
    with scripted(*[accepting] * (len(TRANSIENT) + 1)) as aggregator:
        site.collector(remote_address=aggregator.target)
        until(lambda: len(accepting.taken.get(bytes(writer.path), b"")) == site.bytes_written, "all lines")
        quiet(lambda: len(aggregator.calls), "the connections")
        assert_exactly(accepting.taken[bytes(writer.path)], site.written)
        assert len(aggregator.calls) == len(TRANSIENT) + 1
        site.processes[0].kill()  # it would find nobody


@pytest.mark.case(64)
def test_a_source_that_is_refused_for_good_stops_and_is_reported_and_the_others_flow(site: Site) -> None:
    refused, others = site.writer("refused.log"), [site.writer(f"{number}.log") for number in range(2)]
    accepting = Accepting(refused=bytes(refused.path))
    metrics = f"127.0.0.1:{unused_port()}"
    with scripted(accepting) as aggregator:
        collector = site.collector(remote_address=aggregator.target, metrics_address=metrics)
        for _ in range(2):
            for writer in (refused, *others):
                writer.write(100)
            wanted = {bytes(writer.path): b"".join(writer.lines) for writer in others}
            until(lambda wanted=wanted: accepting.taken == wanted, "the others' lines")  # type: ignore[misc]
            collector.wait_for("source_stopped", path=str(refused.path), reason="as wanted")
        quiet(lambda: (accepting.refusals, len(accepting.taken)), "a source that was refused")
        assert accepting.refusals == 1
        assert len(collector.events("source_stopped")) == 1
        assert metric(metrics, "mega_collector_collector_stopped_sources") == 1
        collector.kill()


@pytest.mark.case(64)
def test_what_was_refused_for_good_is_still_seen_as_lag(site: Site) -> None:
    writer = site.writer()
    writer.write(100)
    metrics = f"127.0.0.1:{unused_port()}"
    with scripted(Accepting(refused=bytes(writer.path))) as aggregator:
        collector = site.collector(remote_address=aggregator.target, metrics_address=metrics)
        collector.wait_for("source_stopped")
        until(lambda: metric(metrics, "mega_collector_collector_lag_bytes") == site.bytes_written, "all of it lags")
        collector.kill()


@pytest.mark.case(66)
def test_a_quiet_file_with_lines_in_flight_is_not_closed_and_goes_on_exactly(site: Site) -> None:
    writer, idle = site.writer(), site.writer("idle.log")
    writer.write(5000)
    idle.write(1)
    aggregator = site.aggregator()
    collector = site.collector(close_inactive="100ms")
    site.assert_delivered()
    until(lambda: not collector.holds(writer.path), "a quiet file whose lines are acknowledged should be closed")
    aggregator.freeze()
    writer.write(5000)
    until(lambda: collector.holds(writer.path), "a file that grows should be opened again")
    quiet(lambda: collector.holds(writer.path), "a file whose lines are in flight", 0.5)
    aggregator.kill()
    writer.write(8)
    quiet(lambda: collector.holds(writer.path), "a file whose lines are in flight", 0.3)
    site.aggregator()
    site.assert_delivered()
    until(lambda: not collector.holds(writer.path), "a quiet file whose lines are acknowledged should be closed")
    writer.write(8)
    site.assert_delivered()


@pytest.mark.case(66)
def test_a_file_that_is_closed_opened_and_rotated_between_refused_attempts_goes_on_exactly(site: Site) -> None:
    """The destination takes nothing: what is emitted fails again and again."""
    writer = site.writer()
    writer.write(5000)
    with Pipe() as pipe:
        aggregator = site.aggregator(
            file_configuration=None, text_configuration="1", stdout=pipe.writing, shutdown_timeout="100ms"
        )
        collector = site.collector(close_inactive="100ms")
        until(lambda: pipe.full, "the pipe should fill")
        writer.write(8)
        quiet(lambda: pipe.waiting, "a full pipe", 0.3)
        writer.rotate(site.logs / "a.log.1")
        writer.write(8)
        until(lambda: collector.holds(writer.path), "the collector should open what appears")
        quiet(lambda: pipe.waiting, "a full pipe", 0.3)
        aggregator.kill()
    site.aggregator()
    site.assert_delivered()
