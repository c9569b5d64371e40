"""When it is said that a certificate comes to its end."""

from mega_collector.expiry import DAY, Expiry

ENDS = 1_000 * DAY


def told(expiry: Expiry, *days_before: float) -> list[int | None]:
    return [expiry.due(ENDS - days * DAY) for days in days_before]


def test_it_is_said_thirty_seven_and_one_day_before_once_each() -> None:
    assert told(Expiry(ENDS), 31, 30, 29, 7.5, 7, 6, 1.5, 0.9, 0.5) == [None, 30, None, None, 7, None, None, 0, None]


def test_of_several_that_have_passed_the_nearest_is_said() -> None:
    assert told(Expiry(ENDS), 5, 4, 1) == [5, None, 1]


def test_the_end_itself_is_said_once_and_nothing_of_days_behind_it() -> None:
    expiry = Expiry(ENDS)
    assert not expiry.over(ENDS - 1)
    assert [expiry.over(ENDS), expiry.over(ENDS + 1)] == [True, False]
    assert told(expiry, -1, 5) == [None, None]
