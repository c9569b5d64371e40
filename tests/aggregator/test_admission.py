"""What is let in: every byte of a source once, in order, whatever is sent again."""

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from blocks import SOURCE, entries_of, make_block, make_source
from mega_collector.aggregator.admission import Admission, Duplicate
from mega_collector.block import Block, Skip, SkipReason
from mega_collector.protocol import Refusal, RefusalReason

# A source of lines of every length, the empty one and a fragment at the end among them.
CONTENT = b"".join(b"%d:" % n + b"x" * (n * 7 % 11) + b"\n" * (1 + n % 3 // 2) for n in range(30)) + b"the end"
BORDERS = [0, *(at + 1 for at in range(len(CONTENT)) if CONTENT[at] == 0x0A), len(CONTENT)]
ANY_RANGE = st.tuples(st.sampled_from(BORDERS), st.sampled_from(BORDERS)).filter(lambda ends: ends[0] < ends[1])


def _opened(position: int = 0, committed: int | None = None) -> Admission:
    admission = Admission()
    assert admission.open(SOURCE, position, committed) is None
    return admission


class Histories(RuleBasedStateMachine):
    """Any blocks and skips of a source, overlapping and in any order, against the set of bytes that have come in."""

    @initialize(position=st.sampled_from(BORDERS))
    def open(self, position: int) -> None:
        self.admission = _opened(position)
        self.begin = self.end = self.committed = position
        self.taken: list[int] = []

    @rule(ends=ANY_RANGE)
    def block(self, ends: tuple[int, int]) -> None:
        start, end = ends
        answer = self.admission.admit(make_block(CONTENT[start:end], start))
        if self._answered(start, end, answer):
            assert isinstance(answer, Block)
            assert bytes(answer.data) == CONTENT[answer.start : end]
            assert answer.entries == len(entries_of([answer]))
            assert answer.unterminated == (end == len(CONTENT))

    @rule(ends=ANY_RANGE)
    def skip(self, ends: tuple[int, int]) -> None:
        start, end = ends
        answer = self.admission.skip(Skip(SOURCE, start, end, SkipReason.HOLE))
        if self._answered(start, end, answer):
            assert isinstance(answer, Skip)
            assert answer.reason is SkipReason.HOLE

    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        self.committed = data.draw(st.integers(self.committed, self.end))
        self.admission.commit(SOURCE.id, self.committed)

    @rule(position=st.sampled_from(BORDERS))
    def open_again(self, position: int) -> None:
        refusal = self.admission.open(SOURCE, position, self.committed)
        assert (refusal is not None) == (position > self.end)
        if refusal is not None:
            self._is_refused(refusal, position)

    @rule()
    def forget_what_has_been_taken_up_since(self) -> None:
        self.admission.forget(SOURCE.id, self.end - 1)

    @invariant()
    def every_byte_came_in_once_and_in_order(self) -> None:
        assert self.taken == list(range(self.begin, self.end))
        assert self.admission.expected(SOURCE.id) == self.end

    def _answered(self, start: int, end: int, answer: Block | Skip | Duplicate | Refusal) -> bool:
        """Check an answer; whether something came in."""
        if start > self.end:
            assert isinstance(answer, Refusal)
            self._is_refused(answer, start)
        elif end <= self.end:
            assert answer == Duplicate(self.committed)
        else:
            assert isinstance(answer, Block | Skip)
            assert (answer.start, answer.end) == (self.end, end)
            self.taken += range(answer.start, answer.end)
            self.end = end
            return True
        return False

    def _is_refused(self, refusal: Refusal, start: int) -> None:
        assert (refusal.reason, refusal.retry) == (RefusalReason.WRONG_START, True)
        assert (refusal.source_id, refusal.start, refusal.expected) == (SOURCE.id, start, self.end)


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_a_source_goes_on_where_the_ledger_has_it_and_not_where_the_collector_says() -> None:
    admission = _opened(position=0, committed=20)
    assert admission.expected(SOURCE.id) == 20
    assert admission.admit(make_block(b"x" * 19 + b"\n")) == Duplicate(20)


def test_a_source_that_nothing_is_known_of_goes_on_where_the_collector_says() -> None:
    assert _opened(position=500).expected(SOURCE.id) == 500


def test_what_another_process_only_opened_does_not_hold_up_the_next_one() -> None:
    """It was killed before it sent anything of what it had begun, perhaps to pass over that."""
    admission = Admission()
    assert admission.open(SOURCE, 0, None, b"one") is None
    assert admission.begins(SOURCE.id, None, b"other")
    assert admission.open(SOURCE, 24, None, b"other") is None
    assert isinstance(admission.admit(make_block(b"line\n", 24)), Block)
    assert not admission.begins(SOURCE.id, None, b"third"), "that is in flight"
    refusal = admission.open(SOURCE, 40, None, b"third")
    assert refusal is not None
    assert refusal.expected == 29


def test_a_collector_that_is_ahead_of_the_ledger_is_told_where_the_ledger_stands() -> None:
    refusal = Admission().open(SOURCE, 50, 20)
    assert refusal is not None
    assert (refusal.expected, refusal.retry) == (20, True)


def test_what_follows_a_gap_is_refused_too() -> None:
    admission = _opened()
    for start in (10, 20, 30):
        answer = admission.admit(make_block(b"123456789\n", start))
        assert isinstance(answer, Refusal)
        assert (answer.start, answer.expected) == (start, 0)


def test_sources_stand_each_for_itself() -> None:
    admission = Admission()
    one, other = make_source("one"), make_source("other")
    admission.open(one, 0, None)
    admission.open(other, 100, None)
    admission.admit(make_block(b"1\n", 0, one))
    assert (admission.expected(b"one"), admission.expected(b"other"), admission.expected(b"none")) == (2, 100, None)


def test_a_source_that_has_ended_is_forgotten() -> None:
    admission = _opened()
    admission.admit(make_block(b"1\n"))
    admission.forget(SOURCE.id, 2)
    assert (len(admission), admission.expected(SOURCE.id)) == (0, None)


def test_a_source_that_was_taken_up_again_after_its_end_is_not_forgotten() -> None:
    admission = _opened()
    admission.admit(make_block(b"1\n"))
    admission.admit(make_block(b"2\n", 2))
    admission.forget(SOURCE.id, 2)
    assert admission.admit(make_block(b"2\n", 2)) == Duplicate(0)


@pytest.mark.parametrize("item", [make_block(b"late\n", 30), Skip(SOURCE, 30, 35, SkipReason.NULS)])
def test_what_comes_for_a_source_that_ended_on_another_stream_asks_for_a_handshake(item: Block | Skip) -> None:
    admission = _opened()
    admission.forget(SOURCE.id, 0)
    answer = admission.admit(item) if isinstance(item, Block) else admission.skip(item)
    assert isinstance(answer, Refusal)
    assert (answer.reason, answer.start, answer.retry) == (RefusalReason.NOT_OPEN, 30, True)


@given(st.integers(0, 100), st.integers(0, 100))
def test_what_is_committed_never_goes_back(one: int, other: int) -> None:
    admission = _opened()
    admission.admit(make_block(b"x" * 200 + b"\n"))
    admission.commit(SOURCE.id, one)
    admission.commit(SOURCE.id, other)
    assert admission.admit(make_block(b"x" * 200 + b"\n")) == Duplicate(max(one, other))
    admission.commit(b"not known", 5)


def test_what_another_process_has_in_flight_of_a_source_or_its_file_is_known() -> None:
    admission = Admission()
    same, of_its_file, of_another = make_source("one"), make_source("other"), make_source("third", inode=3)
    admission.open(same, 0, None, b"first")
    admission.admit(make_block(b"1\n", 0, same))
    assert admission.left(same, b"second") == admission.left(of_its_file, b"second") == {same.id: 2}
    assert admission.left(same, b"first") == admission.left(of_another, b"second") == {}
    assert admission.left(None, b"second") == {same.id: 2}
    assert admission.left(None, b"first") == {}
    assert not admission.committed({same.id: 2})


def test_what_another_process_sent_is_not_in_flight_when_it_is_committed_or_taken_up() -> None:
    admission = Admission()
    admission.open(SOURCE, 0, None, b"first")
    admission.admit(make_block(b"1\n2\n"))
    admission.commit(SOURCE.id, 2)
    assert admission.left(SOURCE, b"second") == {SOURCE.id: 4}
    admission.commit(SOURCE.id, 4)
    assert admission.committed({SOURCE.id: 4})
    assert admission.left(SOURCE, b"second") == {}
    admission.open(SOURCE, 4, 4, b"second")
    admission.admit(make_block(b"3\n", 4))
    assert admission.left(SOURCE, b"second") == {}
    assert admission.left(SOURCE, b"first") == {SOURCE.id: 6}


def test_of_a_source_that_is_forgotten_nothing_is_in_flight() -> None:
    admission = Admission()
    one, other = make_source("one"), make_source("other")
    for source in (one, other):
        admission.open(source, 0, None, b"first")
        admission.admit(make_block(b"1\n", 0, source))
    admission.forget(one.id, 2)
    assert admission.left(one, b"second") == {other.id: 2}
    assert admission.committed({one.id: 2})
