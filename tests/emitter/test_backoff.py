from hypothesis import given, strategies as st

from mega_collector.emitter.backoff import Backoff


def test_doubles_from_the_first_delay_to_a_minute() -> None:
    backoff = Backoff(count=9, delay=1)
    assert [backoff.after(failures) for failures in range(1, 10)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_has_had_enough_after_count_tries_beyond_the_first() -> None:
    backoff = Backoff(count=2, delay=1)
    assert backoff.after(2) is not None
    assert backoff.after(3) is None


def test_a_count_of_zero_means_one_try() -> None:
    assert Backoff(count=0, delay=1).after(1) is None


@given(st.integers(1, 10**9), st.floats(0, 1e9))
def test_never_waits_longer_than_a_minute(failures: int, delay: float) -> None:
    wait = Backoff(count=failures, delay=delay).after(failures)
    assert wait is not None
    assert 0 <= wait <= 60
