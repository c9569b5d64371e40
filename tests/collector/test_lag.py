"""How far behind the files are, in bytes and in time."""

from collections.abc import Iterator

from hypothesis import given, strategies as st

from mega_collector.collector.reading.lag import FileLag, Hold, Lags, Seen


def seen(size: int, acknowledged: int, key: object = "a") -> Seen:
    return Seen(key, b"/a", size, acknowledged, Hold.SENT)


def lag(lags: Lags) -> FileLag:
    (file,) = lags.files
    return file


def test_a_byte_is_as_old_as_when_the_file_was_first_seen_so_large() -> None:
    lags = Lags()
    for now, size, acknowledged in ((10, 100, 0), (20, 200, 0), (30, 300, 150)):
        lags.observe([seen(size, acknowledged)], now)
    assert (lag(lags).size, lag(lags).oldest_at, lag(lags).progressed_at) == (150, 20, 30)
    lags.observe([seen(300, 200)], 40)
    assert (lag(lags).size, lag(lags).oldest_at, lag(lags).progressed_at) == (100, 30, 40)


def test_growth_is_no_progress_and_a_step_back_is_none() -> None:
    lags = Lags()
    for now, size, acknowledged in ((10, 100, 50), (20, 200, 60), (30, 300, 60), (40, 300, 10)):
        lags.observe([seen(size, acknowledged)], now)
    assert (lag(lags).size, lag(lags).progressed_at) == (290, 20)


def test_who_has_caught_up_and_falls_behind_again_begins_anew() -> None:
    lags = Lags()
    lags.observe([seen(100, 0)], 10)
    lags.observe([], 20)
    assert lags.files == ()
    lags.observe([seen(200, 100)], 30)
    assert (lag(lags).oldest_at, lag(lags).progressed_at) == (30, 30)


def test_another_source_of_the_same_file_begins_anew() -> None:
    lags = Lags()
    lags.observe([seen(100, 0, "old")], 10)
    lags.observe([seen(50, 0, "new")], 20)
    assert (lag(lags).size, lag(lags).oldest_at) == (50, 20)


def steps() -> st.SearchStrategy[list[tuple[int, int, int]]]:
    """How much time passes, how much is written, and how much acknowledged."""
    return st.lists(st.tuples(st.integers(1, 20), st.integers(0, 50), st.integers(0, 60)), max_size=200)


def _played(moves: list[tuple[int, int, int]]) -> Iterator[tuple[Lags, int, list[int]]]:
    """Lags, now, and the time at which each byte that is not acknowledged was seen first."""
    lags, now, size, born = Lags(), 0, 0, list[int]()
    for passes, grows, acknowledges in moves:
        now += passes
        born += [now] * grows
        size += grows
        del born[:acknowledges]
        lags.observe([seen(size, size - len(born))] if born else [], now)
        yield lags, now, born


@given(steps())
def test_the_age_is_never_too_little_and_too_much_by_no_more_than_marks_are_apart(
    moves: list[tuple[int, int, int]],
) -> None:
    for lags, now, born in _played(moves):
        if not born:
            assert lags.files == ()
            continue
        assert lag(lags).size == len(born)
        age, true_age = now - lag(lags).oldest_at, now - born[0]
        assert age >= true_age
        # Few marks: to the time between two looks. Many: to a share of the whole.
        assert age <= true_age + max(20, now / 4)
