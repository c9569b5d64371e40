"""What whoever asks over HTTP is answered."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address

import structlog

from mega_collector.telemetry.half import Half
from mega_collector.telemetry.history import History
from mega_collector.telemetry.metrics import exposition
from mega_collector.telemetry.once import Once
from mega_collector.telemetry.page import POLICY, page
from mega_collector.telemetry.printable import text

_SHARE = 10
"""An answer is made anew at most so often that making it takes a tenth of the time, whoever asks how often."""

_INTEREST = 30.0
"""Seconds after the last look at the page for which samples are taken on."""

_PACE = 1.0
"""Seconds between two samples."""

_INTERVAL = 60.0
"""Seconds between two tellings of one failure: a scraper comes again and again."""

_SAFE = (
    f"Content-Security-Policy: {POLICY}",
    "X-Content-Type-Options: nosniff",
    "Referrer-Policy: no-referrer",
)

_log = structlog.get_logger(__name__)

Later = Callable[[float, Callable[[], None]], object]


@dataclass(frozen=True, slots=True)
class _Answer:
    status: HTTPStatus
    body: bytes
    media_type: str = "text/plain; charset=utf-8"
    headers: tuple[str, ...] = ()

    def encode(self, *, with_body: bool = True) -> bytes:
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            f"Content-Type: {self.media_type}",
            f"Content-Length: {len(self.body)}",
            *self.headers,
            "Cache-Control: no-store",
            "Connection: close",
        )
        return "\r\n".join((*head, "\r\n")).encode("ascii") + (self.body if with_body else b"")


class Answers:
    """Which answer a request gets.

    `later(seconds, call)` has something called. `private`: it listens on the loopback, where only who asks by an
    address or as localhost is answered: by a name of its own a web page could have its reader's browser ask.
    """

    def __init__(self, half: Half, later: Later, *, private: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._half = half
        self._private = private
        self._clock = clock
        self._look = _Look(half, later, clock)
        self._kept = {
            b"/": _Kept(self._page, clock),
            b"/metrics": _Kept(self._metrics, clock),
            b"/readyz": _Kept(self._readiness, clock),
        }

    def to(self, head: bytes | None) -> bytes:
        """Give the bytes of the answer to a request's head; None: it was too long."""
        if head is None:
            return _plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE).encode()
        first, *fields = head.split(b"\r\n")
        parts = first.split(b" ")
        if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
            return _plain(HTTPStatus.BAD_REQUEST).encode()
        method, target, _ = parts
        if method not in {b"GET", b"HEAD"}:
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED, headers=("Allow: GET, HEAD",)).encode()
        if self._private and not all(map(_is_address, _hosts(fields))):
            return _plain(HTTPStatus.MISDIRECTED_REQUEST, "Ask by an address, or as localhost").encode()
        return self._get(target.split(b"?")[0]).encode(with_body=method == b"GET")

    def _get(self, path: bytes) -> _Answer:
        if path == b"/healthz":
            return _plain(HTTPStatus.OK)
        if path in self._kept:
            return self._kept[path].get()
        return _plain(HTTPStatus.NOT_FOUND, "There are /, /metrics, /healthz and /readyz")

    def _page(self) -> _Answer:
        history = self._look.history()
        return _Answer(HTTPStatus.OK, page(self._half.view(), history), "text/html; charset=utf-8", _SAFE)

    def _metrics(self) -> _Answer:
        return _Answer(HTTPStatus.OK, *exposition(self._half.samples()))

    def _readiness(self) -> _Answer:
        ready, reason = self._half.ready
        return _plain(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, reason)


@dataclass(slots=True)
class _Kept:
    """The last answer of its kind."""

    make: Callable[[], _Answer]
    clock: Callable[[], float]
    _until: float = float("-inf")
    _told: Once = field(default_factory=lambda: Once(interval=_INTERVAL))
    _answer: _Answer = field(default_factory=lambda: _plain(HTTPStatus.INTERNAL_SERVER_ERROR))

    def get(self) -> _Answer:
        began = self.clock()
        if began >= self._until:
            self._answer = self._made()
            ended = self.clock()
            self._until = ended + (ended - began) * (_SHARE - 1)
        return self._answer

    def _made(self) -> _Answer:
        try:
            return self.make()
        except Exception:  # noqa: BLE001  # a mistake in a part must not take away what an operator looks at
            withheld = self._told.due(None, self.clock())
            if withheld is not None:
                _log.exception("metrics_failed", withheld=withheld)
            return _plain(HTTPStatus.INTERNAL_SERVER_ERROR)


class _Look:
    """Samples what flows from a look at the page on, until nobody has looked for a while."""

    def __init__(self, half: Half, later: Later, clock: Callable[[], float]) -> None:
        self._half = half
        self._later = later
        self._clock = clock
        self._history = History()
        self._until = 0.0
        self._sampling = False

    def history(self) -> History:
        """Somebody looks."""
        self._until = self._clock() + _INTEREST
        if not self._sampling:
            self._sampling = True
            self._sample()
        return self._history

    def _sample(self) -> None:
        now = self._clock()
        if now >= self._until:
            self._sampling = False
            self._history.clear()
            return
        try:
            self._history.add(now, [flow.total for flow in self._half.flows()])
        except Exception:  # noqa: BLE001  # as above, and told there: nobody looks at samples but the page
            self._history.clear()
        self._later(_PACE, self._sample)


def _hosts(fields: list[bytes]) -> list[bytes]:
    return [value.strip() for name, _, value in (each.partition(b":") for each in fields) if name.lower() == b"host"]


def _is_address(host: bytes) -> bool:
    name = host.decode("latin-1")
    bare = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    if bare.lower().rstrip(".") == "localhost":
        return True
    try:
        ip_address(bare)
    except ValueError:
        return False
    return True


def _plain(status: HTTPStatus, words: str = "", *, headers: tuple[str, ...] = ()) -> _Answer:
    return _Answer(status, f"{text(words) or status.phrase}\n".encode(), headers=headers)
