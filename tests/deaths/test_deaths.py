"""A few plans, one of each kind: `scripts/torture --deaths` plays as many as one likes."""

from pathlib import Path

import pytest

from deaths.judgement import Expected
from deaths.ordeal import Ordeal
from deaths.plan import Mode, random_plan
from harness.template import Template

_WRITTEN = {("a", 0): [b"one\n", b"two\n", b"0123456789x\n"]}


@pytest.mark.parametrize("mode", Mode)
def test_each_line_comes_once_whoever_dies_and_when(mode: Mode, tmp_path: Path, template: Template) -> None:
    """At least once where the aggregator's state is gone."""
    with Ordeal(tmp_path, random_plan(1, mode, acts=6), template) as ordeal:
        ordeal.play()


def test_a_seed_gives_the_same_plan_always() -> None:
    assert random_plan(7) == random_plan(7)
    assert random_plan(7) != random_plan(8)


# The judge, judged


def test_each_entry_once_and_in_order_is_right() -> None:
    expected = Expected(_WRITTEN, longest=10)
    assert expected.exactly(b"one\ntwo\n0123456789\nx\n") == []
    assert expected.size == 21


@pytest.mark.parametrize(
    ("output", "wrong"),
    [
        (b"one\n0123456789\nx\n", "missing: (('a', 0), 1) b'two"),
        (b"one\ntwo\ntwo\n0123456789\nx\n", "2 times: b'two"),
        (b"one\ntw\ntwo\n0123456789\nx\n", "never written: b'tw"),
        (b"two\none\n0123456789\nx\n", "out of order: ('a', 0) 0 behind 1"),
    ],
)
def test_what_is_wrong_is_said(output: bytes, wrong: str) -> None:
    (said,) = Expected(_WRITTEN, longest=10).exactly(output)
    assert said.startswith(wrong)


def test_entries_may_come_again_and_be_torn_where_the_destination_ended_once() -> None:
    expected, output = Expected(_WRITTEN, longest=10), b"one\ntw\none\ntwo\n0123456789\nx\n"
    assert expected.at_least(output, {6}) == []
    assert expected.at_least(output, {4}) == ["never written: b'tw\\n'"]
    assert expected.at_least(b"two\none\n0123456789\nx\n", ()) != []
    assert expected.at_least(b"one\ntwo\n0123456789\n", ()) != []
