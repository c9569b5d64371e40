"""Certificates are read again when their files change, and used when all of them fit."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from structlog.testing import capture_logs

from certificates import DAY, Authority, Material
from mega_collector.certificates import Certificates
from mega_collector.pem_file import Material as Parts
from mega_collector.settings.pem import pem
from tls.echo import Echo, echo_on, serving_with

AUTHORITY = Authority()
STRANGER = Authority()
NOW = datetime.now(UTC)


class Files:
    """The three files of one side, which change one after the other."""

    def __init__(self, directory: Path, material: Material) -> None:
        self._paths = [directory / name for name in ("ca.pem", "certificate.pem", "key.pem")]
        self.write(material)

    def write(self, material: Material, *, key: Material | None = None) -> None:
        for path, content in zip(self._paths, (material.ca, material.certificate, (key or material).key), strict=True):
            path.write_bytes(content)

    def remove_key(self) -> None:
        self._paths[2].unlink()

    def set_time(self, moment: datetime) -> None:
        for path in self._paths:
            os.utime(path, (moment.timestamp(), moment.timestamp()))

    def read(self) -> Parts:
        return Parts(*(pem(str(path)) for path in self._paths))


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now.timestamp()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path, AUTHORITY.material())


def opened(files: Files, wall_clock: Callable[[], float] = NOW.timestamp) -> Certificates:
    return Certificates(files.read(), half="AGGREGATOR", wall_clock=wall_clock)


def served(certificates: Certificates) -> list[str]:
    """Looks three times, as the main loop does; the events."""
    with capture_logs() as logs:
        for _ in range(3):
            certificates.look()
    return [log["event"] for log in logs]


def test_files_that_do_not_change_are_not_told_of(files: Files) -> None:
    certificates = opened(files)
    files.write(files_as_material(files))
    assert served(certificates) == []


def files_as_material(files: Files) -> Material:
    return Material(*map(bytes, files.read()))


@pytest.mark.case(81)
def test_a_key_that_does_not_belong_yet_is_waited_for_and_told_once(files: Files) -> None:
    certificates, old, new = opened(files), files_as_material(files), AUTHORITY.material(not_after=NOW + 9 * DAY)
    before = certificates.expires_at
    files.write(new, key=old)
    assert served(certificates) == ["certificate_not_usable"]
    assert certificates.expires_at == before
    files.write(new)
    assert served(certificates) == ["certificate_renewed", "certificate_expires"]
    assert certificates.expires_at == pytest.approx((NOW + 9 * DAY).timestamp(), abs=1)


@pytest.mark.case(81)
def test_what_is_missing_or_cut_short_for_a_moment_changes_nothing_and_shows_nothing_of_the_key(files: Files) -> None:
    certificates, old, new = opened(files), files_as_material(files), AUTHORITY.material()
    with capture_logs() as logs:
        files.remove_key()
        assert not certificates.look()
        files.write(Material(new.ca, new.certificate, new.key[:100]))
        assert not certificates.look()
        files.write(old)
        assert not certificates.look()
    assert [log["event"] for log in logs] == ["certificate_not_usable"] * 2
    assert "key.pem' is neither PEM nor the path of a file" in logs[0]["reason"]
    assert new.key[40:60].decode() not in str(logs)


@pytest.mark.case(81)
def test_a_second_change_within_a_tick_of_the_clock_is_seen(files: Files) -> None:
    """Neither time nor size shows it; a file that was written just now is read again."""
    certificates, first = opened(files), files_as_material(files)
    while (second := AUTHORITY.material()) and list(map(len, parts(first))) != list(map(len, parts(second))):
        pass
    files.set_time(NOW)
    assert not certificates.look()
    files.write(second)
    files.set_time(NOW)
    assert certificates.look()


def test_a_certificate_out_of_its_time_does_not_take_the_place_of_one_that_is_in_its(files: Files) -> None:
    certificates = opened(files)
    files.write(AUTHORITY.not_yet_valid())
    assert served(certificates) == ["certificate_not_usable"]
    files.write(AUTHORITY.material())
    assert served(certificates) == ["certificate_renewed"]


def test_the_end_is_told_of_before_it_comes_and_when_it_has_come(tmp_path: Path) -> None:
    files, clock = Files(tmp_path, AUTHORITY.material(not_after=NOW + 40 * DAY)), Clock()
    certificates, told = opened(files, clock), []
    for days in (0, 20, 34, 39.5, 41):
        clock.now = NOW + days * DAY
        told += served(certificates)
    assert told == ["certificate_expires"] * 3 + ["certificate_expired"]


def test_text_in_the_settings_stays_as_it_is() -> None:
    material = AUTHORITY.material()
    certificates = Certificates(Parts(material.ca, material.certificate, material.key), half="COLLECTOR")
    assert not certificates.look()
    assert not certificates.look(anew=True)


def said(port: int, material: Material) -> bytes | None:
    """What a client with this material hears; None: the handshake failed."""
    credentials = grpc.ssl_channel_credentials(material.ca, material.key, material.certificate)
    return _heard(port, credentials)


def _heard(port: int, credentials: grpc.ChannelCredentials) -> bytes | None:
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
        try:
            return echo_on(channel)
        except grpc.RpcError:
            return None


@pytest.mark.case(79, 81)
def test_a_server_goes_on_with_another_authority_and_stays_mutual(files: Files) -> None:
    certificates = opened(files)
    with serving_with(certificates.server_credentials(), Echo()) as port:
        assert said(port, AUTHORITY.material()) == b"line"
        files.write(STRANGER.material())
        assert certificates.look()
        assert said(port, STRANGER.material()) == b"line"
        # Of whom the old authority vouches for, nobody is served any more; nor anybody without a certificate.
        assert said(port, AUTHORITY.material(trusts=STRANGER)) is None
        assert _heard(port, grpc.ssl_channel_credentials(STRANGER.pem)) is None


@pytest.mark.case(81)
def test_a_server_keeps_what_it_has_while_the_new_does_not_fit(files: Files) -> None:
    certificates, old = opened(files), files_as_material(files)
    with serving_with(certificates.server_credentials(), Echo()) as port:
        files.write(STRANGER.material(), key=old)
        assert not certificates.look()
        assert said(port, AUTHORITY.material()) == b"line"


@pytest.mark.case(81)
def test_a_client_connects_with_what_the_files_hold_then(files: Files) -> None:
    certificates = opened(files)
    renewed = STRANGER.material()
    with serving_with(Certificates(Parts(*parts(renewed)), half="AGGREGATOR").server_credentials(), Echo()) as port:
        assert _heard(port, certificates.client_credentials()) is None
        files.write(renewed)
        assert _heard(port, certificates.client_credentials()) == b"line"


def parts(material: Material) -> tuple[bytes, bytes, bytes]:
    return material.ca, material.certificate, material.key
