"""One call to PagerDuty's Events API v2 (https://developer.pagerduty.com/docs/events-api-v2-overview), fenced.

PagerDuty's own client makes the request. Left alone it sleeps between its retries (on 429 without end), waits a minute
for each byte, reads whatever it is sent, and quotes the end of the key when that is refused. Here it makes one request,
which ends in time, and what comes back is an `Answer`.
"""

import json
import socket
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NoReturn

import httpx2
import pagerduty

from mega_collector.emitter.configuration import NotifyConfiguration
from mega_collector.emitter.incident import Action, Answer, Event, Verdict
from mega_collector.errors import SettingError

ACCEPTED = 202

_RETRIED = 429  # and every 5xx; anything else is final

SUMMARY_LIMIT = 1024  # characters, by the API; so many of a source are enough, too
TEXT_LIMIT = 32_000
"""Characters of the cause in a body. JSON makes at most 12 bytes of one, so a body stays below the 512 000 allowed."""

_BODY_LIMIT = 64 * 1024  # bytes of an answer that are read: a real one has about 100
_DETAIL_LIMIT = 500  # characters of it that are logged
_IO_TIMEOUT = 5  # seconds for the connection, for each read and each write


class EventsApi:
    """Sends events about one incident. Used by one thread, but for `cut`."""

    def __init__(self, configuration: NotifyConfiguration, *, deadline: float = 10.0) -> None:
        """`deadline` is what one call may take in all, in seconds (looking the name up may take longer).

        Raises:
            SettingError: the proxy or the certificates that the environment names cannot be used.
        """
        self._configuration = configuration
        try:
            self._client = _FencedClient(configuration, deadline)
        except (ImportError, OSError, ValueError) as error:
            name = "AGGREGATOR_NOTIFY_CONFIGURATION"
            raise SettingError(name, f"no connection can be prepared: {_one_line(str(error))}") from error

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._configuration!r})"

    def send(self, event: Event) -> Answer:
        """Send the event, once. Never raises."""
        try:
            self._request(event)
        except _Response as response:
            return self._answer(response)
        except Exception as error:  # noqa: BLE001 - of whatever kind, the answer is to try again
            return Answer(Verdict.FAILED, self._fit(self._client.deadline.problem or _problem(error)))
        return Answer(Verdict.FAILED, "no request was made")

    def cut(self) -> None:
        """End the call that is under way, from any thread."""
        self._client.deadline.cut()

    def close(self) -> None:
        """Release what is held."""
        self._client.close()

    def _request(self, event: Event) -> None:
        key = self._configuration.incident_key
        if event.action is Action.RESOLVE:
            self._client.resolve(key)
            return
        text = _encodable(event.text)
        name = _encodable(self._configuration.identifier)
        self._client.trigger(
            summary=_one_line(f"{name}: {text}")[:SUMMARY_LIMIT],
            source=_one_line(name)[:SUMMARY_LIMIT],
            dedup_key=key,
            severity="error",  # logs wait or are lost; what they tell of may well be in order
            custom_details={"cause": text[:TEXT_LIMIT], "incident_key": key},
        )

    def _answer(self, response: "_Response") -> Answer:
        if response.status == ACCEPTED:
            return Answer(Verdict.ACCEPTED)
        detail = self._fit(f"{response.status} {_explanation(response.body)}".strip())
        if response.status == _RETRIED or response.status >= 500:
            return Answer(Verdict.FAILED, detail, response.retry_after)
        return Answer(Verdict.REFUSED, detail)

    def _fit(self, text: str) -> str:
        """One line for the log, without the key, even where the service quotes it."""
        return _one_line(text.replace(self._configuration.integration_key, "***"))[:_DETAIL_LIMIT]


