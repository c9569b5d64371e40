import stat
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st

from emitter.batches import make_batch, written
from mega_collector.batch import Batch
from mega_collector.block import Block, Source
from mega_collector.emitter.dead_letter import decode, encode, read
from mega_collector.emitter.dead_letters import DeadLetters, kept_sources
from mega_collector.errors import EmitError, MegaCollectorError, StartError
from mega_collector.marker import Marker

NUMBERS = st.integers(0, 2**64 - 1)
SOURCES = st.builds(
    Source,
    id=st.binary(min_size=1, max_size=64),
    path=st.binary(max_size=40),
    device=NUMBERS,
    inode=NUMBERS,
    head=st.builds(Marker.of, st.binary(max_size=40)),
    collector=st.text(max_size=10),
    host=st.text(max_size=10),
    tags=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    sources = draw(st.lists(SOURCES, min_size=1, max_size=3, unique_by=lambda source: source.id))
    block = st.builds(
        Block,
        source=st.sampled_from(sources),
        start=NUMBERS,
        data=st.binary(max_size=60),
        entries=NUMBERS,
        unterminated=st.booleans(),
        received=NUMBERS,
    )
    blocks = draw(st.lists(block, min_size=1, max_size=6))
    return Batch(tuple(blocks), draw(NUMBERS), draw(NUMBERS))


def fields(batch: Batch) -> object:
    """All that a batch says, comparable."""
    return batch.entries, batch.size, [(*_block(b), *_source(b.source)) for b in batch.blocks]


def _block(block: Block) -> tuple[object, ...]:
    return block.start, bytes(block.data), block.entries, block.unterminated, block.received


def _source(source: Source) -> tuple[object, ...]:
    return (
        source.id,
        source.path,
        source.device,
        source.inode,
        source.head,
        source.collector,
        source.host,
        dict(source.tags),
    )


@given(batches())
def test_a_batch_comes_back_as_it_was(batch: Batch) -> None:
    assert fields(decode(b"".join(encode(batch)))) == fields(batch)


@given(batches(), st.data())
def test_any_flipped_or_missing_byte_is_noticed(batch: Batch, data: st.DataObject) -> None:
    content = bytearray(b"".join(encode(batch)))
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[at:]
    else:
        content[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError):
        decode(bytes(content))


def clock() -> Iterator[int]:
    return count(1_700_000_000_000_000_000)


def make_letters(directory: Path, limit: int = 100_000) -> DeadLetters:
    times = clock()
    return DeadLetters(directory, limit, now=lambda: next(times))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda header: header["blocks"][0].__setitem__(1, "0"),
        lambda header: header["blocks"][0].__setitem__(1, -5),
        lambda header: header["blocks"][0].__setitem__(1, 0.5),
        lambda header: header["blocks"][0].__setitem__(0, -1),
        lambda header: header["blocks"][0].__setitem__(0, 7),
        lambda header: header["sources"][0].__setitem__("device", "1"),
        lambda header: header["sources"][0].__setitem__("tags", 7),
        lambda header: header["sources"][0].__setitem__("tags", {"a": 7}),
        lambda header: header["sources"][0].__setitem__("collector", None),
        lambda header: header.pop("blocks"),
        lambda header: header["blocks"].append([]),
        lambda header: header["blocks"][0].__setitem__(2, 4),
        lambda header: header["sources"][0].__setitem__("id", "x"),
    ],
)
def test_what_makes_no_sense_is_refused_though_its_digest_matches(spoil: Callable[[Any], object]) -> None:
    """By somebody's hand: it must not get as far as the pipeline, which would end by it."""
    _, line, data = b"".join(encode(make_batch(b"lost\n"))).split(b"\n", 2)
    header = orjson.loads(line)
    spoil(header)
    line = orjson.dumps(header) + b"\n"
    first = b"mega-collector dead letter 1 %d " % len(line)
    digest = blake2b(first + line + data, digest_size=16).hexdigest().encode()
    with pytest.raises(ValueError, match="makes no sense"):
        decode(first + digest + b"\n" + line + data)


