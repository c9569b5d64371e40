"""Archives read as what they hold, against what was put into them."""

import gzip
import random
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from mega_collector.collector.reading.file import Disk
from mega_collector.collector.reading.gzip_file import GzipFile, Inspection, State
from mega_collector.marker import HEAD_SIZE, TAIL_SIZE, Marker

NOISE = random.Random(1).randbytes(50_000)
LINES = b"".join(b"line %d %d\n" % (number, number * 7919) for number in range(200_000))


def _inspect(path: Path, wanted: Collection[int] = ()) -> tuple[State, Inspection]:
    with closing(Disk().open(bytes(path))) as file:
        inspection = Inspection(file, lambda _: wanted)
        while (state := inspection.step()) is State.READING:
            pass
        return state, inspection


@pytest.mark.parametrize("content", [b"", b"x", NOISE, LINES, b"x" + b"\0" * 511, b"\0" * 10_000_000 + b"x"])
def test_a_whole_archive_tells_what_it_holds(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(content))
    state, inspection = _inspect(tmp_path / "a.gz")
    assert state is State.WHOLE
    assert inspection.contents is not None
    assert inspection.contents.size == len(content)
    assert inspection.contents.head == Marker.of(content[:HEAD_SIZE])
    assert inspection.contents.before == Marker.of(content[-TAIL_SIZE:])


@pytest.mark.parametrize("content", [b"", b"x\0" * 100, NOISE, LINES])
def test_space_that_was_set_aside_is_no_part_of_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(content + b"\0" * 5_000_000))
    _, inspection = _inspect(tmp_path / "a.gz")
    content = content.rstrip(b"\0")
    assert inspection.contents is not None
    assert inspection.contents.size == len(content)
    assert inspection.contents.before == Marker.of(content[-TAIL_SIZE:])
    with closing(GzipFile(Disk().open(bytes(tmp_path / "a.gz")), size=len(content))) as file:
        assert file.read(len(content) + 1000, 0) == content
        assert file.read(10, len(content)) == b""


@pytest.mark.parametrize("padding", [b"", b"\0" * 700, b"\0" * 70_000, b"no member"])
def test_all_members_count_and_what_gzip_ignores_does_not(tmp_path: Path, padding: bytes) -> None:
    archive = b"".join(gzip.compress(NOISE[at : at + 9999]) for at in range(0, 50_000, 9999))
    (tmp_path / "a.gz").write_bytes(archive + padding)
    state, inspection = _inspect(tmp_path / "a.gz")
    assert state is State.WHOLE
    assert inspection.contents is not None
    assert inspection.contents.size == len(NOISE)


def test_whatever_is_missing_at_the_end_it_is_unfinished(tmp_path: Path) -> None:
    archive = gzip.compress(LINES[:3000]) + gzip.compress(LINES[3000:5000])
    second = len(gzip.compress(LINES[:3000]))
    for size in range(len(archive)):
        (tmp_path / "a.gz").write_bytes(archive[:size])
        state, _ = _inspect(tmp_path / "a.gz")
        assert state is (State.WHOLE if size == second else State.UNFINISHED), size


def test_what_is_damaged_is_an_error_and_never_whole(tmp_path: Path) -> None:
    archive = bytearray(gzip.compress(NOISE))
    for at in (3, 20, 25_000, len(archive) - 6, len(archive) - 1):
        if at == 3:
            continue  # a flag: what follows is read otherwise
        damaged = bytearray(archive)
        damaged[at] ^= 0xFF
        (tmp_path / "a.gz").write_bytes(damaged)
        with pytest.raises(OSError, match="damaged"):
            _inspect(tmp_path / "a.gz")


@pytest.mark.parametrize("content", [NOISE[:500], NOISE, LINES])
def test_the_bytes_before_the_positions_that_are_wanted_are_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(content))
    end = len(content)
    wanted = {1, 40, 64, 65, 500, 1023, 1024, 1025, 1088, 30_000, 1_048_576, 1_048_577, 2_000_000, end, end + 1}
    _, inspection = _inspect(tmp_path / "a.gz", wanted)
    assert inspection.tails == {at: content[max(at - TAIL_SIZE, 0) : at] for at in wanted if at <= end}


@given(
    reads=st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(1, 1_200_000)), max_size=8), resume=st.booleans()
)
def test_it_is_read_anywhere_in_any_order(
    reads: list[tuple[int, int]], resume: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "read-anywhere.gz"
    if not path.exists():
        path.write_bytes(gzip.compress(LINES, 1))
    _, inspection = _inspect(path, [1_500_000, 2_900_000]) if resume else (None, None)
    streams = inspection.streams if inspection is not None else ()
    assert not resume or len(streams) == 2
    file = GzipFile(Disk().open(bytes(path)), size=len(LINES), resume=streams)
    for at, size in reads:
        assert file.read(size, at) == LINES[at : at + size]
    file.close()
