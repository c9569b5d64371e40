"""Good and bad values of every setting: what is taken, as what, and what is refused."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mega_collector.address import Address
from mega_collector.emitter.configuration import (
    AfterRetries,
    Compression,
    FileConfiguration,
    Format,
    NotifyConfiguration,
    Rotation,
    TextConfiguration,
)
from mega_collector.emitter.template import Template

KEY = "0123456789abcdef0123456789ABCDEF"
PEM_TEXT = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
NOTIFY = {"integration_key": KEY, "incident_key": "stack/log_drain/1/notify", "identifier": "Log Drain #1 (me)"}


@dataclass(frozen=True)
class Values:
    """By text what a setting becomes; and texts that it refuses."""

    good: dict[str, Any]
    bad: list[str] = field(default_factory=list)


def _notify(**changes: str | None) -> str:
    return json.dumps({key: value for key, value in (NOTIFY | changes).items() if value is not None})


_durations = Values({"300ms": 0.3, "1m30s": 90.0}, ["0", "0s", "-1s", "5", "1d", "soon", "9999999h"])
_sizes = Values({"1": 1, "1MB": 1000000, "64MiB": 67108864}, ["0", "-1", "1.5MiB", "much"])
_counts = Values({"1": 1, "2147483647": 2147483647, "+5": 5}, ["0", "-1", "1.0", "1e3", "1_0", " 1", "2147483648", "x"])
_switch = Values({"1": True, "0": False, "true": True, "No": False}, ["2", "on", "/var/log/x"])
_truthy = Values({"1": True, "tobacco": True, "{}": True, "0": False, "False": False, "no": False})
_pem = Values({PEM_TEXT: PEM_TEXT.encode()}, ["/nowhere/a.pem", "/dev/null", "/etc/hostname/x", "QUJD", "\udcff\0"])
_directory = Values({"/a/b": Path("/a/b"), "c": Path("c")}, ["/dev/null", "a\0b"])
_name = Values({"a": "a", "é" * 255: "é" * 255}, ["a" * 256, "a\nb", "\udcff"])
_metrics = Values({"127.0.0.1:0": Address("127.0.0.1", 0), "[::]:9": Address("::", 9)}, ["unix:/a", "9090", ":9090"])
_level = Values({"debug": "debug", "error": "error"}, ["INFO", "loud"])
_format = Values({"auto": "auto", "text": "text", "json": "json"}, ["xml"])

AGGREGATOR = {
    "notify_configuration": Values(
        {
            _notify(): NotifyConfiguration(**NOTIFY),
            _notify(integration_key=KEY + "\n"): NotifyConfiguration(**NOTIFY),
            _notify(url="http://[::1]:9/x"): NotifyConfiguration(**NOTIFY, url="http://[::1]:9/x"),
        },
        [
            "yes",
            "[]",
            "{",
            "{}" * 9999,
            "[" * 99999,
            json.dumps(NOTIFY | {"incident_key": 5}),
            *(_notify(**{key: None}) for key in NOTIFY),
            *(_notify(**{key: ""}) for key in NOTIFY),
            _notify(severity="error"),
            _notify(integration_key=KEY[1:]),
            _notify(integration_key=KEY + "0"),
            _notify(integration_key=KEY[1:] + "é"),
            _notify(integration_key=KEY[:16] + " " + KEY[17:]),
            _notify(incident_key="x" * 256),
            _notify(identifier="a\nb"),
            _notify(url="ftp://a"),
            _notify(url="https://"),
            _notify(url="https://a:port"),
            _notify(url="events.example"),
            _notify()[:-1] + ', "identifier": "again"}',
        ],
    ),
    "minimum_publish_frequency": _durations,
    "tls": _switch,
    "tls_certificate": _pem,
    "tls_key": _pem,
    "tls_ca_certificate": _pem,
    "max_batch_size": _counts,
    "text_configuration": Values(
        {
            **{text: TextConfiguration() if truthy else None for text, truthy in _truthy.good.items()},
            '{"format": "raw"}': TextConfiguration(),
            ' {"format": "json"}': TextConfiguration(Format.JSON),
            '{"format": "prefix"}': TextConfiguration(Format.PREFIX),
        },
        ["{", "{json}", '{"format": "xml"}', '{"format": "JSON"}', '{"format": 1}', '{"path": "/a"}'],
    ),
    "file_configuration": Values(
        {
            "/a/b.log": FileConfiguration(Path("/a/b.log")),
            ' {"path": "/a/b.log"}': FileConfiguration(Path("/a/b.log")),
            '{"path": "/a/b.log", "format": "json"}': FileConfiguration(Path("/a/b.log"), Format.JSON),
            "/a/{host}/%Y.log": FileConfiguration(Template("/a/{host}/%Y.log")),
            '{"path": "/%%", "mode": "0640", "rotate_size": "1MB", "keep": 7, "compress": "zstd"}': FileConfiguration(
                Path("/%"), Format.RAW, 0o640, Rotation(7, size=1_000_000), Compression.ZSTD
            ),
            '{"path": "/a/{path}", "mode": 640, "rotate_every": "daily", "keep": "1"}': FileConfiguration(
                Template("/a/{path}", rotated=True), Format.RAW, 0o640, Rotation(1, every=86_400 * 10**9)
            ),
            '{"path": "/a/%d", "compress": "gzip"}': FileConfiguration(
                Template("/a/%d", rotated=True), compression=Compression.GZIP
            ),
            "0": None,
            "False": None,
            "no": None,
        },
        [
            "{",
            "{}",
            '{"path": ""}',
            '{"path": 1}',
            '{"path": "/a", "paht": "/b"}',
            '{"path": "a\\u0000"}',
            '{"format": "json"}',
            '{"path": "/a", "format": "xml"}',
            '{"path": "/a", "format": null}',
            "/tmp",
            "/a/",
            "/a/{hots}",
            "a/{host}",
            "/a/%y",
            '{"path": "/a", "keep": 3}',
            '{"path": "/a", "rotate_size": "1MB"}',
            '{"path": "/a", "rotate_size": "1MB", "keep": 0}',
            '{"path": "/a", "rotate_size": "many", "keep": 3}',
            '{"path": "/a", "rotate_every": "1ms", "keep": 3}',
            '{"path": "/a", "compress": "gzip"}',
            '{"path": "/a/{host}", "compress": "xz"}',
            '{"path": "/a", "mode": "0444"}',
            '{"path": "/a", "mode": 888}',
        ],
    ),
    "blackhole_configuration": _truthy,
    "listen_address": Values(
        {"0.0.0.0:0": Address("0.0.0.0", 0), "unix:/a": Address(path=Path("/a"))}, ["8000", ":8000", "unix:", "a:65536"]
    ),
    "state_directory": _directory,
    "forget_after": _durations,
    "max_batch_bytes": _sizes,
    "ingest_buffer_size": _sizes,
    "max_streams": _counts,
    "retry_count": Values({"0": 0, "10": 10}, ["-1", "many"]),
    "retry_delay": Values({"1ms": 0.001, "60s": 60.0}, ["0s", "61s", "-1s"]),
    "after_retries": Values({"discard": AfterRetries.DISCARD, "wait": AfterRetries.WAIT}, ["Discard", "WAIT", "none"]),
    "dead_letter_directory": Values({"": None, **_directory.good}, _directory.bad),
    "dead_letter_size": _sizes,
    "metrics_address": _metrics,
    "operator_address": _metrics,
    "operator_certificates": _pem,
    "stuck_after": _durations,
    "shutdown_timeout": _durations,
    "log_level": _level,
    "log_format": _format,
}

OPERATOR = {
    "address": Values({"a:1": Address("a", 1), "unix:/a": Address(path=Path("/a"))}, ["a:0", "http://a:1", ":8000"]),
    "tls_certificate": _pem,
    "tls_key": _pem,
    "tls_ca_certificate": _pem,
    "tls_server_name": _name,
}

COLLECTOR = {
    "paths": Values({"/a\n/b": (b"/a", b"/b"), '["/a"]': (b"/a",)}, ["/a[", '["/a", 1]', '["']),
    "exclude": Values({"/a\n/b": (b"/a", b"/b"), "[]": (), "\n": ()}, ["/a[", '["/a", 1]']),
    "remote_address": Values(
        {"a:1": Address("a", 1), "unix:/a": Address(path=Path("/a"))}, ["a:0", "http://a:1", ":8000", "unix:"]
    ),
    "tls": _switch,
    "tls_certificate": _pem,
    "tls_key": _pem,
    "tls_ca_certificate": _pem,
    "tls_server_name": _name,
    "id": _name,
    "host": _name,
    "tags": Values({"a=b": {"a": "b"}, '{"a": "b"}': {"a": "b"}, "{}": {}}, ["a", "host=b", '{"a": 1}']),
    "state_directory": _directory,
    "start_at": Values({"beginning": "beginning", "end": "end"}, ["middle", "End"]),
    "ignore_older": _durations,
    "poll_interval": _durations,
    "rotate_wait": Values({"0s": 0.0, "0": 0.0, "5s": 5.0}, ["-1s", "5"]),
    "close_inactive": _durations,
    "max_line_size": Values({"1": 1, "16711679": 16711679}, ["0", "16711680", "1GiB"]),
    "window_size": Values({"1MiB": 1048576}, ["0", "1048575"]),
    "max_open_files": Values({"auto": None, "1": 1}, ["0", "Auto", "-1"]),
    "compression": Values({"auto": "auto", "zstd": "zstd", "none": "none"}, ["gzip", "1"]),
    "watch": Values({"auto": "auto", "poll": "poll"}, ["inotify", "0"]),
    "metrics_address": _metrics,
    "metrics_files": Values({"0": 0, "100": 100}, ["-1", "all"]),
    "stuck_after": _durations,
    "shutdown_timeout": _durations,
    "log_level": _level,
    "log_format": _format,
}
