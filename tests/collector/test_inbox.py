"""What the publisher tells the tailer."""

import select
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest

from harness.aside import Aside
from mega_collector.collector.sending.inbox import Answered, Disconnected, Event, Inbox
from mega_collector.protocol import Ack, Grant, Status

_ACKNOWLEDGED = Answered(1, Ack({b"a": 7}))


@pytest.fixture
def _restless() -> Iterator[None]:
    """Threads take turns as often as they can, so that every order of their steps comes up."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with closing(Inbox()) as inbox:
        yield inbox


def _readable(inbox: Inbox, milliseconds: int = 0) -> bool:
    poll = select.poll()
    poll.register(inbox.fileno(), select.POLLIN)
    return bool(poll.poll(milliseconds))


def test_events_come_out_in_order_and_once(inbox: Inbox) -> None:
    for session in range(5):
        inbox.put(Disconnected(session))
    assert inbox.take() == [Disconnected(session) for session in range(5)]
    assert inbox.take() == []


def test_its_descriptor_is_readable_while_something_is_in_it(inbox: Inbox) -> None:
    assert not _readable(inbox)
    inbox.put(Disconnected(1))
    assert _readable(inbox)
    inbox.take()
    assert not _readable(inbox)


def test_an_acknowledgement_waits_for_whoever_is_patient(inbox: Inbox) -> None:
    inbox.be(patient=True)
    inbox.put(_ACKNOWLEDGED)
    assert not _readable(inbox)
    assert inbox.take() == [_ACKNOWLEDGED]


def test_it_waits_no_longer_than_the_patience_lasts(inbox: Inbox) -> None:
    inbox.be(patient=True)
    inbox.put(_ACKNOWLEDGED)
    inbox.be(patient=False)
    assert _readable(inbox)
    assert inbox.take() == [_ACKNOWLEDGED]


@pytest.mark.parametrize("event", [Disconnected(1), Answered(1, Grant(1)), Answered(1, Status())])
def test_nothing_else_waits_and_what_waited_comes_with_it(inbox: Inbox, event: Event) -> None:
    inbox.be(patient=True)
    inbox.put(_ACKNOWLEDGED)
    inbox.put(event)
    assert _readable(inbox)
    assert inbox.take() == [_ACKNOWLEDGED, event]


def test_it_can_be_woken_without_an_event(inbox: Inbox) -> None:
    inbox.wake()
    assert _readable(inbox)
    assert inbox.take() == []
    assert not _readable(inbox)


@pytest.mark.usefixtures("_restless")
def test_no_event_is_slept_through_whichever_threads_put_them(inbox: Inbox, aside: Aside) -> None:
    def put(first: int) -> None:
        for session in range(first, first + 500):
            inbox.put(Disconnected(session))

    putting = [aside(partial(put, 1000 * number)) for number in range(4)]
    taken: list[Event] = []
    while len(taken) < 2000:
        assert _readable(inbox, 20_000), "an event is in it and the descriptor does not say so"
        taken += inbox.take()
    for each in putting:
        each.result(10)
    for number in range(4):
        own = [event for event in taken if event.session // 1000 == number]
        assert own == [Disconnected(1000 * number + each) for each in range(500)]
    assert inbox.take() == []
