"""The collector's settings."""

# ruff: noqa: RUF009 - the calls return dataclass fields

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from mega_collector.address import Address
from mega_collector.errors import SettingError
from mega_collector.settings import kinds
from mega_collector.settings.declaration import derived, optional, setting
from mega_collector.settings.globs import GLOBS
from mega_collector.settings.pem import PEM
from mega_collector.settings.state_directory import SHOWN, default_state_directory
from mega_collector.settings.tags import TAGS
from mega_collector.settings.tls_fields import require_tls_complete
from mega_collector.wire import MAX_BLOCK_SIZE

MAX_LINE_SIZE = MAX_BLOCK_SIZE - 1  # a whole line has its newline too


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorSettings:
    """What a collector is told. Durations are seconds, sizes bytes.

    Raises:
        SettingError: settings contradict each other, or there are no paths.
    """

    prefix: ClassVar[str] = "COLLECTOR_"

    paths: tuple[bytes, ...] = setting(GLOBS, "", "the files to follow; arguments say the same")
    exclude: tuple[bytes, ...] = setting(GLOBS, "", "files to leave out of these")
    remote_address: Address = setting(kinds.REMOTE_ADDRESS, "127.0.0.1:8000", "the aggregator")
    tls: bool = setting(kinds.SWITCH, "0", "whether TLS is used with the aggregator")
    tls_certificate: bytes | None = optional(PEM, "the collector's certificate")
    tls_key: bytes | None = optional(PEM, "the certificate's key", secret=True)
    tls_ca_certificate: bytes | None = optional(PEM, "the CA that must have signed the aggregator's certificate")
    tls_server_name: str | None = optional(
        kinds.NAME, "the name to expect in the aggregator's certificate, where its address differs"
    )
    id: str | None = optional(kinds.NAME, "who this collector is; if it is not set, it is made once and kept")
    host: str = derived(kinds.NAME, "the host name", lambda _environ, _values: socket.gethostname(), "whose logs")
    tags: Mapping[str, str] = setting(TAGS, "", "what else is said of every line; host is always among them")
    state_directory: Path = derived(
        kinds.DIRECTORY,
        SHOWN.format(half="collector"),
        default_state_directory("collector"),
        "where the checkpoint is kept",
    )
    start_at: Literal["beginning", "end"] = setting(
        kinds.START_AT, "beginning", "where to begin with files that are there at the very first start"
    )
    ignore_older: float | None = optional(
        kinds.DURATION, "files untouched for longer when they are first seen are passed over until they grow"
    )
    poll_interval: float = setting(kinds.DURATION, "1s", "how often to look where the kernel does not tell")
    rotate_wait: float = setting(
        kinds.DURATION_OR_ZERO, "5s", "how long a rotated file must have been quiet before it is let go"
    )
    close_inactive: float = setting(kinds.DURATION, "5m", "how long a file must have been quiet to be closed meanwhile")
    max_line_size: int = setting(kinds.SIZE, "1MiB", "longer lines are split into entries of this many bytes")
    window_size: int = setting(kinds.SIZE, "32MiB", "bytes sent and not yet acknowledged")
    max_open_files: int | None = setting(
        kinds.OPEN_FILES, "auto", "files held open at once; auto: as many as the system allows"
    )
    compression: Literal["auto", "zstd", "none"] = setting(
        kinds.COMPRESSION, "auto", "auto: none to this same machine, zstd otherwise"
    )
    watch: Literal["auto", "poll"] = setting(
        kinds.one_of("auto", "poll"),
        "auto",
        "auto: by inotify where it tells all, else by polling; poll: always by polling",
    )
    metrics_address: Address | None = optional(
        kinds.TCP_ADDRESS, "where the page, /metrics, /healthz and /readyz are served"
    )
    metrics_files: int = setting(
        kinds.at_least(0), "100", "of how many files /metrics shows each by itself: those that lag most"
    )
    stuck_after: float = setting(
        kinds.DURATION, "1m", "how long lines may wait without an acknowledgement before the log says where and why"
    )
    shutdown_timeout: float = setting(kinds.DURATION, "10s", "how long a shutdown may wait for acknowledgements")
    log_level: str = setting(kinds.one_of("debug", "info", "warning", "error"), "info", "how much is logged")
    log_format: str = setting(
        kinds.one_of("auto", "text", "json"), "auto", "auto: coloured text on a terminal, JSON elsewhere"
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", {**self.tags, "host": self.host})
        require_tls_complete(self, self.prefix)
        self._require_paths()
        self._require_lines_fit()

    def _require_paths(self) -> None:
        if not self.paths:
            raise SettingError("COLLECTOR_PATHS", "names no files; set it, or give paths as arguments")

    def _require_lines_fit(self) -> None:
        if self.max_line_size > self.window_size:
            raise SettingError(
                "COLLECTOR_MAX_LINE_SIZE", f"is more than COLLECTOR_WINDOW_SIZE; at most {self.window_size} bytes fit"
            )
        if self.max_line_size > MAX_LINE_SIZE:
            raise SettingError("COLLECTOR_MAX_LINE_SIZE", f"does not fit a message; at most {MAX_LINE_SIZE} bytes do")
