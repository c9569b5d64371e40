"""PagerDuty against a server that knows its rules: cases 73 to 77."""

import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import trustme
from hypothesis import given, settings, strategies as st
from structlog.testing import capture_logs

from mega_collector.batch import Batch
from mega_collector.emitter.configuration import NotifyConfiguration
from mega_collector.emitter.events_api import EventsApi
from mega_collector.emitter.incident import Action, Event, Pace, Verdict
from mega_collector.emitter.notify import NotifyEmitter
from mega_collector.emitter.pagerduty import PagerDuty
from mega_collector.emitter.protocol import Taken
from mega_collector.errors import EmitError, RetriesExhausted, SettingError
from pagerduty_server import BODY_LIMIT, Fault, PagerDutyServer, Reset, eventually

KEY = "R0UT1NGK3Y-s3cr3t-0123456789abcd"
INCIDENT_KEY = "stack/log_drain/7/notify"
QUICK = Pace(between_triggers=60.0, first_retry=0.01, slowest_retry=0.05)
TRIGGER = Event(Action.TRIGGER, "gave up after 11 attempts: No space left on device")
RESOLVE = Event(Action.RESOLVE)
SOON = 4.5
"""Seconds, on a busy machine too: what stalls is otherwise given up after five, or never."""


def configured(url: str, *, identifier: str = "Log Drain #7 (acme)") -> NotifyConfiguration:
    return NotifyConfiguration(KEY, INCIDENT_KEY, identifier, url)


def exhausted(text: str = "disk full") -> RetriesExhausted:
    return RetriesExhausted(11, EmitError(text))


@pytest.fixture
def server() -> Iterator[PagerDutyServer]:
    with PagerDutyServer() as server:
        yield server


