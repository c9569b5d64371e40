"""What whoever runs an aggregator may have it do, and see."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait

import grpc
import structlog

from mega_collector.aggregator import replay
from mega_collector.aggregator.ingest_buffer import BufferClosed, IngestBuffer
from mega_collector.aggregator.ledger import Ledger, LedgerError
from mega_collector.aggregator.selection import Selection
from mega_collector.aggregator.taps import MOST_TAPS, Missed, Tap, Taps, TooManyTaps
from mega_collector.api import api_pb2 as pb
from mega_collector.block import Block
from mega_collector.emitter.dead_letter import decode
from mega_collector.errors import MegaCollectorError, Stopping, WireError
from mega_collector.operator_server import OperatorServicer
from mega_collector.telemetry.printable import text
from mega_collector.telemetry.view import View

_PATIENCE = 30.0
"""Seconds that a replay waits for its turn: longer means that the destination takes nothing."""

_REST = 4
"""A tap rests so many times as long as it has worked: what it looks through must not be missing elsewhere."""

_SHUTTING_DOWN = "the aggregator is shutting down: try again when it runs"
_BUSY = "what came before has not been delivered for {:.0f}s: try again when the destination works"

_log = structlog.get_logger(__name__)


class AggregatorOnlooker(OperatorServicer):
    """Those of its calls that change nothing; see api.proto. For operators on other machines."""

    def __init__(self, *, view: Callable[[], View], taps: Taps) -> None:
        super().__init__(view)
        self._taps = taps

    def Tap(  # noqa: N802 - the name in api.proto
        self, request: pb.TapRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.TapResponse]:
        """What is committed from now on; see api.proto."""
        try:
            selection = Selection(host=request.host, path=request.path, match=request.match)
            tap = self._taps.begin()
        except WireError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except TooManyTaps:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"{MOST_TAPS} tap it already: end one of them")
        if not context.add_callback(lambda: self._taps.end(tap)):
            self._taps.end(tap)
        try:
            # So that whoever asked knows that nothing is passed over from now on.
            yield pb.TapResponse()
            yield from _tapped(tap, selection)
        finally:
            self._taps.end(tap)

    def stop(self) -> None:
        self._taps.close()


class AggregatorOperator(AggregatorOnlooker):
    """All of them. `stop` is called when nothing that was put into the buffer will be done any more."""

    def __init__(
        self,
        *,
        view: Callable[[], View],
        buffer: IngestBuffer,
        taps: Taps,
        ledger: Ledger,
        patience: float = _PATIENCE,
    ) -> None:
        super().__init__(view=view, taps=taps)
        self._ledger = ledger
        self._buffer = buffer
        self._patience = patience
        self._one = threading.Lock()
        """Held by the one replay under way: so many bytes are in memory beside the ingest buffer's."""
        self._end: Future[replay.Replayed] = Future()
        """The outcome of whatever has none when all is over."""

    def Replay(  # noqa: N802 - the name in api.proto
        self, request: pb.ReplayRequest, context: grpc.ServicerContext
    ) -> pb.ReplayResponse:
        """A discarded batch comes back; see api.proto."""
        with self._one:
            try:
                replayed = self._replay(decode(request.dead_letter).blocks, context)
            except ValueError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            except (BufferClosed, Stopping):
                context.abort(grpc.StatusCode.UNAVAILABLE, _SHUTTING_DOWN)
            except CancelledError:
                context.abort(grpc.StatusCode.UNAVAILABLE, _BUSY.format(self._patience))
            except MegaCollectorError as error:
                context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        _log.info(
            "replayed",
            entries=replayed.entries,
            size=replayed.size,
            known=replayed.known,
            unknown=replayed.unknown,
        )
        return pb.ReplayResponse(
            entries=replayed.entries, bytes=replayed.size, bytes_known=replayed.known, bytes_unknown=replayed.unknown
        )

    def Release(  # noqa: N802 - the name in api.proto
        self, request: pb.ReleaseRequest, context: grpc.ServicerContext
    ) -> pb.ReleaseResponse:
        """A collector's id is handed over; see api.proto."""
        try:
            held = self._ledger.release(request.collector, request.holder or None)
        except LedgerError as error:
            context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        if held is None:
            context.abort(grpc.StatusCode.NOT_FOUND, text(f"nobody holds the id {request.collector}"))
        _log.warning("collector_released", collector=request.collector, holder=held, now=request.holder or None)
        return pb.ReleaseResponse(holder=held)

    def stop(self) -> None:
        super().stop()
        if not self._end.done():
            self._end.set_exception(Stopping(_SHUTTING_DOWN))

    def _replay(self, blocks: Sequence[Block], context: grpc.ServicerContext) -> replay.Replayed:
        """Put it where everything goes, and wait. Who has gone, or waited too long, has it withdrawn if it can be."""
        item = replay.Replay(blocks)
        outcome = item.outcome

        def withdraw() -> None:
            outcome.cancel()

        if not context.add_callback(withdraw):
            raise CancelledError
        self._buffer.put(item)
        wait((outcome, self._end), self._patience, FIRST_COMPLETED)
        if not outcome.done() and not self._end.done() and not outcome.cancel():
            wait((outcome, self._end), return_when=FIRST_COMPLETED)
        return (outcome if outcome.done() else self._end).result()


def _tapped(tap: Tap, selection: Selection) -> Iterator[pb.TapResponse]:
    """What is selected of what passes, until the tap is closed."""
    while (taken := tap.take()) is not None:
        if isinstance(taken, Missed):
            yield pb.TapResponse(missed=taken.lines)
            continue
        answers = _answers(taken, selection)
        while (answer := _next(answers, tap)) is not None:
            if answer.lines:
                yield answer


def _next(answers: Iterator[pb.TapResponse], tap: Tap) -> pb.TapResponse | None:
    """The next answer, and a rest behind it: of this thread's own time, not of what others made it wait."""
    began = time.thread_time()
    answer = next(answers, None)
    tap.rest((time.thread_time() - began) * _REST)
    return answer


def _answers(block: Block, selection: Selection) -> Iterator[pb.TapResponse]:
    if selection.wants(block):
        for lines in selection.lines(block):
            yield pb.TapResponse(host=block.source.host, path=block.source.path, lines=lines)
