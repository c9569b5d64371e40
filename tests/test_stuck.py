"""What has waited for so long that it is to be told."""

from mega_collector.protocol import Stage
from mega_collector.stuck import Stuck, Waiting, Watchdog

FULL = Stage.DESTINATION, "disk full"


def a_wait(what: str, since: float, cause: str = "disk full", patience: float = 0.0) -> Waiting:
    return Waiting(what, Stage.DESTINATION, cause, since, patience)


def test_who_waits_is_stuck_when_it_is_too_long_and_that_begins_once() -> None:
    watchdog, a = Watchdog(60), a_wait("a", since=100)
    assert watchdog.look([a], 159) == (set(), {})
    assert watchdog.look([a], 160) == ({FULL}, {})
    assert watchdog.look([a], 161) == (set(), {})
    assert watchdog.stuck == {FULL: Stuck(a, 1)}


def test_all_that_wait_for_one_cause_are_one_fact_by_the_one_that_has_for_longest() -> None:
    watchdog, files = Watchdog(60), [a_wait(str(number), since=100 - number) for number in range(1000)]
    assert watchdog.look(files, 200) == ({FULL}, {})
    assert watchdog.stuck == {FULL: Stuck(files[999], 1000)}
    assert watchdog.number == 1000


def test_another_cause_is_another_fact() -> None:
    watchdog = Watchdog(60)
    a, b = a_wait("a", 0), a_wait("b", 0, "no answer")
    watchdog.look([a], 100)
    assert watchdog.look([a, b], 101) == ({(Stage.DESTINATION, "no answer")}, {})


def test_a_cause_is_over_when_nothing_waits_for_it_any_more() -> None:
    watchdog = Watchdog(60)
    a, b = a_wait("a", 0), a_wait("b", 10)
    watchdog.look([a], 100)
    assert watchdog.look([a, b], 101) == (set(), {})
    assert watchdog.look([b], 102) == (set(), {})
    assert watchdog.look([a_wait("b", since=103)], 104) == (set(), {FULL: Stuck(b, 1)})
    assert watchdog.number == 0


def test_who_may_wait_longer_is_given_longer() -> None:
    watchdog, a = Watchdog(60), a_wait("a", 0, patience=600)
    assert watchdog.look([a], 659) == (set(), {})
    assert watchdog.look([a], 660) == ({FULL}, {})
