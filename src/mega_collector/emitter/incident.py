"""When an incident opens and closes, and what is said of it, and when.

A machine: it takes facts and `now` (seconds of any steady clock), and says what to send next. At most two events wait:
a trigger, and the resolve after it.

    fact        waiting      becomes
    failed      -            trigger   (unless one was sent within the last minute and the incident is still open)
    failed      trigger      trigger   (the first text stays: a retry carries the same body)
    failed      .. resolve   the resolve is withdrawn; if it may have reached the service, a trigger takes its place
    recovered   -            resolve   (if an incident is, or may be, open)
    recovered   trigger      trigger, resolve

A resolve does not replace the trigger before it: an outage that lost a batch and was over in a second would otherwise
pass in silence.
"""

from dataclasses import dataclass
from enum import Enum


class Action(Enum):
    """What is done to the incident."""

    TRIGGER = "trigger"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to say: the same event, tried again, is the same request."""

    action: Action
    text: str = ""
    """Of a trigger: why."""


class Verdict(Enum):
    """What came of sending an event."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # sending the same again cannot help
    FAILED = "failed"  # it can, and the event may have been accepted all the same


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said, or why it could not be asked: `detail` is one line for the log, and holds no secret."""

    verdict: Verdict
    detail: str = ""
    retry_after: float = 0.0
    """Seconds that the service asked to wait."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the service is called, in seconds.

    PagerDuty takes about 120 calls a minute for one key, and advises a backoff of a few minutes. With these at most two
    events a minute are new, and the tries of one are 1, 2, 4... apart.
    """

    between_triggers: float = 60.0
    first_retry: float = 1.0
    slowest_retry: float = 120.0


class Incident:
    """The one incident of a destination, as far as this process knows it."""

    def __init__(self, pace: Pace = Pace()) -> None:
        self._pace = pace
        # Whether an earlier process left an incident open is not known, and the usual cure of a broken destination is
        # a restart with better settings. So the first success of a process resolves: PagerDuty drops a resolve for
        # which nothing is open, and one call at each start is cheaper than an incident that nobody closes.
        self._open = True
        self._trigger: Event | None = None
        self._resolve: Event | None = None
        self._sent: Event | None = None
        self._attempts = 0
        self._next_trigger = float("-inf")
        self._next_try = float("-inf")

    @property
    def pending(self) -> int:
        """How many events wait, one that is being sent included: at most 2."""
        return (self._trigger is not None) + (self._resolve is not None)

    def failed(self, *, now: float, text: str) -> None:
        """A batch could not be delivered: `text` says why."""
        reopened = self._withdraw_resolve()
        self._open = True
        if self._trigger is None and (reopened or now >= self._next_trigger):
            self._trigger = Event(Action.TRIGGER, text)

    def recovered(self) -> bool:
        """A batch was delivered. Whether that is news."""
        if not self._open:
            return False
        self._open = False
        self._resolve = Event(Action.RESOLVE)
        return True

    def hurry(self) -> None:
        """Waits that are under way end: there may be no later."""
        self._next_trigger = self._next_try = float("-inf")

    def wait(self, *, now: float) -> float | None:
        """Seconds until `next` has something, or None if nothing waits."""
        if self._trigger is not None:
            return max(0.0, self._next_trigger - now, self._next_try - now)
        return None if self._resolve is None else max(0.0, self._next_try - now)

    def next(self, *, now: float) -> Event | None:
        """The event to send now, if there is one. It is sent once, and then `answered`."""
        if self.wait(now=now) != 0.0:
            return None
        self._sent = self._trigger or self._resolve
        self._attempts += 1
        return self._sent

    def answered(self, *, now: float, answer: Answer) -> None:
        """What came of the event that `next` gave."""
        sent, self._sent = self._sent, None
        if sent is None:
            raise ValueError("an answer to nothing that was sent")
        if answer.verdict is Verdict.FAILED:
            # Kept when the event was withdrawn meanwhile: it is the service that needs the rest.
            self._next_try = now + self._delay(answer)
            return
        self._attempts = 0
        self._next_try = float("-inf")
        if sent is self._trigger:
            self._trigger = None
            self._next_trigger = now + self._pace.between_triggers
        elif sent is self._resolve:
            self._resolve = None

    def _withdraw_resolve(self) -> bool:
        """Whether the service may have closed the incident: by a resolve that it took, or was asked to take."""
        closed = not self._open and (self._resolve is None or self._attempts > 0)
        self._resolve = None
        return closed

    def _delay(self, answer: Answer) -> float:
        backoff = self._pace.first_retry * 2.0 ** min(self._attempts - 1, 32)
        return min(max(backoff, answer.retry_after), self._pace.slowest_retry)
