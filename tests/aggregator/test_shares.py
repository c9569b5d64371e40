"""How the ingest buffer is shared out: evenly among few, in turns among many that have much to send."""

import math

from hypothesis import given, strategies as st

from mega_collector.aggregator.shares import Shares
from mega_collector.protocol import block_size

MIB = 1 << 20
BUFFER = 12 * MIB
TURN = BUFFER // 6
EVEN = 64 << 10
"""What each of fifty has."""
FULL = block_size(EVEN)


class Stream:
    """Remembers what it was granted, and confirms it when it is let."""

    def __init__(self, shares: Shares) -> None:
        self.grants = [shares.join(self)]

    def grant(self, window: int) -> None:
        self.grants.append(window)

    def confirm(self, shares: Shares, now: float = 0.0) -> None:
        shares.confirm(self, self.window, now)

    @property
    def window(self) -> int:
        return self.grants[-1]


def _streams(shares: Shares, count: int) -> list[Stream]:
    streams = [Stream(shares) for _ in range(count)]
    for stream in streams:
        shares.acknowledge(stream)
    return streams


def _send(shares: Shares, stream: Stream, size: int, now: float = 0.0, largest: int | None = None) -> None:
    """Send under a grant that was confirmed, and confirm what comes of it."""
    stream.confirm(shares, now)
    shares.receive(stream, size, size if largest is None else largest, now)


def test_one_among_many_that_has_much_to_send_has_a_turn_at_once() -> None:
    shares = Shares(BUFFER)
    streams = _streams(shares, 50)
    _send(shares, streams[7], FULL)
    assert [stream.window for stream in streams] == [TURN if each == 7 else EVEN for each in range(50)]


def test_who_has_little_to_send_keeps_its_share() -> None:
    shares = Shares(BUFFER)
    streams = _streams(shares, 50)
    for stream in streams[:10]:
        _send(shares, stream, FULL)
    _send(shares, streams[20], 1000)
    assert streams[20].window == EVEN


def test_those_behind_the_first_three_wait() -> None:
    shares = Shares(BUFFER)
    streams = _streams(shares, 50)
    for stream in streams:
        _send(shares, stream, FULL)
    assert [stream.window for stream in streams] == [TURN] * 3 + [0] * 47


def test_a_turn_goes_to_the_next_after_so_many_bytes_and_comes_again() -> None:
    shares = Shares(BUFFER)
    first, second, beside, third = _streams(shares, 50)[:4]
    for stream in (first, second, beside, third):
        _send(shares, stream, FULL)
    _send(shares, first, 8 * MIB, largest=MIB)
    first.confirm(shares)
    assert [each.window for each in (first, second, third)] == [0, TURN, TURN]
    _send(shares, second, 8 * MIB, largest=MIB)
    second.confirm(shares)
    assert [each.window for each in (first, second, third)] == [TURN, 0, TURN]


def test_the_next_turn_begins_when_it_is_confirmed_that_the_one_before_is_over() -> None:
    shares = Shares(BUFFER)
    first, second, beside, third = _streams(shares, 50)[:4]
    for stream in (first, second, beside, third):
        _send(shares, stream, FULL)
    _send(shares, first, 8 * MIB, largest=MIB)
    shares.confirm(first, TURN, 0.0)  # it had not heard yet
    assert [each.window for each in (first, second, third)] == [0, TURN, 0]
    shares.confirm(first, 0, 0.0)
    assert third.window == TURN


def test_one_that_confirms_nothing_is_waited_for_a_second() -> None:
    shares = Shares(BUFFER)
    first, second, beside, third = _streams(shares, 50)[:4]
    for stream in (first, second, beside, third):
        _send(shares, stream, FULL)
    for stream in (first, second, beside):
        _send(shares, stream, 8 * MIB, 0.25, largest=MIB)
    assert third.window == 0
    assert shares.next_due == 1.25
    shares.due(1.25)
    assert third.window == TURN


def test_what_was_sent_before_a_turn_was_heard_of_does_not_end_it() -> None:
    shares = Shares(BUFFER)
    first, second, beside, third = _streams(shares, 50)[:4]
    for stream in (first, second, beside, third):
        _send(shares, stream, FULL)
    shares.receive(first, FULL, FULL, 0.0)
    assert first.window == TURN


def test_a_turn_goes_on_while_nobody_waits() -> None:
    shares = Shares(BUFFER)
    stream = _streams(shares, 50)[0]
    _send(shares, stream, FULL)
    for now in range(100):
        _send(shares, stream, MIB, now)
        shares.due(now)
    assert stream.window == TURN
    assert shares.next_due == math.inf


