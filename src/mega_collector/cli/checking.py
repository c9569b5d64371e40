"""`check`, of either half."""

# ruff: noqa: PLC0415 - imported when it is asked for: see the package

import json
import os
from typing import TYPE_CHECKING, TypeVar

import click

from mega_collector.cli.answer import BAD_SETTINGS, CLEAN, say
from mega_collector.cli.half import as_json, half_command, paths
from mega_collector.cli.lazy import Lazy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mega_collector.check.finding import Finding
    from mega_collector.settings import AggregatorSettings, CollectorSettings, Loaded
    from mega_collector.settings.declaration import Settings

    S = TypeVar("S", bound=Settings)


def make_check() -> click.Command:
    makers = {"collector": _make_check_collector, "aggregator": _make_check_aggregator}
    return Lazy("check", makers=makers, help="Show the settings in effect, and try what they need. Changes nothing.")


def _make_check_collector() -> click.Command:
    from mega_collector.settings import CollectorSettings

    def start(loaded: "Loaded[CollectorSettings]", *, as_json: bool) -> int:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what fails is told here, in one line
        from mega_collector.check.collector import check_collector

        return _tell(loaded, check_collector, as_json=as_json)

    what = "Show a collector's settings, the files they match and where each begins, and try the connection."
    return half_command("collector", CollectorSettings, start, what, [paths(), as_json()])


def _make_check_aggregator() -> click.Command:
    from mega_collector.settings import AggregatorSettings

    def start(loaded: "Loaded[AggregatorSettings]", *, as_json: bool) -> int:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # likewise
        from mega_collector.check.aggregator import check_aggregator

        return _tell(loaded, check_aggregator, as_json=as_json)

    what = "Show an aggregator's settings, and try its destination, its port, and the way to PagerDuty."
    return half_command("aggregator", AggregatorSettings, start, what, [as_json()])


def _tell(loaded: "Loaded[S]", check: "Callable[[S], Iterator[Finding]]", *, as_json: bool) -> int:
    from mega_collector.check.document import document
    from mega_collector.check.effective import effective

    settings = list(effective(loaded))
    if as_json:
        findings = list(check(loaded.settings))
        say(json.dumps(document(settings, findings), indent=1))
        return CLEAN if all(each.ok for each in findings) else BAD_SETTINGS
    for setting in settings:
        say(str(setting))
    ready = True
    for finding in check(loaded.settings):
        say(f"{finding.mark.value} {finding.text}")
        ready = ready and finding.ok
    return CLEAN if ready else BAD_SETTINGS
