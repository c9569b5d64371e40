"""TLS between collectors and aggregator, mutual: what the settings give is checked here and becomes credentials.

gRPC itself finds bad material only at the first handshake, and says little then.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import grpc
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import Certificate, load_pem_x509_certificates

from mega_collector.errors import SettingError
from mega_collector.pem_file import Material


class Validity(NamedTuple):
    """When certificates can be used, in seconds since the epoch: between when the last begins and the first ends."""

    begins: float
    ends: float

    def holds(self, now: float) -> bool:
        return self.begins <= now <= self.ends


def server_credentials(
    ca: bytes, certificate: bytes, key: bytes, *, renewed: Callable[[], Material | None] = lambda: None
) -> grpc.ServerCredentials:
    """Give what an aggregator serves with: every client must show a certificate that `ca` has signed.

    All three are PEM, verified before: gRPC would fail only when the first client comes. `renewed` is asked before each
    handshake, from a thread of gRPC's, and answers what is to be used from then on; None: nothing has changed.
    """

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        material = renewed()
        return None if material is None else _server_configuration(*material)

    return grpc.dynamic_ssl_server_credentials(
        _server_configuration(ca, certificate, key),
        fetch,  # type: ignore[arg-type]  # it may answer None, whatever the stub says
        require_client_authentication=True,
    )


def _server_configuration(ca: bytes, certificate: bytes, key: bytes) -> grpc.ServerCertificateConfiguration:
    # gRPC takes `bytes`, and nothing that is derived from them.
    return grpc.ssl_server_certificate_configuration([(bytes(key), bytes(certificate))], root_certificates=bytes(ca))


def client_credentials(ca: bytes, certificate: bytes, key: bytes) -> grpc.ChannelCredentials:
    """Give what a collector connects with: it shows `certificate`, and expects one that `ca` has signed."""
    return grpc.ssl_channel_credentials(
        root_certificates=bytes(ca), private_key=bytes(key), certificate_chain=bytes(certificate)
    )


def verify(
    ca: bytes, certificate: bytes, key: bytes, *, prefix: str, ca_name: str | None = None, now: datetime | None = None
) -> tuple[str, ...]:
    """Check PEM material before anything is opened, and answer warnings: one line each, none if all is well.

    Dates only warn, since time or a new clock heals them, and the peer will say so too. `prefix` is `AGGREGATOR` or
    `COLLECTOR`, for the variables' names; `ca_name` is the CA's, where that is another. `now` has a time zone, and is
    the present if absent.

    Raises:
        SettingError: `{prefix}_TLS_CA_CERTIFICATE`, `{prefix}_TLS_CERTIFICATE` or `{prefix}_TLS_KEY` cannot be used.
            The text holds nothing of the key.
    """
    ca_name = ca_name or f"{prefix}_TLS_CA_CERTIFICATE"
    certificate_name, key_name = f"{prefix}_TLS_CERTIFICATE", f"{prefix}_TLS_KEY"
    authorities = _certificates(ca, ca_name)
    chain = _certificates(certificate, certificate_name)
    _match(_private_key(key, key_name), chain, key_name, certificate_name)
    moment = now or datetime.now(UTC)
    return (*_dates(authorities, ca_name, moment), *_dates(chain, certificate_name, moment))


def same_key(one: bytes, other: bytes) -> bool:
    """Whether certificates in verified PEM have a key in common: whoever trusts the one list, trusts that too."""
    keys, others = (
        {_public_bytes(each.public_key()) for each in load_pem_x509_certificates(pem)} for pem in (one, other)
    )
    return not keys.isdisjoint(others)


def validity(pem: bytes) -> Validity:
    """Of all certificates in verified PEM together."""
    chain = load_pem_x509_certificates(pem)
    return Validity(
        max(each.not_valid_before_utc.timestamp() for each in chain),
        min(each.not_valid_after_utc.timestamp() for each in chain),
    )


def _certificates(pem: bytes, name: str) -> list[Certificate]:
    if not pem.strip():
        raise SettingError(name, "is empty. Give a certificate in PEM, or the path of a file that holds one")
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        found = "a private key" if b"PRIVATE KEY-----" in pem else "no PEM"
        raise SettingError(name, f"holds {found}. Give a certificate: it begins with -----BEGIN CERTIFICATE-----")
    try:
        return load_pem_x509_certificates(pem)
    except ValueError:
        raise SettingError(name, "holds a damaged certificate. Copy its PEM file again, whole") from None


def _private_key(pem: bytes, name: str) -> PrivateKeyTypes:
    """Load it. Causes are cut off from the errors: their text might quote the key."""
    if not pem.strip():
        raise SettingError(name, "is empty. Give a private key in PEM, or the path of a file that holds one")
    if b"PRIVATE KEY-----" not in pem:
        found = "a certificate" if b"-----BEGIN CERTIFICATE-----" in pem else "no PEM"
        raise SettingError(name, f"holds {found}. Give a private key: it begins with -----BEGIN PRIVATE KEY-----")
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise SettingError(name, "is encrypted. Give it without a password: openssl pkey -in KEY -out PLAIN") from None
    except (ValueError, UnsupportedAlgorithm):
        raise SettingError(name, "holds a damaged or unknown private key. Copy its PEM file again, whole") from None
    # gRPC's TLS offers no others in the handshake, which then fails with words that help nobody.
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        raise SettingError(
            name, "is neither an EC nor an RSA key, and gRPC takes no other. Make an EC key (prime256v1)"
        )
    return key


def _match(key: PrivateKeyTypes, chain: list[Certificate], key_name: str, certificate_name: str) -> None:
    own = _public_bytes(key.public_key())
    matching = [_public_bytes(certificate.public_key()) == own for certificate in chain]
    if matching[0]:
        return
    if any(matching):
        raise SettingError(certificate_name, "begins with another's. Put the key's own certificate before its issuers'")
    raise SettingError(key_name, f"does not belong to {certificate_name}. Give the two that were made together")


def _public_bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _dates(certificates: list[Certificate], name: str, now: datetime) -> Iterator[str]:
    for certificate in certificates:
        subject = ascii(certificate.subject.rfc4514_string())
        if now > certificate.not_valid_after_utc:
            yield f"{name}: {subject} expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC. Renew it"
        elif now < certificate.not_valid_before_utc:
            since = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
            yield f"{name}: {subject} is not valid before {since}. Check this machine's clock"