@pytest.fixture(autouse=True)
def key_is_never_shown(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Whatever a test provokes: not even the library's own debug log has the key, or the end of it."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    caplog.set_level(logging.DEBUG)
    yield
    shown = capsys.readouterr()
    for text in (shown.out, shown.err, caplog.text):
        assert KEY not in text
        assert KEY[-4:] not in text


class EverySecondFails:
    """A destination whose retries are used up for every second batch, from the first on."""

    def __init__(self) -> None:
        self.calls = 0

    def emit(self, batches: Sequence[Batch]) -> Taken:
        self.calls += 1
        if self.calls % 2:
            raise exhausted()
        return Taken(1)

    def close(self) -> None:
        pass


def thread_ends(notifier: PagerDuty) -> None:
    eventually(lambda: not notifier._thread.is_alive())


# 73


@pytest.mark.case(73)
def test_case_73_one_trigger_and_one_resolve_with_the_same_keys(server: PagerDutyServer) -> None:
    notifier = PagerDuty(configured(server.url), pace=QUICK)
    notifier.failed(exhausted())
    server.wait(lambda: server.opened == 1)
    for _ in range(100):
        notifier.failed(exhausted())
    notifier.recovered()
    notifier.recovered()
    server.wait(lambda: server.open == 0)
    notifier.close(5)
    assert [event["event_action"] for event in server.events] == ["trigger", "resolve"]
    assert {(event["routing_key"], event["dedup_key"]) for event in server.events} == {(KEY, INCIDENT_KEY)}
    assert notifier.statistics().accepted == 2


@pytest.mark.case(73)
def test_case_73_restart_in_mid_incident_opens_no_second_one_and_resolves_the_first(server: PagerDutyServer) -> None:
    first = PagerDuty(configured(server.url), pace=QUICK)
    first.failed(exhausted())
    first.close(5)
    second = PagerDuty(configured(server.url), pace=QUICK)
    second.failed(exhausted())
    server.wait(lambda: len(server.events) == 2)
    assert (server.opened, server.open) == (1, 1)
    second.recovered()
    second.close(5)
    assert (server.opened, server.open) == (1, 0)


@pytest.mark.case(73)
def test_case_73_restart_that_cured_the_destination_resolves_the_incident(server: PagerDutyServer) -> None:
    first = PagerDuty(configured(server.url), pace=QUICK)
    first.failed(exhausted())
    first.close(5)
    assert server.open == 1
    second = PagerDuty(configured(server.url), pace=QUICK)
    second.recovered()
    second.close(5)
    assert (server.opened, server.open) == (1, 0)


@pytest.mark.case(73)
def test_case_73_outage_that_is_over_at_once_is_told_and_resolved(server: PagerDutyServer) -> None:
    notifier = PagerDuty(configured(server.url), pace=QUICK)
    notifier.failed(exhausted())
    notifier.recovered()
    notifier.close(5)
    assert (server.opened, server.open) == (1, 0)


def test_event_says_what_and_where(server: PagerDutyServer) -> None:
    assert EventsApi(configured(server.url)).send(TRIGGER).verdict is Verdict.ACCEPTED
    payload = server.events[0]["payload"]
    assert payload["summary"] == f"Log Drain #7 (acme): {TRIGGER.text}"
    assert payload["source"] == "Log Drain #7 (acme)"
    assert payload["severity"] == "error"
    assert payload["custom_details"]["cause"] == TRIGGER.text


@pytest.mark.parametrize("suffix", ["", "/"])
def test_url_of_the_configuration_is_where_events_go(server: PagerDutyServer, suffix: str) -> None:
    assert EventsApi(configured(server.url + suffix)).send(RESOLVE).verdict is Verdict.ACCEPTED


# 74


@pytest.mark.case(74)
def test_case_74_accepted_event_is_not_sent_again(server: PagerDutyServer) -> None:
    notifier = PagerDuty(configured(server.url), pace=QUICK)
    notifier.failed(exhausted())
    notifier.close(5)
    assert len(server.requests) == 1


@pytest.mark.case(74)
def test_case_74_invalid_event_is_not_retried_and_its_errors_are_logged(
    server: PagerDutyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    errors = json.dumps({"message": "Event object is invalid", "errors": [f"bad key {KEY}", "bad\nsummary"]})
    server.script(Fault(status=400, body=errors.encode()))
    notifier = PagerDuty(configured(server.url), pace=QUICK)
    notifier.failed(exhausted())
    notifier.close(5)
    assert len(server.requests) == 1
    assert notifier.statistics().refused == 1
    shown = capsys.readouterr().out
    assert "notify_refused" in shown
    assert "400 Event object is invalid" in shown
    assert "bad key ***" in shown


@pytest.mark.case(74)
@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429),
        Fault(status=500),
        Fault(status=502, body=b"<html>bad gateway</html>"),
        Fault(status=503),
        Fault(status=504),
        Fault(reset=Reset.BEFORE),
        Fault(reset=Reset.AFTER),
        Fault(hang=True),
    ],
    ids=["429", "500", "502", "503", "504", "reset before", "reset after", "hang"],
)
def test_case_74_transient_failure_is_retried_with_the_same_body_until_it_counts_once(
    server: PagerDutyServer, fault: Fault
) -> None:
    server.script(fault, fault, fault)
    # Only where nobody answers it is waited for.
    notifier = PagerDuty(configured(server.url), pace=QUICK, deadline=0.2 if fault.hang else 30)
    notifier.failed(exhausted())
    eventually(lambda: notifier.statistics().accepted == 1)
    notifier.recovered()
    notifier.close(5)
    triggers = [body for body in server.requests if b'"trigger"' in body]
    assert len(triggers) == (1 if fault.reset is Reset.BEFORE else 4)
    assert len(set(triggers)) == 1
    assert (server.opened, server.open) == (1, 0)
    assert notifier.statistics().failed == 3


@pytest.mark.case(74)
def test_case_74_problem_that_goes_on_is_told_of_once(server: PagerDutyServer) -> None:
    server.script(*[Fault(status=500)] * 3, *[Fault(status=503)] * 2)
    with capture_logs() as logs:
        notifier = PagerDuty(configured(server.url), pace=QUICK, deadline=0.2)
        notifier.failed(exhausted())
        eventually(lambda: notifier.statistics().accepted == 1)
        notifier.close(5)
    told = [log["problem"] for log in logs if log["event"] == "notify_failed"]
    assert len(told) == 2
    assert "500" in told[0]
    assert "503" in told[1]


@pytest.mark.case(74)
@pytest.mark.parametrize("status", [200, 204, 301, 302, 307, 308, 401, 403, 404, 413, 422])
def test_case_74_other_answers_are_final(server: PagerDutyServer, status: int) -> None:
    server.script(Fault(status=status, headers=(("Location", f"{server.url}/v2/enqueue"),)))
    answer = EventsApi(configured(server.url)).send(TRIGGER)
    assert answer.verdict is Verdict.REFUSED
    assert answer.detail.startswith(str(status))
    assert len(server.requests) == 1


@pytest.mark.case(74)
@pytest.mark.parametrize(
    ("header", "seconds"), [("30", 30.0), ("-1", 0.0), ("", 0.0), ("1e9", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0)]
)
def test_case_74_wait_that_the_service_asks_for_is_understood(
    server: PagerDutyServer, header: str, seconds: float
) -> None:
    server.script(Fault(status=429, headers=(("Retry-After", header),)))
    answer = EventsApi(configured(server.url)).send(TRIGGER)
    assert (answer.verdict, answer.retry_after) == (Verdict.FAILED, seconds)


