from mega_collector.telemetry.once import Once


def test_a_fact_is_told_the_first_time() -> None:
    assert Once(interval=60).due("full", 0.0) == 0


def test_within_the_interval_it_is_withheld_and_counted() -> None:
    once = Once(interval=60)
    assert [once.due("full", now) for now in (0.0, 1.0, 59.9, 60.0, 61.0)] == [0, None, None, 2, None]


def test_keys_do_not_hold_each_other_back() -> None:
    once = Once(interval=60)
    assert (once.due("a", 0.0), once.due("b", 0.0)) == (0, 0)


def test_a_settled_matter_is_told_at_once_when_it_returns() -> None:
    once = Once(interval=60)
    once.due("full", 0.0)
    once.forget("full")
    assert once.due("full", 1.0) == 0


def test_a_flood_of_keys_costs_no_memory() -> None:
    once = Once(interval=60, capacity=2)
    for key in range(100):
        once.due(key, 0.0)
    assert (once.due(0, 1.0), once.due(99, 1.0)) == (0, None)
