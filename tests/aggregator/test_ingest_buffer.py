"""What was received and is not yet committed: bounded, in order."""

from functools import partial

import pytest

from blocks import SOURCE, make_block
from harness.aside import Aside
from harness.until import quiet, until
from mega_collector.aggregator.ingest_buffer import BufferClosed, IngestBuffer, Item
from mega_collector.block import Block, Skip, SkipReason
from mega_collector.protocol import Finish, Flush


def _block(size: int, start: int = 0) -> Block:
    return make_block(b"x" * (size - 1) + b"\n", start)


def test_everything_comes_out_in_the_order_in_which_it_came() -> None:
    buffer = IngestBuffer(100)
    items: list[Item] = [_block(10), Skip(SOURCE, 10, 20, SkipReason.HOLE), _block(5, 20), Flush(), Finish(SOURCE, 25)]
    for item in items:
        buffer.put(item)
    assert buffer.take(0) == items
    assert buffer.take(0) == []


def test_what_is_taken_counts_until_it_is_released() -> None:
    buffer = IngestBuffer(100)
    buffer.put(_block(60))
    buffer.take(0)
    assert buffer.statistics().size == 60
    buffer.release(60)
    assert buffer.statistics().size == 0


def test_whoever_puts_waits_while_it_is_full(aside: Aside) -> None:
    buffer = IngestBuffer(100)
    buffer.put(_block(60))
    putting = aside(lambda: buffer.put(_block(41, 60)))
    until(lambda: buffer.full, "the buffer to be full")
    assert len(buffer.take(0)) == 1
    quiet(putting.done, "whoever puts", 0.05)
    buffer.release(60)
    putting.result(10)
    assert (buffer.full, buffer.statistics().size) == (False, 41)


def test_it_is_full_only_beyond_its_limit() -> None:
    buffer = IngestBuffer(100)
    buffer.put(_block(60))
    buffer.put(_block(40, 60))
    assert (buffer.full, buffer.statistics().size) == (False, 100)


def test_many_that_wait_come_in_as_there_is_room_and_none_is_forgotten(aside: Aside) -> None:
    buffer = IngestBuffer(100)
    buffer.put(_block(100))
    putting = [aside(partial(buffer.put, _block(30, start))) for start in range(8)]
    until(lambda: buffer.statistics().waiting == 8, "all to wait")
    starts: list[int] = []
    while len(starts) < 9:
        items = until(lambda: buffer.take(0), "something to come in")
        assert buffer.statistics().size <= 100
        starts += [item.start for item in items if isinstance(item, Block)]
        buffer.release(sum(len(item.data) for item in items if isinstance(item, Block)))
    for each in putting:
        each.result(10)
    assert sorted(starts) == [0, *range(8)]
    assert buffer.statistics().size == 0


def test_one_block_always_fits_whatever_its_size() -> None:
    buffer = IngestBuffer(10)
    buffer.put(_block(5000))
    assert buffer.statistics().size == 5000


def test_a_block_larger_than_the_buffer_waits_until_it_is_empty(aside: Aside) -> None:
    buffer = IngestBuffer(10)
    buffer.put(_block(1))
    putting = aside(lambda: buffer.put(_block(5000, 1)))
    until(lambda: buffer.full, "the buffer to be full")
    buffer.release(1)
    putting.result(10)


@pytest.mark.parametrize("item", [Flush(), Finish(SOURCE, 5), Skip(SOURCE, 0, 5, SkipReason.NULS)])
def test_what_has_no_bytes_never_waits(item: Skip | Finish | Flush) -> None:
    buffer = IngestBuffer(10)
    buffer.put(_block(10))
    buffer.put(item)
    assert len(buffer.take(0)) == 2


def test_whoever_takes_waits_until_something_comes(aside: Aside) -> None:
    buffer = IngestBuffer(100)
    taking = aside(lambda: buffer.take(None))
    quiet(taking.done, "whoever takes", 0.05)
    block = _block(10)
    buffer.put(block)
    assert taking.result(10) == [block]


def test_whoever_takes_is_woken_when_it_is_full(aside: Aside) -> None:
    buffer = IngestBuffer(100)
    buffer.put(_block(100))
    buffer.take(0)
    taking = aside(lambda: buffer.take(None))
    quiet(taking.done, "whoever takes", 0.05)
    putting = aside(lambda: buffer.put(_block(1, 100)))
    assert taking.result(10) == []
    until(lambda: buffer.full, "the buffer to be full")
    assert aside(lambda: buffer.take(None)).result(10) == [], "nor does it sleep again while somebody waits"
    buffer.release(100)
    putting.result(10)


def test_nothing_is_taken_in_after_the_end_and_what_is_there_can_be_taken_out() -> None:
    buffer = IngestBuffer(100)
    block = _block(10)
    buffer.put(block)
    buffer.close()
    with pytest.raises(BufferClosed):
        buffer.put(_block(10, 10))
    assert buffer.closed
    assert buffer.take(None) == [block]
    assert buffer.take(None) == []
    assert buffer.statistics().blocks_received == 1


def test_the_end_lets_go_whoever_waits(aside: Aside) -> None:
    full, empty = IngestBuffer(10), IngestBuffer(10)
    full.put(_block(10))
    putting, taking = aside(lambda: full.put(_block(10, 10))), aside(lambda: empty.take(None))
    until(lambda: full.full, "the buffer to be full")
    full.close()
    empty.close()
    with pytest.raises(BufferClosed):
        putting.result(10)
    assert taking.result(10) == []
    assert full.statistics().size == 10


def test_what_was_received_is_counted() -> None:
    buffer = IngestBuffer(100)
    buffer.put(make_block(b"1\n22\n"))
    buffer.put(make_block(b"end", 5))
    buffer.put(Flush())
    statistics = buffer.statistics()
    assert (statistics.blocks_received, statistics.entries_received, statistics.bytes_received) == (2, 3, 8)
    assert (statistics.limit, statistics.size, statistics.waiting) == (100, 8, 0)
