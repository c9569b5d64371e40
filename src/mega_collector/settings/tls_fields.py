"""What both halves' TLS settings share."""

from typing import Protocol

import structlog

from mega_collector.address import Address
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


class OperatorFields(TlsFields, Protocol):
    """Those of an aggregator."""

    @property
    def operator_address(self) -> Address | None: ...
    @property
    def operator_certificates(self) -> bytes | None: ...


_OPERATORS = "AGGREGATOR_OPERATOR_CERTIFICATES"


def require_operators(settings: OperatorFields) -> None:
    """The operators' address takes the aggregator's certificate and a list of who may use it.

    Raises:
        SettingError: there is an address and one of them is missing.
    """
    if settings.operator_address is None:
        return
    for name in ("tls_certificate", "tls_key", "operator_certificates"):
        if getattr(settings, name) is None:
            variable = f"AGGREGATOR_{name.upper()}"
            raise SettingError(variable, "is not set, but AGGREGATOR_OPERATOR_ADDRESS is, which needs it; set it")


def operator_material(settings: OperatorFields) -> Material | None:
    """The checked material of the operators' address; None without one.

    Raises:
        SettingError: it cannot be used, or would let every collector in.
    """
    operators, certificate, key = settings.operator_certificates, settings.tls_certificate, settings.tls_key
    if settings.operator_address is None or operators is None or certificate is None or key is None:
        return None
    # What verifies certificates takes 9 MB.
    from mega_collector.tls import verify  # noqa: PLC0415

    for warning in verify(operators, certificate, key, prefix="AGGREGATOR", ca_name=_OPERATORS):
        _log.warning("certificate", warning=warning)
    refuse_collectors(operators, settings.tls_ca_certificate)
    return Material(operators, certificate, key)


def refuse_collectors(operators: bytes, ca: bytes | None) -> None:
    """A collector's certificate must not let one host read another's logs.

    Raises:
        SettingError: the list has the collectors' CA.
    """
    from mega_collector.tls import same_key  # noqa: PLC0415 - as above

    if ca is not None and same_key(operators, ca):
        raise SettingError(
            _OPERATORS,
            "has the CA of AGGREGATOR_TLS_CA_CERTIFICATE, by which every collector could read all logs; "
            "give the operators' own certificates, or another CA",
        )


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
