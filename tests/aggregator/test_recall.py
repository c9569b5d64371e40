"""What comes back of a dead letter, against a model that knows of every byte what became of it."""

from hypothesis import example, given, strategies as st

from blocks import make_block, make_source
from mega_collector.aggregator.recall import Recalled, recall
from mega_collector.block import Block, Source
from mega_collector.marker import Marker
from mega_collector.protocol import DISCARDED, Passage, Record

A, B = make_source("a", collector="me"), make_source("b", collector="me")
LENGTH = 40
CONTENT = {A.id: b"".join(b"%d\n" % (number % 10) for number in range(20)), B.id: b"one\ntwo\n\n" * 5}

SPANS = st.tuples(st.integers(0, LENGTH), st.integers(0, LENGTH)).map(lambda span: (min(span), max(span)))
POSITIONS = st.integers(0, LENGTH)


@st.composite
def records(draw: st.DrawFn, source: Source) -> Record:
    first, position = draw(SPANS)
    passages = draw(st.lists(st.tuples(SPANS, st.sampled_from([DISCARDED, DISCARDED, "hole"])), max_size=5))
    ranges: list[Passage] = []
    taken: set[int] = set()
    for (start, end), reason in passages:
        # The ledger's do not overlap.
        if not taken & set(range(start, end)):
            taken |= set(range(start, end))
            ranges.append(Passage(start, end, reason))
    return Record(source, first, position, 0, 0, Marker(), False, False, 0, tuple(ranges))


@st.composite
def blocks(draw: st.DrawFn) -> list[Block]:
    spans = draw(st.lists(st.tuples(st.sampled_from([A, B]), SPANS), max_size=6))
    return [make_block(CONTENT[source.id][start:end], start, source) for source, (start, end) in spans if start < end]


def _model(blocks: list[Block], records: dict[bytes, Record]) -> tuple[list[tuple[bytes, int]], int, int]:
    """The bytes that are pushed, in order, and how many are known and unknown: one byte at a time."""
    pushed: list[tuple[bytes, int]] = []
    known = unknown = 0
    for block in blocks:
        for at in range(block.start, block.end):
            record = records.get(block.source.id)
            if record is None:
                unknown += 1
                continue
            inside = {each.reason for each in record.ranges if each.start <= at < each.end}
            if DISCARDED in inside and (block.source.id, at) not in pushed:
                pushed.append((block.source.id, at))
            elif (block.source.id, at) in pushed or (not inside and record.first <= at < record.position):
                known += 1
            else:
                unknown += 1
    return pushed, known, unknown


@given(blocks(), records(A), st.none() | records(B))
@example([make_block(b"0\n1\n2\n", 0, A)], Record(A, 0, 6, 3, 0, Marker(), False, False, 0, ()), None)
def test_exactly_what_was_discarded_comes_back_once_and_the_rest_is_told_apart(
    letter: list[Block], a: Record, b: Record | None
) -> None:
    known_sources = {record.source.id: record for record in (a, b) if record is not None}
    recalled = recall(letter, known_sources)
    pushed = [(piece.source.id, at) for piece in recalled.pieces for at in range(piece.start, piece.end)]
    assert (pushed, recalled.known, recalled.unknown) == _model(letter, known_sources)
    for piece in recalled.pieces:
        data = CONTENT[piece.source.id][piece.start : piece.end]
        assert piece == make_block(data, piece.start, piece.source)


def test_what_comes_back_was_received_when_it_came_first() -> None:
    record = Record(A, 0, 4, 2, 0, Marker(), False, False, 0, (Passage(2, 4, DISCARDED),))
    (piece,) = recall([make_block(b"0\n1\n", 0, A)._replace(received=17)], {A.id: record}).pieces
    assert (piece.start, piece.received) == (2, 17)


def test_of_a_source_of_another_collector_nothing_is_known() -> None:
    theirs = make_source("a", collector="other")
    record = Record(A, 0, 2, 1, 0, Marker(), False, False, 0, (Passage(0, 2, DISCARDED),))
    assert recall([make_block(b"0\n", 0, theirs)], {A.id: record}) == Recalled((), 0, 2)


def test_a_piece_of_an_over_long_line_comes_back_as_the_entry_that_it_was() -> None:
    # It was cut elsewhere when it was sent again, and only the first part was discarded then.
    record = Record(A, 0, 4, 1, 0, Marker(), False, False, 0, (Passage(0, 4, DISCARDED),))
    (piece,) = recall([make_block(b"xxxxxxxx", 0, A)], {A.id: record}).pieces
    assert (bytes(piece.data), piece.entries, piece.unterminated) == (b"xxxx", 1, True)


def test_what_comes_back_of_a_sparse_file_takes_no_longer_for_its_other_holes() -> None:
    """It is found by the thread that commits for all: with each range held against each other it took hours."""
    holes = [Passage(4 * number + 2, 4 * number + 4, "hole") for number in range(100_000)]
    discarded = [Passage(4 * number, 4 * number + 2, DISCARDED) for number in range(500)]
    record = Record(A, 0, holes[-1].end, 0, 0, Marker(), False, False, 0, (*holes, *discarded))
    found = recall([make_block(b"1\n", 4 * number, A) for number in range(1000)], {A.id: record})
    assert [(each.start, each.end) for each in found.pieces] == [(each.start, each.end) for each in discarded]
    assert (found.known, found.unknown) == (1000, 0)
