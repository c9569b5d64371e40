"""The window between a collector and its aggregator, one exchange at a time. Whole histories: test_window_histories."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest

from blocks import SOURCE, make_block, make_source
from harness.aside import Aside
from mega_collector.block import Block, Skip, SkipReason
from mega_collector.collector.sending.window import Acknowledged, Decide, Stopped, Told, Window
from mega_collector.marker import TAIL_SIZE, Marker
from mega_collector.protocol import Describe, Finish, Known, Open, Refusal, RefusalReason, Resume

MOST = 16_384
NOTHING_KNOWN = Resume(SOURCE.id, ())


def _window(limit: int = 1000, block_size: int = 100) -> Window:
    window = Window(limit=limit, largest_block=block_size)
    window.connect(1 << 30)
    return window


def _open(window: Window, position: int = 0) -> Window:
    assert window.begin(SOURCE) == [Describe(SOURCE)]
    assert window.resume(NOTHING_KNOWN) == [Decide(SOURCE, NOTHING_KNOWN)]
    assert window.open(SOURCE, SOURCE, position) == [Open(SOURCE, position)]
    return window


def _sent(window: Window, *sizes: int) -> list[Block]:
    """Blocks of these sizes, one behind the other."""
    blocks = []
    start = 0
    for size in sizes:
        blocks.append(make_block(b"x" * (size - 1) + b"\n", start))
        assert window.send(blocks[-1]) == [blocks[-1]]
        start += size
    return blocks


def _known(position: int, source_id: bytes = SOURCE.id) -> Resume:
    return Resume(SOURCE.id, (Known(source_id, position, Marker(), Marker()),))


def _refusal(start: int, expected: int, reason: RefusalReason = RefusalReason.WRONG_START) -> Refusal:
    retry = reason in {RefusalReason.WRONG_START, RefusalReason.NOT_OPEN, RefusalReason.HELD_UP}
    return Refusal(SOURCE.id, start, expected, reason, retry, "why")


def _said(outcomes: Sequence[object]) -> list[type]:
    return [type(outcome) for outcome in outcomes]


# The handshake


def test_a_source_is_ready_after_its_handshake_and_not_before() -> None:
    window = _window()
    assert not window.ready(SOURCE)
    window.begin(SOURCE)
    assert not window.ready(SOURCE)
    window.resume(NOTHING_KNOWN)
    assert not window.ready(SOURCE)
    window.open(SOURCE, SOURCE, 0)
    assert window.ready(SOURCE)


def test_nothing_is_asked_twice() -> None:
    window = _window()
    assert window.begin(SOURCE) == [Describe(SOURCE)]
    assert window.begin(SOURCE) == []
    window.resume(NOTHING_KNOWN)
    window.open(SOURCE, SOURCE, 0)
    assert window.begin(SOURCE) == []


def test_nothing_is_said_without_a_connection() -> None:
    window = Window(limit=1000, largest_block=100)
    assert window.begin(SOURCE) == []
    assert window.end(SOURCE) == []


def test_an_answer_that_nobody_asked_for_moves_nothing() -> None:
    window = _window()
    assert window.resume(NOTHING_KNOWN) == []
    assert window.ack(SOURCE.id, 10) == []
    assert window.refuse(_refusal(0, 10)) == []
    _open(window)
    assert window.resume(_known(50)) == []


def test_a_file_may_go_on_as_another_source_than_it_was_described_as() -> None:
    window = _window()
    window.begin(SOURCE)
    window.resume(_known(70, b"earlier"))
    earlier = replace(SOURCE, id=b"earlier")
    assert window.open(SOURCE, earlier, 70) == [Open(earlier, 70)]
    assert window.ready(earlier)
    assert not window.ready(SOURCE)


def test_a_decision_that_comes_after_the_connection_is_gone_is_kept_for_the_next_one() -> None:
    window = _window()
    window.begin(SOURCE)
    window.resume(NOTHING_KNOWN)
    window.disconnect()
    assert window.open(SOURCE, SOURCE, 30) == []
    assert not window.ready(SOURCE)
    window.connect(1000)
    assert window.begin(SOURCE) == [Describe(SOURCE)]
    assert window.resume(NOTHING_KNOWN) == [Open(SOURCE, 30)]


def test_a_decision_that_is_postponed_is_asked_for_again() -> None:
    window = _window()
    window.begin(SOURCE)
    window.resume(NOTHING_KNOWN)
    assert window.begin(SOURCE) == []
    window.postpone(SOURCE)
    assert window.begin(SOURCE) == [Describe(SOURCE)]
    assert window.resume(NOTHING_KNOWN) == [Decide(SOURCE, NOTHING_KNOWN)]


# Acknowledgements


@pytest.mark.case(53)
def test_an_acknowledgement_frees_what_it_covers_and_nothing_more() -> None:
    window = _open(_window())
    _sent(window, 100, 100, 100)
    (acknowledged,) = window.ack(SOURCE.id, 250)
    assert isinstance(acknowledged, Acknowledged)
    assert (acknowledged.position, acknowledged.ended) == (250, False)
    assert window.in_flight == 100
    window.ack(SOURCE.id, 300)
    assert (window.in_flight, window.idle, window.acknowledged(SOURCE)) == (0, True, True)


@pytest.mark.parametrize("position", [0, 99, 100])
def test_a_late_acknowledgement_moves_nothing(position: int) -> None:
    window = _open(_window())
    _sent(window, 100, 100)
    window.ack(SOURCE.id, 100)
    assert window.ack(SOURCE.id, position) == []
    assert window.in_flight == 100


@pytest.mark.case(53)
def test_an_acknowledgement_beyond_all_that_was_sent_moves_nothing() -> None:
    window = _open(_window())
    _sent(window, 100)
    assert window.ack(SOURCE.id, 101) == []
    assert window.in_flight == 100


def test_an_acknowledgement_of_an_earlier_source_of_the_file_does_not_move_the_new_one() -> None:
    window = _open(_window())
    _sent(window, 100)
    window.end(SOURCE)
    new = make_source("new")
    window.begin(new)
    window.resume(Resume(new.id, ()))
    window.open(new, new, 0)
    window.send(make_block(b"x\n", 0, new))
    assert [type(outcome) for outcome in window.ack(SOURCE.id, 100)] == [Acknowledged, Finish]
    assert not window.acknowledged(new)
    assert window.in_flight == 2


@pytest.mark.parametrize("position", [1, 63, 64, 65, 100, 130, 200])
def test_the_tail_is_the_bytes_before_the_acknowledged_position(position: int) -> None:
    window = _open(_window())
    data = bytes(range(10, 110)) + b"\n" + bytes(range(20, 119)) + b"\n"
    window.send(make_block(data[:101], 0))
    window.send(make_block(data[101:], 101))
    (acknowledged,) = window.ack(SOURCE.id, position)
    assert isinstance(acknowledged, Acknowledged)
    assert acknowledged.tail
    assert data[:position].endswith(acknowledged.tail)
    assert len(acknowledged.tail) <= TAIL_SIZE


def test_nothing_is_known_of_the_bytes_before_the_end_of_a_skip() -> None:
    window = _open(_window())
    window.send(Skip(SOURCE, 0, 5000, SkipReason.HOLE))
    assert window.in_flight == 0
    assert not window.idle
    assert window.ack(SOURCE.id, 5000) == [Acknowledged(SOURCE, 5000, b"", ended=False)]
    assert window.idle


# Room


def test_there_is_room_for_a_block_as_long_as_the_window_has_it() -> None:
    window = _open(_window(limit=400, block_size=100))
    for _ in range(4):
        assert window.room
        window.send(make_block(b"x" * 99 + b"\n"))
    assert not window.room


def test_one_block_may_be_in_flight_whatever_the_window() -> None:
    window = _open(_window(limit=4, block_size=100))
    assert (window.block_size, window.room) == (4, True)
    _sent(window, 5000)
    assert not window.room
    window.ack(SOURCE.id, 5000)
    assert window.room


def test_the_smaller_of_both_windows_holds() -> None:
    window = Window(limit=1000, largest_block=1000)
    window.connect(400)
    assert (window.block_size, window.statistics().limit) == (400, 400)
    window.grant(5000)
    assert (window.block_size, window.statistics().limit) == (1000, 1000)


def test_nothing_is_sent_until_another_grant_where_none_may_be_in_flight() -> None:
    window = _open(_window())
    window.grant(0)
    assert window.waits
    assert not window.room
    window.grant(1)
    assert window.room


def test_several_blocks_fit_into_a_window_unless_they_would_be_small() -> None:
    window = Window(limit=100 << 20)
    sizes = []
    for granted in (100 << 20, 3 << 20, 512 << 10, 128 << 10, 1000):
        window.grant(granted)
        sizes.append(window.block_size)
    assert sizes == [1 << 20, 768 << 10, 128 << 10, 128 << 10, 1000]


def test_a_smaller_grant_stops_further_blocks_and_takes_none_back() -> None:
    window = _open(_window(limit=1000, block_size=100))
    _sent(window, 100, 100, 100)
    window.grant(200)
    assert (window.room, window.in_flight) == (False, 300)
    window.ack(SOURCE.id, 200)
    assert window.room is (100 + window.block_size <= 200)


def test_where_the_window_is_small_several_blocks_fit_into_it_that_are_not_whole() -> None:
    window = _open(_window(limit=1000, block_size=1000))
    assert window.next_size() == 1000
    _sent(window, 300)
    assert (window.room, window.next_size()) == (True, 700)
    _sent(window, 450)
    assert (window.room, window.next_size()) == (True, 250)
    _sent(window, 10)
    assert (window.room, window.next_size()) == (False, 0)


# Reconnecting


def test_what_is_not_acknowledged_is_sent_again_in_order_after_a_handshake() -> None:
    window = _open(_window())
    blocks = _sent(window, 100, 100, 100)
    window.ack(SOURCE.id, 100)
    window.disconnect()
    assert (window.connected, window.ready(SOURCE), window.in_flight) == (False, False, 200)
    assert window.connect(1000) == [Describe(SOURCE)]
    assert window.resume(_known(100)) == [Open(SOURCE, 100), *blocks[1:]]
    assert window.ready(SOURCE)


def test_what_was_committed_while_the_connection_was_gone_is_not_sent_again() -> None:
    window = _open(_window())
    blocks = _sent(window, 100, 100, 100)
    window.disconnect()
    window.connect(1000)
    acknowledged, *rest = window.resume(_known(200))
    assert isinstance(acknowledged, Acknowledged)
    assert acknowledged.position == 200
    assert rest == [Open(SOURCE, 200), blocks[2]]
    assert window.in_flight == 100


def test_a_source_with_nothing_in_flight_waits_until_there_is_something() -> None:
    window = _open(_window())
    window.disconnect()
    assert window.connect(1000) == []
    assert window.begin(SOURCE) == [Describe(SOURCE)]


def test_a_ledger_that_went_back_leaves_it_to_the_file() -> None:
    window = _open(_window())
    _sent(window, 100, 100)
    window.ack(SOURCE.id, 100)
    window.disconnect()
    window.connect(1000)
    back = _known(40)
    assert window.resume(back) == [Decide(SOURCE, back)]
    assert (window.in_flight, window.idle) == (0, True)
    assert window.open(SOURCE, SOURCE, 40) == [Open(SOURCE, 40)]


def test_a_ledger_that_is_ahead_of_all_that_was_sent_leaves_it_to_the_file() -> None:
    window = _open(_window())
    _sent(window, 100)
    window.disconnect()
    window.connect(1000)
    ahead = _known(101)
    assert window.resume(ahead) == [Decide(SOURCE, ahead)]
    assert window.in_flight == 0


# Refusals


def test_a_refusal_sends_everything_again_from_where_the_aggregator_stands() -> None:
    window = _open(_window())
    blocks = _sent(window, 100, 100, 100)
    assert window.refuse(_refusal(200, 100)) == blocks[1:]
    assert window.in_flight == 300


def test_the_refusals_of_what_was_behind_the_first_change_nothing() -> None:
    window = _open(_window())
    blocks = _sent(window, 100, 100, 100, 100)
    assert window.refuse(_refusal(100, 0)) == blocks
    assert window.refuse(_refusal(200, 0)) == []
    assert window.refuse(_refusal(300, 0)) == []
    window.ack(SOURCE.id, 100)
    assert window.refuse(_refusal(200, 100)) == blocks[1:], "another refusal, of what was sent again"


def test_a_source_that_is_not_open_is_opened_again() -> None:
    window = _open(_window())
    blocks = _sent(window, 100)
    assert window.refuse(_refusal(0, 0, RefusalReason.NOT_OPEN)) == [Describe(SOURCE)]
    assert window.refuse(_refusal(0, 0, RefusalReason.NOT_OPEN)) == [], "one handshake for all that was refused"
    assert window.resume(NOTHING_KNOWN) == [Open(SOURCE, 0), *blocks]


def test_an_aggregator_that_stands_where_nothing_is_in_flight_is_asked_anew() -> None:
    window = _open(_window(), position=500)
    assert window.refuse(_refusal(500, 20)) == [Describe(SOURCE)]
    assert window.resume(_known(20)) == [Decide(SOURCE, _known(20))]


@pytest.mark.parametrize("reason", [RefusalReason.MALFORMED, RefusalReason.TOO_LARGE, RefusalReason.NOT_YOURS])
def test_a_refusal_that_retrying_cannot_cure_stops_the_source_and_no_other(reason: RefusalReason) -> None:
    window = _open(_window())
    other = make_source("other")
    window.begin(other)
    window.resume(Resume(other.id, ()))
    window.open(other, other, 0)
    window.send(make_block(b"x\n", 0, other))
    _sent(window, 100, 100)
    window.ack(SOURCE.id, 100)
    assert window.refuse(_refusal(100, 100, reason)) == [Stopped(SOURCE, 100, "why")]
    assert not window.ready(SOURCE)
    assert window.ready(other)
    assert (window.in_flight, window.statistics().stopped) == (2, 1)


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(_refusal(200, 100, RefusalReason.MALFORMED), id="refused as the first"),
        pytest.param(_refusal(200, 100), id="behind the first"),
        pytest.param(_refusal(200, 150), id="where nothing is in flight"),
        pytest.param(_refusal(200, 0, RefusalReason.NOT_OPEN), id="not open"),
    ],
)
def test_a_source_that_was_stopped_stays_stopped_whatever_is_said_of_what_it_had_sent(later: Refusal) -> None:
    window = _open(_window())
    _sent(window, 100, 100, 100)
    window.refuse(_refusal(100, 100, RefusalReason.MALFORMED))
    assert window.refuse(later) == []
    assert window.statistics().stopped == 1


def test_a_source_that_was_stopped_stays_stopped_after_a_reconnect() -> None:
    window = _open(_window())
    _sent(window, 100)
    window.refuse(_refusal(0, 0, RefusalReason.MALFORMED))
    window.disconnect()
    window.connect(1000)
    window.begin(SOURCE)
    window.resume(NOTHING_KNOWN)
    assert not window.ready(SOURCE)


# Ending


def test_a_source_that_ends_with_all_acknowledged_is_finished_at_once() -> None:
    window = _open(_window())
    _sent(window, 100)
    window.ack(SOURCE.id, 100)
    assert window.end(SOURCE) == [Finish(SOURCE, 100)]
    assert window.statistics().sources == 0


def test_a_source_that_ends_is_finished_when_all_of_it_is_acknowledged() -> None:
    window = _open(_window())
    _sent(window, 100, 100)
    assert window.end(SOURCE) == []
    assert _said(window.ack(SOURCE.id, 100)) == [Acknowledged]
    acknowledged, finish = window.ack(SOURCE.id, 200)
    assert isinstance(acknowledged, Acknowledged)
    assert (acknowledged.ended, finish) == (True, Finish(SOURCE, 200))
    assert (window.in_flight, window.statistics().sources) == (0, 0)


def test_an_end_that_nobody_answered_is_said_again_on_the_next_connection_until_it_is() -> None:
    window = _open(_window())
    _sent(window, 100)
    window.ack(SOURCE.id, 100)
    window.end(SOURCE, lost=True)
    for _ in range(2):
        window.disconnect()
        assert window.connect(1000) == [Open(SOURCE, 100), Finish(SOURCE, 100, lost=True)]
    assert window.ack(SOURCE.id, 100) == [Told(SOURCE)]
    assert window.unanswered(SOURCE.id) is None
    window.disconnect()
    assert window.connect(1000) == []


def test_an_end_that_a_process_before_may_not_have_told_is_told_on_the_next_connection() -> None:
    window = _window()
    window.disconnect()
    assert window.finish_again(SOURCE, 100) == []
    assert window.connect(1000) == [Open(SOURCE, 100), Finish(SOURCE, 100)]
    assert window.ack(SOURCE.id, 100) == [Told(SOURCE)]


def test_such_an_end_is_told_at_once_if_there_is_a_connection() -> None:
    window = _window()
    assert window.finish_again(SOURCE, 100) == [Open(SOURCE, 100), Finish(SOURCE, 100)]
    assert window.ack(SOURCE.id, 100) == [Told(SOURCE)]


def test_where_a_source_stands_is_said_on_each_connection_until_it_is_known() -> None:
    window = _window()
    assert window.stand(SOURCE, 100) == [Describe(SOURCE)]
    assert window.resume(Resume(SOURCE.id, ())) == [Open(SOURCE, 100)]
    window.disconnect()
    assert window.connect(1000) == [Describe(SOURCE)]
    assert window.knows(SOURCE.id)
    assert window.resume(_known(100, SOURCE.id)) == [Told(SOURCE)]
    window.disconnect()
    assert window.connect(1000) == []


def test_where_a_source_stands_is_not_said_any_more_when_it_ends_or_is_shipped() -> None:
    window, gone = _window(), make_source("b")
    window.stand(SOURCE, 100)
    window.begin(SOURCE)
    window.stand(gone, 100)
    window.finish_again(gone, 100)
    window.disconnect()
    assert window.connect(1000) == [Open(gone, 100), Finish(gone, 100)]
    other, grown = make_source("c"), make_source("d")
    window.stand(grown, 100)
    window.begin(other)
    window.open(other, grown, 100)
    window.leave(grown)
    assert not window.knows(grown.id)


def test_a_source_that_is_left_has_not_ended() -> None:
    window = _open(_window())
    _sent(window, 100)
    window.ack(SOURCE.id, 100)
    window.leave(SOURCE)
    assert not window.knows(SOURCE.id)
    window.disconnect()
    assert window.connect(1000) == []


@pytest.mark.parametrize("answered", [False, True])
def test_what_was_told_to_have_ended_has_though_the_aggregator_may_not_know_it_yet(answered: bool) -> None:
    window = _window()
    ended = make_source("b")
    window.finish_again(ended, 100)
    if answered:
        window.ack(ended.id, 100)
    window.begin(SOURCE)
    (decide,) = window.resume(_known(100, ended.id))
    assert isinstance(decide, Decide)
    assert [each.finished for each in decide.resume.known] == [not answered]


_REFUSED = [(RefusalReason.NOT_YOURS, False), (RefusalReason.WRONG_START, False), (RefusalReason.HELD_UP, True)]
"""A ledger that went back behind an end never comes to it again. What is held up may go on."""


@pytest.mark.parametrize(("reason", "again"), _REFUSED)
def test_an_end_that_is_refused_for_good_is_not_said_on_every_connection(reason: RefusalReason, again: bool) -> None:
    window = Window(limit=1000)
    window.finish_again(SOURCE, 100)
    end = [Open(SOURCE, 100), Finish(SOURCE, 100)]
    assert window.connect(1000) == end
    assert window.refuse(_refusal(100, 50, reason)) == ([] if again else [Told(SOURCE)])
    window.disconnect()
    assert window.connect(1000) == (end if again else [])


def test_an_end_without_a_connection_is_said_on_the_next_one() -> None:
    window = _open(_window())
    _sent(window, 100)
    window.ack(SOURCE.id, 100)
    window.disconnect()
    assert window.end(SOURCE) == []
    assert window.connect(1000) == [Open(SOURCE, 100), Finish(SOURCE, 100)]


def test_what_goes_on_after_its_end_is_not_ended_again() -> None:
    window = _open(_window())
    window.end(SOURCE)
    _open(window)
    window.disconnect()
    assert window.connect(1000) == []


def test_a_source_that_lost_its_end_is_finished_at_once() -> None:
    window = _open(_window())
    _sent(window, 100)
    window.send(Skip(SOURCE, 100, 150, SkipReason.LOST))
    assert window.end(SOURCE) == [Finish(SOURCE, 150)]
    (acknowledged, _) = window.ack(SOURCE.id, 150)
    assert isinstance(acknowledged, Acknowledged)
    assert acknowledged.ended


def test_a_source_whose_end_nobody_knows_says_so_when_it_is_finished() -> None:
    window = _open(_window())
    assert window.end(SOURCE, lost=True) == [Finish(SOURCE, 0, lost=True)]


def test_a_source_that_ended_is_sent_again_like_any_other() -> None:
    window = _open(_window())
    blocks = _sent(window, 100)
    window.end(SOURCE)
    window.disconnect()
    assert window.connect(1000) == [Describe(SOURCE)]
    assert window.resume(NOTHING_KNOWN) == [Open(SOURCE, 0), *blocks]
    assert _said(window.ack(SOURCE.id, 100)) == [Acknowledged, Finish]


def test_a_source_that_ended_and_turns_out_to_be_committed_is_forgotten() -> None:
    window = _open(_window())
    _sent(window, 100)
    window.end(SOURCE)
    window.disconnect()
    window.connect(1000)
    (acknowledged, *said) = window.resume(_known(100))
    assert isinstance(acknowledged, Acknowledged)
    assert acknowledged.ended
    assert said == [Open(SOURCE, 100), Finish(SOURCE, 100)]
    assert (window.in_flight, window.statistics().sources) == (0, 0)


def test_ending_what_never_began_is_nothing() -> None:
    assert _window().end(SOURCE) == []


def test_small_blocks_are_bounded_in_number_because_they_take_more_memory_than_their_bytes() -> None:
    window = _open(_window(limit=1 << 30))
    blocks = _sent(window, *[2] * (MOST - 1))
    assert window.room
    window.send(make_block(b"x\n", blocks[-1].end))
    assert not window.room
    window.ack(SOURCE.id, 2)
    assert window.room


def test_another_thread_may_ask_how_it_stands_while_sources_come_and_go(aside: Aside) -> None:
    window, ended = _window(), threading.Event()

    def come_and_go() -> None:
        while not ended.is_set():
            for number in range(1000):
                window.begin(make_source(str(number)))
            for number in range(1000):
                window.abandon(make_source(str(number)).id)

    coming = aside(come_and_go)
    try:
        for _ in range(2000):
            window.statistics()
    finally:
        ended.set()
    coming.result(60)
