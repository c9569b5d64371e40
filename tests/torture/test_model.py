"""The judge, judged: what it lets pass, and what it must not."""

from collections import Counter

import pytest

from torture.model import Body, Model

NOTHING: Counter[bytes] = Counter()


@pytest.fixture
def model() -> Model:
    return Model(rotate_wait=60, max_line_size=10)


def a_file(model: Model, content: bytes, inode: int = 1) -> Body:
    body = model.appear((0, inode))
    model.regained(body)
    write(model, body, content)
    return body


def write(model: Model, body: Body, content: bytes, *, held: bool = False) -> None:
    model.wrote(body, content, held=held)


def test_every_line_once_and_in_order_is_right(model: Model) -> None:
    a_file(model, b"one\ntwo\n")
    a_file(model, b"three\n", inode=2)
    assert model.judge(b"one\nthree\ntwo\n") == []


@pytest.mark.parametrize(
    ("output", "wrong"),
    [
        pytest.param(b"one\n", "missing: b'two", id="missing"),
        pytest.param(b"one\ntwo\ntwo\n", "2 times instead of 1: b'two", id="twice"),
        pytest.param(b"one\ntwo\nthr\n", "never written: b'thr", id="torn"),
        pytest.param(b"two\none\n", "order, inode 1", id="swapped"),
    ],
)
def test_what_is_wrong_is_said(model: Model, output: bytes, wrong: str) -> None:
    a_file(model, b"one\ntwo\n")
    (said,) = model.judge(output)
    assert said.startswith(wrong)


def test_a_line_without_its_end_is_not_to_be_delivered(model: Model) -> None:
    a_file(model, b"one\ntw")
    assert model.judge(b"one\n") == []
    assert model.judge(b"one\ntw\n") != []


def test_a_line_without_its_end_is_delivered_when_its_file_has_no_name_any_more(model: Model) -> None:
    body = a_file(model, b"one\ntw")
    model.lost(body, NOTHING, held=True)
    assert model.judge(b"one\ntw\n") == []
    assert model.judge(b"one\n") != []


def test_what_was_removed_before_it_was_opened_may_be_missing_but_not_twice(model: Model) -> None:
    body = a_file(model, b"one\ntwo\n")
    model.lost(body, NOTHING, held=False)
    assert model.judge(b"") == model.judge(b"one\n") == []
    assert model.judge(b"one\none\n") != []


def test_what_was_removed_while_it_was_open_must_come_unless_the_collector_ends(model: Model) -> None:
    body = a_file(model, b"one\ntwo\n")
    model.lost(body, NOTHING, held=True)
    assert model.judge(b"one\n") != []
    model.collector_ended(Counter([b"one\n"]))
    assert model.judge(b"one\n") == []
    assert model.judge(b"two\n") != []


def test_what_comes_back_under_a_name_must_come(model: Model) -> None:
    body = a_file(model, b"one\n")
    model.lost(body, NOTHING, held=False)
    model.regained(body)
    assert model.judge(b"") != []
    assert model.judge(b"one\n") == []


def test_what_a_late_writer_says_must_come_where_the_collector_listens_still(model: Model) -> None:
    heard, unheard = a_file(model, b""), a_file(model, b"", inode=2)
    for body in (heard, unheard):
        model.lost(body, NOTHING, held=True)
    write(model, heard, b"one\n", held=True)
    write(model, unheard, b"two\n", held=False)
    assert model.judge(b"one\n") == model.judge(b"one\ntwo\n") == []
    assert model.judge(b"two\n") != []


def test_what_was_cut_before_it_was_delivered_may_be_missing(model: Model) -> None:
    body = a_file(model, b"one\ntwo\n")
    model.truncated(body, 0, Counter([b"one\n"]))
    write(model, body, b"three\n")
    assert model.judge(b"one\nthree\n") == model.judge(b"one\ntwo\nthree\n") == []
    assert model.judge(b"one\n") != []
    assert model.judge(b"two\nthree\n") != []


def test_what_a_partial_truncation_leaves_comes_again(model: Model) -> None:
    body = a_file(model, b"one\ntwo\n")
    model.truncated(body, 6, Counter([b"one\n", b"two\n"]))
    write(model, body, b"three\n")
    assert model.judge(b"one\ntwo\none\ntwthree\n") == []
    assert model.judge(b"one\ntwo\ntwthree\n") != []


