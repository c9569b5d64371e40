"""What is true of both halves' notes when they have ended, and how they end where they wait for something else."""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from certificates import Authority
from harness.health import SERVING, health
from harness.metrics import metric, unused_port
from harness.site import Site, environ
from harness.until import quiet, until
from mega_collector.collector.state.checkpoint import Checkpoint

AUTHORITY = Authority()


def _checkpoint(directory: Path) -> int:
    checkpoint = Checkpoint(directory)
    try:
        return sum(entry.position for entry in checkpoint.entries.values())
    finally:
        checkpoint.close()


def _ledger(directory: Path) -> int:
    with closing(sqlite3.connect(directory / "ledger.sqlite3")) as ledger:
        return int(ledger.execute("SELECT sum(CAST(position AS INTEGER)) FROM sources").fetchone()[0] or 0)


@pytest.mark.case(83)
def test_a_collector_that_ended_under_load_has_noted_exactly_what_is_committed(site: Site) -> None:
    writer = site.writer()
    writer.write(100_000)
    site.aggregator()
    for number in range(5):
        collector = site.collector(window_size="1MiB")
        collector.wait_for("connected")
        if number % 2:
            site.wait_for_bytes(site.size() + 1)
        assert collector.stop() == 0
        noted = _checkpoint(site.directory / "collector")
        assert noted == _ledger(site.directory / "aggregator") == site.size()
        writer.write(10_000)
    assert site.size() < site.bytes_written, "it was over already"
    site.collector()
    site.assert_delivered()


@pytest.mark.case(83)
def test_a_deleted_log_that_is_acknowledged_only_at_the_end_is_not_taken_for_lost_at_the_next_start(site: Site) -> None:
    """Nothing else was waited for: it was read to its end, and had been quiet for long enough."""
    metrics = f"127.0.0.1:{unused_port()}"
    site.aggregator(minimum_publish_frequency="1h")
    writer = site.writer()
    collector = site.collector(metrics_address=metrics, rotate_wait="0s")
    writer.write(10)
    in_flight = "mega_collector_collector_in_flight_bytes"
    until(lambda: metric(metrics, in_flight) == site.bytes_written, "it should be sent")
    writer.path.unlink()
    collector.wait_for("file_gone")
    assert metric(metrics, in_flight) == site.bytes_written
    assert collector.stop() == 0
    checkpoint = Checkpoint(site.directory / "collector")
    assert all(entry.ended for entry in checkpoint.entries.values())
    checkpoint.close()
    site.assert_delivered()


@pytest.mark.case(84)
def test_a_collector_that_waits_half_a_minute_to_try_again_ends_when_asked(site: Site) -> None:
    """It is refused for a reason that only a person can mend."""
    material = AUTHORITY.material()
    site.aggregator(listen_address="127.0.0.1:0")
    address = site.processes[0].events("listening")[0]["address"]
    collector = site.collector(
        remote_address=address,
        shutdown_timeout="1h",
        tls="1",
        tls_certificate=material.certificate.decode(),
        tls_key=material.key.decode(),
        tls_ca_certificate=material.ca.decode(),
    )
    assert float(collector.wait_for("connection_failed")["next_try"].removesuffix("s")) >= 15
    collector.signal(signal.SIGTERM)
    # Far sooner than it would try again.
    assert collector.wait(timeout=10) == 0


@pytest.mark.case(84)
def test_signals_during_a_collectors_start_end_it(site: Site) -> None:
    """At whatever instant, and nothing is in the way of the next start."""
    site.writer().write(1000)
    site.aggregator()
    usual = {"remote_address": site.address, "state_directory": str(site.directory / "collector")}
    variables = environ("COLLECTOR", usual, {"paths": str(site.logs / "*.log")})
    for step in range(5):
        process = site.start("collector", variables, afresh=True)
        until(lambda process=process, step=step: _cpu_ticks(process.pid) >= 4 * step, "it should be under way")  # type: ignore[misc]
        assert process.stop() in {0, -signal.SIGTERM}
    site.collector()
    site.assert_delivered()


def _cpu_ticks(pid: int) -> int:
    """Hundredths of a second that a process has worked: a clock that does not run while the machine is busy."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return int(user) + int(system)


@pytest.mark.case(85)
def test_all_that_an_ending_aggregator_has_acknowledged_is_at_its_destination(site: Site) -> None:
    """While several collectors send as fast as they can."""
    collectors = []
    for name in "abc":
        site.writer(f"{name}.log").write(60_000)
        collectors.append(site.collector(name=name, paths=str(site.logs / f"{name}.log"), window_size="1MiB"))
    for number in range(3):
        aggregator = site.aggregator()
        site.wait_for_bytes(site.size() + 1)
        aggregator.signal(signal.SIGTERM)
        assert aggregator.wait() == 0
        assert aggregator.events("stopped", complete=True)
        assert health(site.address) is None
        quiet(site.size, "a destination whose aggregator has ended", 0.1)
        assert _ledger(site.directory / "aggregator") == site.size()
        assert number or site.size() < site.bytes_written, "it was over already"
    site.aggregator()
    until(lambda: health(site.address) == SERVING, "it should serve")
    site.assert_delivered()
    assert all(collector.running for collector in collectors)
