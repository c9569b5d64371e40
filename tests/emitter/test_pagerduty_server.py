"""The fake is as strict as the real one."""

import http.client
import json
from typing import Any

import pytest

from pagerduty_server import PagerDutyServer, check

KEY = "k" * 32
GOOD: dict[str, Any] = {
    "routing_key": KEY,
    "event_action": "trigger",
    "dedup_key": "d",
    "payload": {"summary": "s", "source": "o", "severity": "error"},
}


def post(server: PagerDutyServer, body: bytes, path: str = "/v2/enqueue", kind: str = "application/json") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request("POST", path, body, {"Content-Type": kind})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def event(**changes: object) -> bytes:
    return json.dumps(GOOD | changes).encode()


def test_alerts_are_kept_for_each_pair_of_keys() -> None:
    with PagerDutyServer() as server:
        for body in (
            event(),
            event(),
            event(dedup_key="other"),
            event(routing_key="x" * 32, event_action="resolve"),
            event(event_action="resolve"),
            event(event_action="resolve"),
            event(),
        ):
            assert post(server, body) == 202
        found = [(alert.dedup_key, len(alert.summaries), alert.open) for alert in server.alerts]
    assert found == [("d", 2, False), ("other", 1, True), ("d", 1, True)]


@pytest.mark.parametrize(
    "changes",
    [
        {"routing_key": "short"},
        {"routing_key": None},
        {"event_action": "Trigger"},
        {"dedup_key": "d" * 256},
        {"dedup_key": 5},
        {"payload": None},
        {"payload": {"source": "o", "severity": "error"}},
        {"payload": {"summary": "s" * 1025, "source": "o", "severity": "error"}},
        {"payload": {"summary": "s", "source": "", "severity": "error"}},
        {"payload": {"summary": "s", "source": "o", "severity": "ERROR"}},
        {"payload": {"summary": "s", "source": "o", "severity": "error", "custom_details": "x"}},
        {"payload": {"summary": "s", "source": "o", "severity": "error", "timestamp": "now"}},
        {"payload": {"summary": "s", "source": "o", "severity": "error", "surprise": 1}},
        {"surprise": 1},
        {"images": [{"src": "http://insecure"}]},
        {"links": {}},
    ],
    ids=str,
)
def test_malformed_event_is_refused_and_noted(changes: dict[str, object]) -> None:
    server = PagerDutyServer()
    try:
        assert post(server, event(**changes)) == 400
        assert server.malformed
        assert server.alerts == []
    finally:
        server.close()


def test_resolve_needs_a_dedup_key() -> None:
    assert check({"routing_key": KEY, "event_action": "resolve"}, 100) == ["'dedup_key' is missing"]


def test_body_may_not_be_too_large() -> None:
    assert check(GOOD, 512_000) == []
    assert check(GOOD, 512_001)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a": NaN}', b'{"a": "\xff"}'])
def test_body_must_be_an_object_in_json(body: bytes) -> None:
    server = PagerDutyServer()
    try:
        assert post(server, body) == 400
        assert server.malformed
    finally:
        server.close()


@pytest.mark.parametrize(("path", "kind"), [("/v1/enqueue", "application/json"), ("/v2/enqueue", "text/plain")])
def test_path_and_content_type_are_looked_at(path: str, kind: str) -> None:
    server = PagerDutyServer()
    try:
        assert post(server, event(), path, kind) == 400
        assert server.malformed
    finally:
        server.close()


def test_what_was_malformed_fails_the_test_that_sent_it() -> None:
    with pytest.raises(AssertionError, match="routing_key"), PagerDutyServer() as server:
        post(server, event(routing_key="short"))