def test_a_turn_ends_with_a_block_that_is_not_full() -> None:
    shares = Shares(BUFFER)
    first, second, beside, third = _streams(shares, 50)[:4]
    for stream in (first, second, beside, third):
        _send(shares, stream, FULL)
    _send(shares, first, FULL)
    first.confirm(shares)
    assert [each.window for each in (first, second, third)] == [EVEN, TURN, TURN]


def test_a_turn_ends_with_silence() -> None:
    shares = Shares(BUFFER)
    first, second, beside, third = _streams(shares, 50)[:4]
    for stream in (first, second, beside, third):
        _send(shares, stream, FULL)
    first.confirm(shares, 0.01)
    _send(shares, second, MIB, 0.015)
    due = shares.next_due
    shares.due(due - 0.001)
    assert first.window == TURN
    shares.due(due)
    first.confirm(shares, due)
    assert [each.window for each in (first, second, third)] == [EVEN, TURN, TURN]


def test_one_that_is_slow_holds_up_nobody_and_does_not_get_a_turn_again_soon() -> None:
    shares = Shares(BUFFER)
    slow, *others = _streams(shares, 50)
    for stream in (slow, *others):
        _send(shares, stream, FULL)
    now = 0.0
    while slow.window == TURN:
        now += 0.015
        _send(shares, slow, 1000, now, largest=MIB)
        _send(shares, others[0], 1000, now, largest=MIB)
        shares.due(now)
    assert now < 1
    assert slow.window == EVEN
    assert all(stream.window for stream in others)
    _send(shares, slow, FULL, now)
    assert slow.window == EVEN
    _send(shares, slow, FULL, now + 20)
    assert slow.window in {0, TURN}


def test_who_leaves_lets_the_next_have_its_turn() -> None:
    shares = Shares(BUFFER)
    streams = _streams(shares, 50)
    for stream in streams:
        _send(shares, stream, FULL)
    waiting = streams[3:]
    shares.leave(streams[0], 1.0)
    assert [stream.window for stream in waiting[:3]] == [TURN, 0, 0]
    shares.leave(waiting[1], 1.0)
    shares.leave(streams[1], 1.0)
    assert [stream.window for stream in waiting[2:4]] == [TURN, 0]


def test_nobody_waits_where_few_are_left() -> None:
    shares = Shares(BUFFER)
    streams = _streams(shares, 8)
    for stream in streams:
        _send(shares, stream, block_size(stream.window))
    assert [stream.window for stream in streams] == [TURN] * 3 + [0] * 5
    for stream in streams[:4]:
        shares.leave(stream, 1.0)
    assert [stream.window for stream in streams[4:]] == [BUFFER // 4] * 4


def test_few_of_a_thousand_are_told_that_another_came_or_went() -> None:
    shares = Shares(1024 * MIB)
    streams = _streams(shares, 1000)
    assert sum(len(stream.grants) for stream in streams) < 12 * len(streams)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["join", "leave", "ack", "full", "little", "due"]), st.integers(0, 30), st.floats(0.001, 0.6)
    ),
    max_size=200,
)


@given(ACTIONS, st.sampled_from([MIB, BUFFER, 64 * MIB]))
def test_whatever_happens_what_is_granted_fits_and_nobody_waits_for_ever(
    actions: list[tuple[str, int, float]], buffer: int
) -> None:
    shares, now = Shares(buffer), 0.0
    streams: list[Stream] = []
    for action, which, pause in actions:
        now += pause / 10
        if action == "join" or not streams:
            streams.append(Stream(shares))
            continue
        stream = streams[which % len(streams)]
        if action == "leave":
            shares.leave(stream, now)
            streams.remove(stream)
        elif action == "ack":
            shares.acknowledge(stream)
        elif action == "full":
            _send(shares, stream, block_size(stream.window or 1 << 18), now)
        elif action == "little":
            _send(shares, stream, 100, now)
        else:
            shares.due(now)
        windows = [each.window for each in streams]
        smallest = len(streams) * EVEN
        assert sum(sorted(windows)[:-3]) <= max(buffer, smallest)
        assert sum(windows) <= max(buffer, smallest) + 3 * buffer // 6
    for _ in range(2 * len(streams)):
        # Whoever has a turn says nothing more.
        now += 1.1
        shares.due(now)
    assert all(stream.window for stream in streams)
