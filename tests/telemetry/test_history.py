import pytest

from mega_collector.telemetry.history import History


def test_rates_are_between_neighbours_and_the_present_one_is_over_the_last_few() -> None:
    history = History()
    for moment, total in enumerate([0, 10, 10, 40, 100]):
        history.add(moment, (total, 0.0))
    assert history.rates(0) == [10, 0, 30, 60]
    assert history.rate(0) == pytest.approx(30)
    assert history.rate(1) == 0


def test_without_two_samples_nothing_is_known() -> None:
    history = History()
    assert (history.rate(0), history.rates(0)) == (None, [])
    history.add(1, (5,))
    assert (history.rate(0), history.rates(0)) == (None, [])


def test_it_is_bounded() -> None:
    history = History(10)
    for moment in range(100):
        history.add(moment, (moment,))
    assert history.rates(0) == [1] * 10


def test_totals_that_are_others_begin_anew_and_none_goes_back() -> None:
    history = History()
    history.add(1, (100,))
    history.add(2, (5,))
    assert history.rates(0) == [0]
    history.add(3, (5, 6))
    assert history.rates(0) == []
