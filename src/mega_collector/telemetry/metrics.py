"""The numbers of the parts, in the text that Prometheus reads."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mega_collector.telemetry.printable import text

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


@dataclass(frozen=True, slots=True)
class Sample:
    """One number: `name` with its unit at the end, as in `mega_collector_read_bytes_total`.

    Samples of one name have the same kind, help and label names.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def certificate_expiry(half: str, expires_at: float | None) -> Iterator[Sample]:
    """The sample of the certificate that a half uses, if it uses one: when it expires, in seconds since the epoch."""
    if expires_at is not None:
        name = f"mega_collector_{half}_tls_certificate_expiry_seconds"
        yield Sample(name, "gauge", "When the certificate in use expires, in seconds since the epoch", expires_at)


def exposition(samples: Iterable[Sample]) -> tuple[bytes, str]:
    """Give the text of all samples, with those of the process itself (memory, processor time), and its media type."""
    # Imported late: a process that nobody scrapes does without.
    from prometheus_client.exposition import choose_encoder  # noqa: PLC0415

    encode, media_type = choose_encoder("")
    return encode(_Scrape(samples)), media_type


class _Scrape:
    """A collector in prometheus-client's sense, of samples that are there already: it keeps no number of its own."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = samples

    def collect(self) -> "Iterator[Metric]":
        from prometheus_client import ProcessCollector  # noqa: PLC0415

        yield from _families(self._samples)
        yield from ProcessCollector(registry=None).collect()


def _families(samples: Iterable[Sample]) -> "Iterable[Metric]":
    """Group them by name: the format wants those of one name together."""
    from prometheus_client.metrics_core import Metric  # noqa: PLC0415

    families: dict[str, Metric] = {}
    for sample in samples:
        # The format's own rule: a counter's name ends with _total, its family's does not.
        family = sample.name.removesuffix("_total") if sample.kind == "counter" else sample.name
        metric = families.setdefault(family, Metric(family, sample.help, sample.kind))
        labels = {name: text(value) for name, value in sample.labels.items()}
        metric.add_sample(f"{family}_total" if sample.kind == "counter" else family, labels, sample.value)
    return families.values()
