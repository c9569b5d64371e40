"""Certificates that change while lines flow, and what is said of those that should not be used as they are."""

import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from certificates import Authority, Material
from harness.metrics import unused_port
from harness.process import Process
from harness.site import Site

AUTHORITY = Authority()
STRANGER = Authority()

_WRONG_CA = (
    "the aggregator's certificate is not signed by COLLECTOR_TLS_CA_CERTIFICATE: "
    "give here the CA that signed AGGREGATOR_TLS_CERTIFICATE"
)


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
        # Each is whole at every instant; that they do not fit together for a while is what is tried.
        unfinished = _file(site, name, f"{part}.new")
        unfinished.touch(0o600)
        unfinished.write_bytes(pem)
        unfinished.replace(_file(site, name, part))
    return {"tls": "1", **{part: str(_file(site, name, part)) for part in parts}}


def _file(site: Site, name: str, part: str) -> Path:
    return site.directory / f"{name}.{part}.pem"


def _aggregator(site: Site, **material: Material) -> Process:
    return site.aggregator(**_files(site, "aggregator", **material))


@pytest.mark.case(81)
def test_an_aggregator_shows_its_new_certificate_while_lines_flow(site: Site) -> None:
    """Also one file after the other, so that for a while the key is another certificate's."""
    writer = site.writer()
    old, new = AUTHORITY.material(), AUTHORITY.material()
    aggregator = _aggregator(site, certificate=old)
    collector = site.collector(**_files(site, "collector", certificate=old))
    writer.write(1000)
    site.assert_delivered()
    _files(site, "aggregator", certificate=new, key=old)
    reason = aggregator.wait_for("certificate_not_usable")["reason"]
    assert "AGGREGATOR_TLS_KEY: does not belong to AGGREGATOR_TLS_CERTIFICATE" in reason
    writer.write(1000)
    assert _shown(site) == _in_der(old)
    _files(site, "aggregator", certificate=new)
    aggregator.wait_for("certificate_renewed")
    assert _shown(site) == _in_der(new)
    writer.write(1000)
    site.assert_delivered()
    # The connection that stands has outlived it all, and it is said once.
    assert len(collector.events("connected")) == 1
    assert len(aggregator.events("certificate_not_usable")) == 1
    assert "PRIVATE KEY" not in aggregator.said()


@pytest.mark.case(81)
def test_a_collector_connects_with_its_new_certificate_as_soon_as_it_fits(site: Site) -> None:
    """All is signed by another authority from now on, so that nothing old connects."""
    writer = site.writer()
    old, new = (each.material(common_name="web-1") for each in (AUTHORITY, STRANGER))
    aggregator = _aggregator(site, certificate=old)
    collector = site.collector(**_files(site, "collector", certificate=old))
    writer.write(1000)
    site.assert_delivered()
    _files(site, "aggregator", certificate=new)
    aggregator.wait_for("certificate_renewed")
    # As a network does at times.
    assert aggregator.stop() == 0
    _aggregator(site, certificate=new)
    collector.wait_for("connection_failed", cause=_WRONG_CA)
    writer.write(1000)
    _files(site, "collector", certificate=new, key=old)
    assert "COLLECTOR_TLS_KEY" in collector.wait_for("certificate_not_usable")["reason"]
    _files(site, "collector", certificate=new)
    collector.wait_for("certificate_renewed")
    # At once: the slowest pace would be half a minute.
    collector.wait_for("connected", count=2)
    site.assert_delivered()
    assert "PRIVATE KEY" not in collector.said()


def _shown(site: Site) -> bytes:
    """The certificate that the aggregator shows to who connects now."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    host, _, port = site.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as plain, context.wrap_socket(plain) as wrapped:
        return wrapped.getpeercert(binary_form=True) or b""


def _in_der(material: Material) -> bytes:
    return ssl.PEM_cert_to_DER_cert(material.certificate.decode().partition("-----END")[0] + ssl.PEM_FOOTER)


@pytest.mark.case(82)
@pytest.mark.parametrize("half", ["aggregator", "collector"])
def test_a_key_that_everybody_can_read_is_a_warning(site: Site, half: str) -> None:
    settings = _files(site, half, certificate=AUTHORITY.material())
    _file(site, half, "tls_key").chmod(0o644)
    process = site.aggregator(**settings) if half == "aggregator" else site.collector(**settings)
    assert process.wait_for("key_exposed")["path"] == settings["tls_key"]
    assert process.stop() == 0
    assert "PRIVATE KEY" not in process.said()
