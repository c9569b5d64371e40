"""The program's own log: one event name for each fact, with keys, one line each, on standard error.

    log = structlog.get_logger(__name__)
    log.info("file_followed", path=source.path, position=0)

Text on a terminal, JSON elsewhere. A log that cannot be written is given up in silence: it must not stop the shipping.
"""

import logging
import sys
import time
import traceback
from collections.abc import MutableMapping, Sequence
from threading import RLock
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import Processor

from mega_collector.telemetry.once import Once
from mega_collector.telemetry.printable import printable, text
from mega_collector.telemetry.recent import RECENT

SILENCED = ("pagerduty", "httpx", "httpx2", "httpcore", "httpcore2", "urllib3")
"""Libraries that may log requests, and with them the integration key. Their callers log what came of it."""


_INTERVAL = 60.0
"""Seconds between two tellings of what a library says."""


def configure(level: str, style: str, stream: TextIO | None = None) -> None:
    """Set up the log of this process. May be called again.

    `level` is debug, info, warning or error; `style` is text, json or auto (text if `stream` is a terminal);
    `stream` is standard error if absent. Loggers of libraries are led here from warnings up, without tracebacks
    unless the level is debug.
    """
    target = sys.stderr if stream is None else stream
    terminal = target.isatty()
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _failure,
            _made_printable,
            RECENT,
            *_renderer(as_text=style == "text" or (style == "auto" and terminal), colors=terminal),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: _Line(target),
        cache_logger_on_first_use=False,
    )
    _lead_libraries_here(debug=threshold <= logging.DEBUG)


def _renderer(*, as_text: bool, colors: bool) -> Sequence[Processor]:
    if not as_text:
        return (_json,)
    return (
        structlog.dev.ConsoleRenderer(
            colors=colors,
            sort_keys=False,
            repr_native_str=True,  # quotes: a value with spaces cannot pass for further keys
            exception_formatter=structlog.dev.plain_traceback,  # the default shows variables, secrets among them
        ),
    )


def _failure(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Turn exc_info into `error`, in one line, and `exception`, the traceback."""
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event.setdefault("error", error)
        event["exception"] = traceback.format_exception(error)
    return event


def _made_printable(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    lines = event.pop("exception", ())
    clean = {key: printable(value) for key, value in event.items()}
    if lines:
        # Indented, so that no text of an exception can pass for a line of the log.
        clean["exception"] = "\n".join("    " + text(line) for part in lines for line in part.splitlines())
    return clean


def _json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    first = {key: event[key] for key in ("timestamp", "level", "event")}
    return orjson.dumps({**first, **event}).decode()


class _Line:
    """Writes each message as one line. Takes part in no crash: an unwritable log is given up."""

    # Reentrant: a signal handler may log while the same thread is writing.
    _lock = RLock()

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, message: str) -> None:
        try:
            with self._lock:
                self._stream.write(message + "\n")
                self._stream.flush()
        except (OSError, ValueError, RuntimeError):  # a closed or full stream; a write within a write
            return

    debug = info = warning = error = critical = exception = log = msg


class _Lead(logging.Handler):
    """Leads the records of libraries into this log."""

    def __init__(self, *, tracebacks: bool) -> None:
        super().__init__()
        self._log = structlog.get_logger()
        self._tracebacks = tracebacks
        self._told = Once(interval=_INTERVAL)

    def emit(self, record: logging.LogRecord) -> None:
        message = _message(record)
        withheld = self._told.due((record.name, message), time.monotonic())
        if withheld is None:
            return
        keys: dict[str, Any] = {"library": record.name, "message": message}
        if withheld:
            keys["withheld"] = withheld
        if record.exc_info and record.exc_info[1] is not None:
            keys["error"] = record.exc_info[1]
            if self._tracebacks:
                keys["exc_info"] = record.exc_info
        self._log.log(record.levelno, "library_message", **keys)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # arguments that do not fit: the library's mistake is not ours to die of
        return str(record.msg)


def _lead_libraries_here(*, debug: bool) -> None:
    logging.root.handlers[:] = [_Lead(tracebacks=debug)]
    logging.root.setLevel(logging.WARNING)
    for name in SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
