"""Certificates that change while lines flow, and what is said of those that should not be used as they are."""

from pathlib import Path
from typing import Any

import pytest

from certificates import Authority, Material
from harness.metrics import unused_port
from harness.process import Process
from harness.site import Site

AUTHORITY = Authority()


@pytest.fixture(autouse=True)
def port(site: Site) -> None:
    """Names are checked on a port as they are between machines."""
    site.address = f"127.0.0.1:{unused_port()}"


def _files(site: Site, name: str, *, certificate: Material, key: Material | None = None) -> dict[str, Any]:
    """Write what one side is given, and the settings that name it; `key` is that of other material."""
    parts = {
        "tls_ca_certificate": certificate.ca,
        "tls_certificate": certificate.certificate,
        "tls_key": (key or certificate).key,
    }
    for part, pem in parts.items():
        path = _file(site, name, part)
        path.touch(0o600)
        path.write_bytes(pem)
    return {"tls": "1", **{part: str(_file(site, name, part)) for part in parts}}


def _file(site: Site, name: str, part: str) -> Path:
    return site.directory / f"{name}.{part}.pem"


def _aggregator(site: Site, **material: Material) -> Process:
    return site.aggregator(**_files(site, "aggregator", **material))


@pytest.mark.case(81)
def test_files_that_are_replaced_under_a_running_pair_are_read_at_the_next_start(site: Site) -> None:
    """Also one after the other, so that for a while the key is another certificate's."""
    writer = site.writer()
    old, new = AUTHORITY.material(), AUTHORITY.material()
    aggregator = _aggregator(site, certificate=old)
    collector = site.collector(**_files(site, "collector", certificate=old))
    writer.write(1000)
    site.assert_delivered()
    for name in ("aggregator", "collector"):
        mixed = _files(site, name, certificate=new, key=old)
    writer.write(1000)
    site.assert_delivered()
    # A new connection, with what the collector has read at its start.
    aggregator.kill()
    refused = site.aggregator(wait=False, **_files(site, "aggregator", certificate=new, key=old))
    assert refused.wait() == 2
    assert "AGGREGATOR_TLS_KEY: does not belong to AGGREGATOR_TLS_CERTIFICATE" in refused.said()
    writer.write(1000)
    _aggregator(site, certificate=new)
    site.assert_delivered()
    assert collector.stop() == 0
    refused = site.collector(**mixed)
    assert refused.wait() == 2
    assert "COLLECTOR_TLS_KEY: does not belong to COLLECTOR_TLS_CERTIFICATE" in refused.said()
    writer.write(1000)
    site.collector(**_files(site, "collector", certificate=new))
    site.assert_delivered()


@pytest.mark.case(82)
@pytest.mark.parametrize("half", ["aggregator", "collector"])
def test_a_key_that_everybody_can_read_is_a_warning(site: Site, half: str) -> None:
    settings = _files(site, half, certificate=AUTHORITY.material())
    _file(site, half, "tls_key").chmod(0o644)
    process = site.aggregator(**settings) if half == "aggregator" else site.collector(**settings)
    assert process.wait_for("key_exposed")["path"] == settings["tls_key"]
    assert process.stop() == 0
    assert "PRIVATE KEY" not in process.said()
