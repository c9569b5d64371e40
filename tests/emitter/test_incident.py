"""The incident's machine: whole histories, with a clock of our own."""

from itertools import pairwise

import pytest
from hypothesis import example, given, settings, strategies as st

from mega_collector.emitter.incident import Action, Answer, Event, Incident, Pace, Verdict

ACCEPTED = Answer(Verdict.ACCEPTED)
REFUSED = Answer(Verdict.REFUSED, "400")
FAILED = Answer(Verdict.FAILED, "503")


def actions(incident: Incident, *, now: float) -> list[Action]:
    """What a service that accepts everything is sent now."""
    sent = []
    while (event := incident.next(now=now)) is not None:
        sent.append(event.action)
        incident.answered(now=now, answer=ACCEPTED)
    return sent


def settled(*, now: float = 0.0) -> Incident:
    """An incident of which it is known that it is closed."""
    incident = Incident()
    incident.recovered()
    assert actions(incident, now=now) == [Action.RESOLVE]
    return incident


def opened(*, now: float = 0.0) -> Incident:
    incident = settled()
    incident.failed(now=now, text="first")
    assert actions(incident, now=now) == [Action.TRIGGER]
    return incident


def test_nothing_is_sent_before_anything_happened() -> None:
    incident = Incident()
    assert incident.next(now=0.0) is None
    assert incident.wait(now=0.0) is None


def test_first_success_of_a_process_resolves_what_an_earlier_one_may_have_left_open() -> None:
    incident = Incident()
    assert incident.recovered()
    assert actions(incident, now=0.0) == [Action.RESOLVE]


def test_later_successes_are_no_news() -> None:
    incident = settled()
    assert not incident.recovered()
    assert actions(incident, now=1.0) == []


def test_failure_triggers_with_its_text() -> None:
    incident = settled()
    incident.failed(now=0.0, text="disk full")
    assert incident.next(now=0.0) == Event(Action.TRIGGER, "disk full")


def test_success_after_a_failure_resolves() -> None:
    incident = opened()
    incident.recovered()
    assert actions(incident, now=5.0) == [Action.RESOLVE]


@pytest.mark.case(75)
def test_failures_of_an_open_incident_trigger_once_a_minute() -> None:
    incident = opened()
    sent: list[tuple[int, Action]] = []
    for second in range(1, 181):
        incident.failed(now=float(second), text="again")
        sent.extend((second, action) for action in actions(incident, now=float(second)))
    assert sent == [(60, Action.TRIGGER), (120, Action.TRIGGER), (180, Action.TRIGGER)]


def test_open_incident_without_further_failures_is_not_triggered_again() -> None:
    incident = opened()
    assert incident.wait(now=1000.0) is None


def test_outage_that_is_over_before_it_could_be_told_is_told_all_the_same() -> None:
    incident = settled()
    incident.failed(now=0.0, text="lost a batch")
    incident.recovered()
    assert actions(incident, now=0.0) == [Action.TRIGGER, Action.RESOLVE]


def test_resolve_that_was_not_sent_yet_is_withdrawn_by_a_failure() -> None:
    incident = opened()
    incident.recovered()
    incident.failed(now=1.0, text="again")
    assert actions(incident, now=1.0) == []
    incident.recovered()
    assert actions(incident, now=2.0) == [Action.RESOLVE]


def test_incident_that_reopens_within_a_minute_is_triggered_when_the_minute_is_over() -> None:
    incident = opened()
    incident.recovered()
    assert actions(incident, now=1.0) == [Action.RESOLVE]
    incident.failed(now=2.0, text="again")
    assert incident.wait(now=2.0) == 58.0
    assert actions(incident, now=59.9) == []
    assert actions(incident, now=60.0) == [Action.TRIGGER]


@pytest.mark.parametrize("answer", [ACCEPTED, FAILED])
def test_failure_while_a_resolve_is_under_way_triggers_again(answer: Answer) -> None:
    incident = opened()
    incident.recovered()
    assert incident.next(now=10.0) is not None
    incident.failed(now=10.0, text="again")
    incident.answered(now=10.0, answer=answer)
    assert actions(incident, now=60.0) == [Action.TRIGGER]


def test_failure_after_a_resolve_of_unknown_fate_triggers_again_and_does_not_resolve() -> None:
    incident = opened()
    incident.recovered()
    incident.next(now=10.0)
    incident.answered(now=10.0, answer=FAILED)
    incident.failed(now=10.5, text="again")
    assert actions(incident, now=60.0) == [Action.TRIGGER]
    assert incident.pending == 0


def test_resolve_that_follows_one_withdrawn_under_way_is_not_taken_for_it() -> None:
    incident = opened()
    incident.recovered()
    incident.next(now=100.0)
    incident.failed(now=100.0, text="again")
    incident.recovered()
    incident.answered(now=100.0, answer=ACCEPTED)
    assert actions(incident, now=100.0) == [Action.TRIGGER, Action.RESOLVE]


@pytest.mark.case(74)
def test_same_event_is_tried_again_with_a_backoff_that_doubles_and_ends() -> None:
    incident = settled()
    incident.failed(now=0.0, text="disk full")
    first = incident.next(now=0.0)
    now, delays = 0.0, []
    for _ in range(9):
        incident.answered(now=now, answer=FAILED)
        delays.append(incident.wait(now=now))
        now += delays[-1] or 0.0
        incident.failed(now=now, text="something else")
        assert incident.next(now=now) is first
    assert delays == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 120.0, 120.0]


