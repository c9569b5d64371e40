"""The audit, put together from its parts."""

import time
from collections.abc import Callable, Sequence

import grpc

from mega_collector import __version__
from mega_collector.audit.asking import ask, ask_which_are_own
from mega_collector.audit.remembered import records_of
from mega_collector.audit.survey import Survey, Surveyor
from mega_collector.block import Source
from mega_collector.boot import boot_id
from mega_collector.collector.finding.discovery import Discovery
from mega_collector.collector.finding.pattern import names_one
from mega_collector.collector.state.checkpoint import Entry, peek
from mega_collector.errors import SettingError, StartError
from mega_collector.protocol import Hello, Record
from mega_collector.settings import CollectorSettings, tls_material
from mega_collector.telemetry.logs import configure

_WHILE = 2.0
"""Seconds until what differs is looked at once more: a file that is truncated while it is looked at is another then."""


def audit(
    settings: CollectorSettings, *, asked: bool = False, pause: Callable[[float], None] = time.sleep
) -> tuple[str, Survey]:
    """The collector's id, and what was found of its files. `asked`: the paths are a person's, for this once.

    Raises:
        SettingError: a setting cannot be used, or nobody knows who the collector is.
        Unanswered: the aggregator does not say what is committed.
    """
    # What certificates warn of goes where it is not in the way.
    configure("warning", settings.log_format)
    collector, kept, entries = _collector(settings)
    hello = Hello(collector, settings.host, settings.tags, __version__, boot=boot_id())
    credentials = _credentials(settings)
    target, name = settings.remote_address.target, settings.tls_server_name

    def records() -> list[Record]:
        return ask(target, hello, credentials=credentials, server_name=name)

    def own_among(files: Sequence[Source]) -> set[bytes]:
        return ask_which_are_own(target, hello, files, credentials=credentials, server_name=name)

    remembered = records_of(entries, collector)
    surveyor = Surveyor(
        Discovery(settings.paths, settings.exclude),
        own=settings.state_directory,
        remembered=remembered,
        named=[path for path in settings.paths if names_one(path)],
        known=collector == kept,
        asked=[path for path in settings.paths if asked and not names_one(path)],
        own_among=own_among,
    )
    survey = surveyor.look(records())
    if survey.differs:
        pause(_WHILE)
        survey = surveyor.look_again(records(), survey.rows)
    return collector, survey


def _collector(settings: CollectorSettings) -> tuple[str, str | None, list[Entry]]:
    """Its id, that of the collector of this state directory, and what that one remembers."""
    try:
        kept, entries = peek(settings.state_directory)
    except StartError as error:
        if settings.id is not None:
            # It can be asked for all the same.
            return settings.id, None, []
        raise SettingError("COLLECTOR_STATE_DIRECTORY", f"{error}; or set COLLECTOR_ID") from error
    found = settings.id or kept
    if found is None:
        raise SettingError(
            "COLLECTOR_ID",
            f"is not set, and no collector has been started with the state directory {settings.state_directory};"
            " give one of them as the collector has it",
        )
    return found, kept, entries


def _credentials(settings: CollectorSettings) -> grpc.ChannelCredentials | None:
    material = tls_material(settings, settings.prefix)
    if material is None:
        return None
    from mega_collector.tls import client_credentials  # noqa: PLC0415 - not without TLS: it takes 9 MB

    return client_credentials(*material)
