"""What one followed file is, from one look to the next."""

import pytest

from blocks import SOURCE, make_source
from mega_collector.collector.reading.follower import Follower, Sight
from mega_collector.marker import TAIL_SIZE, Marker

ROTATE_WAIT = 5.0


def _follower(size: int = 100, position: int = 0, now: float = 0) -> Follower:
    follower = Follower(SOURCE, path=SOURCE.path, size=size, changed_ns=1, now=now, rotate_wait=ROTATE_WAIT)
    follower.settle(SOURCE, position, b"")
    return follower


@pytest.mark.parametrize(
    ("size", "mtime_ns", "sight"),
    [
        pytest.param(100, 1, Sight.SAME, id="nothing happened"),
        pytest.param(101, 2, Sight.GREW, id="it grew"),
        pytest.param(101, 1, Sight.GREW, id="it grew in one tick of the clock"),
        pytest.param(101, 0, Sight.GREW, id="it grew and its time went back"),
        pytest.param(99, 2, Sight.TRUNCATED, id="it is shorter"),
        pytest.param(0, 1, Sight.TRUNCATED, id="it is empty"),
        pytest.param(100, 2, Sight.SUSPECT, id="it was written to and is as long as before"),
        pytest.param(100, 0, Sight.SUSPECT, id="its time went back"),
    ],
)
def test_a_look_is_told_from_the_one_before(size: int, mtime_ns: int, sight: Sight) -> None:
    assert _follower(100, 50).observe(size, mtime_ns, 1) is sight


def test_a_file_that_is_shorter_than_what_was_read_was_truncated_even_if_no_look_saw_it_longer() -> None:
    follower = _follower(100)
    follower.took(200, b"x" * 100)
    follower.observe(200, 1, 1)
    assert follower.observe(150, 2, 2) is Sight.TRUNCATED


def test_a_truncation_begins_a_source_at_0_that_must_be_settled() -> None:
    follower = _follower(100, 100)
    assert follower.observe(30, 2, 7) is Sight.TRUNCATED
    new = make_source("new")
    follower.restart(new, 30, 7)
    assert (follower.source, follower.position, follower.tail) == (new, 0, b"")
    assert (follower.settled, follower.truncated, follower.lag) == (False, True, 30)
    assert follower.readable(7)


def test_there_is_something_to_read_until_it_was_looked_at() -> None:
    follower = _follower(10)
    assert follower.readable(0)
    follower.looked(10, written_to=10)
    assert not follower.readable(0)
    follower.observe(11, 2, 1)
    assert follower.readable(1)


def test_space_that_was_set_aside_and_never_written_to_may_be_cut_off() -> None:
    follower = _follower(1000)
    assert follower.is_cut(999)
    follower.looked(1000, written_to=10)
    assert not follower.is_cut(10)
    assert follower.is_cut(9)
    assert follower.observe(10, 1, 0) is Sight.SUSPECT
    assert follower.size == 10
    assert follower.observe(1000, 2, 0) is Sight.GREW
    assert follower.observe(999, 3, 0) is Sight.TRUNCATED


def test_a_fragment_is_read_again_once_it_is_final() -> None:
    follower = _follower(10)
    follower.looked(10, written_to=10)
    follower.path = None
    assert not follower.readable(ROTATE_WAIT - 0.1)
    assert follower.readable(ROTATE_WAIT)


def test_a_file_with_a_name_is_never_final() -> None:
    follower = _follower(10, 10)
    assert not follower.final(1e9)


def test_the_wait_after_the_name_is_gone_counts_from_the_last_growth() -> None:
    follower = _follower(10, 10, now=0)
    follower.path = None
    follower.observe(20, 2, 4)
    assert not follower.final(4 + ROTATE_WAIT - 0.1)
    assert follower.final(4 + ROTATE_WAIT)


def test_however_quiet_it_was_the_wait_begins_when_it_loses_its_name() -> None:
    follower = _follower(10, 10, now=0)
    follower.rename(None, 100)
    assert not follower.final(100 + ROTATE_WAIT - 0.1), "whoever writes to it may not know yet"
    assert follower.final(100 + ROTATE_WAIT)


def test_it_is_finished_when_all_is_read_and_it_was_quiet() -> None:
    follower = _follower(10)
    follower.path = None
    assert not follower.finished(100), "unread"
    follower.took(10, b"1234567890")
    assert follower.finished(100)


def test_a_name_that_comes_back_makes_it_live_again() -> None:
    follower = _follower(10, 10)
    follower.path = None
    follower.path = b"/logs/a.log.1"
    assert not follower.finished(100)


@pytest.mark.parametrize("sizes", [[1] * 100, [63, 1], [64], [65], [200, 3], [30, 40]])
def test_the_tail_is_the_last_bytes_that_were_read(sizes: list[int]) -> None:
    data = bytes(range(256)) * 2
    follower = _follower(len(data))
    end = 0
    for size in sizes:
        follower.took(end + size, data[end : end + size])
        end += size
    assert follower.tail == data[max(end - TAIL_SIZE, 0) : end]
    assert follower.before() == Marker.of(follower.tail)


def test_nothing_is_known_of_bytes_that_were_passed_over() -> None:
    follower = _follower(10)
    follower.took(5, b"12345")
    follower.passed(50)
    assert (follower.position, follower.tail, follower.lag) == (50, b"", 0)
    assert follower.size == 50


def test_the_lag_is_what_is_not_read() -> None:
    follower = _follower(100, 30)
    assert follower.lag == 70
    follower.observe(20, 2, 1)
    assert follower.lag == 0