def explain(answer: Answer) -> str:
    """Say why an event did not get there, and what to do."""
    if answer.verdict is Verdict.REFUSED:
        return f"PagerDuty refuses it: {answer.detail}: mend the integration_key in AGGREGATOR_NOTIFY_CONFIGURATION"
    return f"PagerDuty cannot be reached: {answer.detail}: check the DNS, firewalls, and HTTPS_PROXY"


class _Response(Exception):
    """What was answered, on its way around what the library would make of it."""

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        seconds = headers.get("Retry-After", "")
        self.retry_after = float(seconds) if seconds.isascii() and seconds.isdecimal() and len(seconds) < 10 else 0.0


class _FencedClient(pagerduty.EventsApiV2Client):
    """The library's client, which makes one request and lets `_Response` tell what came of it."""

    max_network_attempts = 0
    timeout = _IO_TIMEOUT  # type: ignore[assignment]  # the bases disagree on its type
    url = ""  # the library's own setter admits https only: a proxy beside us need not speak it

    def __init__(self, configuration: NotifyConfiguration, deadline: float) -> None:
        self.deadline = _Deadline(deadline)
        super().__init__(
            configuration.integration_key,
            base_url=configuration.url,
            # Calls are a minute apart: a connection that waits for the next one is most likely dead by then.
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    def send(self, request: httpx2.Request, **options: Any) -> NoReturn:
        """Send the request, in time.

        Raises:
            _Response: there is an answer.
            httpx2.TransportError: there is none.
        """
        request.extensions = {**request.extensions, "trace": self.deadline.watch}
        with self.deadline:
            response = super().send(request, **{**options, "stream": True})
            try:
                raise _Response(response.status_code, _read(response), response.headers)
            finally:
                response.close()


def _read(response: httpx2.Response) -> bytes:
    """The body as far as it is wanted. It is not needed: a status that was received counts, whatever follows."""
    body = b""
    try:
        for chunk in response.iter_raw():
            body += chunk[: _BODY_LIMIT - len(body)]
            if len(body) == _BODY_LIMIT:
                break
    except httpx2.TransportError:
        pass
    return body


class _Deadline:
    """Shuts the connection down when a call has taken long enough, whatever the other side keeps dripping.

    The library's timeouts are for each read, so that a byte every few seconds would hold it for ever.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._timer: threading.Timer | None = None
        self._passed = False

    @property
    def problem(self) -> str:
        """What to say of a call that was ended: nothing if it ended by itself."""
        return f"no answer within {self._seconds:g} s, or it was cut short" if self._passed else ""

    def __enter__(self) -> None:
        self._passed = False
        self._timer = threading.Timer(self._seconds, self.cut)
        self._timer.daemon = True
        self._timer.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def watch(self, name: str, info: Mapping[str, Any]) -> None:
        """Learn of the connection: the `trace` extension of a request."""
        if name == "connection.connect_tcp.complete":
            # A duplicate: TLS takes the socket over, and takes its descriptor from the object that is here now.
            duplicate = info["return_value"].get_extra_info("socket").dup()
            with self._lock:
                self._connection = duplicate
            if self._passed:
                self.cut()

    def cut(self) -> None:
        """End the call: whoever reads from the connection or writes to it wakes."""
        self._passed = True
        with self._lock:
            if self._connection is None:
                return
            try:
                self._connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it had ended already


def _problem(error: Exception) -> str:
    # The library's own text adds nothing but the address; its cause says what happened.
    cause = error.__cause__ if isinstance(error, pagerduty.Error) and error.__cause__ else error
    return f"{type(cause).__name__}: {cause}"


def _explanation(body: bytes) -> str:
    """What PagerDuty says was wrong, or the beginning of whatever this is."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and ("errors" in found or "message" in found):
        return f"{found.get('message', '')} {json.dumps(found.get('errors', []))}"
    return body.decode("utf-8", "backslashreplace")


def _encodable(text: str) -> str:
    """Without the lone surrogates that stand for bytes that are not UTF-8: no encoder takes them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _one_line(text: str) -> str:
    return " ".join(text.split())
