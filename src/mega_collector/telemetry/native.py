"""What gRPC's C core writes to descriptor 2, past Python, as facts of this log.

It is the only place where an aggregator learns why a TLS handshake failed: no callback, interceptor or trace of grpcio
1.85 tells, and the peer's address stands nowhere. Besides, its lines would be the only ones that are not JSON.
"""

import os
import re
import time
from threading import Thread
from typing import TextIO

import structlog

from mega_collector.telemetry.once import Once

STDERR = 2

# Abseil's: severity, date, time, thread, where it was written. E.g.
# I1123 21:18:35.440225    7198 ssl_transport_security.cc:2563] Handshake failed with error SSL_ERROR_SSL: ...
_ABSEIL = re.compile(r"([IWEF])\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ (\S+:\d+)\] (.*)")

_HANDSHAKE = "Handshake failed with error"

# As the aggregator sees its client. The first that occurs wins.
_CAUSES = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "a client showed no certificate: set COLLECTOR_TLS_CERTIFICATE there",
    "certificate has expired": "a client's certificate has expired: renew COLLECTOR_TLS_CERTIFICATE there",
    "certificate is not yet valid": "a client's certificate is not valid yet: check the clocks of both machines",
    "CERTIFICATE_VERIFY_FAILED": (
        "a client's certificate is not signed by AGGREGATOR_TLS_CA_CERTIFICATE, "
        "or an operator's not in AGGREGATOR_OPERATOR_CERTIFICATES"
    ),
    "WRONG_VERSION_NUMBER": "a client does not speak TLS: set COLLECTOR_TLS=1 there",
    "HTTP_REQUEST": "a client speaks plain HTTP: it may have taken this port for another",
}

_INTERVAL = 60.0
"""Seconds between two tellings of one cause: a collector that is refused comes again and again."""

_log = structlog.get_logger(__name__)


class Native:
    """Reads descriptor 2 from its creation until it is closed. What is not gRPC's passes on as it is.

    `stderr` is the true standard error: for the log, and in the place of `sys.stderr`, since what is written to the
    descriptor itself arrives late, and not at all if the process is killed.
    """

    def __init__(self) -> None:
        self.stderr: TextIO = os.fdopen(os.dup(STDERR), "w", buffering=1, errors="backslashreplace")
        reader, writer = os.pipe()
        os.set_blocking(writer, False)  # gRPC must not wait for a log that nobody reads
        os.dup2(writer, STDERR)
        os.close(writer)
        self._thread = Thread(target=self._read, args=(reader,), name="native-log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give the descriptor back, when everything written to it so far is told."""
        os.dup2(self.stderr.fileno(), STDERR)
        self._thread.join()
        self.stderr.close()

    def _read(self, reader: int) -> None:
        once = Once(interval=_INTERVAL)
        with os.fdopen(reader, errors="backslashreplace") as lines:
            for line in lines:
                if found := _ABSEIL.match(line):
                    _tell(found[1], found[2], found[3], once)
                else:
                    self.stderr.write(line)


def _tell(severity: str, where: str, message: str, once: Once) -> None:
    if _HANDSHAKE in message:
        reason = next((words for phrase, words in _CAUSES.items() if phrase in message), message)
        withheld = once.due(reason, time.monotonic())
        if withheld is not None:
            _log.warning("handshake_failed", reason=reason, withheld=withheld)
    elif severity == "I":
        _log.debug("grpc_said", where=where, message=message)
    else:
        withheld = once.due((where, message), time.monotonic())
        if withheld is not None:
            _log.warning("grpc_said", where=where, message=message, withheld=withheld)
