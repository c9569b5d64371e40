"""Certificates for tests, made on the spot: an authority, a stranger, and what they signed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import CertificateBuilder, Name, load_pem_x509_certificate, random_serial_number

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Material:
    """What one side's settings give, as PEM."""

    ca: bytes
    certificate: bytes
    key: bytes


class Authority:
    """Signs certificates for the loopback, and trusts those it has signed."""

    def __init__(self) -> None:
        self._ca = trustme.CA()

    @property
    def pem(self) -> bytes:
        return self._ca.cert_pem.bytes()

    def material(
        self,
        *names: str,
        common_name: str | None = None,
        trusts: "Authority | None" = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> Material:
        """Sign a certificate for `names`, by default those of the loopback; its holder trusts `trusts`, or this one."""
        leaf = self._ca.issue_cert(
            *(names or ("localhost", "127.0.0.1")), common_name=common_name, not_before=not_before, not_after=not_after
        )
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        return Material((trusts or self).pem, chain, leaf.private_key_pem.bytes())

    def without_alternative_names(self, common_name: str) -> Material:
        """Sign a certificate as they were before names stood in an extension."""
        leaf = self._ca.issue_cert(common_name=common_name)
        return Material(self.pem, leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes())

    def nameless(self) -> Material:
        """Sign a certificate that says nothing of its holder."""
        key = ec.generate_private_key(ec.SECP256R1())
        authority = load_pem_x509_certificate(self.pem)
        signing = load_pem_private_key(self._ca.private_key_pem.bytes(), None)
        assert isinstance(signing, ec.EllipticCurvePrivateKey)
        now = datetime.now(UTC)
        certificate = (
            CertificateBuilder()
            .subject_name(Name([]))
            .issuer_name(authority.subject)
            .public_key(key.public_key())
            .serial_number(random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
            .sign(signing, SHA256())
        )
        plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Material(self.pem, certificate.public_bytes(Encoding.PEM), plain)

    def expired(self) -> Material:
        now = datetime.now(UTC)
        return self.material(not_before=now - 2 * DAY, not_after=now - DAY)

    def not_yet_valid(self) -> Material:
        now = datetime.now(UTC)
        return self.material(not_before=now + DAY, not_after=now + 2 * DAY)