@pytest.mark.case(74)
def test_case_74_connections_closed_between_requests_cost_nothing(server: PagerDutyServer) -> None:
    server.script(Fault(hang_up=True), Fault(hang_up=True))
    api = EventsApi(configured(server.url))
    assert [api.send(event).verdict for event in (TRIGGER, RESOLVE, TRIGGER)] == [Verdict.ACCEPTED] * 3
    assert len(server.requests) == 3


# 75


@pytest.mark.case(75)
@pytest.mark.parametrize(
    "fault",
    [
        Fault(body=b"<html>thanks</html>"),
        Fault(body=b'{"status": "succ'),
        Fault(body=b""),
        Fault(body=b"[" * 100_000),
        Fault(body=b"\xff\x00"),
        Fault(chunked=True),
        Fault(pause_in_body=0.02),
        Fault(body=b"x" * 10_000_000),
        Fault(headers=(("Content-Encoding", "gzip"),)),
    ],
    ids=["html", "cut", "empty", "deep", "bytes", "chunked", "pause", "huge", "no gzip"],
)
def test_case_75_accepted_is_accepted_whatever_the_body(server: PagerDutyServer, fault: Fault) -> None:
    server.script(fault)
    assert EventsApi(configured(server.url)).send(TRIGGER).verdict is Verdict.ACCEPTED


@pytest.mark.case(75)
def test_case_75_no_more_of_a_body_is_read_than_is_wanted(server: PagerDutyServer) -> None:
    server.script(Fault(body=b"x" * 1_000_000, pause_in_body=60))
    started = time.monotonic()
    assert EventsApi(configured(server.url)).send(TRIGGER).verdict is Verdict.ACCEPTED
    assert time.monotonic() - started < SOON


@pytest.mark.case(75)
@pytest.mark.parametrize("body", [b"<html>no</html>", b"[" * 100_000, b'{"errors": 5}', b"\xff\x00\n\nx" * 10_000])
def test_case_75_refusal_is_told_in_one_short_line_whatever_the_body(server: PagerDutyServer, body: bytes) -> None:
    server.script(Fault(status=400, body=body))
    detail = EventsApi(configured(server.url)).send(TRIGGER).detail
    assert detail.startswith("400 ")
    assert "\n" not in detail
    assert len(detail) <= 500


@pytest.mark.case(75)
def test_case_75_redirect_is_not_followed(server: PagerDutyServer) -> None:
    with PagerDutyServer() as elsewhere:
        server.script(Fault(status=301, headers=(("Location", f"{elsewhere.url}/v2/enqueue"),)))
        assert EventsApi(configured(server.url)).send(TRIGGER).verdict is Verdict.REFUSED
        assert elsewhere.requests == []


@pytest.mark.case(75)
@pytest.mark.parametrize("fault", [Fault(hang=True), Fault(drip_headers=0.01)], ids=["hang", "drip"])
def test_case_75_call_that_gets_no_answer_ends_in_time(server: PagerDutyServer, fault: Fault) -> None:
    server.script(fault)
    started = time.monotonic()
    answer = EventsApi(configured(server.url), deadline=0.2).send(TRIGGER)
    assert answer.verdict is Verdict.FAILED
    assert "no answer within 0.2 s" in answer.detail
    assert time.monotonic() - started < SOON


@pytest.mark.case(75)
def test_case_75_call_whose_body_drips_ends_in_time_and_its_status_counts(server: PagerDutyServer) -> None:
    server.script(Fault(drip_body=0.01))
    started = time.monotonic()
    assert EventsApi(configured(server.url), deadline=0.2).send(TRIGGER).verdict is Verdict.ACCEPTED
    assert time.monotonic() - started < SOON


@pytest.mark.case(75)
@pytest.mark.parametrize("fault", [Fault(hang=True), Fault(drip_headers=0.01)], ids=["hang", "drip"])
def test_case_75_data_goes_on_and_shutdown_ends_in_time_while_the_service_stalls(
    server: PagerDutyServer, fault: Fault
) -> None:
    server.script(fault, fault)
    notifier = PagerDuty(configured(server.url), deadline=300)
    notifier.failed(exhausted())
    server.wait(lambda: len(server.requests) == 1)
    emitter = NotifyEmitter(EverySecondFails(), notifier, close_within=lambda: 0.2)
    started = time.monotonic()
    for _ in range(1000):
        with pytest.raises(RetriesExhausted):
            emitter.emit(())
        emitter.emit(())
    assert time.monotonic() - started < SOON
    assert notifier.statistics().pending <= 2
    started = time.monotonic()
    emitter.close()
    assert time.monotonic() - started < SOON
    thread_ends(notifier)
    assert len(server.requests) == 1


