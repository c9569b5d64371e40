"""When the aggregator is asked what it holds, and what of that nobody here remembers."""

from collections.abc import Sequence

import pytest

from blocks import make_source
from mega_collector.collector.state.record import Entry
from mega_collector.collector.state.stocktaking import Stocktaking
from mega_collector.marker import Marker
from mega_collector.protocol import Holding, Holdings, Inventory

A, B = (Holding(make_source(name), 5, Marker.of(b"line\n")) for name in "ab")
NOW, DAY = 1000.0, 86400.0


def none(_: Sequence[Entry]) -> list[Entry]:
    return []


def taken(stocktaking: Stocktaking, now: float, *pages: Holdings) -> None:
    """So many pages are asked for and answered, from that time on."""
    for page in pages:
        while stocktaking.ask(now) is None:
            now += 1.0
        stocktaking.hear(page, now, none)


@pytest.fixture
def stocktaking() -> Stocktaking:
    return Stocktaking(hurried=False)


def test_the_next_page_is_asked_for_when_one_is_looked_into(stocktaking: Stocktaking) -> None:
    assert stocktaking.ask(NOW) == Inventory()
    assert stocktaking.ask(NOW) is None, "one page at a time"
    stocktaking.hear(Holdings((A, B), last=B.source), NOW, lambda entries: list(entries[:1]))
    (stranger,) = stocktaking.strangers
    assert (stranger.source_id, stranger.position, stranger.before, stranger.ended) == (b"a", 5, A.before, False)
    assert stocktaking.ask(NOW + DAY) is None, "it is not looked into yet"
    stocktaking.strangers = []
    assert stocktaking.ask(NOW) is None, "nobody waits for it"
    assert stocktaking.ask(NOW + 1) == Inventory(B.source)


def test_who_waits_for_its_end_is_not_kept_waiting() -> None:
    stocktaking = Stocktaking(hurried=True)
    taken(stocktaking, NOW, Holdings(last=A.source))
    assert stocktaking.ask(NOW) == Inventory(A.source)
    assert stocktaking.pending(NOW)
    stocktaking.hear(Holdings(), NOW, none)
    assert not stocktaking.pending(NOW)


def test_it_begins_anew_a_day_after_its_end(stocktaking: Stocktaking) -> None:
    taken(stocktaking, NOW, Holdings(last=A.source), Holdings())
    assert stocktaking.ask(NOW + DAY) is None
    assert stocktaking.ask(NOW + 2 + DAY) == Inventory()


def test_what_was_asked_on_a_connection_that_ended_is_asked_again(stocktaking: Stocktaking) -> None:
    taken(stocktaking, NOW, Holdings(last=A.source))
    assert stocktaking.ask(NOW + 1) == Inventory(A.source)
    stocktaking.interrupt()
    assert stocktaking.ask(NOW + 1) == Inventory(A.source)


def test_while_another_process_is_connected_it_is_tried_again_from_the_beginning(stocktaking: Stocktaking) -> None:
    taken(stocktaking, NOW, Holdings(last=A.source), Holdings(others=True))
    assert stocktaking.ask(NOW + 100) is None
    assert stocktaking.ask(NOW + 1000) == Inventory()


def test_what_was_not_asked_for_is_not_heard(stocktaking: Stocktaking) -> None:
    stocktaking.hear(Holdings((A, B)), NOW, list)
    assert stocktaking.strangers == []
    assert stocktaking.ask(NOW) == Inventory()
