"""The aggregator's settings."""

# ruff: noqa: RUF009 - the calls return dataclass fields

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from mega_collector.address import Address
from mega_collector.emitter.configuration import (
    AfterRetries,
    FileConfiguration,
    NotifyConfiguration,
    TextConfiguration,
)
from mega_collector.settings import kinds
from mega_collector.settings.declaration import derived, optional, setting
from mega_collector.settings.destinations import FILE, NOTIFY, TEXT
from mega_collector.settings.pem import PEM
from mega_collector.settings.state_directory import SHOWN, default_state_directory
from mega_collector.settings.tls_fields import require_operators, require_tls_complete


def _dead_letters(_environ: Mapping[str, str], values: Mapping[str, Any]) -> Path | None:
    state = values.get("state_directory")
    return None if state is None else Path(state) / "dead-letters"


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregatorSettings:
    """What an aggregator is told. Durations are seconds, sizes bytes.

    Raises:
        SettingError: settings contradict each other.
    """

    prefix: ClassVar[str] = "AGGREGATOR_"

    notify_configuration: NotifyConfiguration | None = optional(
        NOTIFY,
        "whom to alert through PagerDuty when batches cannot be delivered: its integration key, a unique identifier "
        "of this drain, and its name for people",
        secret=True,
    )
    minimum_publish_frequency: float = setting(
        kinds.DURATION, "15s", "how long after its first entry a batch is emitted, full or not"
    )
    tls: bool = setting(kinds.SWITCH, "0", "whether TLS is used with the collectors")
    tls_certificate: bytes | None = optional(PEM, "the aggregator's certificate")
    tls_key: bytes | None = optional(PEM, "the certificate's key", secret=True)
    tls_ca_certificate: bytes | None = optional(PEM, "the CA that must have signed every collector's certificate")
    max_batch_size: int = setting(kinds.at_least(1), "1000", "how many log entries are emitted in one group at most")
    text_configuration: TextConfiguration | None = setting(TEXT, "0", "logs go to stdout")
    file_configuration: FileConfiguration | None = optional(FILE, "logs go to this file")
    blackhole_configuration: bool = setting(kinds.TRUTHY, "0", "logs go nowhere, and are counted")
    listen_address: Address = setting(kinds.LISTEN_ADDRESS, "127.0.0.1:8000", "where collectors connect")
    state_directory: Path = derived(
        kinds.DIRECTORY,
        SHOWN.format(half="aggregator"),
        default_state_directory("aggregator"),
        "where the ledger is kept",
    )
    forget_after: float = setting(
        kinds.DURATION, "168h", "how long the ledger remembers a source that has ended, by which it is recognised again"
    )
    max_batch_bytes: int = setting(kinds.SIZE, "8MiB", "a batch is also emitted when it has this many bytes")
    ingest_buffer_size: int = setting(
        kinds.SIZE, "12MiB", "bytes taken in and not yet emitted; when it is full, collectors wait"
    )
    max_streams: int = setting(
        kinds.at_least(1), "256", "connections served at once; further ones are refused and try again"
    )
    retry_count: int = setting(kinds.at_least(0), "10", "how often a failed emit is tried again")
    retry_delay: float = setting(
        kinds.RETRY_DELAY, "1s", "how long after a failed emit it is first tried again; doubled each time, up to 1m"
    )
    after_retries: AfterRetries | None = optional(
        kinds.one_of_enum(AfterRetries),
        "what becomes of a batch when all retries failed; if it is not set, files and stdout wait, others discard",
    )
    dead_letter_directory: Path | None = derived(
        kinds.KEPT_DIRECTORY,
        "dead-letters in the state directory",
        _dead_letters,
        "where discarded batches are kept",
        empty_is_value=True,
    )
    dead_letter_size: int = setting(
        kinds.SIZE, "1GiB", "how many bytes of discarded batches are kept; the oldest make room"
    )
    metrics_address: Address | None = optional(
        kinds.TCP_ADDRESS, "where the page, /metrics, /healthz and /readyz are served"
    )
    operator_address: Address | None = optional(
        kinds.TCP_ADDRESS,
        "where `top` and `tap` are served to other machines, with TLS, whatever AGGREGATOR_TLS is; it needs the "
        "certificate, the key and AGGREGATOR_OPERATOR_CERTIFICATES",
    )
    operator_certificates: bytes | None = optional(
        PEM,
        "who may use that address and see every line that passes: their certificates, or a CA that signs for nobody "
        "else, never the collectors'",
    )
    stuck_after: float = setting(
        kinds.DURATION, "1m", "how long lines may wait without an acknowledgement before the log says where and why"
    )
    shutdown_timeout: float = setting(
        kinds.DURATION, "10s", "how long a shutdown may take to deliver what was taken in"
    )
    log_level: str = setting(kinds.one_of("debug", "info", "warning", "error"), "info", "how much is logged")
    log_format: str = setting(
        kinds.one_of("auto", "text", "json"), "auto", "auto: coloured text on a terminal, JSON elsewhere"
    )

    def __post_init__(self) -> None:
        require_tls_complete(self, self.prefix)
        require_operators(self)
