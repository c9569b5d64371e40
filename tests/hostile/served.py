"""An aggregator in this process, on a real port, with a file for a destination; a collector beside it."""

import io
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from certificates import Material
from harness.lines import Generation, assert_exactly
from harness.until import quiet, until
from harness.writer import Writer
from mega_collector.address import Address
from mega_collector.aggregator.assembly import Aggregator
from mega_collector.collector.assembly import Collector
from mega_collector.emitter.configuration import FileConfiguration
from mega_collector.settings import AggregatorSettings, CollectorSettings
from mega_collector.shutdown import Shutdown
from mega_collector.telemetry.logs import configure

QUICK = 0.02
"""Seconds after which a batch is published."""


class Served:
    """A context manager. Its log is kept, and shows no defect at the end."""

    def __init__(self, directory: Path, *, material: Material | None = None, **settings: object) -> None:
        self.directory = directory
        self.out = directory / "out.log"
        given: dict[str, object] = {
            "file_configuration": FileConfiguration(self.out),
            "listen_address": Address("127.0.0.1", 0),
            "state_directory": directory / "aggregator",
            "minimum_publish_frequency": QUICK,
            **settings,
            **tls(material),
        }
        self._log = io.StringIO()
        configure("info", "json", self._log)
        self._shutdown = Shutdown(5)
        self.aggregator = Aggregator(AggregatorSettings(**given), self._shutdown)  # type: ignore[arg-type]

    @property
    def address(self) -> Address:
        return self.aggregator.address

    @property
    def target(self) -> str:
        return self.address.target

    def __enter__(self) -> Self:
        self.aggregator.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.aggregator.stop()
        structlog.reset_defaults()
        logging.root.handlers.clear()
        if error is None:
            assert not [event for event in self.events() if "exception" in event]

    def output(self) -> bytes:
        return self.out.read_bytes() if self.out.exists() else b""

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """What is logged so far under that name."""
        events = [json.loads(line) for line in self._log.getvalue().splitlines()]
        return [event for event in events if name in {None, event["event"]}]


class Bystander:
    """A valid collector, which ships what is written to its log."""

    def __init__(self, served: Served, material: Material | None) -> None:
        self.served = served
        self.material = material
        self.written: dict[Generation, list[bytes]] = {}
        self.writer = Writer(served.directory / "bystander.log", self.written)
        given: dict[str, object] = {
            "paths": (bytes(self.writer.path),),
            "remote_address": served.address,
            "state_directory": served.directory / "bystander",
            "id": "bystander",
            "host": "test",
            "poll_interval": 0.05,
            **tls(material),
        }
        self.collector = Collector(CollectorSettings(**given), Shutdown(5))  # type: ignore[arg-type]
        self.collector.start()

    def assert_undisturbed(self, others: Sequence[bytes] = ()) -> None:
        """Its lines arrive, those that it writes now too; once each, in order, and none but those and `others`."""
        self.writer.write(200)
        wanted = sum(map(len, self.writer.lines)) + sum(map(len, others))
        until(lambda: len(self.served.output()) >= wanted, "the bystander's lines should arrive")
        quiet(self.served.output, "the destination", 0.15)
        found = self.served.output()
        for line in others:
            assert found.count(line) == 1
            found = found.replace(line, b"")
        assert_exactly(found, self.written)


@contextmanager
def bystander(served: Served, material: Material | None = None) -> Iterator[Bystander]:
    """Begins to ship at once, and has shipped something when it is yielded; at the end it is undisturbed."""
    beside = Bystander(served, material)
    beside.writer.write(200)
    until(lambda: len(served.output()) >= sum(map(len, beside.writer.lines)), "the bystander should ship")
    try:
        yield beside
        beside.assert_undisturbed()
    finally:
        beside.collector.stop()
        beside.writer.close()


def tls(material: Material | None) -> dict[str, object]:
    """The settings of one side."""
    if material is None:
        return {}
    return {
        "tls": True,
        "tls_certificate": material.certificate,
        "tls_key": material.key,
        "tls_ca_certificate": material.ca,
    }
