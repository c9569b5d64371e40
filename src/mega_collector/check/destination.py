"""Whether the destination could be written. Nothing is written to it."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from mega_collector.aggregator.own_files import own_files
from mega_collector.block import Source
from mega_collector.check.finding import Finding
from mega_collector.check.ground import DEADLINE, check_room, writable
from mega_collector.check.leave import forbidden
from mega_collector.emitter.choice import choose_kind, require
from mega_collector.emitter.configuration import FileConfiguration
from mega_collector.emitter.preflight import require_apart, require_output
from mega_collector.emitter.template import Template
from mega_collector.errors import SettingError, StartError
from mega_collector.marker import Marker
from mega_collector.settings import AggregatorSettings

_SLOW = 0.5
"""Seconds for opening a file and syncing its directory, above which something is the matter."""


def check_destination(settings: AggregatorSettings, *, running: bool) -> Iterator[Finding]:
    """Look at what is set. `running`: this aggregator runs, and holds its output."""
    try:
        kind = choose_kind(
            text=settings.text_configuration,
            file=settings.file_configuration,
            blackhole=settings.blackhole_configuration,
        )
    except SettingError as error:
        yield Finding(False, f"destination: {error}")
        return
    if kind != "file" or settings.file_configuration is None:
        yield Finding(True, f"destination: {kind}")
        return
    path = settings.file_configuration.path
    own = own_files(settings.state_directory, settings.dead_letter_directory)
    if isinstance(path, Template):
        yield from _outputs(settings.file_configuration, path, own)
        return
    yield in_time(path, lambda: list(_output(path, own, running=running)))
    yield in_time(path, lambda: [check_room("destination", path)])


def _outputs(configuration: FileConfiguration, template: Template, own: Iterable[Path]) -> Iterator[Finding]:
    """Which of their directories can be written is seen when there is something for them."""
    try:
        require(configuration, own)
    except SettingError as error:
        yield Finding(False, f"destination: {error}")
        return
    source = Source(b"", b"/var/log/example.log", 0, 0, Marker(), "one", "example")
    root = template.root
    found = (
        f"destination: files {template}, such as {template.path(source, time.time_ns())}; {root} is {writable(root)}"
    )
    yield in_time(root, lambda: [Finding(os.access(root, os.X_OK), found)])
    yield in_time(root, lambda: [check_room("destination", root)])


def in_time(path: Path, look: Callable[[], list[Finding]], *, deadline: float = DEADLINE) -> Finding:
    """What is found, or that a disk does not answer: whoever waits for one cannot be interrupted."""
    found: list[Finding] = []
    thread = threading.Thread(target=lambda: found.extend(look()), daemon=True)
    began = time.monotonic()
    thread.start()
    thread.join(deadline)
    if not found:
        return Finding(False, f"destination: file {path}: its disk does not answer within {deadline:g} s: it hangs")
    took = time.monotonic() - began
    if took > _SLOW and found[0].ok:
        return Finding(True, f"{found[0].text}; slow: opening it took {took:.1f} s", look=True)
    return found[0]


def _output(path: Path, own: Iterable[Path], *, running: bool) -> Iterator[Finding]:
    try:
        require_apart(path, own)
    except StartError as error:
        yield Finding(False, f"destination: file {error}")
        return
    if os.path.lexists(path):
        yield _existing(path, running=running)
        return
    directory = path.absolute().parent
    if (why := forbidden(os.fsencode(directory))) is not None:
        yield Finding(False, f"destination: file {path}: {why}")
    elif not os.path.isdir(directory):  # noqa: PTH112 - Path.is_dir raises where it may not look
        yield Finding(False, f"destination: file {path}, whose directory does not exist; make it")
    else:
        ok = os.access(directory, os.W_OK | os.X_OK)
        yield Finding(ok, f"destination: file {path}, to be made; its directory is {writable(directory)}")


def _existing(path: Path, *, running: bool) -> Finding:
    if running:
        ok = os.access(path, os.W_OK)
        return Finding(ok, f"destination: file {path}, {writable(path)}; the aggregator that runs has it")
    if path.is_file():
        try:
            require_output(path)
        except StartError as error:
            return Finding(False, f"destination: file {error}")
    return Finding(os.access(path, os.W_OK), f"destination: file {path}, {writable(path)}")
