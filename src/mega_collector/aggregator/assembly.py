"""The aggregator, put together from its parts."""

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from typing import TYPE_CHECKING, TypedDict

import structlog

from mega_collector.address import Address
from mega_collector.aggregator import view
from mega_collector.aggregator.acquaintances import acquaintance_samples
from mega_collector.aggregator.announcement import Announcement
from mega_collector.aggregator.batcher import Batcher
from mega_collector.aggregator.forgetting import Forgetting
from mega_collector.aggregator.ingest_buffer import IngestBuffer
from mega_collector.aggregator.ledger import Ledger, LedgerError
from mega_collector.aggregator.listener import Listener
from mega_collector.aggregator.operator_address import OperatorAddress
from mega_collector.aggregator.operator_server import AggregatorOnlooker, AggregatorOperator
from mega_collector.aggregator.own_files import own_files
from mega_collector.aggregator.peers import Peers
from mega_collector.aggregator.pipeline import Pipeline
from mega_collector.aggregator.server import AggregatorServicer
from mega_collector.aggregator.statistics import AggregatorStatistics
from mega_collector.aggregator.taps import Taps
from mega_collector.aggregator.turned_back import TurnedBack
from mega_collector.emitter.choice import DEFAULT_AFTER_RETRIES, Destination, build, choose_kind, require
from mega_collector.emitter.configuration import (
    AfterRetries,
    FileConfiguration,
    NotifyConfiguration,
    TextConfiguration,
)
from mega_collector.emitter.dead_letters import DeadLetters
from mega_collector.emitter.file import FileEmitter
from mega_collector.emitter.file_tree import FileTree
from mega_collector.emitter.notify import Notifier
from mega_collector.emitter.preflight import require_directory
from mega_collector.emitter.protocol import OutputState
from mega_collector.emitter.stack import Stack, stack
from mega_collector.emitter.stop import Stop
from mega_collector.errors import EmitError, SettingError, StartError
from mega_collector.memory import keep_for_blocks
from mega_collector.operator_server import OperatorServer
from mega_collector.protocol import Status
from mega_collector.settings import AggregatorSettings, operator_material, refuse_collectors, tls_material
from mega_collector.shutdown import Shutdown
from mega_collector.stuck import Waiting
from mega_collector.telemetry.logs import configure
from mega_collector.telemetry.metrics import Sample
from mega_collector.telemetry.monitored import Monitored
from mega_collector.telemetry.native import Native
from mega_collector.telemetry.recent import RECENT
from mega_collector.telemetry.systemd import Service
from mega_collector.telemetry.view import Flow, View
from mega_collector.telemetry.vigil import Vigil

if TYPE_CHECKING:
    from mega_collector.certificates import Certificates

_LOOK_INTERVAL = 0.5
"""Seconds between two looks at the destination's state, which health checks answer."""

_FORGET_INTERVAL = 600.0
"""Seconds between two times at which the ledger forgets what has ended, at the most."""

_CLOSING = 1.0
"""Seconds for what must still be said when the time for draining is over."""

_log = structlog.get_logger(__name__)


class _Destination(TypedDict):
    text: TextConfiguration | None
    file: FileConfiguration | None
    blackhole: bool


def run(settings: AggregatorSettings) -> int:
    """Serve until a signal or a failure; the exit code."""
    native = Native()
    try:
        with redirect_stderr(native.stderr):
            return _serve(settings)
    finally:
        native.close()


def _serve(settings: AggregatorSettings) -> int:
    configure(settings.log_level, settings.log_format)
    keep_for_blocks()
    shutdown = Shutdown(settings.shutdown_timeout)
    shutdown.on_signals(hangup=True)
    monitored = Monitored(settings.metrics_address, variable="AGGREGATOR_METRICS_ADDRESS")
    aggregator = Aggregator(settings, shutdown)
    monitored.start(aggregator)
    service = Service(os.environ)
    aggregator.start()
    service.ready()
    aggregator.look()
    while not shutdown.wait(_LOOK_INTERVAL):
        if shutdown.hung_up():
            aggregator.reopen()
        aggregator.look()
        if service.due:
            statistics = aggregator.statistics()
            service.tell(statistics.steps, statistics.status)
    service.stopping(settings.shutdown_timeout + 3 * _CLOSING)
    return 0 if aggregator.stop() else 1


