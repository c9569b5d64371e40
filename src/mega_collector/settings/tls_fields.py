"""What both halves' TLS settings share."""

from typing import Protocol

import structlog

from mega_collector.errors import SettingError
from mega_collector.pem_file import Material
from mega_collector.settings.pem import exposed

_log = structlog.get_logger(__name__)


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


def tls_material(settings: TlsFields, prefix: str) -> Material | None:
    """The checked material; None without TLS. What it warns of is logged.

    Raises:
        SettingError: it cannot be used.
    """
    ca, certificate, key = settings.tls_ca_certificate, settings.tls_certificate, settings.tls_key
    if not settings.tls or ca is None or certificate is None or key is None:
        return None
    # What verifies certificates takes 9 MB.
    from mega_collector.tls import verify  # noqa: PLC0415

    for warning in verify(ca, certificate, key, prefix=prefix.rstrip("_")):
        _log.warning("certificate", warning=warning)
    if (path := exposed(key)) is not None:
        _log.warning("key_exposed", path=str(path), reason="everybody on this machine can read it: chmod 600")
    return Material(ca, certificate, key)
