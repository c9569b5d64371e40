"""What an aggregator needs."""

import os
from collections.abc import Iterator
from pathlib import Path

from mega_collector.aggregator.ledger import look
from mega_collector.check.finding import Finding
from mega_collector.check.ground import (
    check_directory,
    check_listening,
    check_metrics,
    check_state,
    check_tls,
    writable,
)
from mega_collector.emitter.choice import choose_kind
from mega_collector.emitter.preflight import require_output
from mega_collector.errors import SettingError, StartError
from mega_collector.settings import AggregatorSettings


def check_aggregator(settings: AggregatorSettings) -> Iterator[Finding]:
    """Try what an aggregator with these settings will need."""
    yield from check_tls(settings)
    yield _destination(settings)
    yield check_state(settings.state_directory, look)
    if settings.dead_letter_directory is not None:
        yield check_directory("dead letters", settings.dead_letter_directory)
    yield check_listening("listening", settings.listen_address)
    yield from check_metrics(settings.metrics_address)


def _destination(settings: AggregatorSettings) -> Finding:
    try:
        kind = choose_kind(
            text=settings.text_configuration,
            file=settings.file_configuration,
            blackhole=settings.blackhole_configuration,
        )
    except SettingError as error:
        return Finding(False, f"destination: {error}")
    if kind == "file" and settings.file_configuration is not None:
        return _output(settings.file_configuration.path)
    return Finding(True, f"destination: {kind}")


def _output(path: Path) -> Finding:
    if os.path.lexists(path):
        return _existing(path)
    directory = path.absolute().parent
    if not os.path.isdir(directory):  # noqa: PTH112 - Path.is_dir raises where it may not look
        return Finding(False, f"destination: file {path}, whose directory does not exist; make it")
    ok = os.access(directory, os.W_OK | os.X_OK)
    return Finding(ok, f"destination: file {path}, to be made; its directory is {writable(directory)}")


def _existing(path: Path) -> Finding:
    if path.is_file():
        try:
            require_output(path)
        except StartError as error:
            return Finding(False, f"destination: file {error}")
    return Finding(os.access(path, os.W_OK), f"destination: file {path}, {writable(path)}")
