"""The connection to the aggregator, against a real server that does as it is told."""

import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import grpc
import pytest
from structlog.testing import capture_logs

from blocks import SOURCE, make_block
from collector.scripted_aggregator import (
    WELCOME,
    Call,
    ScriptedAggregator,
    Stream,
    said,
    scripted,
    silence,
    stay,
)
from harness.until import quiet, until
from mega_collector import wire
from mega_collector.api import api_pb2 as pb
from mega_collector.collector.sending.backoff import Backoff
from mega_collector.collector.sending.inbox import Answered, Connected, Disconnected, Event
from mega_collector.collector.sending.publisher import Publisher
from mega_collector.protocol import (
    Ack,
    Describe,
    Flush,
    FromAggregator,
    FromCollector,
    Grant,
    Hello,
    Open,
    Report,
    Welcome,
)

HELLO = Hello("me", "here", {"stage": "test"}, "1.0")


class Pace(Backoff):
    """Hardly waits, and notes how hopeless each failure was, and each success."""

    def __init__(self) -> None:
        super().__init__(lambda: 0.0)
        self.hopeless: list[bool] = []
        self.successes = 0

    def failed(self, *, hopeless: bool = False) -> float:
        self.hopeless.append(hopeless)
        return 0.01

    def succeeded(self) -> None:
        self.successes += 1


class Rig:
    def __init__(
        self,
        target: str,
        *,
        compress: bool = False,
        welcome_timeout: float = 20,
        pace: Backoff | None = None,
        tell_again_after: float = 60,
    ) -> None:
        self.events: list[Event] = []
        self.pace = Pace()
        self.publisher = Publisher(
            target=target,
            hello=HELLO,
            deliver=self.events.append,
            compress=compress,
            backoff=pace or self.pace,
            welcome_timeout=welcome_timeout,
            tell_again_after=tell_again_after,
        )

    def connected(self, session: int | None = None) -> int:
        """Wait for the connection of this session, or any; its number."""
        found = until(
            lambda: [each for each in self.events if isinstance(each, Connected) and session in {None, each.session}],
            "a connection",
        )
        return found[-1].session


@contextmanager
def _publishing(target: str, **given: object) -> Iterator[Rig]:
    rig = Rig(target, **given)  # type: ignore[arg-type]
    rig.publisher.start()
    try:
        yield rig
    finally:
        rig.publisher.close(20)
        assert not rig.publisher._thread.is_alive()


def _welcome_then(*answers: bytes) -> Stream:
    def stream(call: Call) -> Iterable[bytes]:
        yield from said(WELCOME)
        yield from answers
        yield from silence(call)

    return stream


def _welcome_and_end(call: Call) -> Iterable[bytes]:
    call.hear()
    return said(WELCOME)


def test_it_says_who_it_is_and_then_what_it_is_told_in_order() -> None:
    with scripted() as aggregator, _publishing(aggregator.target) as rig:
        session = rig.connected()
        assert rig.events == [Connected(session, WELCOME)]
        messages: list[FromCollector] = [Describe(SOURCE), Open(SOURCE, 0), make_block(b"a line\n"), Flush()]
        for message in messages:
            rig.publisher.send(session, message)
        (call,) = aggregator.calls
        until(lambda: len(call.heard) == 5, "all messages")
        kinds = [each.message.WhichOneof("kind") for each in call.heard]
        assert kinds == ["hello", "describe", "open", "block", "flush"]
        assert wire.decode_hello(call.heard[0].message.hello) == HELLO
        assert call.heard[3].payload == b"a line\n"


def test_what_is_answered_is_delivered_in_order_with_its_session() -> None:
    answers: list[FromAggregator] = [Ack({b"a": 1}), Grant(5), Ack({b"a": 2})]
    with scripted(_welcome_then(*said(*answers))) as aggregator, _publishing(aggregator.target) as rig:
        until(lambda: len(rig.events) == 4, "all answers")
        assert rig.events == [Connected(1, WELCOME), *(Answered(1, answer) for answer in answers)]


def test_what_is_answered_together_is_delivered_one_by_one() -> None:
    answers: list[FromAggregator] = [Ack({b"a": 1}), Grant(5), Ack({b"a": 2})]
    together = wire.encode_answers(answers).SerializeToString()
    with scripted(_welcome_then(together)) as aggregator, _publishing(aggregator.target) as rig:
        until(lambda: len(rig.events) == 4, "all answers")
        assert rig.events == [Connected(1, WELCOME), *(Answered(1, answer) for answer in answers)]


def test_what_is_said_while_the_aggregator_does_not_listen_arrives_in_order() -> None:
    with scripted() as aggregator, _publishing(aggregator.target, compress=True) as rig:
        session = rig.connected()
        starts = [number * 2 for number in range(5000)]
        for start in starts:
            rig.publisher.send(session, make_block(b"x\n", start))
        (call,) = aggregator.calls
        until(lambda: len(call.heard) == 5001, "all blocks")
        assert [heard.message.block.start for heard in call.heard[1:]] == starts