def test_what_was_laid_can_be_read(tmp_path: Path) -> None:
    batch = make_batch(b"one\n\0\xff\n", b"end")
    path = make_letters(tmp_path).lay(batch)
    assert fields(read(path)) == fields(batch)


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    path = make_letters(tmp_path / "letters").lay(make_batch(b"secret\n"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_names_sort_by_age_even_if_the_clock_steps_back(tmp_path: Path) -> None:
    times = iter([50, 40, 7, 60])
    letters = DeadLetters(tmp_path, 100_000, now=lambda: next(times))
    laid = [letters.lay(make_batch(b"%d\n" % number)) for number in range(4)]
    assert laid == sorted(tmp_path.iterdir())


def test_the_oldest_make_room_and_are_counted(tmp_path: Path) -> None:
    size = make_letters(tmp_path / "measure").lay(make_batch(b"0\n")).stat().st_size
    letters = make_letters(tmp_path / "letters", limit=3 * size)
    for number in range(5):
        letters.lay(make_batch(b"%d\n" % number))
    kept = sorted((tmp_path / "letters").iterdir())
    assert b"".join(written([read(path)]) for path in kept) == b"2\n3\n4\n"
    statistics = letters.statistics()
    assert (statistics.laid, statistics.dropped, statistics.kept_size) == (5, 2, 3 * size)


def test_what_another_process_left_is_within_the_limit(tmp_path: Path) -> None:
    size = make_letters(tmp_path).lay(make_batch(b"0\n")).stat().st_size
    make_letters(tmp_path, limit=size).lay(make_batch(b"1\n"))
    (kept,) = tmp_path.iterdir()
    assert written([read(kept)]) == b"1\n"


def test_a_batch_above_the_limit_is_refused_and_nothing_makes_room_for_it(tmp_path: Path) -> None:
    letters = make_letters(tmp_path, limit=1000)
    letters.lay(make_batch(b"0\n"))
    with pytest.raises(EmitError, match="above the limit"):
        letters.lay(make_batch(b"x" * 1000))
    assert len(list(tmp_path.iterdir())) == 1


def test_an_unfinished_letter_is_removed_at_start(tmp_path: Path) -> None:
    (tmp_path / "00000000000000000001.unfinished").write_bytes(b"half")
    make_letters(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_made_forbids_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="file/letters: Not a directory"):
        make_letters(tmp_path / "file" / "letters")


def test_a_letter_of_a_later_format_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.dead"
    path.write_bytes(b"mega-collector dead letter 2 0 0\n")
    with pytest.raises(MegaCollectorError, match=r"x\.dead: format 2 is not known here"):
        read(path)


@given(batch=batches())
def test_of_which_sources_dead_letters_are_is_told_by_their_headers(
    tmp_path_factory: pytest.TempPathFactory, batch: Batch
) -> None:
    directory = tmp_path_factory.mktemp("letters")
    assert kept_sources(directory / "none") == set()
    letter = DeadLetters(directory, 1 << 20).lay(batch)
    assert kept_sources(directory) == {block.source.id for block in batch.blocks}
    letter.unlink()
    assert kept_sources(directory) == set()


@pytest.mark.parametrize(
    "content", [b"", b"something else\n", b"mega-collector dead letter 1\n", b"mega-collector dead letter 2 9\n"]
)
def test_what_cannot_be_read_of_a_dead_letter_may_be_of_any_source(tmp_path: Path, content: bytes) -> None:
    DeadLetters(tmp_path, 1 << 20).lay(make_batch(b"a\n"))
    (tmp_path / "9.dead").write_bytes(content)
    with pytest.raises(ValueError, match=r"dead letter|format 2"):
        kept_sources(tmp_path)
