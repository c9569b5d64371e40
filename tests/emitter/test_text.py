import fcntl
import os
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from emitter.batches import make_batch
from emitter.formats import in_format
from mega_collector.batch import Batch
from mega_collector.emitter.configuration import Format
from mega_collector.emitter.emitted import Emitted
from mega_collector.emitter.stop import Stop
from mega_collector.emitter.text import TextEmitter
from mega_collector.errors import DestinationGone, EmitError, StartError, Stopping

LARGE = 1 << 20  # more than a pipe holds


@pytest.fixture
def stop() -> Iterator[Stop]:
    stop = Stop()
    yield stop
    stop.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read_end, write_end = os.pipe()
    yield read_end, write_end
    for fd in (read_end, write_end):
        try:
            os.close(fd)
        except OSError:
            continue


def drain(fd: int) -> bytes:
    """All that is in the pipe now."""
    content = b""
    while select.select([fd], [], [], 0)[0] and (data := os.read(fd, LARGE)):
        content += data
    return content


def in_background(emitter: TextEmitter, batches: list[Batch]) -> tuple[threading.Thread, list[BaseException | int]]:
    outcome: list[BaseException | int] = []

    def run() -> None:
        try:
            outcome.append(emitter.emit(batches).count)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def wait_until_full(read_end: int, thread: threading.Thread) -> None:
    """Until the emitter has filled the pipe and waits for room."""
    size = fcntl.fcntl(read_end, fcntl.F_GETPIPE_SZ)
    held = bytearray(4)
    while fcntl.ioctl(read_end, 0x541B, held) == 0 and int.from_bytes(held, "little") < size:  # FIONREAD
        assert thread.is_alive()


def test_a_dead_reader_is_a_destination_gone(stop: Stop, pipe: tuple[int, int]) -> None:
    emitter = TextEmitter(pipe[1], stop)
    os.close(pipe[0])
    with pytest.raises(DestinationGone, match="stdout: nobody reads it any more"):
        emitter.emit([make_batch(b"x\n")])
    emitter.close()


def test_a_reader_that_dies_while_the_pipe_is_full_is_a_destination_gone(stop: Stop, pipe: tuple[int, int]) -> None:
    emitter = TextEmitter(pipe[1], stop)
    thread, outcome = in_background(emitter, [make_batch(b"x" * LARGE)])
    wait_until_full(pipe[0], thread)
    os.close(pipe[0])
    thread.join(10)
    assert isinstance(outcome[0], DestinationGone)
    emitter.close()


def test_a_full_pipe_waits_and_a_stop_ends_the_wait(stop: Stop, pipe: tuple[int, int]) -> None:
    emitter = TextEmitter(pipe[1], stop)
    thread, outcome = in_background(emitter, [make_batch(b"x" * LARGE)])
    wait_until_full(pipe[0], thread)
    assert not outcome
    stop.set()
    thread.join(10)
    assert isinstance(outcome[0], Stopping)
    emitter.close()


def test_what_was_written_whole_before_the_stop_is_taken(stop: Stop, pipe: tuple[int, int]) -> None:
    emitter = TextEmitter(pipe[1], stop)
    stop.set()
    taken = emitter.emit([make_batch(b"one\n"), make_batch(b"x" * LARGE)])
    assert taken.count == 1
    assert isinstance(taken.cause, Stopping)
    assert emitter.statistics() == Emitted(1, 1, 4)
    emitter.close()


@pytest.mark.parametrize("form", Format)
def test_a_batch_that_comes_again_goes_on_at_the_exact_byte(stop: Stop, pipe: tuple[int, int], form: Format) -> None:
    emitter = TextEmitter(pipe[1], stop, format=form)
    batch = make_batch(b"a" * LARGE + b"\n" * 5000 + b"\xff\n", b"unterminated")
    stop.set()
    content = b""
    for _ in range(1000):
        try:
            emitter.emit([batch])
        except Stopping:
            content += drain(pipe[0])
        else:
            break
    assert content + drain(pipe[0]) == in_format(form, [batch])
    emitter.close()


def test_another_batch_is_not_glued_to_half_a_line(stop: Stop, pipe: tuple[int, int]) -> None:
    emitter = TextEmitter(pipe[1], stop)
    stop.set()
    with pytest.raises(Stopping):
        emitter.emit([make_batch(b"x" * LARGE)])
    drain(pipe[0])
    emitter.emit([make_batch(b"next\n")])
    emitter.emit([make_batch(b"last\n")])
    assert drain(pipe[0]) == b"\nnext\nlast\n"
    emitter.close()


def test_another_batch_after_whole_lines_adds_no_empty_one(stop: Stop, pipe: tuple[int, int]) -> None:
    emitter = TextEmitter(pipe[1], stop)
    stop.set()
    size = fcntl.fcntl(pipe[0], fcntl.F_GETPIPE_SZ)
    with pytest.raises(Stopping):
        emitter.emit([make_batch(b"x" * (size - 1) + b"\n", b"y" * size)])
    drain(pipe[0])
    emitter.emit([make_batch(b"next\n")])
    assert drain(pipe[0]) == b"next\n"
    emitter.close()


def test_the_flags_of_a_shared_description_stay_as_they_are(stop: Stop, pipe: tuple[int, int]) -> None:
    before = fcntl.fcntl(pipe[1], fcntl.F_GETFL)
    emitter = TextEmitter(pipe[1], stop)
    emitter.emit([make_batch(b"x\n")])
    assert fcntl.fcntl(pipe[1], fcntl.F_GETFL) == before
    emitter.close()
    os.fstat(pipe[1])


def test_a_full_socket_waits_and_a_stop_ends_the_wait(stop: Stop) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        emitter = TextEmitter(ours.fileno(), stop)
        thread, outcome = in_background(emitter, [make_batch(b"x" * LARGE * 8)])
        assert theirs.recv(1) == b"x"
        stop.set()
        thread.join(10)
        assert isinstance(outcome[0], Stopping)
        emitter.close()


def test_a_terminal_is_written_to(stop: Stop) -> None:
    ours, theirs = os.openpty()
    emitter = TextEmitter(theirs, stop)
    emitter.emit([make_batch(b"hello\n")])
    assert os.read(ours, 100) == b"hello\r\n"
    emitter.close()
    os.close(ours)
    os.close(theirs)


def test_a_full_device_is_an_error_that_says_so(stop: Stop) -> None:
    emitter = TextEmitter.at(Path("/dev/full"), stop)
    with pytest.raises(EmitError, match=r"^/dev/full: No space left on device$"):
        emitter.emit([make_batch(b"x\n")])
    emitter.close()


def test_a_closed_descriptor_forbids_the_start(stop: Stop, pipe: tuple[int, int]) -> None:
    os.close(pipe[1])
    with pytest.raises(StartError, match="stdout: Bad file descriptor"):
        TextEmitter(pipe[1], stop)


def test_a_named_pipe_that_nobody_reads_forbids_the_start(stop: Stop, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(StartError, match="fifo: No such device or address"):
        TextEmitter.at(tmp_path / "fifo", stop)


def test_a_named_pipe_is_written_to_by_its_path(stop: Stop, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    emitter = TextEmitter.at(tmp_path / "fifo", stop)
    emitter.emit([make_batch(b"x\n")])
    assert os.read(reader, 100) == b"x\n"
    emitter.close()
    assert os.read(reader, 100) == b"", "the emitter has closed all that it opened"
    os.close(reader)
