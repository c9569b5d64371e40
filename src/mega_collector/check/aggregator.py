"""What an aggregator needs."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from mega_collector.aggregator.ledger import look
from mega_collector.block import Source
from mega_collector.check.finding import Finding
from mega_collector.check.ground import (
    check_directory,
    check_listening,
    check_metrics,
    check_state,
    check_tls,
    writable,
)
from mega_collector.emitter.choice import choose_kind, require
from mega_collector.emitter.preflight import require_output
from mega_collector.emitter.template import Template
from mega_collector.errors import SettingError, StartError
from mega_collector.marker import Marker
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
    file = settings.file_configuration
    if kind != "file" or file is None:
        return Finding(True, f"destination: {kind}")
    if not isinstance(file.path, Template):
        return _output(file.path)
    try:
        require(file)
    except SettingError as error:
        return Finding(False, f"destination: {error}")
    return _outputs(file.path)


def _outputs(template: Template) -> Finding:
    """Which of their directories can be written is seen when there is something for them."""
    source = Source(b"", b"/var/log/example.log", 0, 0, Marker(), "one", "example")
    path, root = template.path(source, time.time_ns()), template.root
    found = f"destination: files {template}, such as {path}; {root} is {writable(root)}"
    return Finding(os.access(root, os.X_OK), found)


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
