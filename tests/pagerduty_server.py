"""PagerDuty's Events API v2 on loopback: strict about what it is sent, and as rude as a test asks.

It keeps the alerts that the real one would keep, for each routing key and dedup key. Whatever breaks the API's rules is
answered with 400 and, when the server is closed, fails the test (`AssertionError`), unless the test took it from
`malformed`.
"""

import json
import re
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

BODY_LIMIT = 512_000
DEDUP_KEY_LIMIT = 255
SUMMARY_LIMIT = 1024
ROUTING_KEY_LENGTH = 32
SEVERITIES = ("critical", "error", "warning", "info")
TOP_LEVEL = {"routing_key", "event_action", "dedup_key", "payload", "client", "client_url", "links", "images"}
PAYLOAD = {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}


class Reset(Enum):
    """When the connection is reset (RST). AFTER: the event was accepted, and nobody hears of it."""

    BEFORE = "before the body is read"
    AFTER = "after the body is read"


@dataclass(frozen=True, slots=True)
class Fault:
    """How one request is treated. The default is how the real server treats a good one.

    An event is accepted, in silence or not, if the status is 202 and there is no reset before the body.
    """

    status: int = 202
    body: bytes | None = None
    """What is answered instead of the usual JSON."""
    headers: tuple[tuple[str, str], ...] = ()
    reset: Reset | None = None
    hang: bool = False
    """No answer, until the server is closed."""
    drip_headers: float = 0.0
    """Seconds between the bytes of the headers, which never end."""
    drip_body: float = 0.0
    """Seconds between the bytes of the body, which never ends."""
    pause_in_body: float = 0.0
    """Seconds between the halves of the body."""
    chunked: bool = False
    hang_up: bool = False
    """The connection is closed after the answer without a word of it in the headers."""


WRONG_KEY = Fault(
    status=400,
    body=b'{"status": "invalid event", "message": "Event object is invalid", "errors": ["Invalid routing key"]}',
)
"""As the real one answers where no service has the key."""


@dataclass(slots=True)
class Alert:
    """What a person would see."""

    routing_key: str
    dedup_key: str
    summaries: list[str] = field(default_factory=list)
    """One for each trigger: the first opened it."""
    open: bool = True


