"""The certificates in use: read again when their files change, and told of before they expire."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock

import grpc
import structlog

from mega_collector.errors import SettingError
from mega_collector.expiry import Expiry
from mega_collector.pem_file import Material, PEMFile, read
from mega_collector.tls import client_credentials, server_credentials, validity, verify

_RECENT = 2_000_000_000
"""Nanoseconds for which a file that was just written is read again: a second change within one tick of the clock by
which the filesystem notes times would not show."""

_Seen = tuple[tuple[int, int, int] | None, ...]

_log = structlog.get_logger(__name__)


class Certificates:
    """What one half shows and trusts. A connection that stands keeps what it was made with; the next has what is new.

    New files are used only if they verify, all of them together: while a certificate is replaced and its key is not
    yet, what was there before stays in use. That is said once. May be used from any thread.
    """

    def __init__(
        self,
        material: Material,
        *,
        half: str,
        ca_name: str | None = None,
        judge: Callable[[Material], None] = lambda _: None,
        tells_end: bool = True,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`material` is verified; `half` is AGGREGATOR or COLLECTOR, and `ca_name` the CA's variable, for what is said.

        `judge` raises SettingError for what must not be used though it verifies. `tells_end`: others do not tell of it.
        """
        self._half = half
        self._ca_name = ca_name or f"{half}_TLS_CA_CERTIFICATE"
        self._judge = judge
        self._tells_end = tells_end
        self._wall_clock = wall_clock
        self._lock = Lock()
        self._seen: _Seen | None = None
        """The files when they were read last; None: they are to be read in any case."""
        self._told: str | None = None
        self._use(material)
        self._expiry.over(wall_clock())  # told at the start

    @property
    def expires_at(self) -> float:
        """When the first certificate of this side's chain expires, in seconds since the epoch."""
        return self._expiry.ends

    def look(self, *, anew: bool = False) -> bool:
        """Look whether files have changed, and use what they hold: whether something new is in use from now on.

        `anew`: read them even if they seem unchanged.
        """
        with self._lock:
            if anew:
                self._seen = None
            renewed = self._read_again()
            if self._tells_end:
                self._tell_of_end()
            return renewed

    def server_credentials(self) -> grpc.ServerCredentials:
        """What an aggregator serves with: each handshake has what is in use then."""
        served = self._material

        def renewed() -> Material | None:
            nonlocal served
            if self._material is served:
                return None
            served = self._material
            return served

        return server_credentials(*served, renewed=renewed)

    def client_credentials(self) -> grpc.ChannelCredentials:
        """What a collector connects with now."""
        self.look()
        return client_credentials(*self._material)

    def _use(self, material: Material) -> None:
        self._material = material
        self._validity = validity(material.certificate)
        self._expiry = Expiry(self._validity.ends)

    def _read_again(self) -> bool:
        seen = tuple(_look_at(part) for part in self._material)
        if seen == self._seen:
            return False
        try:
            names = self._ca_name, f"{self._half}_TLS_CERTIFICATE", f"{self._half}_TLS_KEY"
            material = Material(*map(self._again, self._material, names))
            renewed = material != self._material
            if renewed:
                self._verify(material)
        except SettingError as error:
            self._refuse(str(error))
            return False
        self._seen = None if _is_recent(seen, self._wall_clock()) else seen
        self._told = None
        if renewed:
            self._use(material)
            _log.info("certificate_renewed", expires=_date(self.expires_at))
        return renewed

    def _again(self, part: bytes, name: str) -> bytes:
        if not isinstance(part, PEMFile):
            return part
        try:
            return read(part.path)
        except ValueError as error:
            raise SettingError(name, f"{str(part.path)!r} {error}") from None

    def _verify(self, material: Material) -> None:
        warnings = verify(*material, prefix=self._half, ca_name=self._ca_name)
        self._judge(material)
        now = self._wall_clock()
        if self._validity.holds(now) and not validity(material.certificate).holds(now):
            raise SettingError(f"{self._half}_TLS_CERTIFICATE", "is out of its time, and the one in use is not")
        for warning in warnings:
            _log.warning("certificate", warning=warning)

    def _refuse(self, reason: str) -> None:
        self._seen = None
        if reason != self._told:
            self._told = reason
            _log.warning("certificate_not_usable", reason=reason, action="the one before stays in use")

    def _tell_of_end(self) -> None:
        now, name = self._wall_clock(), f"{self._half}_TLS_CERTIFICATE"
        days = self._expiry.due(now)
        if days is not None:
            _log.warning("certificate_expires", setting=name, on=_date(self.expires_at), days_left=days)
        elif self._expiry.over(now):
            _log.error("certificate_expired", setting=name, on=_date(self.expires_at))


def _look_at(part: bytes) -> tuple[int, int, int] | None:
    if not isinstance(part, PEMFile):
        return None
    try:
        facts = os.stat(part.path)  # noqa: PTH116 - links are followed, as they are when it is read
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


def _is_recent(seen: _Seen, now: float) -> bool:
    return any(facts is not None and now * 1e9 - facts[0] < _RECENT for facts in seen)


def _date(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"
