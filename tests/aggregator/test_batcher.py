"""When batches are sealed, and that they hold what came, whatever the borders."""

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from blocks import SOURCE, entries_of, make_block, make_source
from mega_collector.aggregator.batcher import Batcher
from mega_collector.batch import Batch

LINES = st.lists(st.one_of(st.just(b""), st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")))).map(
    lambda lines: b"".join(line + b"\n" for line in lines)
)
DATA = st.builds(lambda lines, end: lines + end, LINES, st.sampled_from([b"", b"", b"an end", b"\0", b"\r"])).filter(
    bool
)


def _batcher(max_entries: int = 1000, max_bytes: int = 1 << 20, max_age: float = 15) -> Batcher:
    return Batcher(max_entries=max_entries, max_bytes=max_bytes, max_age=max_age)


def _data(batches: list[Batch]) -> list[bytes]:
    return [b"".join(bytes(block.data) for block in batch.blocks) for batch in batches]


@given(
    blocks=st.lists(st.tuples(DATA, st.integers(0, 2)), max_size=12),
    max_entries=st.integers(1, 12),
    max_bytes=st.integers(1, 120),
)
def test_whatever_comes_leaves_in_order_in_batches_that_keep_their_limits(
    blocks: list[tuple[bytes, int]], max_entries: int, max_bytes: int
) -> None:
    batcher = _batcher(max_entries, max_bytes)
    sources = [make_source(name) for name in "abc"]
    ends = [0, 0, 0]
    given_blocks = []
    for data, which in blocks:
        given_blocks.append(make_block(data, ends[which], sources[which]))
        ends[which] += len(data)
    batches = [batch for block in given_blocks for batch in batcher.add(block, 0)] + batcher.flush()

    taken = [block for batch in batches for block in batch.blocks]
    assert entries_of(taken) == entries_of(given_blocks)
    for source in sources:
        own = [block for block in taken if block.source is source]
        assert [block.start for block in own] == [0, *(block.end for block in own)][: len(own)]
    for batch in batches:
        assert batch.entries == len(entries_of(batch.blocks))
        assert 1 <= batch.entries <= max_entries
        assert batch.size == sum(len(block.data) for block in batch.blocks)
        assert batch.size <= max_bytes or batch.entries == 1
    assert batcher.flush() == []


@given(blocks=st.lists(DATA, min_size=1, max_size=8), max_entries=st.integers(1, 12), max_bytes=st.integers(1, 120))
def test_no_batch_is_sealed_while_the_next_entry_would_have_fitted(
    blocks: list[bytes], max_entries: int, max_bytes: int
) -> None:
    batcher = _batcher(max_entries, max_bytes)
    batches = [batch for data in blocks for batch in batcher.add(make_block(data), 0)] + batcher.flush()
    sizes = [[len(entry) for entry in _plain_entries(batch)] for batch in batches]
    for batch, following in pairwise(sizes):
        assert len(batch) == max_entries or sum(batch) + following[0] > max_bytes


def _plain_entries(batch: Batch) -> list[bytes]:
    """Each entry as its source has it."""
    return [line for block in batch.blocks for line in re.findall(rb"[^\n]*\n|[^\n]+", bytes(block.data))]


def test_a_full_batch_is_sealed_at_once() -> None:
    batcher = _batcher(max_entries=3)
    assert batcher.add(make_block(b"1\n2\n"), 0) == []
    assert _data(batcher.add(make_block(b"3\n4\n"), 0)) == [b"1\n2\n3\n"]
    assert _data(batcher.flush()) == [b"4\n"]


def test_one_block_fills_many_batches() -> None:
    batcher = _batcher(max_entries=1000)
    sealed = batcher.add(make_block(b"".join(b"%d\n" % n for n in range(3500))), 0)
    assert [batch.entries for batch in sealed] == [1000, 1000, 1000]
    assert [batch.entries for batch in batcher.flush()] == [500]


@pytest.mark.case(68)
def test_the_time_counts_from_the_first_entry_of_a_batch_and_steady_ones_do_not_put_it_off() -> None:
    batcher = _batcher(max_age=15)
    assert batcher.deadline == math.inf
    batcher.add(make_block(b"first\n"), 100)
    for now in range(101, 115):
        batcher.add(make_block(b"later\n"), now)
        assert batcher.deadline == 115
        assert batcher.due(now) == []
    assert _data(batcher.due(115)) == [b"first\n" + b"later\n" * 14]
    assert batcher.deadline == math.inf


def test_the_time_of_the_next_batch_counts_from_its_own_first_entry() -> None:
    batcher = _batcher(max_entries=2, max_age=15)
    batcher.add(make_block(b"1\n"), 100)
    batcher.add(make_block(b"2\n3\n"), 107)
    assert batcher.deadline == 122


@pytest.mark.case(68)
def test_an_entry_that_would_pass_the_byte_limit_goes_to_the_next_batch() -> None:
    batcher = _batcher(max_bytes=10)
    assert batcher.add(make_block(b"12345\n"), 0) == []
    assert _data(batcher.add(make_block(b"6789\n"), 0)) == [b"12345\n"]
    assert _data(batcher.flush()) == [b"6789\n"]


def test_entries_that_meet_the_byte_limit_exactly_stay_together() -> None:
    batcher = _batcher(max_bytes=10)
    assert batcher.add(make_block(b"1234\n"), 0) == []
    batches = batcher.add(make_block(b"5678\n"), 0) + batcher.add(make_block(b"\n"), 0) + batcher.flush()
    assert _data(batches) == [b"1234\n5678\n", b"\n"]


def test_an_entry_larger_than_the_byte_limit_is_a_batch_alone() -> None:
    batcher = _batcher(max_bytes=10)
    large = b"x" * 100 + b"\n"
    batches = batcher.add(make_block(b"1\n" + large + b"2\n"), 0) + batcher.flush()
    assert _data(batches) == [b"1\n", large, b"2\n"]


def test_the_last_piece_of_an_unterminated_block_says_so_and_no_other() -> None:
    batcher = _batcher(max_entries=2)
    batches = batcher.add(make_block(b"1\n2\n3\nfragment"), 0)
    assert _data(batches) == [b"1\n2\n", b"3\nfragment"]
    assert [batch.blocks[-1].unterminated for batch in batches] == [False, True]


def test_every_piece_says_when_its_block_was_received() -> None:
    batches = _batcher(max_entries=1).add(make_block(b"1\n2\n3")._replace(received=17), 0)
    assert [block.received for batch in batches for block in batch.blocks] == [17, 17, 17]


def test_nothing_is_sealed_where_nothing_came() -> None:
    batcher = _batcher()
    assert batcher.flush() == []
    assert batcher.due(math.inf) == []
    assert batcher.statistics().batches_sealed == 0


@pytest.mark.parametrize("data", [b"\n", b"\0\0\n", b"\xff\xfe\r\n", "\N{GRINNING FACE}\n".encode(), b"no newline"])
def test_bytes_leave_as_they_came(data: bytes) -> None:
    batcher = _batcher()
    batcher.add(make_block(data), 0)
    (batch,) = batcher.flush()
    assert [bytes(block.data) for block in batch.blocks] == [data]
    assert batch.blocks[0].source is SOURCE


def test_what_is_pending_can_be_seen() -> None:
    batcher = _batcher()
    batcher.add(make_block(b"1\n22\n"), 0)
    statistics = batcher.statistics()
    assert (statistics.entries_pending, statistics.bytes_pending) == (2, 5)


def test_a_batch_of_very_many_small_blocks_is_sealed_whatever_its_limits() -> None:
    batcher = _batcher(max_entries=10**9, max_bytes=10**9)
    sealed = [batch for number in range(20_000) for batch in batcher.add(make_block(b"\n", number), 0)]
    assert [len(batch.blocks) for batch in [*sealed, *batcher.flush()]] == [16_384, 20_000 - 16_384]
