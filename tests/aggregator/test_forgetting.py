"""Which sources the ledger forgets."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from blocks import make_block, make_source
from mega_collector.aggregator.forgetting import Forgetting
from mega_collector.aggregator.ledger import DISCARDED, Advance, Ledger, Range
from mega_collector.batch import Batch
from mega_collector.emitter.dead_letters import DeadLetters
from mega_collector.marker import Marker

A, B = make_source("a"), make_source("b")
LATER = 1 << 62
"""Long after everything."""


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    """One of A, of which something is held as discarded, as of B, which has none."""
    block = make_block(b"line\n", 0, A)
    DeadLetters(tmp_path / "letters", 1 << 20).lay(Batch((block,), 1, 5))
    return tmp_path / "letters"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path)
    for source in (A, B):
        ledger.commit([Advance(source, 0, 5, 1, Marker())], [Range(source, 0, 5, DISCARDED)])
        ledger.commit([Advance(source, 5, 5, 0, Marker(), finished=True)])
    yield ledger
    ledger.close(clean=True)


def left(ledger: Ledger) -> list[bytes]:
    return [record.source.id for record in ledger.records()]


def test_what_was_discarded_is_kept_for_as_long_as_it_can_come_back(ledger: Ledger, letters: Path) -> None:
    forgetting = Forgetting(ledger, after=1.0, dead_letters=letters)
    assert forgetting.forget(time.time_ns()) == 0, "it has not ended for long enough"
    assert forgetting.forget(LATER) == 1
    assert left(ledger) == [A.id]
    for letter in letters.iterdir():
        letter.unlink()
    assert forgetting.forget(LATER) == 1
    assert left(ledger) == []


def test_nothing_comes_back_where_nothing_is_laid(ledger: Ledger) -> None:
    assert Forgetting(ledger, after=1.0, dead_letters=None).forget(LATER) == 2


def test_what_cannot_be_read_may_be_of_any_source(ledger: Ledger, letters: Path) -> None:
    (letters / "9.dead").write_bytes(b"what is this?")
    assert Forgetting(ledger, after=1.0, dead_letters=letters).forget(LATER) == 0
    assert left(ledger) == [A.id, B.id]


def test_nobody_waits_for_a_pipe_among_the_dead_letters(ledger: Ledger, letters: Path) -> None:
    os.mkfifo(letters / "9.dead")
    assert Forgetting(ledger, after=1.0, dead_letters=letters).forget(LATER) == 0
