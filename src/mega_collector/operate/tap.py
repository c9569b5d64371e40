"""What passes an aggregator, as it passes."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc

from mega_collector.api import api_pb2 as pb
from mega_collector.errors import MegaCollectorError
from mega_collector.operator_client import operator_of
from mega_collector.telemetry.printable import text

_REFUSED = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED}


@dataclass(frozen=True, slots=True)
class Tapped:
    """Lines of one file, each with its end; or how many have passed unseen."""

    host: str
    path: bytes
    lines: bytes
    missed: int


def tap(state_directory: Path, *, host: str, path: str, match: str) -> Iterator[Tapped]:
    """What is committed from now on. The first one is empty: from then on nothing is passed over unsaid.

    Raises:
        MegaCollectorError: there is no aggregator, it refuses, or it has ended: why.
    """
    wanted = pb.TapRequest(host=host, path=os.fsencode(path), match=os.fsencode(match))
    with operator_of(state_directory, "aggregator") as operator:
        try:
            for answer in operator.Tap(wanted):
                yield Tapped(answer.host, answer.path, answer.lines, answer.missed)
        except grpc.RpcError as error:
            raise MegaCollectorError(_why(error)) from error
    raise MegaCollectorError("the aggregator has ended")


def _why(error: grpc.RpcError) -> str:
    code = error.code()
    if code in _REFUSED:
        return str(error.details())
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return "this aggregator cannot be tapped: it is of an earlier version than this command"
    return "the aggregator has ended"


class Terminal:
    """Makes lines fit for a terminal, with the name of the file where it changes, as tail(1) does."""

    def __init__(self) -> None:
        self._file: tuple[str, bytes] | None = None

    def shown(self, tapped: Tapped) -> Iterator[str]:
        if tapped.lines and (tapped.host, tapped.path) != self._file:
            self._file = tapped.host, tapped.path
            yield f"==> {text(tapped.host)} {text(os.fsdecode(tapped.path))} <=="
        for line in tapped.lines.split(b"\n")[:-1]:
            yield "\t".join(map(text, line.decode("utf-8", "backslashreplace").split("\t")))