class PagerDutyServer:
    """Serves until closed; a context manager."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, usual: Fault | None = None) -> None:
        """`usual` is the treatment of requests for which the script says nothing."""
        self._usual = usual or Fault()
        self._script: deque[Fault] = deque()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self.requests: list[bytes] = []
        """The bodies that were read, in order, whatever was answered."""
        self.events: list[dict[str, Any]] = []
        """The events that were accepted, in order."""
        self.alerts: list[Alert] = []
        self.malformed: list[str] = []
        """What broke the rules."""
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        scheme = "http"
        if tls is not None:
            self._server.tls, scheme = tls, "https"
        self.port = self._server.server_address[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if error is None:
            assert not self.malformed, self.malformed

    def script(self, *faults: Fault) -> None:
        """Treat the next requests so, one each."""
        with self._changed:
            self._script.extend(faults)

    @property
    def opened(self) -> int:
        """Alerts that were ever opened."""
        return len(self.alerts)

    @property
    def open(self) -> int:
        """Alerts that are open now."""
        return sum(alert.open for alert in self.alerts)

    def wait(self, condition: Callable[[], bool], *, within: float = 5.0) -> None:
        """Wait until the condition holds. It may read everything here."""
        with self._changed:
            assert self._changed.wait_for(condition, within), (
                f"not within {within} s: {len(self.requests)} requests, {self.events}, {self.malformed}"
            )

    def close(self) -> None:
        """End every connection."""
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_fault(self) -> Fault:
        with self._changed:
            return self._script.popleft() if self._script else self._usual

    def sleep(self, seconds: float) -> bool:
        """Whether there is still someone to serve afterwards."""
        return not self._stop.wait(seconds)

    def stopped(self) -> None:
        self._stop.wait()

    def receive(self, body: bytes, problems: list[str], *, accept: bool) -> dict[str, Any]:
        """Note the request. Answers its event, empty if it broke a rule."""
        event = parse(body, problems)
        problems.extend(check(event, len(body)))
        with self._changed:
            self.requests.append(body)
            self.malformed.extend(problems)
            if accept and not problems:
                self._apply(event)
            self._changed.notify_all()
        return event if not problems else {}

    def _apply(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        key = (event["routing_key"], event.get("dedup_key", f"made-up-{len(self.events)}"))
        alert = next((a for a in self.alerts if a.open and (a.routing_key, a.dedup_key) == key), None)
        if event["event_action"] == "trigger":
            if alert is None:
                alert = Alert(*key)
                self.alerts.append(alert)
            alert.summaries.append(event["payload"]["summary"])
        elif event["event_action"] == "resolve" and alert is not None:
            alert.open = False


def parse(body: bytes, problems: list[str]) -> dict[str, Any]:
    """The event in the body; empty, and a problem, if there is none."""
    try:
        event = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except ValueError as error:
        problems.append(f"the body is not JSON in UTF-8: {error}")
        return {}
    if not isinstance(event, dict):
        problems.append("the body is not an object")
        return {}
    return event


def check(event: dict[str, Any], size: int) -> list[str]:
    """What breaks the rules of the API: https://developer.pagerduty.com/docs/send-alert-event."""
    problems = [f"'{key}' is not a field" for key in event if key not in TOP_LEVEL]
    if size > BODY_LIMIT:
        problems.append(f"the body has {size} bytes (at most {BODY_LIMIT})")
    routing_key = event.get("routing_key")
    if not isinstance(routing_key, str) or len(routing_key) != ROUTING_KEY_LENGTH:
        problems.append(f"Length of 'routing_key' is incorrect (should be {ROUTING_KEY_LENGTH} characters)")
    action = event.get("event_action")
    if action not in {"trigger", "acknowledge", "resolve"}:
        problems.append("'event_action' is missing or unknown")
    problems.extend(_check_dedup_key(event, required=action != "trigger"))
    if action == "trigger" or "payload" in event:
        problems.extend(_check_payload(event.get("payload")))
    problems.extend(_check_lists(event))
    return problems


def _check_dedup_key(event: dict[str, Any], *, required: bool) -> list[str]:
    if "dedup_key" not in event:
        return ["'dedup_key' is missing"] if required else []
    key = event["dedup_key"]
    if not isinstance(key, str) or not 1 <= len(key) <= DEDUP_KEY_LIMIT:
        return [f"'dedup_key' is not a text of 1 to {DEDUP_KEY_LIMIT} characters"]
    return []


def _check_payload(payload: Any) -> list[str]:
    if not isinstance(payload, dict):
        return ["'payload' is missing or not an object"]
    problems = [f"'payload.{key}' is not a field" for key in payload if key not in PAYLOAD]
    problems += [
        f"'payload.{key}' is missing, empty or not a text"
        for key in ("summary", "source")
        if not isinstance(payload.get(key), str) or not payload[key]
    ]
    problems += [
        f"'payload.{key}' is not a text"
        for key in ("component", "group", "class")
        if not isinstance(payload.get(key, ""), str)
    ]
    if len(str(payload.get("summary", ""))) > SUMMARY_LIMIT:
        problems.append(f"'payload.summary' has more than {SUMMARY_LIMIT} characters")
    if payload.get("severity") not in SEVERITIES:
        problems.append(f"'payload.severity' is not one of {', '.join(SEVERITIES)}")
    if not isinstance(payload.get("custom_details", {}), dict):
        problems.append("'payload.custom_details' is not an object")
    if not re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", str(payload.get("timestamp", "2000-01-01T00:00:00"))):
        problems.append("'payload.timestamp' is not a time in ISO 8601")
    return problems


