"""Who is there and who was, bounded, as numbers and in order."""

from mega_collector.aggregator.acquaintances import Acquaintances, acquaintance_samples
from mega_collector.protocol import Hello, Report


def hello(name: str) -> Hello:
    return Hello(name, f"host of {name}")


def test_a_collector_is_connected_while_one_of_its_streams_is() -> None:
    now = 100.0
    them = Acquaintances(lambda: now)
    them.came(hello("a"))
    them.came(hello("a"))
    them.went("a")
    (found,) = them.all()
    assert found.connected
    now = 107.0
    them.went("a")
    now = 110.0
    (found,) = them.all()
    assert (found.connected, found.since) == (False, 3.0)


def test_the_report_that_came_last_counts_and_whoever_is_behind_most_comes_first() -> None:
    them = Acquaintances()
    for name in ("a", "b"):
        them.came(hello(name))
    them.reported("a", Report(1, 100))
    them.reported("b", Report(2, 50))
    them.reported("a", Report(1, 10))
    them.reported("unknown", Report(9, 9))
    assert [(each.hello.collector, each.report) for each in them.all()] == [("b", Report(2, 50)), ("a", Report(1, 10))]


def test_of_those_that_have_gone_the_latest_are_remembered() -> None:
    them = Acquaintances()
    them.came(hello("here"))
    for number in range(1000):
        them.came(hello(f"{number}"))
        them.went(f"{number}")
    known = {each.hello.collector for each in them.all()}
    assert known == {"here", *map(str, range(936, 1000))}


def test_metrics_show_a_number_of_collectors_and_each_name_once() -> None:
    them = Acquaintances()
    for number in range(300):
        them.came(hello(f"{number}"))
        them.reported(f"{number}", Report(1, number))
    them.came(hello("\x1b"))
    them.came(hello("\\x1b"))
    them.reported("\x1b", Report(1, 10**6))
    them.reported("\\x1b", Report(1, 10**6))
    lags = [each for each in acquaintance_samples(them.all()) if each.name.endswith("lag_bytes")]
    names = [each.labels["collector"] for each in lags]
    assert 90 < len(names) == len(set(names)) <= 100
    assert {"\\x1b", "299"} <= set(names)
    assert "0" not in names