@pytest.mark.case(75)
def test_case_75_hundred_failures_a_second_make_one_trigger(server: PagerDutyServer) -> None:
    notifier = PagerDuty(configured(server.url))
    for _ in range(100):
        notifier.failed(exhausted())
        notifier.recovered()
    notifier.failed(exhausted())
    server.wait(lambda: len(server.requests) >= 1)
    notifier.close(5)
    assert server.opened <= 2


@pytest.mark.case(75)
def test_case_75_service_that_is_down_delays_the_shutdown_by_its_timeout_at_most() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    notifier = PagerDuty(configured(f"http://127.0.0.1:{port}"))
    notifier.failed(exhausted())
    eventually(lambda: notifier.statistics().failed > 0)
    started = time.monotonic()
    notifier.close(0.1)
    assert time.monotonic() - started < SOON
    thread_ends(notifier)


@pytest.mark.case(75)
def test_case_75_close_delivers_what_waits_for_a_retry(server: PagerDutyServer) -> None:
    server.script(Fault(status=503))
    notifier = PagerDuty(configured(server.url), pace=Pace(first_retry=100.0))
    notifier.failed(exhausted())
    eventually(lambda: notifier.statistics().failed == 1)
    notifier.recovered()
    notifier.close(5)
    assert (server.opened, server.open) == (1, 0)


@pytest.mark.case(75)
def test_case_75_close_goes_on_trying_while_there_is_time(server: PagerDutyServer) -> None:
    server.script(*[Fault(status=503)] * 5)
    notifier = PagerDuty(configured(server.url), pace=QUICK)
    notifier.failed(exhausted())
    notifier.close(5)
    assert (len(server.requests), server.open) == (6, 1)


@pytest.mark.case(75)
def test_case_75_close_with_nothing_to_say_ends_at_once_and_twice(server: PagerDutyServer) -> None:
    notifier = PagerDuty(configured(server.url))
    started = time.monotonic()
    notifier.close(60)
    notifier.close(60)
    assert time.monotonic() - started < SOON
    assert server.requests == []


@pytest.mark.case(75)
def test_case_75_refused_connection_is_a_failure_that_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    answer = EventsApi(configured(f"http://127.0.0.1:{port}")).send(TRIGGER)
    assert answer.verdict is Verdict.FAILED
    assert "Connection refused" in answer.detail


@pytest.mark.case(75)
@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".invalid", "xn--\u00e4.invalid"])
def test_case_75_unknown_name_is_a_failure(host: str) -> None:
    answer = EventsApi(configured(f"http://{host}")).send(TRIGGER)
    assert answer.verdict is Verdict.FAILED
    assert answer.detail


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls_server(authority: trustme.CA, *names: str) -> PagerDutyServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return PagerDutyServer(tls=context)


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names the authority, as one does for a proxy with a certificate of one's own."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


@pytest.mark.usefixtures("trusted")
def test_tls_works_with_an_authority_that_the_environment_names(authority: trustme.CA) -> None:
    with tls_server(authority, "127.0.0.1") as server:
        assert EventsApi(configured(server.url)).send(TRIGGER).verdict is Verdict.ACCEPTED
        assert server.open == 1


@pytest.mark.case(75)
def test_case_75_certificate_of_an_unknown_authority_is_a_failure(authority: trustme.CA) -> None:
    with tls_server(authority, "127.0.0.1") as server:
        answer = EventsApi(configured(server.url)).send(TRIGGER)
        assert (answer.verdict, server.requests) == (Verdict.FAILED, [])
        assert "CERTIFICATE_VERIFY_FAILED" in answer.detail


@pytest.mark.case(75)
@pytest.mark.usefixtures("trusted")
def test_case_75_certificate_for_another_name_is_a_failure(authority: trustme.CA) -> None:
    with tls_server(authority, "example.org") as server:
        answer = EventsApi(configured(server.url)).send(TRIGGER)
        assert (answer.verdict, server.requests) == (Verdict.FAILED, [])
        assert "CERTIFICATE_VERIFY_FAILED" in answer.detail


@pytest.mark.case(75)
def test_case_75_plain_server_behind_https_is_a_failure(server: PagerDutyServer) -> None:
    answer = EventsApi(configured(server.url.replace("http:", "https:"))).send(TRIGGER)
    assert answer.verdict is Verdict.FAILED
    assert "SSL" in answer.detail


