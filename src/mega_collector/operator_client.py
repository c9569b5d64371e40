"""The way to a running half, for whoever runs it."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import grpc

from mega_collector.api import api_pb2 as pb, api_pb2_grpc
from mega_collector.errors import MegaCollectorError
from mega_collector.operator_socket import OperatorSocket
from mega_collector.telemetry.view import View, decode

Half = Literal["aggregator", "collector"]

_PATIENCE = 5.0
"""Seconds for an answer."""

_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Who watches should see it soon when it runs again.
    ("grpc.max_reconnect_backoff_ms", 1000),
)


@contextmanager
def operator_of(state_directory: Path, half: Half) -> Iterator[api_pb2_grpc.OperatorStub]:
    """The operator's service of the half that runs in a state directory.

    Raises:
        MegaCollectorError: none does, or it is somebody else's: what to do.
    """
    try:
        at = OperatorSocket(state_directory)
    except OSError as error:
        raise MegaCollectorError(_nobody(state_directory, half, error)) from error
    try:
        _require_listener(at, state_directory, half)
        with grpc.insecure_channel(at.address.target, options=_OPTIONS) as channel:
            yield api_pb2_grpc.OperatorStub(channel)
    finally:
        at.close()


def look(operator: api_pb2_grpc.OperatorStub) -> View:
    """What the half shows of itself, as of now.

    Raises:
        MegaCollectorError: it does not answer, or cannot be understood.
    """
    try:
        answer: pb.TopResponse = operator.Top(pb.TopRequest(), timeout=_PATIENCE)
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            raise MegaCollectorError("it is of an earlier version than this command") from error
        raise MegaCollectorError("no answer") from error
    return decode(answer.view)


def runs(state_directory: Path) -> bool:
    """Whether a half listens there, or may."""
    try:
        at = OperatorSocket(state_directory)
    except OSError:
        return False
    try:
        return _refusal(at) is None
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
