"""What is said on a stream: answers in order, positions coalesced."""

from itertools import islice

from hypothesis import given, strategies as st

from harness.aside import Aside
from harness.until import quiet, until
from mega_collector.aggregator.outbox import Outbox
from mega_collector.protocol import Ack, FromAggregator, Grant, Resume

MOST = 1024


def _resume(number: int) -> Resume:
    return Resume(b"%d" % number, ())


def test_answers_are_said_in_order_and_then_the_end_comes() -> None:
    outbox = Outbox()
    for number in range(10):
        outbox.say(_resume(number))
    outbox.close()
    assert list(outbox.drain()) == [_resume(number) for number in range(10)]


def test_positions_that_wait_are_one_acknowledgement() -> None:
    outbox = Outbox()
    outbox.ack({b"a": 1, b"b": 10})
    outbox.ack({b"a": 2})
    outbox.ack({b"c": 5})
    outbox.close()
    assert list(outbox.drain()) == [Ack({b"a": 2, b"b": 10, b"c": 5})]


@given(st.lists(st.dictionaries(st.sampled_from([b"a", b"b"]), st.integers(1, 100), min_size=1), min_size=1))
def test_a_position_that_comes_late_does_not_take_back_a_newer_one(acks: list[dict[bytes, int]]) -> None:
    outbox = Outbox()
    for positions in acks:
        outbox.ack(positions)
    outbox.close()
    expected = {
        key: max(each.get(key, 0) for each in acks) for key in (b"a", b"b") if any(key in each for each in acks)
    }
    assert list(outbox.drain()) == [Ack(expected)]


def test_what_is_said_before_the_end_is_sent_after_it() -> None:
    outbox = Outbox()
    outbox.say(_resume(1))
    outbox.ack({b"a": 1})
    outbox.close()
    assert list(outbox.drain()) == [_resume(1), Ack({b"a": 1})]
    assert list(outbox.drain()) == []


def test_whoever_drains_waits_for_what_is_said(aside: Aside) -> None:
    outbox, heard = Outbox(), list[FromAggregator]()
    draining = aside(lambda: heard.extend(outbox.drain()))
    quiet(draining.done, "whoever drains", 0.05)
    outbox.say(_resume(1))
    until(lambda: heard == [_resume(1)], "the answer")
    outbox.ack({b"a": 7})
    until(lambda: heard == [_resume(1), Ack({b"a": 7})], "the acknowledgement")
    outbox.close()
    draining.result(10)


def test_what_is_said_shortly_after_something_else_waits_for_more(aside: Aside) -> None:
    outbox = Outbox(pace=1000.0)
    said = outbox.drain_together()
    outbox.say(_resume(1))
    assert next(said) == [_resume(1)]
    outbox.say(_resume(2))
    draining = aside(lambda: next(said))
    quiet(draining.done, "whoever drains", 0.05)
    outbox.ack({b"a": 7})
    outbox.close()
    assert draining.result(10) == [_resume(2), Ack({b"a": 7})]


def test_what_is_said_after_a_pause_is_sent_at_once(aside: Aside) -> None:
    outbox = Outbox(pace=0.001)
    said = outbox.drain_together()
    for number in range(10):
        outbox.say(_resume(number))
        assert aside(lambda: next(said)).result(10) == [_resume(number)]


def test_a_hint_is_left_out_where_too_much_waits_and_an_acknowledgement_never() -> None:
    outbox = _full()
    outbox.hint(Grant(5))
    outbox.ack({b"a": 1})
    outbox.close()
    assert list(outbox.drain()) == [*(_resume(number) for number in range(MOST)), Ack({b"a": 1})]


def test_a_hint_is_said_where_there_is_room() -> None:
    outbox = Outbox()
    outbox.hint(Grant(5))
    outbox.close()
    assert list(outbox.drain()) == [Grant(5)]


def test_whoever_says_too_much_waits_until_it_is_sent(aside: Aside) -> None:
    outbox = _full()
    saying = aside(lambda: outbox.say(_resume(MOST)))
    quiet(saying.done, "whoever says too much", 0.05)
    assert list(islice(outbox.drain(), MOST + 1)) == [_resume(number) for number in range(MOST + 1)]
    saying.result(10)


def test_the_end_lets_go_whoever_waits(aside: Aside) -> None:
    outbox = _full()
    saying = aside(lambda: outbox.say(_resume(MOST)))
    quiet(saying.done, "whoever says too much", 0.05)
    outbox.close()
    saying.result(10)


def _full() -> Outbox:
    outbox = Outbox()
    for number in range(MOST):
        outbox.say(_resume(number))
    return outbox


def test_what_is_large_waits_until_nothing_else_is_unsent(aside: Aside) -> None:
    outbox = Outbox()
    outbox.say(_resume(0), alone=True)
    asking = aside(lambda: outbox.say(_resume(1), alone=True))
    quiet(asking.done, "whoever asks", 0.05)
    drained = outbox.drain()
    assert next(drained) == _resume(0)
    until(asking.done, "whoever asks")
    assert next(drained) == _resume(1)