def test_blocks_are_compressed_where_that_is_wanted() -> None:
    block = make_block(b"a line that comes again and again\n" * 100)
    with scripted() as aggregator, _publishing(aggregator.target, compress=True) as rig:
        rig.publisher.send(rig.connected(), block)
        call = aggregator.calls[0]
        until(lambda: len(call.heard) == 2, "the block")
        heard = call.heard[1]
        assert len(heard.payload) < 200
        assert wire.decode_block(heard.message.block, heard.payload, SOURCE).data == block.data


def test_a_stream_that_ends_is_told_and_made_anew_and_what_was_meant_for_it_is_lost() -> None:
    with scripted(_welcome_and_end) as aggregator, _publishing(aggregator.target) as rig:
        rig.connected(2)
        assert rig.events == [Connected(1, WELCOME), Disconnected(1), Connected(2, WELCOME)]
        rig.publisher.send(1, Describe(SOURCE))
        rig.publisher.send(2, Flush())
        call = aggregator.calls[1]
        until(lambda: len(call.heard) == 2, "what was said")
        assert call.heard[1].message.WhichOneof("kind") == "flush"
        quiet(lambda: len(call.heard), "the stream", 0.05)


FOR_A_PERSON = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
}
FAILURES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]


@pytest.mark.case(64)
@pytest.mark.parametrize("when", ["before the welcome", "after it"])
def test_no_status_is_the_end_and_those_that_need_a_person_wait_the_longest(when: str) -> None:
    def failing(code: grpc.StatusCode) -> Stream:
        def stream(call: Call) -> Iterable[bytes]:
            if when == "after it":
                yield from _welcome_and_end(call)
            yield from call.abort(code)

        return stream

    with scripted(*map(failing, FAILURES)) as aggregator, _publishing(aggregator.target) as rig:
        session = rig.connected(len(FAILURES) + 1)
        assert rig.pace.hopeless == [code in FOR_A_PERSON for code in FAILURES]
        rig.publisher.send(session, Flush())
        until(lambda: len(aggregator.calls[-1].heard) == 2, "what was said")
        disconnected = [each.session for each in rig.events if isinstance(each, Disconnected)]
        assert disconnected == (list(range(1, session)) if when == "after it" else [])


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"\xff\xff\xff", id="no message"),
        pytest.param(b"\x12", id="half a message"),
        pytest.param(
            pb.AggregatorMessage(
                resume=pb.Resume(source=b"a", known=[pb.Known(source=b"a", head=pb.Marker(length=5))])
            ).SerializeToString(),
            id="a message that contradicts itself",
        ),
    ],
)
def test_an_aggregator_that_cannot_be_understood_is_left_and_tried_again(garbage: bytes) -> None:
    with scripted(_welcome_then(garbage)) as aggregator, _publishing(aggregator.target) as rig:
        rig.connected(2)
        assert rig.events == [Connected(1, WELCOME), Disconnected(1), Connected(2, WELCOME)]
        assert rig.publisher.statistics().failures == 1


def test_an_answer_that_only_a_later_version_knows_is_passed_over() -> None:
    later = b"\x9a\x06\x00"
    with scripted(_welcome_then(later, *said(Grant(5)))) as aggregator, _publishing(aggregator.target) as rig:
        until(lambda: len(rig.events) == 2, "the answer")
        assert rig.events == [Connected(1, WELCOME), Answered(1, Grant(5))]


@pytest.mark.case(61)
def test_an_aggregator_that_says_nothing_is_left_after_a_while() -> None:
    with scripted(silence) as aggregator, _publishing(aggregator.target, welcome_timeout=0.1) as rig:
        rig.connected(2)
        assert aggregator.calls[0].is_over.wait(20)
        assert rig.events == [Connected(2, WELCOME)]
        assert rig.pace.hopeless == [False]


@pytest.mark.case(61)
def test_a_welcomed_stream_may_be_silent_for_as_long_as_it_likes() -> None:
    with scripted() as aggregator, _publishing(aggregator.target, welcome_timeout=0.1) as rig:
        rig.connected()
        quiet(lambda: len(aggregator.calls), "the connections", 0.3)
        assert rig.publisher.statistics().connected


def test_it_is_there_before_the_aggregator_and_comes_back_to_it_on_the_same_port() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with _publishing(f"127.0.0.1:{port}") as rig:
        until(lambda: rig.publisher.statistics().failures >= 2, "two failures")
        assert rig.publisher.statistics().last_failure is not None
        assert "nothing listens" in (rig.publisher.statistics().last_failure or "")
        for _ in range(2):
            aggregator = ScriptedAggregator(stay, port=port)
            try:
                until(lambda: rig.publisher.statistics().connected, "the connection")
            finally:
                aggregator.stop()
            until(lambda: not rig.publisher.statistics().connected, "its end")
        assert [type(event) for event in rig.events] == [Connected, Disconnected, Connected, Disconnected]


