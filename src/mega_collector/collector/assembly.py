"""The collector, put together from its parts."""

import os
import resource
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from mega_collector import __version__
from mega_collector.boot import boot_id
from mega_collector.collector import view
from mega_collector.collector.finding.discovery import Discovery, Patterns
from mega_collector.collector.finding.finder import Finder
from mega_collector.collector.finding.roster import Roster
from mega_collector.collector.finding.slices import Slices
from mega_collector.collector.finding.watch import Watch
from mega_collector.collector.recognition.remembered import Remembered
from mega_collector.collector.sending.inbox import Inbox
from mega_collector.collector.sending.publisher import Publisher
from mega_collector.collector.sending.shipper import Shipper
from mega_collector.collector.sending.window import Window
from mega_collector.collector.state.checkpoint import Checkpoint
from mega_collector.collector.statistics import CollectorStatistics
from mega_collector.collector.tailer import Tailer
from mega_collector.collector.tailer_options import TailerOptions
from mega_collector.collector.view import Unfound
from mega_collector.collector.whereabouts import Surroundings, waiting
from mega_collector.errors import SettingError, StartError
from mega_collector.memory import collect_rarely, keep_for_blocks
from mega_collector.operator_server import OperatorServer, OperatorServicer
from mega_collector.protocol import Behind, Hello, Report
from mega_collector.settings import CollectorSettings, tls_material
from mega_collector.shutdown import Shutdown
from mega_collector.telemetry import live
from mega_collector.telemetry.logs import configure
from mega_collector.telemetry.metrics import Sample
from mega_collector.telemetry.monitored import Monitored
from mega_collector.telemetry.recent import RECENT
from mega_collector.telemetry.systemd import Service
from mega_collector.telemetry.view import Flow, View
from mega_collector.telemetry.vigil import Vigil
from mega_collector.wire import MAX_BEHIND

if TYPE_CHECKING:
    from mega_collector.certificates import Certificates

_RESERVED_FILES = 64
"""Descriptors that the process itself needs: connection, checkpoint, watch, logs, metrics."""

_LOOK_INTERVAL = 1.0
"""Seconds between two looks at certificates, and at what waits."""

_CLOSING = 1.0
"""Seconds for ending the connection when the time for draining is over."""

_log = structlog.get_logger(__name__)


def run(settings: CollectorSettings) -> int:
    """Ship until a signal or a failure; the exit code."""
    configure(settings.log_level, settings.log_format)
    keep_for_blocks()
    collect_rarely()
    shutdown = Shutdown(settings.shutdown_timeout)
    shutdown.on_signals(hangup=True)
    monitored = Monitored(settings.metrics_address, variable="COLLECTOR_METRICS_ADDRESS")
    collector = Collector(settings, shutdown)
    monitored.start(collector)
    service = Service(os.environ)
    collector.start()
    service.ready()
    if service.interval is None:
        watch(collector, shutdown, settings.log_level, settings.log_format, wanted=live.wanted())
    else:
        interval = min(service.interval, _LOOK_INTERVAL)
        _attend(collector, shutdown, interval, lambda: _tell(service, collector))
    service.stopping(settings.shutdown_timeout + 2 * _CLOSING)
    return 0 if collector.stop() else 1


def watch(collector: "Collector", shutdown: Shutdown, level: str, style: str, *, wanted: bool) -> None:
    """Look after it until the end is asked for; on a terminal, show meanwhile what flows."""
    if not wanted:
        _attend(collector, shutdown, _LOOK_INTERVAL)
        return
    line = live.Live(lambda: collector.statistics().progress)
    configure(level, style, line.stream)
    try:
        _attend(collector, shutdown, live.INTERVAL, line.draw)
    finally:
        line.close()
        configure(level, style)


def _tell(service: Service, collector: "Collector") -> None:
    """Tell the service manager how it goes, if that is due."""
    if service.due:
        statistics = collector.statistics()
        service.tell(statistics.tailer.steps, statistics.status)


def _attend(
    collector: "Collector", shutdown: Shutdown, interval: float, besides: Callable[[], None] = lambda: None
) -> None:
    while not shutdown.wait(interval):
        if shutdown.hung_up():
            collector.reopen()
        collector.look()
        besides()


