"""The comparison of a file with what is committed of it, in memory: whatever was sent, passed over and given up."""

from dataclasses import dataclass, replace

from hypothesis import given, settings, strategies as st

from mega_collector.audit.comparison import compare, is_copied, is_of, with_earlier
from mega_collector.audit.row import Row
from mega_collector.audit.sums import sent
from mega_collector.block import SkipReason, Source
from mega_collector.checksum import crc32
from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.marker import HEAD_SIZE, TAIL_SIZE, Marker
from mega_collector.protocol import DISCARDED, Passage, Record

PASSED_OVER = [reason.value for reason in SkipReason]
READ = 1 << 20


class Plain:
    """A file in memory, which notes what is read of it."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.read_at: set[int] = set()

    def facts(self) -> FileFacts:
        return FileFacts(1, 2, len(self._content), 0)

    def read(self, size: int, at: int) -> bytes:
        found = self._content[at : at + size]
        self.read_at.update(range(at, at + len(found)))
        return found

    def hole(self, _at: int) -> int:
        return len(self._content)

    def data(self, at: int) -> int | None:
        return at if at < len(self._content) else None

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Step:
    """So many bytes, sent or passed over."""

    size: int
    reason: str | None


steps = st.lists(
    st.builds(Step, st.integers(1, 300), st.sampled_from([None, None, None, DISCARDED, *PASSED_OVER])), max_size=12
)


def commit(data: bytes, first: int, taken: list[Step], *, source_id: bytes = b"a") -> Record:
    """What a ledger holds after that, by the plainest way of adding it up."""
    at, checksum, ranges, entries = first, 0, [], 0
    for step in taken:
        piece = data[at : at + step.size]
        if step.reason in {None, DISCARDED}:
            checksum = crc32(piece, checksum)
            entries += 1
        if step.reason is not None:
            ranges.append(Passage(at, at + len(piece), step.reason))
        at += len(piece)
    head, before = Marker.of(data[: min(first + 10, HEAD_SIZE)]), Marker.of(data[max(at - TAIL_SIZE, 0) : at])
    source = Source(source_id, b"/log", 1, 2, head)
    return Record(source, first, at, entries, checksum, before, False, False, 1, tuple(ranges))


@st.composite
def committed(draw: st.DrawFn) -> tuple[bytes, int, list[Step]]:
    first, taken, rest = draw(st.integers(0, 200)), draw(steps), draw(st.integers(0, 200))
    size = first + sum(step.size for step in taken) + rest
    return draw(st.randoms(use_true_random=False)).randbytes(size), first, taken


@given(committed())
def test_what_was_committed_agrees_and_every_range_is_told(made: tuple[bytes, int, list[Step]]) -> None:
    data, first, taken = made
    record = commit(data, first, taken)
    row = compare(b"/log", len(data), Plain(data), [record])
    assert not row.differs
    assert row.committed == record.position
    assert row.behind == len(data) - record.position
    assert row.unknown_before == first
    assert row.entries == record.entries
    assert sorted(row.passages, key=lambda each: each.start) == [
        each for each in record.ranges if each.start < each.end
    ]
    lost = any(step.reason in {DISCARDED, "lost"} for step in taken)
    assert row.sound == (not lost)
    assert row.complete == (not lost and not first and not row.behind and not row.passages)


@given(committed(), st.data())
def test_a_changed_byte_differs_where_it_was_sent_and_nowhere_else(
    made: tuple[bytes, int, list[Step]], draw: st.DataObject
) -> None:
    data, first, taken = made
    if not data:
        return
    record = commit(data, first, taken)
    at = draw.draw(st.integers(0, len(data) - 1))
    changed = data[:at] + bytes([data[at] ^ draw.draw(st.integers(1, 255))]) + data[at + 1 :]
    row = compare(b"/log", len(changed), Plain(changed), [record])
    was_sent = any(start <= at < end for start, end in sent(record))
    assert row.differs == was_sent
    assert row.sound <= (not was_sent)


@given(committed())
def test_nothing_is_read_that_was_passed_over(made: tuple[bytes, int, list[Step]]) -> None:
    data, first, taken = made
    record = commit(data, first, taken)
    file = Plain(data)
    compare(b"/log", record.position, file, [record])
    assert file.read_at == {at for start, end in sent(record) for at in range(start, end)}


@given(committed(), st.integers(0, 12))
def test_a_source_that_goes_on_as_another_is_one_file(made: tuple[bytes, int, list[Step]], cut: int) -> None:
    """As in a copy: what was shipped of its original, and behind it what was not."""
    data, first, taken = made
    whole = commit(data, first, taken)
    older = commit(data, first, taken[:cut], source_id=b"older")
    newer = commit(data, older.position, taken[cut:], source_id=b"newer")
    if not older.position > older.first:
        return
    records = with_earlier(newer, [newer, older])
    assert records == ((newer, older) if newer.first else (newer,))
    assert _without_order(compare(b"/log", len(data), Plain(data), records)) == _without_order(
        compare(b"/log", len(data), Plain(data), [whole])
    )


@given(committed(), st.integers(1, 400))
def test_a_shorter_file_is_not_the_one_that_was_committed(made: tuple[bytes, int, list[Step]], cut: int) -> None:
    data, first, taken = made
    record = commit(data, first, taken)
    shorter = Plain(data[: max(record.position - cut, 0)])
    assert not is_of(record, shorter.facts(), shorter)
    assert not is_copied(record, shorter)


@given(committed())
@settings(max_examples=50)
def test_the_very_file_is_known_by_its_bytes_wherever_they_are(made: tuple[bytes, int, list[Step]]) -> None:
    data, first, taken = made
    record, file = commit(data, first, taken), Plain(data)
    assert is_of(record, file.facts(), file) == (record.position > 0)
    elsewhere = file.facts()._replace(device=9)
    assert is_of(record, elsewhere, file) == is_copied(record, file) == (record.position > 0)
    ended = replace(record, finished=True)
    assert is_of(ended, file.facts(), file) == (record.position > 0)


def test_of_a_file_with_its_number_nothing_need_be_known() -> None:
    """A ledger that was lost knows of no bytes; on another device that would be no reason."""
    nothing = Record(Source(b"a", b"/log", 1, 2, Marker()), 5, 5, 0, 0, Marker(), False, False, 1)
    file = Plain(b"0123456789")
    assert is_of(nothing, file.facts(), file)
    assert not is_of(nothing, file.facts()._replace(device=9), file)
    assert not is_copied(nothing, file)


def test_what_is_read_in_pieces_agrees() -> None:
    data = bytes(range(256)) * (5 * READ // 256)
    taken = [Step(READ + 7, None), Step(3, "hole"), Step(2 * READ, None), Step(READ, DISCARDED), Step(9, None)]
    record = commit(data, 100, taken)
    assert not compare(b"/log", len(data), Plain(data), [record]).differs


def test_ranges_beyond_what_is_committed_say_nothing() -> None:
    """They were committed between two looks of the aggregator's."""
    record = replace(commit(b"0123456789", 0, [Step(5, None)]), ranges=(Passage(5, 9, "hole"), Passage(4, 4, "lost")))
    row = compare(b"/log", 5, Plain(b"01234"), [record])
    assert row.complete


def _without_order(row: Row) -> Row:
    """Ranges of one kind that meet are one or two."""
    merged: list[Passage] = []
    for each in row.passages:
        if merged and merged[-1].end == each.start and merged[-1].reason == each.reason:
            merged[-1] = Passage(merged[-1].start, each.end, each.reason)
        else:
            merged.append(each)
    return replace(row, passages=tuple(merged))