def test_what_came_of_one_of_two_that_begin_alike_may_pass_for_what_it_was_when_that_is_cut_behind_it(
    model: Model,
) -> None:
    lost = a_file(model, b"one\n")
    model.lost(lost, NOTHING, held=False)
    body = a_file(model, b"one\ntwo\n", inode=2)
    model.truncated(body, len(b"one\ntw"), Counter([b"one\n"]))
    assert model.judge(b"one\n") == model.judge(b"one\none\n") == []
    assert model.judge(b"") != []


def test_what_a_copy_begins_with_may_come_again(model: Model) -> None:
    a_file(model, b"one\n")
    model.regained(model.appear((0, 2), b"one\n"))
    assert model.judge(b"one\n") == model.judge(b"one\none\n") == []
    assert model.judge(b"") != []
    assert model.judge(b"one\none\none\n") != []


def test_what_was_cut_must_come_where_there_is_a_copy_as_long_as_there_is(model: Model) -> None:
    body = a_file(model, b"one\n")
    copy = model.appear((0, 2), b"one\n")
    model.regained(copy)
    model.truncated(body, 0, NOTHING)
    assert model.judge(b"") != []
    model.lost(copy, NOTHING, held=False)
    assert model.judge(b"") == []


def test_what_is_behind_a_copy_must_come(model: Model) -> None:
    a_file(model, b"one\n")
    copy = model.appear((0, 2), b"one\n")
    model.regained(copy)
    write(model, copy, b"two\n")
    assert model.judge(b"one\n") != []
    assert model.judge(b"one\ntwo\n") == []


def test_what_is_behind_the_unfinished_end_that_a_file_was_left_with_may_come_by_itself(model: Model) -> None:
    body = a_file(model, b"one\ntw")
    model.regained(model.appear((0, 2), b"one\ntwo\n"))
    assert model.judge(b"one\no\n") != []
    model.lost(body, NOTHING, held=True)
    assert model.judge(b"one\ntw\no\n") == []
    assert model.judge(b"one\ntw\nwo\n") != []


def test_a_line_may_come_in_two_if_an_earlier_file_was_left_with_its_begin_and_not_otherwise(model: Model) -> None:
    # Unlinked when only the begin was written; then the inode is given to another that begins alike.
    body = a_file(model, b"x:0")
    model.lost(body, NOTHING, held=True)
    a_file(model, b"x:123\nx:2\n")
    assert model.judge(b"x:0\nx:123\nx:2\n") == []
    assert model.judge(b"x:0\n123\nx:2\n") != []
    begun = a_file(model, b"y:", inode=2)
    model.lost(begun, NOTHING, held=True)
    a_file(model, b"y:123\ny:2\n", inode=2)
    others = b"x:0\nx:123\nx:2\ny:\n"
    assert model.judge(others + b"y:123\ny:2\n") == model.judge(others + b"123\ny:2\n") == []
    assert model.judge(others + b"y:2\n") != []
    assert model.judge(others + b"123\n") != []
    assert model.judge(others + b"23\ny:2\n") != []


def test_a_line_that_is_too_long_comes_in_pieces_also_while_it_grows_and_where_it_is_cut(model: Model) -> None:
    body = a_file(model, b"0123456789\n" + b"0123456789a")
    assert model.judge(b"0123456789\n" * 2) == []
    assert model.judge(b"0123456789\n") != []
    write(model, body, b"bc\n")
    assert model.judge(b"0123456789\n" * 2 + b"abc\n") == []
    model.truncated(body, 21, NOTHING)
    write(model, body, b"d\n")
    assert model.judge(b"0123456789\n" * 4 + b"abc\nd\n") == []
    assert model.judge(b"0123456789\n" * 2 + b"d\n") == []


def test_what_was_lost_while_only_the_aggregator_may_have_known_of_it_may_come_twice(model: Model) -> None:
    saved, unsaved = a_file(model, b"one\n"), a_file(model, b"two\n", inode=2)
    model.lost(saved, NOTHING, held=True)
    model.collector_ended(Counter([b"one\n", b"two\n"]))
    model.regained(saved)
    model.collector_ended(Counter([b"one\n", b"two\n"]), unsaved=True)
    assert model.judge(b"one\ntwo\ntwo\n") != []
    model.lost(unsaved, Counter([b"two\n"]), held=False)
    assert model.judge(b"one\ntwo\ntwo\n") == []
    assert model.judge(b"one\none\ntwo\n") != []
