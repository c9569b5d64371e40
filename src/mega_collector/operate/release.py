"""A collector's id is handed over: the name in its machine's certificate has changed."""

from pathlib import Path

import grpc

from mega_collector.api import api_pb2 as pb
from mega_collector.errors import MegaCollectorError
from mega_collector.operator_client import operator_of
from mega_collector.telemetry.printable import text

HOLDERS = ("CN=", "SAN=", "SHA-256=")
"""As holders are shown: by the common name of their certificate, by its other names, or by its fingerprint."""


def release(state_directory: Path, collector: str, holder: str | None) -> str:
    """Take an id from whoever holds it, and give it to `holder`, or to whoever comes first with it; what was done.

    Raises:
        MegaCollectorError: nothing was done: why, and what to do.
    """
    with operator_of(state_directory, "aggregator") as operator:
        try:
            answer: pb.ReleaseResponse = operator.Release(pb.ReleaseRequest(collector=collector, holder=holder or ""))
        except grpc.RpcError as error:
            raise MegaCollectorError(_why(error)) from error
    now = f"held by {holder}" if holder else "whoever's comes first with it"
    return text(f"collector {collector}: was held by {answer.holder}, is {now} from now on")


def _why(error: grpc.RpcError) -> str:
    match error.code():
        case grpc.StatusCode.NOT_FOUND:
            return f"{error.details()}: `mega-collector ledger` shows those that are held"
        case grpc.StatusCode.UNIMPLEMENTED:
            return "this aggregator cannot release an id: it is of an earlier version than this command"
        case _:
            return f"nothing is released: {error.details()}"
