"""Both halves in one process, for one machine: over a socket that nobody else can reach."""

import os
import tempfile
from pathlib import Path

from mega_collector.address import Address
from mega_collector.aggregator.assembly import Aggregator
from mega_collector.collector.assembly import Collector, watch
from mega_collector.collector.finding.pattern import names_one
from mega_collector.emitter.configuration import FileConfiguration, TextConfiguration
from mega_collector.errors import MegaCollectorError
from mega_collector.memory import keep_for_blocks
from mega_collector.settings import AggregatorSettings, CollectorSettings
from mega_collector.shutdown import Shutdown
from mega_collector.telemetry.live import wanted
from mega_collector.telemetry.logs import configure

_PUBLISH_FREQUENCY = 0.1
_POLL_INTERVAL = 0.1
_SHUTDOWN_TIMEOUT = 10.0
_LOG_LEVEL, _LOG_FORMAT = "warning", "auto"


def run(paths: tuple[bytes, ...], output: Path | None, once: bool) -> int:
    """Ship `paths` to stdout, from the beginning and keeping no state, or to `output`, exactly once.

    What is remembered of an output lies beside it, in `.NAME.mega-collector`. With `once` it ends at the end of the
    files. Returns the exit code.

    Raises:
        SettingError: the output or the state beside it cannot be used.
        MegaCollectorError: with `once`, a path without wildcards is not there.
    """
    if once:
        _require(paths)
    # On stdout are the logs that are shipped, and on stderr only what a person must know.
    configure(_LOG_LEVEL, _LOG_FORMAT)
    keep_for_blocks()
    with tempfile.TemporaryDirectory(prefix="mega-collector-") as scratch:
        state = Path(scratch) if output is None else output.absolute().parent / f".{output.name}.mega-collector"
        return _run(paths, output, state, Address(path=Path(scratch) / "socket"), once=once)


def _require(paths: tuple[bytes, ...]) -> None:
    """Without `once` a file may still appear; a pattern may match nothing."""
    for path in paths:
        if names_one(path):
            name = os.fsdecode(path)
            try:
                Path(name).stat()
            except OSError as error:
                raise MegaCollectorError(f"{name!r}: {error.strerror}") from error


def _run(paths: tuple[bytes, ...], output: Path | None, state: Path, address: Address, *, once: bool) -> int:
    shutdown = Shutdown(_SHUTDOWN_TIMEOUT)
    # Both halves drain, one after the other.
    shutdown.on_signals(most=2 * _SHUTDOWN_TIMEOUT)
    # The aggregator outlives the collector, but not the other way round.
    draining = Shutdown(_SHUTDOWN_TIMEOUT, on_asked=shutdown.ask)
    aggregator = Aggregator(_aggregator_settings(output, state, address), draining)
    own = [] if output is None else [output]
    collector = Collector(_collector_settings(paths, state, address), shutdown, once=once, own=own)
    aggregator.start()
    collector.start()
    aggregator.look()
    watch(collector, shutdown, _LOG_LEVEL, _LOG_FORMAT, wanted=wanted(logs_on_stdout=output is None))
    # The collector first: it waits for the acknowledgements of what it has sent, unless the other half has failed.
    collected = collector.stop(wait=not draining.asked)
    return 0 if aggregator.stop() and collected else 1


def _aggregator_settings(output: Path | None, state: Path, address: Address) -> AggregatorSettings:
    return AggregatorSettings(
        minimum_publish_frequency=_PUBLISH_FREQUENCY,
        text_configuration=TextConfiguration() if output is None else None,
        file_configuration=None if output is None else FileConfiguration(output.absolute()),
        listen_address=address,
        state_directory=state / "aggregator",
        dead_letter_directory=None,
    )


def _collector_settings(paths: tuple[bytes, ...], state: Path, address: Address) -> CollectorSettings:
    return CollectorSettings(
        paths=paths,
        remote_address=address,
        id="run",
        host="",
        state_directory=state / "collector",
        poll_interval=_POLL_INTERVAL,
    )
