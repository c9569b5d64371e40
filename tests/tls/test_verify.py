"""Bad TLS material is found at start, and told without showing any of it."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from certificates import DAY, Authority, Material
from mega_collector import tls
from mega_collector.errors import SettingError

AUTHORITY = Authority()
GOOD = AUTHORITY.material()
OTHER = AUTHORITY.material()
DAMAGED_KEY = GOOD.key[:60] + b"????" + GOOD.key[64:]


def verify(material: Material, now: datetime | None = None) -> tuple[str, ...]:
    return tls.verify(material.ca, material.certificate, material.key, prefix="COLLECTOR", now=now)


def encrypted(key: bytes) -> bytes:
    plain = load_pem_private_key(key, password=None)
    return plain.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))


def test_good_material_passes_without_a_warning() -> None:
    assert verify(GOOD) == ()


@pytest.mark.case(82)
@pytest.mark.parametrize(
    ("material", "name", "problem"),
    [
        (Material(b" \n", GOOD.certificate, GOOD.key), "COLLECTOR_TLS_CA_CERTIFICATE", "empty"),
        (Material(b"rubbish", GOOD.certificate, GOOD.key), "COLLECTOR_TLS_CA_CERTIFICATE", "no PEM"),
        (Material(GOOD.ca[:200], GOOD.certificate, GOOD.key), "COLLECTOR_TLS_CA_CERTIFICATE", "damaged"),
        (Material(GOOD.ca, b"", GOOD.key), "COLLECTOR_TLS_CERTIFICATE", "empty"),
        (Material(GOOD.ca, GOOD.key, GOOD.key), "COLLECTOR_TLS_CERTIFICATE", "holds a private key"),
        (Material(GOOD.ca, GOOD.certificate, b""), "COLLECTOR_TLS_KEY", "empty"),
        (Material(GOOD.ca, GOOD.certificate, GOOD.certificate), "COLLECTOR_TLS_KEY", "holds a certificate"),
        (Material(GOOD.ca, GOOD.certificate, DAMAGED_KEY), "COLLECTOR_TLS_KEY", "damaged"),
        (Material(GOOD.ca, GOOD.certificate, encrypted(GOOD.key)), "COLLECTOR_TLS_KEY", "encrypted"),
        (Material(GOOD.ca, GOOD.certificate, OTHER.key), "COLLECTOR_TLS_KEY", "does not belong"),
        (Material(GOOD.ca, GOOD.ca + GOOD.certificate, GOOD.key), "COLLECTOR_TLS_CERTIFICATE", "begins with another's"),
    ],
)
def test_material_that_cannot_be_used_is_refused_by_name(material: Material, name: str, problem: str) -> None:
    with pytest.raises(SettingError, match=problem) as refusal:
        verify(material)
    assert refusal.value.name == name
    assert "\n" not in str(refusal.value)


@pytest.mark.case(82)
@pytest.mark.parametrize("key", [DAMAGED_KEY, encrypted(GOOD.key), OTHER.key])
def test_a_refusal_shows_nothing_of_the_key(key: bytes) -> None:
    with pytest.raises(SettingError) as refusal:
        verify(Material(GOOD.ca, GOOD.certificate, key))
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None
    lines = [line for line in key.decode().splitlines() if not line.startswith("-----")]
    assert not any(line[:12] in str(refusal.value) for line in lines)


def test_an_expired_certificate_is_a_warning_since_the_clock_may_be_wrong() -> None:
    (warning,) = verify(AUTHORITY.expired())
    assert warning.startswith("COLLECTOR_TLS_CERTIFICATE: ")
    assert "expired on" in warning


def test_a_certificate_not_yet_valid_is_a_warning() -> None:
    (warning,) = verify(AUTHORITY.not_yet_valid())
    assert "is not valid before" in warning


def test_the_dates_of_the_authority_are_looked_at_too() -> None:
    warnings = verify(GOOD, now=datetime(1970, 1, 1, tzinfo=UTC) + DAY)
    assert [warning.split(":")[0] for warning in warnings] == [
        "COLLECTOR_TLS_CA_CERTIFICATE",
        "COLLECTOR_TLS_CERTIFICATE",
    ]


@pytest.mark.parametrize("prefix", ["AGGREGATOR", "COLLECTOR"])
def test_a_key_of_a_kind_that_grpc_does_not_take_is_refused(prefix: str) -> None:
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    with pytest.raises(SettingError, match=f"^{prefix}_TLS_KEY: is neither an EC nor an RSA key"):
        tls.verify(GOOD.ca, GOOD.certificate, key, prefix=prefix)
