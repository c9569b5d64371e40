"""What holds for every emitter."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from emitter.batches import make_batch, make_source
from emitter.formats import in_format
from emitter.scripted import Pauses
from mega_collector.batch import Batch
from mega_collector.block import Block
from mega_collector.emitter.blackhole import BlackholeEmitter
from mega_collector.emitter.configuration import AfterRetries, FileConfiguration, Format, Rotation
from mega_collector.emitter.dead_letters import DeadLetters
from mega_collector.emitter.file import FileEmitter
from mega_collector.emitter.file_tree import FileTree
from mega_collector.emitter.protocol import Emitter
from mega_collector.emitter.stack import stack
from mega_collector.emitter.stop import Stop
from mega_collector.emitter.template import Template
from mega_collector.emitter.text import TextEmitter


@dataclass
class Subject:
    emitter: Emitter
    finish: Callable[[], bytes | None]
    """Close it, and all that it has written; None where nothing is kept."""
    form: Format = Format.RAW


class Reader:
    """Reads a descriptor to its end."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._content = bytearray()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while data := os.read(self._fd, 1 << 20):
            self._content += data
        os.close(self._fd)

    def content(self) -> bytes:
        self._thread.join(20)
        return bytes(self._content)


@pytest.fixture
def stop() -> Iterator[Stop]:
    stop = Stop()
    yield stop
    stop.close()


def blackhole(tmp_path: Path, stop: Stop) -> Subject:
    emitter = BlackholeEmitter()
    return Subject(emitter, emitter.close)


def text_to_file(tmp_path: Path, stop: Stop) -> Subject:
    path = tmp_path / "out.log"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    emitter = TextEmitter(fd, stop)

    def finish() -> bytes:
        emitter.close()
        os.close(fd)
        return path.read_bytes()

    return Subject(emitter, finish)


def _text_to(read_end: int, write_end: int, stop: Stop, form: Format = Format.RAW) -> Subject:
    emitter = TextEmitter(write_end, stop, format=form)
    reader = Reader(read_end)

    def finish() -> bytes:
        emitter.close()
        os.close(write_end)
        return reader.content()

    return Subject(emitter, finish, form)


def text_to_pipe(tmp_path: Path, stop: Stop) -> Subject:
    return _text_to(*os.pipe(), stop)


def json_to_pipe(tmp_path: Path, stop: Stop) -> Subject:
    return _text_to(*os.pipe(), stop, Format.JSON)


def text_to_socket(tmp_path: Path, stop: Stop) -> Subject:
    ours, theirs = socket.socketpair()
    return _text_to(theirs.detach(), ours.detach(), stop)


def prefixes_to_socket(tmp_path: Path, stop: Stop) -> Subject:
    ours, theirs = socket.socketpair()
    return _text_to(theirs.detach(), ours.detach(), stop, Format.PREFIX)


def _file_in(form: Format) -> Callable[[Path, Stop], Subject]:
    def make(tmp_path: Path, stop: Stop) -> Subject:
        path = tmp_path / "out.log"
        emitter = FileEmitter(
            path, known=None, clean=True, state_directory=tmp_path, remember=lambda state: None, format=form
        )

        def finish() -> bytes:
            emitter.close()
            return path.read_bytes()

        return Subject(emitter, finish, form)

    return make


def _tree(name: str, rotation: Rotation | None) -> Callable[[Path, Stop], Subject]:
    def make(tmp_path: Path, stop: Stop) -> Subject:
        path = Template(str(tmp_path / name)) if "{" in name else tmp_path / name
        emitter = FileTree(
            FileConfiguration(path, rotation=rotation),
            known=lambda path: None,
            rows=(),
            clean=True,
            state_directory=tmp_path,
            remember=lambda state: None,
        )

        def finish() -> bytes:
            emitter.close()
            return next(tmp_path.glob("*.log")).read_bytes()

        return Subject(emitter, finish)

    return make


def _stacked(policy: AfterRetries) -> Callable[[Path, Stop], Subject]:
    def make(tmp_path: Path, stop: Stop) -> Subject:
        subject = _file_in(Format.RAW)(tmp_path, stop)
        letters = DeadLetters(tmp_path / "letters", 1 << 20)
        stacked = stack(
            subject.emitter,
            retry_count=3,
            retry_delay=1,
            after_retries=policy,
            dead_letters=letters,
            notifier=None,
            pause=Pauses(),
        )

        def finish() -> bytes:
            stacked.emitter.close()
            return (tmp_path / "out.log").read_bytes()

        return Subject(stacked.emitter, finish)

    return make


@pytest.fixture(
    params=[
        blackhole,
        text_to_file,
        text_to_pipe,
        text_to_socket,
        json_to_pipe,
        prefixes_to_socket,
        *(pytest.param(_file_in(form), id=f"file_{form.value}") for form in Format),
        pytest.param(_tree("{host}.log", None), id="tree"),
        pytest.param(_tree("out.log", Rotation(3, size=1 << 30)), id="rotated_file"),
        pytest.param(_stacked(AfterRetries.WAIT), id="waiting_stack"),
        pytest.param(_stacked(AfterRetries.DISCARD), id="discarding_stack"),
    ]
)
def subject(request: pytest.FixtureRequest, tmp_path: Path, stop: Stop) -> Subject:
    made: Subject = request.param(tmp_path, stop)
    return made


def assert_emits(subject: Subject, *groups: list[Batch]) -> None:
    for group in groups:
        taken = subject.emitter.emit(group)
        assert taken.count == len(group)
        assert not taken.discarded
    content = subject.finish()
    assert content is None or content == in_format(subject.form, [batch for group in groups for batch in group])


def test_takes_all_of_one_batch(subject: Subject) -> None:
    assert_emits(subject, [make_batch(b"one\ntwo\n")])


def test_keeps_the_order_of_batches_and_blocks(subject: Subject) -> None:
    first = make_batch(b"1\n", b"2\n")
    second = make_batch(b"3\n", source=make_source("b.log"))
    assert_emits(subject, [first, second], [make_batch(b"4\n", start=4)])


def test_keeps_every_byte(subject: Subject) -> None:
    assert_emits(subject, [make_batch(b"\n", b"\0\0\n\n", b"\xff\xfe\r\n", bytes(range(256)) + b"\n")])


def test_ends_an_unterminated_entry_with_one_newline(subject: Subject) -> None:
    assert_emits(subject, [make_batch(b"piece", b"rest\n"), make_batch(b"end")], [make_batch(b"next\n")])


def test_takes_memoryviews(subject: Subject) -> None:
    block = Block(make_source(), 4, memoryview(b"one\ntwo\n")[4:], entries=1)
    assert_emits(subject, [Batch((block,), 1, 4)])


def test_takes_more_blocks_than_one_system_call_does(subject: Subject) -> None:
    assert_emits(subject, [make_batch(*(b"%d\n" % number for number in range(2500)))])


def test_takes_more_bytes_than_a_pipe_holds(subject: Subject) -> None:
    assert_emits(subject, [make_batch((b"x" * 99 + b"\n") * 5000), make_batch(b"y" * 300_000)])