@pytest.mark.case(63)
def test_the_wait_grows_with_each_failure_and_a_welcome_begins_it_anew() -> None:
    failures: list[Stream] = [lambda call: call.abort(grpc.StatusCode.UNAVAILABLE)] * 2
    with scripted(*failures, _welcome_and_end) as aggregator, _publishing(aggregator.target) as rig:
        rig.connected(4)
        assert (len(rig.pace.hopeless), rig.pace.successes) == (3, 2)


@pytest.mark.case(84)
@pytest.mark.parametrize("stream", [stay, silence, lambda call: call.abort(grpc.StatusCode.UNAUTHENTICATED)])
def test_closing_ends_the_stream_and_the_thread_whatever_it_is_doing(stream: Callable[[Call], Iterable[bytes]]) -> None:
    with scripted(stream) as aggregator:
        # The real backoff: half a minute's wait after UNAUTHENTICATED.
        with _publishing(aggregator.target, pace=Backoff(lambda: 0.0)) as rig:
            until(lambda: aggregator.calls, "a call")
            until(lambda: rig.events or rig.publisher.statistics().failures or stream is silence, "its answer")
        assert aggregator.calls[0].is_over.wait(20)
        assert len(aggregator.calls) == 1


def test_closing_ends_a_connection_that_is_being_made() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        with _publishing(f"127.0.0.1:{port}"):
            connection, _ = mute.accept()
            connection.close()


def test_nothing_that_is_said_to_nobody_fails() -> None:
    rig = Rig("127.0.0.1:1")
    rig.publisher.send(1, Flush())
    assert not rig.publisher.statistics().connected


def test_who_is_told_that_something_was_mended_tries_at_once() -> None:
    class Slow(Backoff):
        def failed(self, *, hopeless: bool = False) -> float:
            return 3600.0

    with scripted() as nobody:
        port = nobody.port
    with _publishing(f"127.0.0.1:{port}", pace=Slow(lambda: 0.0)) as rig:
        until(lambda: rig.publisher.statistics().failures == 1, "the first failure")
        somebody = ScriptedAggregator(stay, port=port)
        rig.publisher.hurry()
        rig.connected()
        # Where a stream stands, it stays.
        rig.publisher.hurry()
        quiet(lambda: len(rig.events), "a stream that stands")
        somebody.stop()


def test_an_aggregator_that_ends_every_stream_at_once_is_told_of_once() -> None:
    with capture_logs() as logs, scripted(*[_welcome_and_end] * 5) as aggregator, _publishing(aggregator.target) as rig:
        rig.connected(6)
    assert [log["cause"] for log in logs if log["event"] == "connection_failed"] == ["the aggregator ended the stream"]


def _wants_reports(call: Call) -> Iterator[bytes]:
    call.hear()
    yield from said(Welcome(1 << 20, 1000, report_interval=1))
    while call.hear().kind == "report":
        pass


def test_an_aggregator_that_asks_is_told_at_its_pace_and_of_what_has_changed() -> None:
    with scripted(_wants_reports, stay) as aggregator, _publishing(aggregator.target) as rig:
        rig.connected()
        assert until(lambda: rig.publisher.report_due, "its turn")
        rig.publisher.report(Report(1, 2))
        assert not rig.publisher.report_due
        until(lambda: rig.publisher.report_due, "its next turn")
        rig.publisher.report(Report(1, 2))
        rig.publisher.report(Report(1, 3))
        heard = until(lambda: [each for each in aggregator.calls[0].heard if each.kind == "report"][1:], "the reports")
        assert wire.decode_report(heard[0].message.report) == Report(1, 3)
        rig.publisher.send(1, Flush())
        rig.connected(2)
        assert not rig.publisher.report_due
        rig.publisher.report(Report(1, 4))
        rig.publisher.send(2, Flush())
        until(
            lambda: any(each.kind == "flush" for each in aggregator.calls[1].heard), "what is said to one that does not"
        )
        assert not [each for each in aggregator.calls[1].heard if each.kind == "report"]


def test_a_failure_that_was_withheld_because_it_was_told_just_before_is_told_if_it_stays() -> None:
    def told() -> list[object]:
        return [log["withheld"] for log in logs if "nothing listens" in str(log.get("cause"))]

    with scripted() as nobody:
        port = nobody.port
    with capture_logs() as logs, _publishing(f"127.0.0.1:{port}", tell_again_after=1.0) as rig:
        until(lambda: told() == [0], "the first failure")
        somebody = ScriptedAggregator(stay, port=port)
        rig.connected()
        somebody.stop()
        until(lambda: len(told()) == 2, "the second")
        quiet(told, "what was told", 1.5)
