"""The way to a running half, for whoever runs it."""

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import grpc

from mega_collector.address import Address
from mega_collector.api import api_pb2 as pb, api_pb2_grpc
from mega_collector.errors import MegaCollectorError
from mega_collector.operator_socket import OperatorSocket
from mega_collector.pem_file import Material
from mega_collector.telemetry.view import View, decode

Half = Literal["aggregator", "collector"]

_PATIENCE = 5.0
"""Seconds for an answer."""

_REFUSED = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED}

# Of grpcio 1.85, at an address: the first whose phrase occurs in the details wins.
_CAUSES = {
    "CERTIFICATE_VERIFY_FAILED": (
        "the aggregator's certificate is not signed by MEGA_COLLECTOR_OPERATOR_TLS_CA_CERTIFICATE: "
        "give the CA that signed AGGREGATOR_TLS_CERTIFICATE"
    ),
    "Hostname Verification Check failed": (
        "the aggregator's certificate is for another name than the address: "
        "set MEGA_COLLECTOR_OPERATOR_TLS_SERVER_NAME to a name that it holds"
    ),
    "WRONG_VERSION_NUMBER": "what answers there does not speak TLS: mend the address (AGGREGATOR_OPERATOR_ADDRESS)",
    "Connection refused": "nothing listens there: start the aggregator with AGGREGATOR_OPERATOR_ADDRESS, or mend it",
    "Socket closed": "it lets in nobody whose certificate is not in AGGREGATOR_OPERATOR_CERTIFICATES: show one that is",
    "Connection reset": (
        "it lets in nobody whose certificate is not in AGGREGATOR_OPERATOR_CERTIFICATES: show one that is"
    ),
    "Domain name not found": "the host of the address is not known: mend the name, or check the DNS",
}

_ENDED = (os.strerror(errno.ECONNREFUSED), os.strerror(errno.ENOENT))
"""What a socket says on which nobody listens any more, or that is gone."""

_BROKEN = ("Stream removed", "Socket closed", "Connection reset", "Broken pipe", "GOAWAY")
"""What gRPC 1.85 says of a call that was under way when the other side ended."""

_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # What takes connections and says nothing hangs: gRPC would wait 20 seconds to tell.
    ("grpc.min_reconnect_backoff_ms", int(_PATIENCE * 1000)),
    # Who watches should see it soon when it runs again.
    ("grpc.max_reconnect_backoff_ms", 1000),
)


@dataclass(frozen=True, slots=True)
class Remote:
    """An aggregator's AGGREGATOR_OPERATOR_ADDRESS, and what is shown and trusted there."""

    address: Address
    material: Material
    server_name: str | None = None


@contextmanager
def operator_of(where: Path | Remote, half: Half) -> Iterator[api_pb2_grpc.OperatorStub]:
    """The operator's service of the half that runs in a state directory, or of the aggregator at an address.

    Raises:
        MegaCollectorError: none does, or it is somebody else's: what to do. At an address the first call tells.
    """
    if isinstance(where, Remote):
        with _open(where) as channel:
            try:
                yield api_pb2_grpc.OperatorStub(channel)
            except MegaCollectorError as error:
                raise MegaCollectorError(f"{where.address}: {error}") from error
        return
    try:
        at = OperatorSocket(where)
    except OSError as error:
        raise MegaCollectorError(_nobody(where, half, error)) from error
    try:
        _require_listener(at, where, half)
        with grpc.insecure_channel(at.address.target, options=_OPTIONS) as channel:
            yield api_pb2_grpc.OperatorStub(channel)
    finally:
        at.close()


def _open(remote: Remote) -> grpc.Channel:
    from mega_collector.tls import client_credentials  # noqa: PLC0415 - what verifies certificates takes 9 MB

    name = () if remote.server_name is None else (("grpc.ssl_target_name_override", remote.server_name),)
    options = (*_OPTIONS, ("grpc.enable_http_proxy", 0), *name)
    return grpc.secure_channel(remote.address.target, client_credentials(*remote.material), options=options)


def explain(error: grpc.RpcError) -> str:
    """Why a call came to nothing, in words that tell an operator what to do."""
    code, details = error.code(), str(error.details())
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return "it is of an earlier version than this command"
    if code in _REFUSED:
        return details
    return next((words for phrase, words in _CAUSES.items() if phrase in details), "no answer")


def unheard(error: grpc.RpcError) -> str | None:
    """That the half hangs or has ended, and has not heard of the call; None: it is something else that failed."""
    details = str(error.details())
    if error.code() is not grpc.StatusCode.UNAVAILABLE or "failed to connect" not in details:
        return None
    if any(each in details for each in _ENDED):
        return "it has ended meanwhile: try again when it runs"
    return "it does not answer: see whether it hangs, and try again"


def broken(error: grpc.RpcError) -> bool:
    """Whether the half has ended, or is about to, while the call was under way: nobody knows what became of that."""
    if error.code() is grpc.StatusCode.CANCELLED:
        return True
    return error.code() is grpc.StatusCode.UNAVAILABLE and any(each in str(error.details()) for each in _BROKEN)


def look(operator: api_pb2_grpc.OperatorStub) -> View:
    """What the half shows of itself, as of now.

    Raises:
        MegaCollectorError: it does not answer, or cannot be understood.
    """
    try:
        answer: pb.TopResponse = operator.Top(pb.TopRequest(), timeout=_PATIENCE)
    except grpc.RpcError as error:
        raise MegaCollectorError(explain(error)) from error
    return decode(answer.view)


def find(places: Sequence[tuple[Half, Path]]) -> tuple[Half, Path]:
    """The first of these that runs; else one that may be another user's; else the first of all."""
    others = []
    for place in places:
        refusal = _refused(place[1])
        if refusal is None:
            return place
        if isinstance(refusal, PermissionError):
            others.append(place)
    return (others or list(places))[0]


def _refused(state_directory: Path) -> OSError | None:
    """Why nobody can be asked there; None: somebody listens, or may."""
    try:
        at = OperatorSocket(state_directory)
    except OSError as error:
        return error
    try:
        return _refusal(at)
    finally:
        at.close()


def _require_listener(at: OperatorSocket, state_directory: Path, half: Half) -> None:
    """Find out whether somebody listens: gRPC would tell it in its own words."""
    match _refusal(at):
        case None:
            pass
        case PermissionError() as error:
            raise MegaCollectorError(f"{at.path}: {error.strerror}: run this as the {half}'s user") from error
        case error:
            raise MegaCollectorError(_nobody(state_directory, half, error)) from error


def _refusal(at: OperatorSocket) -> OSError | None:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.fsencode(at.address.path or ""))
        except OSError as error:
            return error
    return None


def _nobody(state_directory: Path, half: Half, error: OSError) -> str:
    advice = f"start it, or name its state directory ({half.upper()}_STATE_DIRECTORY)"
    return f"no {half} runs in {state_directory} ({error.strerror}): {advice}"
