"""What passes an aggregator, as it passes."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc

from mega_collector.api import api_pb2 as pb
from mega_collector.errors import MegaCollectorError
from mega_collector.operator_client import Remote, explain, operator_of
from mega_collector.telemetry.printable import text

_ENDED = "the aggregator has ended"


@dataclass(frozen=True, slots=True)
class Tapped:
    """Lines of one file, each with its end; or how many have passed unseen."""

    host: str
    path: bytes
    lines: bytes
    missed: int


def tap(where: Path | Remote, *, host: str, path: str, match: str) -> Iterator[Tapped]:
    """What is committed from now on. The first one is empty: from then on nothing is passed over unsaid.

    Raises:
        MegaCollectorError: there is no aggregator, it refuses, or it has ended: why.
    """
    wanted = pb.TapRequest(host=host, path=os.fsencode(path), match=os.fsencode(match))
    tapped = None
    with operator_of(where, "aggregator") as operator:
        try:
            for answer in operator.Tap(wanted):
                tapped = Tapped(answer.host, answer.path, answer.lines, answer.missed)
                yield tapped
        except grpc.RpcError as error:
            raise MegaCollectorError(explain(error) if tapped is None else _ENDED) from error
    raise MegaCollectorError(_ENDED)


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
