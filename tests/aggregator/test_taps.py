"""Whoever watches sees what is committed, in order, or is told how much was missed; nobody waits for them."""

import pytest

from blocks import make_block
from harness.aside import Aside
from harness.until import quiet
from mega_collector.aggregator.taps import MOST_TAPS, Missed, Taps, TooManyTaps
from mega_collector.batch import Batch
from mega_collector.block import Block


def large() -> Block:
    """Two MiB of its own."""
    return make_block(b"x\n" * (1 << 20))


def batch(*blocks: Block) -> Batch:
    return Batch(blocks, sum(each.entries for each in blocks), sum(len(each.data) for each in blocks))


def part(data: memoryview) -> Block:
    return make_block(b"a\n")._replace(data=data)


def test_all_of_it_is_seen_in_order_and_by_reference() -> None:
    taps = Taps()
    tap = taps.begin()
    blocks = [make_block(b"a line\n", start) for start in range(0, 70, 7)]
    taps.offer([batch(*blocks[:3]), batch(*blocks[3:])])
    assert all(tap.take() is block for block in blocks)


def test_what_finds_no_room_is_counted_where_it_would_have_stood() -> None:
    taps = Taps()
    tap = taps.begin()
    for _ in range(10):
        taps.offer([batch(large())])
    assert [tap.take(), tap.take()] == [large(), large()]
    taps.offer([batch(make_block(b"a line\n"))])
    assert [tap.take(), tap.take()] == [Missed(8 << 20), make_block(b"a line\n")]


def test_what_is_missed_at_the_end_is_told_too() -> None:
    taps = Taps()
    tap = taps.begin()
    for _ in range(3):
        taps.offer([batch(large())])
    assert [tap.take(), tap.take(), tap.take()] == [large(), large(), Missed(1 << 20)]


def test_a_part_keeps_the_whole_in_memory_and_counts_so() -> None:
    taps = Taps()
    tap = taps.begin()
    for number in range(100):
        whole = memoryview(b"%3d\n" % number * (1 << 18))
        taps.offer([batch(part(whole[:4]), part(whole[4:8]))])
    seen = [tap.take() for _ in range(9)]
    assert [isinstance(each, Block) for each in seen] == [True] * 8 + [False]


def test_many_small_ones_are_bounded_too() -> None:
    taps = Taps()
    tap = taps.begin()
    for _ in range(100):
        taps.offer([batch(*[make_block(b"\n")] * 1000)])
    seen = 0
    while isinstance(tap.take(), Block):
        seen += 1
    assert seen <= 4096


def test_one_larger_than_all_the_room_is_seen() -> None:
    taps = Taps()
    tap = taps.begin()
    larger = make_block(b"x" * (5 << 20) + b"\n")
    taps.offer([batch(larger)])
    assert tap.take() is larger


def test_those_who_watch_are_so_many_at_the_most() -> None:
    taps = Taps()
    tapping = [taps.begin() for _ in range(MOST_TAPS)]
    with pytest.raises(TooManyTaps):
        taps.begin()
    taps.end(tapping[0])
    taps.begin()


def test_nobody_is_asked_for_while_nobody_watches() -> None:
    taps = Taps()
    assert not taps.open
    tap = taps.begin()
    assert taps.open
    taps.end(tap)
    taps.end(tap)
    assert not taps.open
    taps.offer([batch(large())])
    assert tap.take() is None


def test_closing_wakes_those_who_wait_and_lets_nobody_in(aside: Aside) -> None:
    taps = Taps()
    tap = taps.begin()
    taking, resting = aside(tap.take), aside(lambda: tap.rest(1000))
    quiet(lambda: taking.done() or resting.done(), "the tap", 0.05)
    taps.close()
    assert taking.result(10) is None
    resting.result(10)
    with pytest.raises(TooManyTaps):
        taps.begin()
