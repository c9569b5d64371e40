"""Alerts through PagerDuty, from a thread of its own: the data never waits for it."""

import threading
import time

import structlog

from mega_collector.emitter.configuration import NotifyConfiguration
from mega_collector.emitter.events_api import EventsApi, explain
from mega_collector.emitter.incident import Answer, Event, Incident, Pace, Verdict
from mega_collector.emitter.notify import AlertStatistics
from mega_collector.errors import RetriesExhausted

_log = structlog.get_logger(__name__)
_PACE = Pace()


class PagerDuty:
    """A notifier: opens an incident when batches cannot be delivered, and resolves it when they can again."""

    def __init__(self, configuration: NotifyConfiguration, *, pace: Pace = _PACE, deadline: float = 10.0) -> None:
        """`deadline` is what one call may take, in seconds.

        Raises:
            SettingError: the proxy or the certificates that the environment names cannot be used.
        """
        self._configuration = configuration
        self._api = EventsApi(configuration, deadline=deadline)
        self._incident = Incident(pace)
        self._changed = threading.Condition()  # guards the incident, the counts and the two flags
        self._counts = dict.fromkeys(Verdict, 0)
        self._closing = False
        self._abandoned = False
        self._told: str | None = None
        """The problem that was told last, until it is over."""
        self._problem: str | None = None
        self._failed_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="pagerduty", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._configuration!r})"

    def failed(self, cause: RetriesExhausted) -> None:
        """Batches cannot be delivered. Returns at once."""
        with self._changed:
            self._incident.failed(now=time.monotonic(), text=str(cause))
            self._changed.notify()

    def recovered(self) -> None:
        """Batches were delivered. Returns at once, and costs next to nothing when that is no news."""
        with self._changed:
            if self._incident.recovered():
                self._changed.notify()

    def statistics(self) -> AlertStatistics:
        """What was sent, as of now."""
        with self._changed:
            return AlertStatistics(
                accepted=self._counts[Verdict.ACCEPTED],
                refused=self._counts[Verdict.REFUSED],
                failed=self._counts[Verdict.FAILED],
                pending=self._incident.pending,
                problem=self._problem,
                failed_at=self._failed_at,
            )

    def close(self, timeout: float) -> None:
        """Deliver what waits, but return within `timeout` seconds, whatever the service does."""
        with self._changed:
            self._closing = True
            self._incident.hurry()
            self._changed.notify()
        self._thread.join(timeout)
        with self._changed:
            self._abandoned = True
            self._changed.notify()
        if self._thread.is_alive():
            _log.warning("notify_abandoned", pending=self._incident.pending)
            self._api.cut()

    def _run(self) -> None:
        try:
            while (event := self._next()) is not None:
                answer = self._api.send(event)
                with self._changed:
                    self._note(answer)
                    self._incident.answered(now=time.monotonic(), answer=answer)
                    wait = self._incident.wait(now=time.monotonic())
                self._report(event, answer, wait)
        finally:
            self._api.close()

    def _next(self) -> Event | None:
        """Wait for the next event to send; None at the end."""
        with self._changed:
            while not self._abandoned:
                now = time.monotonic()
                event = self._incident.next(now=now)
                if event is not None:
                    return event
                wait = self._incident.wait(now=now)
                if wait is None and self._closing:
                    return None
                self._changed.wait(wait)
        return None

    def _note(self, answer: Answer) -> None:
        self._counts[answer.verdict] += 1
        self._problem = None if answer.verdict is Verdict.ACCEPTED else explain(answer)
        if self._problem is not None:
            self._failed_at = time.time()

    def _report(self, event: Event, answer: Answer, wait: float | None) -> None:
        facts = {"action": event.action.value, "incident_key": self._configuration.incident_key}
        if answer.verdict is Verdict.ACCEPTED:
            _log.info("notify_accepted", **facts)
        elif answer.verdict is Verdict.REFUSED:
            _log.error("notify_refused", **facts, answer=answer.detail)
        elif answer.detail != self._told:
            _log.warning("notify_failed", **facts, problem=answer.detail, retry_in=wait)
        self._told = answer.detail if answer.verdict is Verdict.FAILED else None