class Aggregator:
    """Everything is checked and opened on construction, in an order in which a refusal leaves nothing behind.

    Raises:
        SettingError: a setting cannot be used.
        StartError: the port or the state is in use, or cannot be used.
    """

    def __init__(self, settings: AggregatorSettings, shutdown: Shutdown) -> None:
        self._settings = settings
        self._shutdown = shutdown
        self._stop = Stop()
        self._forget_at = 0.0
        self._began = time.monotonic()
        self._where = _where(settings)
        kind = choose_kind(**_destination(settings))
        after_retries = settings.after_retries or DEFAULT_AFTER_RETRIES[kind]
        self._announcement = Announcement()
        self._vigil = Vigil("delivery_stuck", "delivery_unstuck", after=settings.stuck_after)
        self._commits, self._committed_at = 0, time.monotonic()
        self._certificates, operators = _certificates(settings), _operators(settings)
        self._renewable = [each for each in (self._certificates, operators) if each is not None]
        _look_ahead(settings, after_retries)
        self._listener = Listener(
            settings.listen_address,
            max_streams=settings.max_streams,
            credentials=None if self._certificates is None else self._certificates.server_credentials(),
        )
        self._operators = None
        if settings.operator_address is not None and operators is not None:
            self._operators = OperatorAddress(settings.operator_address, operators.server_credentials())
        try:
            self._ledger = Ledger(settings.state_directory)
        except StartError as error:
            raise SettingError("AGGREGATOR_STATE_DIRECTORY", str(error)) from error
        self._output = build(
            **_destination(settings),
            stop=self._stop,
            known=self._known_output,
            rows=self._ledger.outputs,
            clean=self._ledger.clean,
            state_directory=settings.state_directory,
            remember=self._remember,
        )
        self._stack = _stack(self._output, settings, after_retries, shutdown)
        turned_back = TurnedBack()
        self._buffer = IngestBuffer(settings.ingest_buffer_size)
        self._forgetting = Forgetting(
            self._ledger, after=settings.forget_after, dead_letters=settings.dead_letter_directory
        )
        self._peers = peers = Peers(settings.ingest_buffer_size)
        self._batcher = Batcher(
            max_entries=settings.max_batch_size,
            max_bytes=settings.max_batch_bytes,
            max_age=settings.minimum_publish_frequency,
        )
        taps = Taps()
        self._pipeline = Pipeline(
            buffer=self._buffer,
            batcher=self._batcher,
            emitter=self._stack.emitter,
            destination=self._output,
            ledger=self._ledger,
            peers=peers,
            pause=shutdown.pause,
            taps=taps,
            on_outputs=self._output.committed if isinstance(self._output, FileEmitter | FileTree) else lambda: None,
            on_replayed=self._stack.replayed,
            on_failure=shutdown.ask,
            turned_back=turned_back,
        )
        self._servicer = AggregatorServicer(
            buffer=self._buffer,
            ledger=self._ledger,
            peers=peers,
            max_streams=settings.max_streams,
            writes_to=lambda: self._output.writes_to,
            is_stale=turned_back.is_stale,
            is_output=self._output.is_output if isinstance(self._output, FileTree) else lambda _: False,
            batch_age=settings.minimum_publish_frequency,
        )

        operator = AggregatorOperator(view=self.view, buffer=self._buffer, taps=taps, ledger=self._ledger)
        self._operator = OperatorServer(settings.state_directory, operator)
        self._onlooker = AggregatorOnlooker(view=self.view, taps=taps)

    @property
    def address(self) -> Address:
        """Where it listens: with the real port, where any free one was asked for."""
        return self._listener.address

    def start(self) -> None:
        self._pipeline.start()
        self._listener.start(self._servicer)
        self._operator.start()
        if self._operators is not None:
            self._operators.start(self._onlooker)
        # What is to be forgotten takes its time, and nobody waits for it.
        self._tell_health()
        _log.info("listening", address=str(self.address), tls=self._settings.tls)

    def reopen(self) -> None:
        """Turn to what the outputs' paths name now, and to the certificates that their files hold."""
        _log.info("reopening")
        self._pipeline.reopen()
        for each in self._renewable:
            each.look(anew=True)

    def look(self) -> None:
        """Let health follow the destination, tell what holds it up, use new certificates, forget what is long over."""
        for each in self._renewable:
            each.look()
        if self._ledger.read_again():
            _log.info("ledger_recovered")
        self._tell_health()
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + min(self._settings.forget_after, _FORGET_INTERVAL)
            self._forget()

    def _tell_health(self) -> None:
        statistics = self.statistics()
        self._listener.serving(ready=statistics.ready[0])
        self._tell(statistics.held_up, statistics.pipeline.commits)

    def _tell(self, status: Status, commits: int) -> None:
        """What holds it up is told to the collectors as soon as it does, and logged if it does for long."""
        now = time.monotonic()
        if commits != self._commits or status.stage is None:
            self._commits, self._committed_at = commits, now
        if self._announcement.due(status, now):
            self._peers.tell(status)
        stage = status.stage
        waiting = [] if stage is None else [Waiting("", stage, status.cause, self._committed_at, words=status.words)]
        self._vigil.look(waiting)

    def _forget(self) -> None:
        try:
            forgotten = self._forgetting.forget(time.time_ns())
        except LedgerError as error:
            _log.error("ledger_failed", error=str(error))
            return
        if forgotten:
            _log.info("sources_forgotten", count=forgotten)

    def statistics(self) -> AggregatorStatistics:
        return AggregatorStatistics(
            server=self._servicer.statistics(),
            buffer=self._buffer.statistics(),
            batcher=self._batcher.statistics(),
            pipeline=self._pipeline.statistics(),
            retry=self._stack.retry.statistics(),
            destination=(self._output.appending if isinstance(self._output, FileTree) else None) or self._where,
            failing_outputs=self._stack.failing,
            failing_output=self._stack.failing_output,
            dead_letters=self._stack.dead_letters,
            alerts=self._stack.alerts,
            certificate_expires_at=self._renewable[0].expires_at if self._renewable else None,
            next_try_in=self._stack.pauses.left,
            ledger_read_error=self._ledger.read_error,
        )

    @property
    def ready(self) -> tuple[bool, str]:
        return self.statistics().ready

    def samples(self) -> Iterator[Sample]:
        """For /metrics."""
        yield from self.statistics().samples()
        yield from acquaintance_samples(self._servicer.collectors())

    def flows(self) -> Sequence[Flow]:
        return view.flows(self.statistics())

    def view(self) -> View:
        """For a person."""
        return view.view(
            self.statistics(),
            self._servicer.collectors(),
            host=socket.gethostname(),
            destination=self._where,
            uptime=time.monotonic() - self._began,
            now=time.time(),
            notes=RECENT.notes(),
        )

    def stop(self) -> bool:
        """Seal, emit, commit, acknowledge, close: whether all that was taken in is at the destination.

        What is not, inside the shutdown's timeout, is neither acknowledged nor discarded: the collectors send it again.
        """
        self._listener.refuse()
        self._buffer.close()
        ended = self._drain()
        self._servicer.stop()
        self._operator.stop(min(self._shutdown.remaining, _CLOSING))
        if self._operators is not None:
            self._operators.stop(min(self._shutdown.remaining, _CLOSING))
        self._listener.stop(min(self._shutdown.remaining, _CLOSING))
        failure = self._pipeline.failure
        complete = ended and self._pipeline.complete
        if ended:
            self._stack.emitter.close()
            destination = not isinstance(self._output, FileEmitter | FileTree) or self._output.settled
            self._ledger.close(clean=destination and self._pipeline.settled)
        if failure is not None:
            _log.error("failed", error=str(failure))
        _log.info("stopped", complete=complete)
        return failure is None

    def _drain(self) -> bool:
        """Let the pipeline end; at the deadline whoever waits for the destination is told to give way."""
        if self._pipeline.join(self._shutdown.remaining):
            return True
        self._stop.set()
        return self._pipeline.join(_CLOSING)

    def _known_output(self, path: str) -> OutputState | None:
        try:
            return self._ledger.output(path)
        except LedgerError as error:
            # The file cannot be gone on with yet: nothing else of the emit need wait, nor the aggregator end.
            raise EmitError(str(error)) from error

    def _remember(self, output: OutputState) -> None:
        try:
            self._ledger.commit((), outputs=(output,))
        except LedgerError as error:
            raise EmitError(str(error)) from error


