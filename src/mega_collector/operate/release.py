"""A collector's id is handed over: the name in its machine's certificate has changed."""

from pathlib import Path

import grpc

from mega_collector.api import api_pb2 as pb
from mega_collector.errors import MegaCollectorError
from mega_collector.operator_client import broken, operator_of, unheard
from mega_collector.telemetry.printable import text

_PATIENCE = 30.0
"""Seconds for an answer: the ledger may be busy."""

HOLDERS = ("CN=", "SAN=", "SHA-256=")
"""As holders are shown: by the common name of their certificate, by its other names, or by its fingerprint."""


def release(state_directory: Path, collector: str, holder: str | None) -> str:
    """Take an id from whoever holds it, and give it to `holder`, or to whoever comes first with it; what was done.

    Raises:
        MegaCollectorError: nothing was done: why, and what to do.
    """
    with operator_of(state_directory, "aggregator") as operator:
        request = pb.ReleaseRequest(collector=collector, holder=holder or "")
        try:
            answer: pb.ReleaseResponse = operator.Release(request, timeout=_PATIENCE)
        except grpc.RpcError as error:
            raise MegaCollectorError(_why(error)) from error
    now = f"held by {holder}" if holder else "whoever's comes first with it"
    return text(f"collector {collector}: was held by {answer.holder}, is {now} from now on")


def _why(error: grpc.RpcError) -> str:
    why = unheard(error)
    if why is None and broken(error):
        return "the aggregator has ended meanwhile: `mega-collector ledger` shows whether it has done so all the same"
    match error.code():
        case grpc.StatusCode.NOT_FOUND:
            return f"{error.details()}: `mega-collector ledger` shows those that are held"
        case grpc.StatusCode.UNIMPLEMENTED:
            return "this aggregator cannot release an id: it is of an earlier version than this command"
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return "the aggregator does not answer: `mega-collector ledger` shows whether it has done so all the same"
        case _:
            return f"nothing is released: {why or error.details()}"
