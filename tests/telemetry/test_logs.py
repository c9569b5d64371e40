"""The log holds one line for each fact, whatever files, peers and libraries call themselves."""

import io
import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest
import structlog

from mega_collector.telemetry import logs

HOSTILE = "a\nb\r\x1b[31m\x9b2J\u2028\u202ecba\x00"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    handlers = logging.root.handlers[:]
    levels = {name: logging.getLogger(name).level for name in ("root", *logs.SILENCED)}
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def fail(error: Exception) -> NoReturn:
    secret = f"{'in the'} {'frame'}"
    assert secret
    raise error


def logged(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_fact_is_one_json_line_with_its_keys() -> None:
    stream = io.StringIO()
    logs.configure("info", "auto", stream)
    structlog.get_logger("part").info("file_followed", path=b"/var/log/x", position=0)
    (fact,) = logged(stream)
    said = datetime.fromisoformat(fact.pop("timestamp"))
    assert said.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - said) < timedelta(minutes=1)
    assert fact == {"level": "info", "event": "file_followed", "path": "/var/log/x", "position": 0}


def test_below_the_level_nothing_is_said() -> None:
    stream = io.StringIO()
    logs.configure("warning", "json", stream)
    structlog.get_logger().info("file_followed")
    structlog.get_logger().warning("source_truncated")
    assert [fact["event"] for fact in logged(stream)] == ["source_truncated"]


def test_what_a_library_says_again_and_again_is_told_once() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    for _ in range(3):
        logging.getLogger("library").warning("a %s thing", "strange")
    logging.getLogger("library").warning("another")
    assert [fact["message"] for fact in logged(stream)] == ["a strange thing", "another"]


@pytest.mark.parametrize("style", ["json", "text"])
@pytest.mark.parametrize("value", [HOSTILE, HOSTILE.encode(), ValueError(HOSTILE), [HOSTILE], {HOSTILE: HOSTILE}])
def test_no_value_can_forge_a_line_or_an_escape_sequence(style: str, value: object) -> None:
    stream = io.StringIO()
    logs.configure("info", style, stream)
    structlog.get_logger().info("file_followed", path=value)
    line = stream.getvalue().removesuffix("\n")
    assert len(line.splitlines()) == 1
    assert line.isprintable()


def test_a_file_name_that_is_not_utf8_is_shown_by_its_bytes() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    structlog.get_logger().info("file_followed", name=os.fsdecode(b"\xff\xfe.log"), path=b"\xff\xfe.log")
    (fact,) = logged(stream)
    assert fact["name"] == fact["path"] == r"\xff\xfe.log"


def test_an_error_is_one_line_with_its_traceback_apart() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    try:
        fail(OSError(28, "No space left on device"))
    except OSError:
        structlog.get_logger().exception("checkpoint_failed")
    (fact,) = logged(stream)
    assert fact["error"] == "OSError: [Errno 28] No space left on device"
    assert "Traceback" in fact["exception"]


def test_a_traceback_in_text_shows_no_variables_and_cannot_pass_for_a_line() -> None:
    stream = io.StringIO()
    logs.configure("info", "text", stream)
    try:
        fail(ValueError("first\n2026-01-01T00:00:00Z [info] forged"))
    except ValueError:
        structlog.get_logger().exception("notify_failed", attempts=1)
    first, *rest = stream.getvalue().splitlines()
    assert "notify_failed" in first
    assert rest
    assert all(line.startswith("    ") for line in rest)
    assert "in the frame" not in stream.getvalue()


def test_a_terminal_gets_coloured_text_and_a_file_json() -> None:
    terminal, file = Terminal(), io.StringIO()
    logs.configure("info", "auto", terminal)
    structlog.get_logger().info("file_followed")
    logs.configure("info", "auto", file)
    structlog.get_logger().info("file_followed")
    assert "\x1b[" in terminal.getvalue()
    assert logged(file)[0]["event"] == "file_followed"


def test_text_away_from_a_terminal_has_no_colours() -> None:
    stream = io.StringIO()
    logs.configure("info", "text", stream)
    structlog.get_logger().info("file_followed", path="/a b")
    assert "\x1b" not in stream.getvalue()
    assert "path='/a b'" in stream.getvalue()


def test_a_value_that_cannot_be_shown_is_named() -> None:
    class Rude:
        def __str__(self) -> str:
            raise RuntimeError

    stream = io.StringIO()
    logs.configure("info", "json", stream)
    structlog.get_logger().info("odd", value=Rude(), huge=1 << 200, long="x" * 100_000)
    (fact,) = logged(stream)
    assert fact["value"] == "<Rude that cannot be shown: RuntimeError>"
    assert fact["huge"] == str(1 << 200)
    assert len(fact["long"]) < 10_000


def test_an_unwritable_log_stops_nobody() -> None:
    logs.configure("info", "json", Broken())
    structlog.get_logger().info("file_followed")


def test_a_closed_log_stops_nobody() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    stream.close()
    structlog.get_logger().info("file_followed")


def test_libraries_speak_through_it_without_tracebacks() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    try:
        fail(ValueError("rude\nrequest"))
    except ValueError:
        logging.getLogger("grpc._server").exception("Exception calling application: %s", "x\ny")
    (fact,) = logged(stream)
    assert fact["event"] == "library_message"
    assert fact["library"] == "grpc._server"
    assert fact["message"] == r"Exception calling application: x\x0ay"
    assert fact["error"] == r"ValueError: rude\x0arequest"
    assert "exception" not in fact


def test_libraries_are_heard_from_warnings_up() -> None:
    stream = io.StringIO()
    logs.configure("debug", "json", stream)
    logging.getLogger("asyncio").debug("Using selector: EpollSelector")
    assert logged(stream) == []


@pytest.mark.parametrize("name", ["pagerduty", "pagerduty.common", "httpx2", "httpcore2.connection"])
def test_libraries_that_could_tell_the_integration_key_are_silent(name: str) -> None:
    stream = io.StringIO()
    logs.configure("debug", "json", stream)
    logging.getLogger(name).error("POST routing_key=secret")
    assert stream.getvalue() == ""


def test_a_library_whose_message_does_not_fit_its_arguments_is_heard_all_the_same() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    logging.getLogger("library").error("%d lines", "many")
    assert logged(stream)[0]["message"] == "%d lines"
