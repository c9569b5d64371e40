"""What is to be said on a stream goes out together, where it is small."""

import pytest

from blocks import SOURCE, make_block
from harness.aside import Aside
from harness.until import quiet
from mega_collector import wire
from mega_collector.block import Block
from mega_collector.collector.sending.outbox import Outbox
from mega_collector.protocol import Describe, Flush, FromCollector, Open, Report

FOREVER = 1000.0
LARGE = make_block(b"x" * (224 << 10) + b"\n")


def small(start: int = 0) -> Block:
    return make_block(b"x\n", start)


def said(*messages: FromCollector, pace: float = 0.0) -> Outbox:
    outbox = Outbox(pace=pace)
    for message in messages:
        outbox.say(message)
    return outbox


def all_of(outbox: Outbox, count: int) -> list[list[FromCollector]]:
    """So many messages, as they go out together."""
    taken: list[list[FromCollector]] = []
    while sum(map(len, taken)) < count:
        taken.append(outbox.take())
    return taken


def test_what_is_small_goes_out_together_in_order() -> None:
    messages: list[FromCollector] = [Describe(SOURCE), Open(SOURCE, 0), small(0), small(2), Flush()]
    assert said(*messages).take() == messages


def test_what_is_large_goes_alone_and_in_its_turn() -> None:
    outbox = said(small(0), LARGE, small(2), small(4))
    assert all_of(outbox, 4) == [[small(0)], [LARGE], [small(2), small(4)]]


@pytest.mark.parametrize(
    "message",
    [small(), make_block(b"x" * 20_000 + b"\n"), Describe(SOURCE), Flush()],
    ids=lambda each: type(each).__name__,
)
def test_what_goes_together_is_bounded(message: FromCollector) -> None:
    taken = all_of(said(*[message] * 3000), 3000)
    assert max(map(len, taken)) <= wire.MAX_GROUP
    assert max(len(wire.serialize_all(each)) for each in taken) <= 224 << 10 < wire.MAX_GROUP_SIZE
    assert len(taken) < 3000


def test_what_comes_after_a_pause_goes_at_once_and_what_comes_behind_it_waits_for_more(aside: Aside) -> None:
    outbox = said(small(0), pace=FOREVER)
    assert outbox.take() == [small(0)]
    outbox.say(small(2))
    taking = aside(outbox.take)
    quiet(taking.done, "what is small", 0.05)
    outbox.say(LARGE)
    assert taking.result(10) == [small(2)]
    assert outbox.take() == [LARGE]


def test_what_is_small_does_not_wait_behind_what_is_large() -> None:
    outbox = said(LARGE, pace=FOREVER)
    assert outbox.take() == [LARGE]
    outbox.say(small())
    assert outbox.take() == [small()]


def test_enough_that_is_small_does_not_wait(aside: Aside) -> None:
    outbox = said(small(0), pace=FOREVER)
    outbox.take()
    taking = aside(outbox.take)
    for number in range(1000):
        outbox.say(small(number))
    assert taking.result(10)[0] == small(0)


def test_what_is_small_goes_when_its_time_has_come() -> None:
    now = [100.0]
    outbox = Outbox(pace=5.0, clock=lambda: now[0])
    outbox.say(small(0))
    outbox.take()
    outbox.say(small(2))
    now[0] += 5.0
    assert outbox.take() == [small(2)]


def test_whoever_waits_for_something_to_say_is_told_of_the_first_thing(aside: Aside) -> None:
    outbox = said()
    taking = aside(outbox.take)
    quiet(taking.done, "an empty outbox", 0.05)
    outbox.say(small())
    assert taking.result(10) == [small()]


@pytest.mark.parametrize("waiting", [[], [small(2)], [small(2), LARGE, LARGE]], ids=["nothing", "something", "much"])
def test_what_is_not_said_when_it_is_closed_is_never_said(waiting: list[Block], aside: Aside) -> None:
    outbox = said(small(0), pace=FOREVER)
    outbox.take()
    for message in waiting:
        outbox.say(message)
    if len(waiting) > 1:
        outbox.take()
    taking = aside(outbox.take) if len(waiting) < 2 else None
    outbox.close()
    assert taking is None or taking.result(10) == []
    outbox.say(small(4))
    assert outbox.take() == []


def test_of_what_is_mentioned_the_last_is_said_behind_the_rest() -> None:
    outbox = said(small(0))
    for number in range(1000):
        outbox.mention(Report(number, 0))
    assert outbox.take() == [small(0), Report(999, 0)]


def test_whoever_waits_is_told_of_what_is_mentioned(aside: Aside) -> None:
    outbox = said()
    taking = aside(outbox.take)
    quiet(taking.done, "an empty outbox", 0.05)
    outbox.mention(Report(1, 0))
    assert taking.result(10) == [Report(1, 0)]
