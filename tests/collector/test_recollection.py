"""What each process asks the aggregator for at its start, and when that has an end."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from blocks import make_source
from mega_collector.collector.state.recollection import Recollection
from mega_collector.collector.state.record import Entry
from mega_collector.marker import Marker
from mega_collector.protocol import Holding, Holdings, Inventory

LINE = Marker.of(b"line\n")
A, B, C = (Holding(replace(make_source(name, inode=7), head=LINE), 5, LINE) for name in "abc")


def all_of(entries: Sequence[Entry]) -> list[Entry]:
    return list(entries)


def ids(recollection: Recollection) -> list[bytes]:
    return [each.source_id for each in recollection.take()]


@pytest.fixture
def recollection() -> Recollection:
    return Recollection()


def told(recollection: Recollection, *pages: Holdings) -> None:
    for page in pages:
        assert recollection.ask() is not None
        assert recollection.hear(page, all_of)


def test_what_has_ended_is_asked_for_first_and_then_what_has_not(recollection: Recollection) -> None:
    assert recollection.ask() == Inventory(ended=True)
    assert recollection.ask() is None, "one page at a time"
    recollection.hear(Holdings((B,), last=B.source), all_of)
    assert recollection.ask() == Inventory(B.source, ended=True)
    recollection.hear(Holdings((A,)), all_of)
    assert recollection.ask() == Inventory()
    recollection.hear(Holdings((), last=B.source), all_of)
    assert recollection.ask() == Inventory(B.source)
    recollection.hear(Holdings((C,)), all_of)
    assert not recollection.pending
    assert recollection.ask() is None
    entries = recollection.take()
    assert [(each.source_id, each.ended) for each in entries] == [(b"b", True), (b"a", True), (b"c", False)]
    assert (entries[2].position, entries[2].before, entries[2].inode) == (5, LINE, 7)


def test_what_has_ended_has_its_inode_no_more(recollection: Recollection) -> None:
    told(recollection, Holdings((A,)), Holdings((B,)))
    assert [(each.source_id, each.inode) for each in recollection.take()] == [(b"a", 0), (b"b", 7)]


def test_what_nobody_can_recognise_is_not_taken(recollection: Recollection) -> None:
    passed_over = replace(A, before=Marker())
    told(recollection, Holdings((passed_over, B)), Holdings((passed_over, C)))
    assert ids(recollection) == [b"b", b"c"]


def test_only_what_is_wanted_is_taken(recollection: Recollection) -> None:
    recollection.ask()
    recollection.hear(Holdings((A, B)), lambda entries: list(entries[1:]))
    recollection.ask()
    recollection.hear(Holdings((A, C)), lambda entries: list(entries[1:]))
    assert ids(recollection) == [b"b", b"c"]


def test_no_more_than_the_latest_thousand_of_what_has_ended_is_asked_for(recollection: Recollection) -> None:
    pages = 0
    while (inventory := recollection.ask()) is not None and inventory.ended:
        recollection.hear(Holdings(_many(pages * 256), last=A.source), all_of)
        pages += 1
    assert pages == 4
    recollection.hear(Holdings(), all_of)
    taken = ids(recollection)
    assert len(taken) == 1000
    assert (taken[0], taken[-1]) == (b"0", b"999")


@pytest.mark.parametrize("filled", [False, True])
def test_it_has_an_end_whoever_answers(recollection: Recollection, filled: bool) -> None:
    pages = 0
    while recollection.ask() is not None:
        recollection.hear(Holdings(_many(pages * 256) if filled else (), last=A.source), all_of)
        pages += 1
    assert not recollection.pending
    assert pages <= 10_000
    assert len(recollection.take()) == (101_000 if filled else 0)


def test_what_was_asked_on_a_connection_that_ended_is_asked_again(recollection: Recollection) -> None:
    told(recollection, Holdings((A,)))
    assert recollection.ask() == Inventory()
    recollection.interrupt()
    assert not recollection.hear(Holdings((B,)), all_of), "nobody has asked for it"
    assert recollection.ask() == Inventory()
    assert recollection.hear(Holdings(), all_of)
    assert ids(recollection) == [b"a"]


@pytest.mark.parametrize("others", [False, True])
def test_it_says_whether_what_has_not_ended_may_be_of_another_process(recollection: Recollection, others: bool) -> None:
    assert not recollection.others
    told(recollection, Holdings((A,), others=True), Holdings((B,), last=B.source, others=others), Holdings((C,)))
    assert recollection.others == others
    assert ids(recollection) == [b"a", b"b", b"c"]


def test_who_answers_no_questions_is_not_waited_for(recollection: Recollection) -> None:
    recollection.give_up()
    assert not recollection.pending
    assert recollection.ask() is None
    assert recollection.take() == []


def _many(begin: int) -> tuple[Holding, ...]:
    return tuple(replace(A, source=replace(A.source, id=b"%d" % number)) for number in range(begin, begin + 256))
