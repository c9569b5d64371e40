"""Two processes over TCP and mutual TLS."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from certificates import Authority, Material
from harness.process import Process
from harness.site import Site
from harness.until import quiet


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    # Started anew each time: what an aggregator hears of gRPC's own log depends on how that was imported.
    with Site(tmp_path) as site:
        yield site


@pytest.mark.case(81)
def test_delivered_over_tls_through_a_restart_of_the_aggregator(site: Site, tmp_path: Path) -> None:
    authority = Authority()
    writer = site.writer()
    writer.write(1000)
    aggregator = _aggregator(site, authority.material())
    collector = site.collector(**_as_files(authority.material("collector"), tmp_path))
    site.assert_delivered()
    aggregator.kill()
    writer.write(1000)
    _aggregator(site, authority.material())
    site.assert_delivered()
    assert "PRIVATE KEY" not in "".join(process.said() for process in site.processes)
    assert collector.running


@pytest.mark.parametrize("stranger", ["collector", "aggregator"])
def test_nothing_is_delivered_between_strangers_and_the_reason_is_said(site: Site, stranger: str) -> None:
    one, other = Authority(), Authority()
    site.writer().write(10)
    aggregator = _aggregator(site, (one if stranger == "collector" else other).material(trusts=one))
    collector = site.collector(**_settings((other if stranger == "collector" else one).material("c", trusts=one)))
    failed = collector.wait_for("connection_failed")
    assert "TLS" in failed["cause"]
    if stranger == "collector":
        assert "AGGREGATOR_TLS_CA_CERTIFICATE" in aggregator.wait_for("handshake_failed")["reason"]
    quiet(site.size, "a destination that nobody may write to")
    assert site.size() == 0
    assert collector.stop() == 0


def test_other_collectors_are_served_while_a_stranger_tries(site: Site) -> None:
    authority, stranger = Authority(), Authority()
    _aggregator(site, authority.material())
    foreign = site.collector(name="foreign", **_settings(stranger.material("c", trusts=authority)))
    foreign.wait_for("connection_failed")
    site.writer().write(1000)
    site.collector(**_settings(authority.material("collector")))
    site.assert_delivered()


def _aggregator(site: Site, material: Material) -> Process:
    """Where it was before, if it was: port 0 is any free one."""
    address = site.address if site.address.startswith("127.0.0.1:") else "127.0.0.1:0"
    process = site.aggregator(listen_address=address, **_settings(material))
    site.address = process.events("listening", tls=True)[0]["address"]
    return process


def _settings(material: Material) -> dict[str, Any]:
    return {
        "tls": "1",
        "tls_certificate": material.certificate.decode(),
        "tls_key": material.key.decode(),
        "tls_ca_certificate": material.ca.decode(),
    }


def _as_files(material: Material, directory: Path) -> dict[str, Any]:
    settings = _settings(material)
    for name, text in settings.items():
        if name != "tls":
            path = directory / f"{name}.pem"
            path.write_text(text)
            path.chmod(0o600)
            settings[name] = str(path)
    return settings