@pytest.mark.case(75)
@pytest.mark.usefixtures("trusted")
def test_case_75_stall_under_tls_ends_in_time(authority: trustme.CA) -> None:
    with tls_server(authority, "127.0.0.1") as server:
        server.script(Fault(drip_headers=0.01))
        started = time.monotonic()
        assert EventsApi(configured(server.url), deadline=0.2).send(TRIGGER).verdict is Verdict.FAILED
        assert time.monotonic() - started < SOON


@pytest.mark.case(75)
def test_case_75_stall_in_the_tls_handshake_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        assert EventsApi(configured(url), deadline=0.2).send(TRIGGER).verdict is Verdict.FAILED
        assert time.monotonic() - started < SOON


@pytest.mark.case(75)
def test_case_75_certificates_that_cannot_be_read_are_an_error_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(SettingError, match="AGGREGATOR_NOTIFY_CONFIGURATION: "):
        EventsApi(configured("https://127.0.0.1"))


@pytest.mark.case(75)
def test_case_75_key_is_in_no_repr(server: PagerDutyServer) -> None:
    notifier = PagerDuty(configured(server.url))
    shown = repr(notifier) + repr(notifier._api) + repr(configured(server.url)) + repr(vars(notifier))
    notifier.close(5)
    assert KEY not in shown


def test_clock_of_a_call_ends_with_it(server: PagerDutyServer) -> None:
    api = EventsApi(configured(server.url))
    before = set(threading.enumerate())
    api.send(TRIGGER)
    eventually(lambda: not any(isinstance(thread, threading.Timer) for thread in set(threading.enumerate()) - before))


# 76


@pytest.mark.case(76)
def test_case_76_long_summary_is_cut_to_1024_characters(server: PagerDutyServer) -> None:
    api = EventsApi(configured(server.url))
    assert api.send(Event(Action.TRIGGER, "\u6f22" * 5000)).verdict is Verdict.ACCEPTED
    summary = server.events[0]["payload"]["summary"]
    assert len(summary) == 1024
    assert summary.startswith("Log Drain #7 (acme): \u6f22")


@pytest.mark.case(76)
def test_case_76_long_identifier_is_cut(server: PagerDutyServer) -> None:
    api = EventsApi(configured(server.url, identifier="\u6f22" * 5000))
    assert api.send(TRIGGER).verdict is Verdict.ACCEPTED
    assert server.events[0]["payload"]["source"] == "\u6f22" * 1024


@pytest.mark.case(76)
@pytest.mark.parametrize("character", ["x", "\x01", "\u6f22", "\U0001f600", '"', "\udcff"])
def test_case_76_huge_cause_is_cut_to_what_is_allowed(server: PagerDutyServer, character: str) -> None:
    answer = EventsApi(configured(server.url, identifier=character * 5000)).send(
        Event(Action.TRIGGER, character * 1_000_000)
    )
    assert answer.verdict is Verdict.ACCEPTED
    assert len(server.requests[0]) <= BODY_LIMIT


@pytest.mark.case(76)
def test_case_76_longest_dedup_key_is_accepted(server: PagerDutyServer) -> None:
    api = EventsApi(NotifyConfiguration(KEY, "k" * 255, "drain", server.url))
    assert api.send(TRIGGER).verdict is Verdict.ACCEPTED


@pytest.fixture(scope="module")
def lasting() -> Iterator[PagerDutyServer]:
    with PagerDutyServer() as server:
        yield server


@pytest.mark.case(76)
@settings(max_examples=60, deadline=None)
@given(raw=st.binary(max_size=200), text=st.text(max_size=200))
def test_case_76_any_text_and_any_bytes_make_a_valid_event(lasting: PagerDutyServer, raw: bytes, text: str) -> None:
    cause = text + raw.decode("utf-8", "surrogateescape") + '"\\\x00\x1b\u2028'
    answer = EventsApi(configured(lasting.url, identifier="d" + text)).send(Event(Action.TRIGGER, cause))
    assert answer.verdict is Verdict.ACCEPTED


# 77: an empty or over-long key and a bad URL are refused where the settings are read. What the start finds out here:


@pytest.mark.case(77)
def test_case_77_proxy_that_cannot_be_used_is_an_error_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "carrier-pigeon://user:pass@127.0.0.1")
    with pytest.raises(SettingError) as caught:
        EventsApi(configured("https://127.0.0.1"))
    assert str(caught.value).startswith("AGGREGATOR_NOTIFY_CONFIGURATION: ")
    assert "pass" not in str(caught.value)
