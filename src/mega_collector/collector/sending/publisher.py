"""The connection to the aggregator: made, kept, made again; what is to be said goes out, what is heard comes in."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import grpc
import structlog

from mega_collector import wire
from mega_collector.api import api_pb2 as pb
from mega_collector.collector.sending.backoff import Backoff
from mega_collector.collector.sending.channel import channel_options, open_channel
from mega_collector.collector.sending.inbox import Answered, Connected, Disconnected, Event
from mega_collector.collector.sending.outbox import Outbox
from mega_collector.errors import WireError
from mega_collector.protocol import FromAggregator, FromCollector, Hello, Report, Welcome
from mega_collector.telemetry.once import Once
from mega_collector.unavailable import explain, needs_a_person

_METHOD = f"/{pb.DESCRIPTOR.services_by_name['Aggregator'].full_name}/PublishStream"

_WELCOME_TIMEOUT = 20.0
"""Seconds until the aggregator must have answered: one that is stopped still accepts connections."""

_TELL_AGAIN_AFTER = 60.0
"""Seconds between two tellings of one cause: an aggregator may end every stream as soon as it stands."""

_DEFECT = "defect"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PublisherStatistics:
    connected: bool
    connections: int
    failures: int
    last_failure: str | None


class Publisher:
    """Keeps one stream to the aggregator, in threads of its own, until it is closed; never gives up.

    `deliver` is called with each event, from those threads. `credentials` makes the credentials of each attempt's
    channel; None: plaintext.
    """

    def __init__(
        self,
        *,
        target: str,
        hello: Hello,
        deliver: Callable[[Event], None],
        credentials: Callable[[], grpc.ChannelCredentials] | None = None,
        server_name: str | None = None,
        compress: bool = False,
        backoff: Backoff | None = None,
        welcome_timeout: float = _WELCOME_TIMEOUT,
        tell_again_after: float = _TELL_AGAIN_AFTER,
    ) -> None:
        self._target = target
        self._hello = hello
        self._deliver = deliver
        self._credentials = credentials
        self._tls = credentials is not None
        self._options = channel_options(server_name)
        self._compress = compress
        self._backoff = backoff or Backoff(random.random)
        self._welcome_timeout = welcome_timeout
        self._session: _Session | None = None
        self._sessions = 0
        self._failures = 0
        self._last_failure: str | None = None
        self._told = Once(interval=tell_again_after)
        self._untold = False
        """Whether the last failure is still to be told."""
        self._closing = threading.Event()
        self._hurried = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def send(self, session: int, *messages: FromCollector) -> None:
        """Say this, in order, on the stream of a session; it is lost if that stream has ended. Never waits."""
        current = self._session
        if current is not None and current.number == session:
            current.outbox.say(*messages)

    @property
    def report_due(self) -> bool:
        """Whether the aggregator wants to hear now how far the files are behind."""
        session = self._session
        return session is not None and session.report_at is not None and time.monotonic() >= session.report_at

    def report(self, report: Report) -> None:
        """Tell it, unless it knows. Only what is told last, if the stream is busy. From any thread."""
        session = self._session
        if session is not None:
            session.report(report)

    def hurry(self) -> None:
        """Something was mended: if no stream stands, try again at once."""
        self._hurried.set()

    def close(self, timeout: float) -> None:
        """End the stream and the threads."""
        self._closing.set()
        self._hurried.set()
        session = self._session
        if session is not None:
            session.hang_up()
        self._thread.join(timeout)

    def statistics(self) -> PublisherStatistics:
        session = self._session
        connected = session is not None and session.welcomed and not session.ended
        return PublisherStatistics(connected, self._sessions, self._failures, self._last_failure)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._hurried.clear()
            self._sessions += 1
            session = self._session = _Session(self._sessions, self._hello, compress=self._compress)
            hopeless = False
            try:
                self._converse(session)
                cause = "the aggregator ended the stream"
            except grpc.RpcError as error:
                cause, hopeless = _cause(error, tls=self._tls)
            except WireError as error:
                cause = f"the aggregator cannot be understood: {error}"
            except Exception as error:  # noqa: BLE001 - whatever it is
                # No thread to be had, for one: without this thread nothing would be shipped again, in silence.
                cause = f"{type(error).__name__}: {error}"
                withheld = self._told.due((_DEFECT, cause), time.monotonic())
                if withheld is not None:
                    _log.exception("publisher_failed", withheld=withheld)
            finally:
                session.hang_up()
            if session.welcomed:
                self._deliver(Disconnected(session.number))
            if self._closing.is_set():
                return
            self._wait(cause, hopeless=hopeless)

    def _wait(self, cause: str, *, hopeless: bool) -> None:
        delay = self._backoff.failed(hopeless=hopeless)
        self._failures += 1
        # The same cause again says nothing new, until there was a connection; and not much if that did not last.
        self._untold = self._untold or cause != self._last_failure
        withheld = self._told.due(cause, time.monotonic()) if self._untold else None
        if withheld is not None:
            self._untold = False
            facts = {"address": self._target, "cause": cause, "next_try": f"{delay:.1f}s"}
            _log.warning("connection_failed", **facts, withheld=withheld)
        self._last_failure = cause
        self._hurried.wait(delay)

    def _converse(self, session: "_Session") -> None:
        with self._channel() as channel:
            call = channel.stream_stream(
                _METHOD, request_serializer=bytes, response_deserializer=pb.AggregatorMessage.FromString
            )(session.messages())
            session.call = call
            # Closing may have begun in between.
            if self._closing.is_set():
                call.cancel()
            watchdog = threading.Timer(self._welcome_timeout, lambda: session.welcomed or call.cancel())
            watchdog.daemon = True
            watchdog.start()
            try:
                for answers in call:
                    for answer in wire.decode_answers(answers):
                        self._hear(session, answer)
            finally:
                watchdog.cancel()
                call.cancel()

    def _hear(self, session: "_Session", message: FromAggregator) -> None:
        if isinstance(message, Welcome):
            session.welcomed = True
            session.begin_reports(message.report_interval)
            self._backoff.succeeded()
            self._last_failure = None
            _log.info("connected", address=self._target, aggregator=message.version)
            self._deliver(Connected(session.number, message))
        else:
            self._deliver(Answered(session.number, message))

    def _channel(self) -> grpc.Channel:
        credentials = None if self._credentials is None else self._credentials()
        return open_channel(self._target, credentials, self._options)


class _Session:
    """One stream, and what is still to be said on it."""

    def __init__(self, number: int, hello: Hello, *, compress: bool) -> None:
        self.number = number
        self.welcomed = self.ended = False
        self.call: grpc.Call | None = None
        self.outbox = Outbox()
        self.outbox.say(hello)
        self.report_at: float | None = None
        """When the next report is wanted; None: none is."""
        self._report_interval = 0
        self._reported: Report | None = None
        self._compress = compress

    def begin_reports(self, interval: int) -> None:
        """Seconds between two that the aggregator wants at the least; 0: it knows none."""
        if interval:
            self._report_interval, self.report_at = interval, time.monotonic()

    def report(self, report: Report) -> None:
        if self.report_at is None:
            return
        self.report_at = time.monotonic() + self._report_interval
        if report != self._reported:
            self._reported = report
            self.outbox.mention(report)

    def hang_up(self) -> None:
        self.ended = True
        self.outbox.close()
        if self.call is not None:
            self.call.cancel()

    def messages(self) -> Iterator[bytes]:
        """What gRPC asks for, from a thread of its own, as fast as the aggregator takes it."""
        while said := self.outbox.take():
            yield wire.serialize_all(said, compress=self._compress, read_at=time.time_ns())


def _cause(error: grpc.RpcError, *, tls: bool) -> tuple[str, bool]:
    """What happened in plain words, and whether only a person can mend it."""
    code, details = error.code(), error.details() or ""
    hopeless = needs_a_person(details, code)
    explanation = explain(details, code, tls=tls)
    if explanation is not None:
        return explanation, hopeless
    if code is grpc.StatusCode.CANCELLED:
        return "the aggregator does not answer", False
    return f"{details or 'no reason given'} ({code.name})", hopeless