def _check_lists(event: dict[str, Any]) -> list[str]:
    problems = [f"'{key}' is not a text" for key in ("client", "client_url") if not isinstance(event.get(key, ""), str)]
    for key, needed, prefix in (("links", "href", "http"), ("images", "src", "https://")):
        items = event.get(key, [])
        good = isinstance(items, list) and all(
            isinstance(item, dict) and str(item.get(needed, "")).startswith(prefix) for item in items
        )
        if not good:
            problems.append(f"'{key}' is not a list of objects with '{needed}'")
    return problems


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        # The handshake is made in the connection's own thread: a client that stalls in it stops no other.
        if self.tls is not None:
            request = self.tls.wrap_socket(request, server_side=True)
        try:
            super().finish_request(request, client_address)
        finally:
            if self.tls is not None:
                request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go away in mid-answer, or dislike a certificate: that is what tests are about."""


def _handler(server: PagerDutyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            fault = server.next_fault()
            if fault.reset is Reset.BEFORE:
                self._reset()
                return
            length = self.headers.get("Content-Length", "")
            problems = self._problems(length)
            body = self.rfile.read(int(length)) if length.isdecimal() else b""
            event = server.receive(body, problems, accept=fault.status == 202)
            if fault.reset is Reset.AFTER:
                self._reset()
            elif fault.hang:
                server.stopped()
            else:
                self._answer(fault, event, problems)

        def _problems(self, length: str) -> list[str]:
            problems = []
            if self.path != "/v2/enqueue":
                problems.append(f"the path is {self.path}")
            if self.headers.get("Content-Type") != "application/json":
                problems.append(f"the content type is {self.headers.get('Content-Type')}")
            if not length.isdecimal():
                problems.append("there is no Content-Length")
            if "Authorization" in self.headers:
                problems.append("there is an Authorization header: the key belongs in the body")
            return problems

        def _answer(self, fault: Fault, event: dict[str, Any], problems: list[str]) -> None:
            status = fault.status if not problems else 400
            body = fault.body if fault.body is not None and not problems else _usual_body(status, event, problems)
            if fault.drip_headers:
                self.wfile.write(b"HTTP/1.1 202 Accepted\r\nX-Drip: ")
                self._drip(fault.drip_headers)
                return
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            for name, value in fault.headers:
                self.send_header(name, value)
            self._send_length(fault, body)
            self.end_headers()
            self._send_body(fault, body)
            if fault.hang_up:
                self.close_connection = True

        def _send_length(self, fault: Fault, body: bytes) -> None:
            if fault.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(10**9 if fault.drip_body else len(body)))

        def _send_body(self, fault: Fault, body: bytes) -> None:
            half = len(body) // 2
            if fault.drip_body:
                self._drip(fault.drip_body)
                return
            for part in (body[:half], body[half:]):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if fault.chunked and part else part)
                if part is not body and fault.pause_in_body:
                    server.sleep(fault.pause_in_body)
            if fault.chunked:
                self.wfile.write(b"0\r\n\r\n")

        def _drip(self, seconds: float) -> None:
            while server.sleep(seconds):
                self.wfile.write(b" ")

        def _reset(self) -> None:
            # Lingering for 0 seconds makes the close a RST (socket(7), SO_LINGER).
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.rfile.close()
            self.close_connection = True

        def _refuse_method(self) -> None:
            server.malformed.append(f"the method is {self.command}")
            self.send_error(405)

        do_GET = do_PUT = do_PATCH = do_DELETE = do_HEAD = _refuse_method  # noqa: N815 - names by the library

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the library calls it
            """Tests read `requests` and `malformed`."""

    return Handler


def _usual_body(status: int, event: dict[str, Any], problems: list[str]) -> bytes:
    """What the real one answers."""
    if status == 202:
        key = event.get("dedup_key", "made-up")
        return json.dumps({"status": "success", "message": "Event processed", "dedup_key": key}).encode()
    if status == 400:
        errors = problems or ["Length of 'dedup_key' is incorrect"]
        return json.dumps({"status": "invalid event", "message": "Event object is invalid", "errors": errors}).encode()
    return b""


def eventually(condition: Callable[[], bool], *, within: float = 5.0) -> None:
    """Wait for what no condition variable tells."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s"
        time.sleep(0.005)
