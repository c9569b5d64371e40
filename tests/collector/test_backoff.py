"""How long to wait before the next try to connect."""

import pytest
from hypothesis import given, strategies as st

from mega_collector.collector.sending.backoff import FIRST, SLOWEST, Backoff


@pytest.mark.case(63)
def test_the_wait_doubles_to_the_slowest_and_stays_there() -> None:
    backoff = Backoff(lambda: 0.0)
    assert [backoff.failed() for _ in range(10)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30]


def test_a_success_begins_anew() -> None:
    backoff = Backoff(lambda: 0.0)
    for _ in range(5):
        backoff.failed()
    backoff.succeeded()
    assert backoff.failed() == FIRST


def test_what_only_a_person_can_mend_is_tried_at_the_slowest_pace_at_once() -> None:
    backoff = Backoff(lambda: 0.0)
    assert backoff.failed(hopeless=True) == SLOWEST
    assert backoff.failed() == 2 * FIRST


@pytest.mark.case(63)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=30))
def test_it_waits_at_least_half_as_long_and_never_longer(failures: list[tuple[float, bool]]) -> None:
    chances = iter([chance for chance, _ in failures])
    backoff, steady = Backoff(lambda: next(chances)), Backoff(lambda: 0.0)
    for _, hopeless in failures:
        longest = steady.failed(hopeless=hopeless)
        assert longest / 2 <= backoff.failed(hopeless=hopeless) <= longest <= SLOWEST
