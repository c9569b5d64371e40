"""The rule that both halves' TLS settings share."""

from typing import Protocol

from mega_collector.errors import SettingError


class TlsFields(Protocol):
    """Settings with TLS in them."""

    @property
    def tls(self) -> bool: ...
    @property
    def tls_certificate(self) -> bytes | None: ...
    @property
    def tls_key(self) -> bytes | None: ...
    @property
    def tls_ca_certificate(self) -> bytes | None: ...


def require_tls_complete(settings: TlsFields, prefix: str) -> None:
    """TLS is mutual: it takes a certificate, its key and the CA of the other side.

    Raises:
        SettingError: TLS is on and one of them is missing.
    """
    if not settings.tls:
        return
    for name in ("tls_certificate", "tls_key", "tls_ca_certificate"):
        if getattr(settings, name) is None:
            raise SettingError(prefix + name.upper(), f"is not set, but {prefix}TLS is 1, which needs it; set it")