def _destination(settings: AggregatorSettings) -> _Destination:
    return {
        "text": settings.text_configuration,
        "file": settings.file_configuration,
        "blackhole": settings.blackhole_configuration,
    }


def _where(settings: AggregatorSettings) -> str:
    """The destination, for people."""
    if settings.file_configuration is not None:
        return str(settings.file_configuration.path)
    return "stdout" if settings.text_configuration is not None else "nowhere (lines are counted)"


def _look_ahead(settings: AggregatorSettings, after_retries: AfterRetries) -> None:
    """Find out what is made only after the ledger, and could fail: a refusal must not leave a ledger behind."""
    require(settings.file_configuration, own_files(settings.state_directory, settings.dead_letter_directory))
    directory = settings.dead_letter_directory
    if after_retries is AfterRetries.DISCARD and directory is not None:
        try:
            require_directory(directory)
        except StartError as error:
            raise SettingError("AGGREGATOR_DEAD_LETTER_DIRECTORY", str(error)) from error


def _certificates(settings: AggregatorSettings) -> "Certificates | None":
    material = tls_material(settings, settings.prefix)
    if material is None:
        return None
    from mega_collector.certificates import Certificates  # noqa: PLC0415 - what verifies certificates takes 9 MB

    return Certificates(material, half="AGGREGATOR")


