"""What is asked of the aggregator by who has lost the checkpoint, and when that has an end."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from blocks import make_source
from mega_collector.collector.recollection import Recollection
from mega_collector.collector.record import Entry
from mega_collector.marker import HEAD_SIZE, Marker
from mega_collector.protocol import Holding, Holdings, Inventory

NOW = 1000.0
LINE = Marker.of(b"line\n")
A, B, C = (Holding(replace(make_source(name, inode=7), head=LINE), 5, LINE) for name in "abc")


def all_of(entries: Sequence[Entry]) -> list[Entry]:
    return list(entries)


def ids(recollection: Recollection) -> list[bytes]:
    return [each.source_id for each in recollection.take()]


@pytest.fixture
def recollection() -> Recollection:
    return Recollection(needed=True)


def told(recollection: Recollection, *pages: Holdings, now: float = NOW) -> None:
    for page in pages:
        assert recollection.ask(now) is not None
        assert recollection.hear(page, now, all_of)


def test_what_has_ended_is_asked_for_first_and_then_what_has_not(recollection: Recollection) -> None:
    assert recollection.ask(NOW) == Inventory(ended=True)
    assert recollection.ask(NOW) is None, "one page at a time"
    recollection.hear(Holdings((B,), last=B.source), NOW, all_of)
    assert recollection.ask(NOW) == Inventory(B.source, ended=True)
    recollection.hear(Holdings((A,)), NOW, all_of)
    assert recollection.ask(NOW) == Inventory()
    recollection.hear(Holdings((), last=B.source), NOW, all_of)
    assert recollection.ask(NOW) == Inventory(B.source)
    recollection.hear(Holdings((C,)), NOW, all_of)
    assert not recollection.pending
    assert recollection.ask(NOW) is None
    entries = recollection.take()
    assert [(each.source_id, each.ended) for each in entries] == [(b"a", True), (b"b", True), (b"c", False)]
    assert (entries[2].position, entries[2].before, entries[2].inode) == (5, LINE, 7)


def test_what_has_ended_keeps_its_inode_only_behind_a_whole_head(recollection: Recollection) -> None:
    whole = Holding(replace(B.source, head=Marker.of(b"x" * HEAD_SIZE)), 5, LINE)
    told(recollection, Holdings((whole, A)), Holdings())
    assert [(each.source_id, each.inode) for each in recollection.take()] == [(b"a", 0), (b"b", 7)]


def test_what_nobody_can_recognise_is_not_taken(recollection: Recollection) -> None:
    passed_over = replace(A, before=Marker())
    told(recollection, Holdings((passed_over, B)), Holdings((passed_over, C)))
    assert ids(recollection) == [b"b", b"c"]


def test_only_what_is_wanted_is_taken(recollection: Recollection) -> None:
    recollection.ask(NOW)
    recollection.hear(Holdings((A, B)), NOW, lambda entries: list(entries[1:]))
    recollection.ask(NOW)
    recollection.hear(Holdings((A, C)), NOW, lambda entries: list(entries[1:]))
    assert ids(recollection) == [b"b", b"c"]


def test_no_more_than_the_latest_thousand_of_what_has_ended_is_asked_for(recollection: Recollection) -> None:
    pages = 0
    while (inventory := recollection.ask(NOW)) is not None and inventory.ended:
        recollection.hear(Holdings(_many(pages * 256), last=A.source), NOW, all_of)
        pages += 1
    assert pages == 4
    recollection.hear(Holdings(), NOW, all_of)
    taken = ids(recollection)
    assert len(taken) == 1000
    assert (taken[0], taken[-1]) == (b"999", b"0")


@pytest.mark.parametrize("filled", [False, True])
def test_it_has_an_end_whoever_answers(recollection: Recollection, filled: bool) -> None:
    pages = 0
    while recollection.ask(NOW) is not None:
        recollection.hear(Holdings(_many(pages * 256) if filled else (), last=A.source), NOW, all_of)
        pages += 1
    assert not recollection.pending
    assert pages <= 10_000
    assert len(recollection.take()) == (101_000 if filled else 0)


def test_what_was_asked_on_a_connection_that_ended_is_asked_again(recollection: Recollection) -> None:
    told(recollection, Holdings((A,)))
    assert recollection.ask(NOW) == Inventory()
    recollection.interrupt()
    assert not recollection.hear(Holdings((B,)), NOW, all_of), "nobody has asked for it"
    assert recollection.ask(NOW) == Inventory()
    assert recollection.hear(Holdings(), NOW, all_of)
    assert ids(recollection) == [b"a"]


def test_while_another_process_is_connected_it_is_asked_again_for_a_while(recollection: Recollection) -> None:
    told(recollection, Holdings((A,)), Holdings((B,), last=B.source))
    now = NOW
    while recollection.pending:
        assert recollection.ask(now) == Inventory(B.source)
        recollection.hear(Holdings(others=True), now, all_of)
        assert recollection.ask(now) is None
        now += 1.0
    assert NOW + 5 <= now <= NOW + 30
    assert ids(recollection) == [b"a", b"b"]


def test_who_answers_no_questions_is_not_waited_for(recollection: Recollection) -> None:
    recollection.give_up()
    assert not recollection.pending
    assert recollection.ask(NOW) is None
    assert recollection.take() == []


def test_who_has_a_checkpoint_asks_nothing() -> None:
    recollection = Recollection(needed=False)
    assert not recollection.pending
    assert recollection.ask(NOW) is None
    assert not recollection.hear(Holdings((A,)), NOW, all_of)


def _many(begin: int) -> tuple[Holding, ...]:
    return tuple(replace(A, source=replace(A.source, id=b"%d" % number)) for number in range(begin, begin + 256))