class Collector:
    """Everything is checked and opened on construction. With `once` it asks for the shutdown at the end of the files.

    `own` are files of this program's beside its state directory: they are never followed.

    Raises:
        SettingError: a setting cannot be used.
        StartError: the state is in use.
    """

    def __init__(
        self, settings: CollectorSettings, shutdown: Shutdown, *, once: bool = False, own: Sequence[Path] = ()
    ) -> None:
        self._shutdown = shutdown
        self._files_shown = settings.metrics_files
        self._patterns = Patterns(settings.paths)
        self._certificates = _certificates(settings)
        try:
            self._checkpoint = Checkpoint(settings.state_directory, collector=settings.id)
        except StartError as error:
            raise SettingError("COLLECTOR_STATE_DIRECTORY", str(error)) from error
        self._tell_of_state(settings)
        self._began = time.monotonic()
        self._address = str(settings.remote_address)
        hello = self._hello = Hello(
            self._checkpoint.collector_id,
            settings.host,
            settings.tags,
            __version__,
            life=os.urandom(16),
            boot=boot_id(),
        )
        self._inbox = Inbox()
        self._publisher = Publisher(
            target=settings.remote_address.target,
            hello=hello,
            deliver=self._inbox.put,
            credentials=None if self._certificates is None else self._certificates.client_credentials,
            server_name=settings.tls_server_name,
            compress=_compress(settings),
        )
        remembered = Remembered(self._checkpoint)
        roster = Roster(ignore_older=settings.ignore_older, remembers=remembered.remembers)
        discovery = Discovery(
            settings.paths,
            settings.exclude,
            passes_over=lambda facts: roster.passes_over(facts, time.time_ns()),
        )
        self._finder = Finder(
            discovery=Slices(discovery),
            watch=Watch(enabled=settings.watch == "auto"),
            roster=roster,
            poll_interval=settings.poll_interval,
            own=[settings.state_directory, *own],
        )
        self._shipper = Shipper(
            window=Window(limit=settings.window_size),
            publisher=self._publisher,
            checkpoint=self._checkpoint,
            inbox=self._inbox,
        )
        options = TailerOptions(
            poll_interval=settings.poll_interval,
            rotate_wait=settings.rotate_wait,
            close_inactive=settings.close_inactive,
            max_line_size=settings.max_line_size,
            max_open_files=_max_open_files(settings.max_open_files),
            start_at_end=settings.start_at == "end" and self._checkpoint.fresh,
            once=once,
        )
        self._tailer = Tailer(
            options=options,
            hello=hello,
            finder=self._finder,
            shipper=self._shipper,
            inbox=self._inbox,
            remembered=remembered,
        )
        self._operator = OperatorServer(settings.state_directory, OperatorServicer(self.view))
        self._stuck_after = settings.stuck_after
        self._vigil = Vigil("file_stuck", "file_unstuck", after=settings.stuck_after)
        self._looked_at: object = None
        self._thread = threading.Thread(target=self._tail, name="tailer", daemon=True)
        self._failed = False

    def start(self) -> None:
        # First: the umask under which its socket is made is every thread's.
        self._operator.start()
        self._publisher.start()
        self._thread.start()

    def reopen(self) -> None:
        """Read the certificates again, and have the connection tried at once if there is none."""
        _log.info("reopening")
        if self._certificates is not None:
            self._certificates.look(anew=True)
        self._publisher.hurry()

    def look(self) -> None:
        """Use new certificates, at once if there is no connection; tell what waits for too long."""
        if self._certificates is not None and self._certificates.look():
            self._publisher.hurry()
        around, behind = self._surroundings(), self._tailer.behind
        # There may be a hundred thousand: they are gone through as often as they are measured.
        if behind is not self._looked_at or around.hanging is not None or self._vigil.stuck:
            self._looked_at = behind
            self._vigil.look(waiting(behind, around))
        if self._publisher.report_due:
            self._publisher.report(self._report())

    def _report(self) -> Report:
        statistics = self.statistics()
        worst = [
            Behind(each.path, each.size, each.seconds, *(("", "") if each.usual else (each.stage.value, each.cause)))
            for each in statistics.worst(MAX_BEHIND)
        ]
        oldest = max((each.oldest for each in worst), default=0.0)
        return Report(statistics.tailer.files, statistics.lag, oldest, tuple(worst))

    def stop(self, *, wait: bool = True) -> bool:
        """Read no more, wait for what is in flight inside the shutdown's timeout, keep the checkpoint, close.

        Without `wait` it is known that nothing more will be acknowledged.
        """
        self._tailer.stop(self._shutdown.deadline if wait else 0)
        self._thread.join(self._shutdown.remaining + _CLOSING)
        self._publisher.close(_CLOSING)
        self._operator.stop(_CLOSING)
        if not self._thread.is_alive():
            self._checkpoint.close()
        statistics = self.statistics()
        _log.info("stopped", acknowledged=statistics.shipper.bytes_acknowledged, unread=statistics.tailer.lag)
        return not (self._failed or self._tailer.failed)

    def statistics(self) -> CollectorStatistics:
        return CollectorStatistics(
            self._tailer.statistics(),
            self._shipper.statistics(),
            self._publisher.statistics(),
            checkpoint_damaged=self._checkpoint.damage is not None,
            certificate_expires_at=None if self._certificates is None else self._certificates.expires_at,
            surroundings=self._surroundings(),
            files_stuck=self._vigil.stuck,
        )

    @property
    def ready(self) -> tuple[bool, str]:
        return self.statistics().ready

    def samples(self) -> Iterator[Sample]:
        """For /metrics."""
        yield from self.statistics().samples(files=self._files_shown)

    def flows(self) -> Sequence[Flow]:
        return view.flows(self.statistics())

    def view(self) -> View:
        """For a person."""
        return view.view(
            self.statistics(),
            hello=self._hello,
            address=self._address,
            uptime=time.monotonic() - self._began,
            now=time.time(),
            notes=RECENT.notes(),
            unfound=self._unfound(),
        )

    def _unfound(self) -> Unfound:
        """Looked up only when somebody looks: a pattern without a file is held against all names."""
        if not self._finder.scanned:
            return Unfound()
        hidden = self._finder.hidden_paths.items()
        return Unfound(
            tuple(self._patterns.without_match(self._finder.names())),
            tuple((path, error.strerror or str(error)) for path, error in hidden),
            self._finder.passed_over,
        )

    def _surroundings(self) -> Surroundings:
        publisher = self._publisher.statistics()
        return Surroundings(
            connected=publisher.connected,
            failure=publisher.last_failure,
            status=self._shipper.status,
            batch_age=self._shipper.batch_age,
            room=self._shipper.room,
            waits=self._shipper.waits,
            hanging=self._tailer.hanging(self._stuck_after),
        )

    def _tell_of_state(self, settings: CollectorSettings) -> None:
        if self._checkpoint.damage is not None:
            _log.error("checkpoint_damaged", reason=self._checkpoint.damage)
        if self._checkpoint.was is not None:
            _log.warning(
                "collector_id_changed",
                reason=f"the state directory is that of collector {self._checkpoint.was!r}: its files go on from the"
                f" checkpoint as {self._checkpoint.collector_id!r}'s, and what it had in flight may come twice",
            )
        if self._checkpoint.fresh and settings.id is None and not self._checkpoint.id_is_stable:
            _log.warning(
                "collector_id_unstable",
                reason="this machine has no machine-id: if the state directory is lost, everything is shipped again."
                " Set COLLECTOR_ID, or keep the state directory",
            )

    def _tail(self) -> None:
        try:
            self._tailer.run()
        except BaseException:  # noqa: BLE001 - whatever it is
            # A defect: a collector that no longer reads must not look as if it did.
            self._failed = True
            _log.exception("failed")
        finally:
            self._shutdown.ask()


def _certificates(settings: CollectorSettings) -> "Certificates | None":
    material = tls_material(settings, settings.prefix)
    if material is None:
        return None
    from mega_collector.certificates import Certificates  # noqa: PLC0415 - what verifies certificates takes 9 MB

    return Certificates(material, half="COLLECTOR")


def _compress(settings: CollectorSettings) -> bool:
    if settings.compression == "auto":
        return not settings.remote_address.is_local
    return settings.compression == "zstd"


def _max_open_files(wanted: int | None) -> int:
    """The soft limit is raised to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    available = max(hard - _RESERVED_FILES, 1)
    return available if wanted is None else min(wanted, available)