def _operators(settings: AggregatorSettings) -> "Certificates | None":
    material = operator_material(settings)
    if material is None:
        return None
    from mega_collector.certificates import Certificates  # noqa: PLC0415 - likewise

    ca = settings.tls_ca_certificate
    return Certificates(
        material,
        half="AGGREGATOR",
        ca_name="AGGREGATOR_OPERATOR_CERTIFICATES",
        judge=lambda found: refuse_collectors(found.ca, ca),
        tells_end=not settings.tls,
    )


def _stack(
    destination: Destination, settings: AggregatorSettings, after_retries: AfterRetries, shutdown: Shutdown
) -> Stack:
    directory, configuration = settings.dead_letter_directory, settings.notify_configuration
    dead_letters = None
    if after_retries is AfterRetries.DISCARD and directory is not None:
        try:
            dead_letters = DeadLetters(directory, settings.dead_letter_size)
        except StartError as error:
            raise SettingError("AGGREGATOR_DEAD_LETTER_DIRECTORY", str(error)) from error
    return stack(
        destination,
        retry_count=settings.retry_count,
        retry_delay=settings.retry_delay,
        after_retries=after_retries,
        dead_letters=dead_letters,
        notifier=None if configuration is None else _notifier(configuration),
        close_within=lambda: max(shutdown.remaining, _CLOSING),
        pause=shutdown.pause,
    )


def _notifier(configuration: NotifyConfiguration) -> Notifier:
    # Its client takes a while to import, and few need it.
    from mega_collector.emitter.pagerduty import PagerDuty  # noqa: PLC0415

    return PagerDuty(configuration)
