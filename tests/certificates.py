"""Certificates for tests, made on the spot: an authority, a stranger, and what they signed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import trustme

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

    def expired(self) -> Material:
        now = datetime.now(UTC)
        return self.material(not_before=now - 2 * DAY, not_after=now - DAY)

    def not_yet_valid(self) -> Material:
        now = datetime.now(UTC)
        return self.material(not_before=now + DAY, not_after=now + 2 * DAY)
