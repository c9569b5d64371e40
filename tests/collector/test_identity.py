"""What recognises a file, on real files."""

import os
from pathlib import Path

import pytest

from mega_collector.collector.reading.file import PlainFile
from mega_collector.collector.recognition.identity import agrees, before, head_of
from mega_collector.marker import HEAD_SIZE, TAIL_SIZE, Marker

CONTENT = bytes(number % 251 for number in range(5000))


def opened(path: Path, content: bytes) -> PlainFile:
    path.write_bytes(content)
    return PlainFile(os.open(path, os.O_RDONLY))


@pytest.mark.parametrize("size", [0, 1, HEAD_SIZE - 1, HEAD_SIZE, HEAD_SIZE + 1, 5000])
def test_the_head_is_as_much_as_is_written_but_no_more_than_its_size(tmp_path: Path, size: int) -> None:
    content = (b"begin" + CONTENT)[:size]
    file = opened(tmp_path / "file", content)
    assert head_of(file, ended=True) == Marker.of(content[:HEAD_SIZE])
    file.close()


@pytest.mark.parametrize(
    ("content", "length"), [(b"one\ntw", 4), (b"one\n", 4), (b"on", 2), (b"one\n" + b"o" * HEAD_SIZE, HEAD_SIZE)]
)
def test_a_line_that_is_not_complete_is_of_the_head_only_if_there_is_no_other(
    tmp_path: Path, content: bytes, length: int
) -> None:
    """Where the head is full, nobody has looked whether the last line in it is complete."""
    file = opened(tmp_path / "file", content)
    assert head_of(file) == Marker.of(content[:length])
    assert head_of(file, ended=True) == Marker.of(content[:HEAD_SIZE])
    file.close()


def test_nuls_behind_the_head_are_no_part_of_it(tmp_path: Path) -> None:
    file = opened(tmp_path / "file", b"one\0two\n" + bytes(5000))
    assert head_of(file) == Marker.of(b"one\0two\n")
    file.close()


@pytest.mark.parametrize("position", [0, 1, TAIL_SIZE - 1, TAIL_SIZE, TAIL_SIZE + 1, 5000])
def test_the_bytes_before_a_position_end_there(tmp_path: Path, position: int) -> None:
    file = opened(tmp_path / "file", CONTENT)
    assert before(file, position) == CONTENT[max(position - TAIL_SIZE, 0) : position]
    file.close()


def remembered(content: bytes, position: int, head_size: int = HEAD_SIZE) -> tuple[Marker, Marker]:
    return Marker.of(content[:head_size]), Marker.of(content[max(position - TAIL_SIZE, 0) : position])


@pytest.mark.parametrize("position", [0, 1, 2000, 5000])
@pytest.mark.parametrize("head_size", [0, 10, HEAD_SIZE])
def test_a_file_agrees_with_what_was_seen_of_it_when_it_was_shorter(
    tmp_path: Path, position: int, head_size: int
) -> None:
    head, tail = remembered(CONTENT, position, head_size)
    file = opened(tmp_path / "file", CONTENT + b"and more")
    assert agrees(file, position=position, head=head, tail=tail)
    file.close()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "truncated"),
        (CONTENT[:2999], "shorter than the position"),
        (b"x" + CONTENT[1:], "another first byte"),
        (CONTENT[: HEAD_SIZE - 1] + b"x" + CONTENT[HEAD_SIZE:], "another last byte of the head"),
        (CONTENT[:2999] + b"x" + CONTENT[3000:], "the same head, another byte before the position"),
        (CONTENT[: 3000 - TAIL_SIZE] + b"x" + CONTENT[3001 - TAIL_SIZE :], "another first byte of the tail"),
    ],
)
def test_a_file_with_other_bytes_does_not_agree(tmp_path: Path, content: bytes, why: str) -> None:
    head, tail = remembered(CONTENT, 3000)
    file = opened(tmp_path / "file", content)
    assert not agrees(file, position=3000, head=head, tail=tail), why
    file.close()


def test_a_file_that_is_shorter_than_the_position_does_not_agree_even_if_no_tail_is_known(tmp_path: Path) -> None:
    head, _ = remembered(CONTENT, 3000)
    file = opened(tmp_path / "file", CONTENT[:2999])
    assert not agrees(file, position=3000, head=head, tail=Marker())
    file.close()


def test_what_is_remembered_of_an_empty_file_agrees_with_every_file(tmp_path: Path) -> None:
    file = opened(tmp_path / "file", CONTENT)
    assert agrees(file, position=0, head=Marker(), tail=Marker())
    file.close()


def test_looking_does_not_move_the_file(tmp_path: Path) -> None:
    file = opened(tmp_path / "file", CONTENT)
    head_of(file)
    before(file, 3000)
    assert os.lseek(file.descriptor, 0, os.SEEK_CUR) == 0
    file.close()


def test_what_cannot_be_read_is_an_error_and_no_answer(tmp_path: Path) -> None:
    file = PlainFile(os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT))
    for look in (lambda: head_of(file), lambda: before(file, 10)):
        with pytest.raises(OSError, match="Bad file descriptor"):
            look()
    file.close()
