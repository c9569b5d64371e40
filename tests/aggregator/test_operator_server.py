"""The operator's service waits with its caller, and for nothing else: whoever cannot be served is told why."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import grpc
import pytest

from emitter.batches import make_batch
from harness.until import until
from mega_collector.aggregator.ingest_buffer import IngestBuffer, Item
from mega_collector.aggregator.ledger import Ledger
from mega_collector.aggregator.operator_server import AggregatorOperator
from mega_collector.aggregator.replay import Replay, Replayed
from mega_collector.aggregator.taps import Taps
from mega_collector.api import api_pb2 as pb, api_pb2_grpc
from mega_collector.emitter.dead_letter import encode
from mega_collector.operator_server import OperatorServer
from mega_collector.operator_socket import OperatorSocket
from telemetry.part import Part

LETTER = b"".join(encode(make_batch(b"lost\n")))


class Beginning(IngestBuffer):
    """One whose taker begins with a replay at once."""

    def put(self, *items: Item) -> None:
        for item in items:
            if isinstance(item, Replay):
                item.outcome.set_running_or_notify_cancel()
        super().put(*items)


class Served:
    """A server whose pipeline the test plays."""

    def __init__(self, buffer: IngestBuffer, channel: grpc.Channel, server: OperatorServer) -> None:
        self.buffer = buffer
        self.channel = channel
        self.server = server
        self._stub = api_pb2_grpc.OperatorStub(channel)

    def replay(self) -> "grpc.Future[pb.ReplayResponse]":
        return cast("grpc.Future[pb.ReplayResponse]", self._stub.Replay.future(pb.ReplayRequest(dead_letter=LETTER)))

    def taken(self) -> Replay:
        (item,) = self.buffer.take(20)
        assert isinstance(item, Replay)
        return item


@contextmanager
def served(directory: Path, *, patience: float = 30.0, buffer: IngestBuffer | None = None) -> Iterator[Served]:
    buffer = buffer or IngestBuffer(1000)
    ledger = Ledger(directory)
    operator = AggregatorOperator(view=Part().view, buffer=buffer, taps=Taps(), ledger=ledger, patience=patience)
    server = OperatorServer(directory, operator)
    server.start()
    at = OperatorSocket(directory)
    try:
        with grpc.insecure_channel(at.address.target) as channel:
            yield Served(buffer, channel, server)
    finally:
        at.close()
        server.stop(1)
        ledger.close(clean=True)


def failure(call: "grpc.Future[pb.ReplayResponse]") -> tuple[grpc.StatusCode, str]:
    error = call.exception(20)
    assert isinstance(error, grpc.RpcError)
    return error.code(), error.details() or ""


def test_the_answer_is_what_became_of_it(tmp_path: Path) -> None:
    with served(tmp_path) as here:
        call = here.replay()
        here.taken().outcome.set_result(Replayed(1, 2, 3, 4))
        assert call.result(20) == pb.ReplayResponse(entries=1, bytes=2, bytes_known=3, bytes_unknown=4)


def test_one_whose_turn_does_not_come_is_withdrawn(tmp_path: Path) -> None:
    with served(tmp_path, patience=0.05) as here:
        code, why = failure(here.replay())
        assert code is grpc.StatusCode.UNAVAILABLE
        assert "has not been delivered" in why
        assert here.taken().outcome.cancelled()


def test_one_that_has_begun_is_waited_for(tmp_path: Path) -> None:
    with served(tmp_path, patience=0.05, buffer=Beginning(1000)) as here:
        call = here.replay()
        with pytest.raises(grpc.FutureTimeoutError):
            call.result(0.3)
        here.taken().outcome.set_result(Replayed(1, 5, 0, 0))
        assert call.result(20).entries == 1


def test_one_whose_caller_has_gone_is_withdrawn(tmp_path: Path) -> None:
    with served(tmp_path) as here:
        call = here.replay()
        item = here.taken()
        call.cancel()
        until(item.outcome.cancelled, "the withdrawal")


@pytest.mark.parametrize("begun", [True, False])
def test_at_the_end_whoever_waits_is_told_so(tmp_path: Path, *, begun: bool) -> None:
    with served(tmp_path) as here:
        call = here.replay()
        item = here.taken()
        assert not begun or item.outcome.set_running_or_notify_cancel()
        here.server.stop(1)
        code, why = failure(call)
        assert code is grpc.StatusCode.UNAVAILABLE
        assert "shutting down" in why
        assert not (tmp_path / "operator.sock").exists()


def test_a_full_ingest_buffer_is_not_waited_for(tmp_path: Path) -> None:
    with served(tmp_path, patience=0.05) as here:
        here.buffer.put(*make_batch(b"x" * 2000 + b"\n").blocks)
        assert "has not been delivered" in failure(here.replay())[1]
