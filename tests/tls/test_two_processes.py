"""Mutual TLS between a collector and an aggregator that are processes of their own: both logs name what is wrong."""

import signal
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from certificates import DAY, Authority, Material
from harness.audit import run_audit, settled
from harness.metrics import metric, unused_port
from harness.process import Process
from harness.site import Site
from harness.until import until

AUTHORITY = Authority()
STRANGER = Authority()
GOOD = AUTHORITY.material()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """On a port instead of a socket: names are checked there as they are between machines."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with Site(tmp_path) as site:
        site.address = f"127.0.0.1:{port}"
        yield site


def as_files(directory: Path, name: str, material: Material | None) -> dict[str, Any]:
    """The settings of one side, as paths of PEM files."""
    if material is None:
        return {"tls": "0"}
    parts = {"tls_ca_certificate": material.ca, "tls_certificate": material.certificate, "tls_key": material.key}
    for part, pem in parts.items():
        path = directory / f"{name}.{part}.pem"
        path.touch(0o600)
        path.write_bytes(pem)
    return {"tls": "1", **{part: str(directory / f"{name}.{part}.pem") for part in parts}}


def start(site: Site, aggregator: Material | None, collector: Material | None) -> tuple[Process, Process]:
    one = site.aggregator(**as_files(site.directory, "aggregator", aggregator))
    return one, site.collector(**as_files(site.directory, "collector", collector))


def test_two_that_trust_each_other_deliver(site: Site) -> None:
    site.writer().write(1000)
    aggregator, collector = start(site, GOOD, AUTHORITY.material("anybody"))
    site.assert_delivered()
    assert (collector.stop(), aggregator.stop()) == (0, 0)
    assert not [event for event in aggregator.events() + collector.events() if event["level"] != "info"]


@pytest.mark.case(78, 79, 80)
@pytest.mark.parametrize(
    ("aggregator", "collector", "cause", "reason"),
    [
        (STRANGER.material(trusts=AUTHORITY), GOOD, "not signed by COLLECTOR_TLS_CA_CERTIFICATE", None),
        (GOOD, AUTHORITY.expired(), "refused this collector's certificate", "has expired"),
        (GOOD, None, "set COLLECTOR_TLS=1 here", "COLLECTOR_TLS=1"),
        (None, GOOD, "set AGGREGATOR_TLS=1 there", None),
    ],
    ids=[
        "aggregator signed by a stranger",
        "collector expired",
        "collector without TLS",
        "aggregator without TLS",
    ],
)
def test_the_cause_is_named_on_the_side_that_knows_it_and_nothing_is_delivered(
    site: Site, aggregator: Material | None, collector: Material | None, cause: str, reason: str | None
) -> None:
    site.writer().write(10)
    one, other = start(site, aggregator, collector)
    assert cause in other.wait_for("connection_failed")["cause"]
    if reason is not None:
        assert reason in one.wait_for("handshake_failed")["reason"]
    assert not one.events("collector_connected")
    assert site.output() == b""
    assert other.stop() == 0


@pytest.mark.case(79)
def test_a_collector_that_is_refused_disturbs_no_other(site: Site) -> None:
    aggregator, collector = start(site, GOOD, GOOD)
    refused = site.collector(name="refused", **as_files(site.directory, "refused", AUTHORITY.expired()))
    site.writer().write(1000)
    refused.wait_for("connection_failed")
    aggregator.wait_for("handshake_failed")
    site.writer("b.log").write(1000)
    site.assert_delivered()
    assert not collector.events("connection_failed")


@pytest.mark.case(78)
def test_delivery_begins_when_the_aggregators_certificate_is_renewed(site: Site) -> None:
    """Neither half is started again."""
    site.writer().write(1000)
    aggregator, collector = start(site, AUTHORITY.expired(), GOOD)
    assert "has expired" in collector.wait_for("connection_failed")["cause"]
    assert "AGGREGATOR_TLS_CERTIFICATE" in aggregator.wait_for("certificate")["warning"]
    assert site.output() == b""
    as_files(site.directory, "aggregator", GOOD)
    aggregator.wait_for("certificate_renewed")
    # At the slowest pace it would be half a minute.
    collector.signal(signal.SIGHUP)
    site.assert_delivered()
    assert aggregator.running
    assert collector.running


@pytest.mark.case(78)
def test_delivery_begins_at_once_when_the_collectors_certificate_is_renewed(site: Site) -> None:
    site.writer().write(1000)
    _, collector = start(site, GOOD, AUTHORITY.expired())
    assert "refused this collector's certificate" in collector.wait_for("connection_failed")["cause"]
    as_files(site.directory, "collector", AUTHORITY.material("anybody"))
    site.assert_delivered()
    assert collector.running


def test_when_the_certificate_expires_is_a_metric_of_both_halves(site: Site) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + 20 * DAY
    mine = AUTHORITY.material(not_after=ends)
    addresses = {half: f"127.0.0.1:{unused_port()}" for half in ("aggregator", "collector")}
    aggregator = site.aggregator(
        metrics_address=addresses["aggregator"], **as_files(site.directory, "aggregator", mine)
    )
    collector = site.collector(metrics_address=addresses["collector"], **as_files(site.directory, "collector", mine))
    for half, address in addresses.items():
        name = f"mega_collector_{half}_tls_certificate_expiry_seconds"
        until(lambda a=address, n=name: metric(a, n) == ends.timestamp(), f"the {half} should tell")  # type: ignore[misc]
    for process in (aggregator, collector):
        assert process.wait_for("certificate_expires")["days_left"] == 19


def named(name: str) -> Material:
    """As each machine should have one."""
    return AUTHORITY.material(name, common_name=name)


def test_an_id_that_is_anothers_is_refused_in_plain_words_and_its_holder_goes_on(site: Site) -> None:
    site.writer().write(100)
    aggregator = site.aggregator(**as_files(site.directory, "aggregator", GOOD))
    site.collector(id="machine 1", **as_files(site.directory, "one", named("web-1")))
    site.assert_delivered()
    (site.directory / "theirs").mkdir()
    (site.directory / "theirs" / "x.log").write_bytes(b"never\n")
    other = as_files(site.directory, "other", named("web-2"))
    thief = site.collector(name="thief", id="machine 1", paths=f"{site.directory}/theirs/*", **other)
    cause = thief.wait_for("connection_failed")
    for words in ("the aggregator refuses this collector", "CN=web-1", "CN=web-2", "COLLECTOR_ID"):
        assert words in cause["cause"]
    # The slowest pace, with its jitter.
    assert float(cause["next_try"].rstrip("s")) > 10
    assert aggregator.events("collector_refused", bound_to="CN=web-1", holder="CN=web-2")
    site.writer("b.log").write(100)
    site.assert_delivered()
    ended = run_audit(site, id="machine 1", **other)
    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr.startswith("mega-collector: the aggregator at ")
    assert "CN=web-1" in ended.stderr
    assert thief.stop() == 0


def test_its_holder_may_audit_also_with_a_renewed_certificate(site: Site) -> None:
    site.writer().write(100)
    site.aggregator(**as_files(site.directory, "aggregator", GOOD))
    collector = site.collector(**as_files(site.directory, "one", named("web-1")))
    site.assert_delivered()
    settled(site, **as_files(site.directory, "one", named("web-1")))
    assert collector.stop() == 0
    site.writer("b.log").write(100)
    renewed = as_files(site.directory, "renewed", AUTHORITY.material("elsewhere", common_name="web-1"))
    site.collector(**renewed)
    site.assert_delivered()
    assert settled(site, **renewed).states() == {"a.log": "complete", "b.log": "complete"}
