"""Whose a collector's id is: the holder of the certificate that it first came with."""

import math
import time
from contextlib import suppress

import grpc
import structlog

from mega_collector.aggregator.ledger import Ledger
from mega_collector.protocol import Hello
from mega_collector.telemetry.once import Once
from mega_collector.telemetry.printable import text

_log = structlog.get_logger(__name__)


class Holders:
    """Lets each collector's id be used by one holder only. Without TLS nobody holds anything."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        # A fact, and not an event: it stays as it is until a person mends it.
        self._told = Once(interval=math.inf)

    def require(self, hello: Hello, context: grpc.ServicerContext) -> None:
        """End the call if the collector's id is another's. One that is nobody's is this one's from now on.

        Raises:
            LedgerError: nobody can say whose it is.
        """
        holder = holder_of(context)
        if holder is not None:
            self._refuse_others(hello, context, holder, self._ledger.bind(hello.collector, holder))

    def may_read(self, hello: Hello, context: grpc.ServicerContext) -> bool:
        """End the call if the collector's id is another's; whether it is this one's. One that is nobody's stays so.

        Raises:
            LedgerError: nobody can say whose it is.
        """
        holder = holder_of(context)
        if holder is None:
            return True
        bound = self._ledger.holder(hello.collector)
        if bound is None:
            return False
        self._refuse_others(hello, context, holder, bound)
        return True

    def _refuse_others(self, hello: Hello, context: grpc.ServicerContext, holder: str, bound: str) -> None:
        if bound == holder:
            return
        if self._told.due((hello.collector, holder, bound), time.monotonic()) is not None:
            who = {"collector": hello.collector, "host": hello.host, "peer": context.peer()}
            _log.warning("collector_refused", **who, holder=holder, bound_to=bound)
        context.abort(grpc.StatusCode.PERMISSION_DENIED, _refusal(hello.collector, holder, bound))


def holder_of(context: grpc.ServicerContext) -> str | None:
    """Who holds the certificate that a peer has shown, so that a renewed one is the same holder's if it can be.

    `CN=` and its common name if it has one; else `SAN=` and all its other names; else `SHA-256=` and its fingerprint.

    None without TLS.
    """
    shown = context.auth_context().get("x509_pem_cert")
    return holder_in(bytes(shown[0])) if shown else None


def holder_in(pem: bytes) -> str:
    """The same of a certificate. gRPC's own property ends where a name has a NUL, and so may pass for another name."""
    # Not without TLS: it takes 9 MB.
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.x509 import ExtensionNotFound, SubjectAlternativeName, load_pem_x509_certificate  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    certificate = load_pem_x509_certificate(pem)
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) == 1 and names[0].value:
        return f"CN={names[0].value!s}"
    with suppress(ExtensionNotFound):
        others = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
        return f"SAN={' '.join(sorted(f'{type(other).__name__}:{other.value!s}' for other in others))}"
    return f"SHA-256={certificate.fingerprint(SHA256()).hex()}"


def _refusal(collector: str, holder: str, bound: str) -> str:
    return text(
        f"the id {collector} is that of the collector whose certificate is {bound}, and this one shows {holder}:"
        " give it an id of its own (COLLECTOR_ID), or a certificate with that name;"
        " if it has been renamed, `mega-collector ledger --release` beside the aggregator hands the id over"
    )
