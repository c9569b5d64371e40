"""What a collector needs."""

import resource
from collections.abc import Iterator

from mega_collector.check.beginning import Beginnings
from mega_collector.check.connection import check_connection
from mega_collector.check.files import Files
from mega_collector.check.finding import Finding
from mega_collector.check.ground import (
    check_listening,
    check_room,
    check_running,
    check_state,
    check_tls,
    check_user,
    runs,
)
from mega_collector.check.limits import collector_disk, collector_memory, open_files
from mega_collector.collector.state.checkpoint import look
from mega_collector.settings import CollectorSettings


def check_collector(settings: CollectorSettings) -> Iterator[Finding]:
    """Try what a collector with these settings will need. One may run with them meanwhile."""
    state = settings.state_directory
    running = runs(state, "collector")
    yield check_user("collector")
    if running:
        yield from check_running(state, half="collector")
    yield from check_tls(settings)
    beginnings = Beginnings(state, start_at_end=settings.start_at == "end")
    files = Files(settings, beginnings)
    yield from files
    yield check_state(state, look, half="collector", running=running)
    yield check_room("state directory", state)
    if settings.metrics_address is not None:
        yield check_listening("metrics", settings.metrics_address, half="collector", running=running)
    yield check_connection(settings, beginnings.collector)
    yield collector_memory(
        window=settings.window_size, line=settings.max_line_size, files=files.count, tls=settings.tls
    )
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield open_files(files=files.count, wanted=settings.max_open_files, allowed=allowed)
    yield collector_disk(files=files.count, path_bytes=files.path_bytes, remembered=beginnings.remembered)