@pytest.mark.case(74)
@pytest.mark.parametrize(("asked", "waited"), [(0.0, 1.0), (30.0, 30.0), (1e9, 120.0)])
def test_wait_that_the_service_asks_for_is_kept_within_bounds(asked: float, waited: float) -> None:
    incident = settled()
    incident.failed(now=0.0, text="")
    incident.next(now=0.0)
    incident.answered(now=0.0, answer=Answer(Verdict.FAILED, "429", retry_after=asked))
    assert incident.wait(now=0.0) == waited


def test_refused_trigger_is_not_tried_again_and_counts_for_the_minute() -> None:
    incident = settled()
    incident.failed(now=0.0, text="")
    incident.next(now=0.0)
    incident.answered(now=0.0, answer=REFUSED)
    incident.failed(now=59.0, text="")
    assert incident.wait(now=59.0) is None
    incident.failed(now=60.0, text="")
    assert actions(incident, now=60.0) == [Action.TRIGGER]


def test_hurry_ends_the_waits() -> None:
    incident = settled()
    incident.failed(now=0.0, text="")
    incident.recovered()
    incident.next(now=0.0)
    incident.answered(now=0.0, answer=FAILED)
    incident.hurry()
    assert actions(incident, now=0.0) == [Action.TRIGGER, Action.RESOLVE]


def test_answer_to_nothing_is_an_error_and_changes_nothing() -> None:
    incident = settled()
    with pytest.raises(ValueError, match="nothing that was sent"):
        incident.answered(now=0.0, answer=FAILED)
    assert incident.wait(now=0.0) is None


class Service:
    """What PagerDuty believes."""

    def __init__(self) -> None:
        self.open = False
        self.new_triggers: list[float] = []
        self.calls: list[float] = []
        self._last: Event | None = None

    def receive(self, event: Event, now: float, verdict: Verdict, *, lost: bool) -> None:
        self.calls.append(now)
        if event.action is Action.TRIGGER and event is not self._last:
            self.new_triggers.append(now)
        self._last = event
        if verdict is Verdict.ACCEPTED or (verdict is Verdict.FAILED and lost):
            self.open = event.action is Action.TRIGGER


facts = st.tuples(
    st.sampled_from([0.0, 0.01, 0.7, 3.0, 61.0]),
    st.sampled_from(["failed", "recovered", "send", "answer", "send and answer"]),
    st.sampled_from([Verdict.ACCEPTED, Verdict.FAILED]),
    st.booleans(),
)


class World:
    """An incident and its service, with a clock, and at most one call in the air."""

    def __init__(self) -> None:
        self.now = 0.0
        self.incident = Incident()
        self.service = Service()
        self.broken = False
        self._flying: Event | None = None

    def happen(self, fact: str, verdict: Verdict, *, lost: bool) -> None:
        if fact == "failed":
            self.incident.failed(now=self.now, text="x")
            self.broken = True
        elif fact == "recovered":
            self.incident.recovered()
            self.broken = False
        if "send" in fact and self._flying is None:
            self._flying = self.incident.next(now=self.now)
        if "answer" in fact and self._flying is not None:
            self.service.receive(self._flying, self.now, verdict, lost=lost)
            self._flying = None
            self.incident.answered(now=self.now, answer=Answer(verdict))

    def settle(self) -> None:
        """The service is well again, and time passes."""
        self.happen("answer", Verdict.ACCEPTED, lost=False)
        while (wait := self.incident.wait(now=self.now)) is not None:
            self.now += wait
            self.happen("send and answer", Verdict.ACCEPTED, lost=False)


@pytest.mark.case(73)
@settings(max_examples=1000, deadline=None)
@given(st.lists(facts, max_size=40))
@example(
    [
        (0.0, "failed", Verdict.ACCEPTED, False),
        (0.0, "send and answer", Verdict.ACCEPTED, False),
        (0.0, "recovered", Verdict.ACCEPTED, False),
        (0.0, "send and answer", Verdict.FAILED, True),
        (0.0, "failed", Verdict.ACCEPTED, False),
    ]
)
def test_service_ends_up_believing_the_truth_and_is_triggered_once_a_minute(
    history: list[tuple[float, str, Verdict, bool]],
) -> None:
    world = World()
    for passed, fact, verdict, lost in history:
        world.now += passed
        world.happen(fact, verdict, lost=lost)
        assert world.incident.pending <= 2
    world.settle()
    assert world.service.open is world.broken
    for earlier, later in pairwise(world.service.new_triggers):
        assert later - earlier >= Pace().between_triggers - 1e-6


@pytest.mark.case(75)
@pytest.mark.parametrize("answer", [ACCEPTED, FAILED, REFUSED])
def test_case_75_hundred_failures_and_recoveries_a_second_make_few_calls(answer: Answer) -> None:
    incident, calls = Incident(), []
    for tick in range(60_000):  # ten minutes
        now = tick / 100
        incident.failed(now=now, text="x")
        if tick % 3 == 0:
            incident.recovered()
        if incident.next(now=now) is not None:
            calls.append(now)
            incident.answered(now=now, answer=answer)
    busiest = max(sum(1 for call in calls if start <= call < start + 60) for start in calls)
    assert busiest <= 120
    assert busiest <= 8
