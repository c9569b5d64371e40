"""What an aggregator needs."""

from collections.abc import Iterator

from mega_collector.aggregator.ledger import look
from mega_collector.aggregator.ledger_reader import NAME
from mega_collector.check.destination import check_destination
from mega_collector.check.finding import Finding
from mega_collector.check.ground import (
    check_directory,
    check_listening,
    check_operators,
    check_room,
    check_running,
    check_state,
    check_tls,
    check_user,
    runs,
)
from mega_collector.check.limits import aggregator_disk, aggregator_memory
from mega_collector.emitter.configuration import AfterRetries
from mega_collector.settings import AggregatorSettings


def check_aggregator(settings: AggregatorSettings) -> Iterator[Finding]:
    """Try what an aggregator with these settings will need. It may run with them meanwhile."""
    state, dead_letters = settings.state_directory, settings.dead_letter_directory
    running = runs(state, "aggregator")
    yield check_user("aggregator")
    if running:
        yield from check_running(state, half="aggregator")
    yield from check_tls(settings)
    yield from check_destination(settings, running=running)
    yield check_state(state, look, half="aggregator", running=running)
    yield check_room("state directory", state)
    if dead_letters is not None:
        yield check_directory("dead letters", dead_letters)
        if _discards(settings):
            yield check_room("dead letters", dead_letters, wanted=settings.dead_letter_size)
    if settings.notify_configuration is not None:
        # Its client takes a while to import, and few need it.
        from mega_collector.check.alerts import check_alerts  # noqa: PLC0415

        yield check_alerts(settings.notify_configuration)
    yield check_listening("listening", settings.listen_address, half="aggregator", running=running)
    if settings.metrics_address is not None:
        yield check_listening("metrics", settings.metrics_address, half="aggregator", running=running)
    if settings.operator_address is not None:
        yield check_operators(settings)
        yield check_listening("operators", settings.operator_address, half="aggregator", running=running)
    yield from _limits(settings)


def _discards(settings: AggregatorSettings) -> bool:
    return settings.after_retries is AfterRetries.DISCARD and settings.dead_letter_directory is not None


def _limits(settings: AggregatorSettings) -> Iterator[Finding]:
    yield aggregator_memory(
        buffer=settings.ingest_buffer_size,
        streams=settings.max_streams,
        tls=settings.tls,
        notify=settings.notify_configuration is not None,
    )
    ledger = settings.state_directory / NAME
    try:
        size = ledger.stat().st_size
    except OSError:
        size = 0
    yield aggregator_disk(
        ledger=size,
        cut=None if settings.file_configuration is None else settings.ingest_buffer_size,
        dead_letters=settings.dead_letter_size if _discards(settings) else None,
    )
