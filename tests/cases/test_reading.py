"""Group B: what stands in a file arrives as its lines, however it came there and whatever bytes it is made of."""

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from cases.appending import LINE, appended_line
from cases.named import append
from cases.scans import scans
from harness.lines import assert_exactly, make_line
from harness.site import Site
from harness.until import quiet, until

MIB = 1 << 20
READ = MIB
"""What the collector reads at once."""


def assert_arrives(site: Site, data: bytes) -> None:
    """The destination holds just that, and stays so."""
    site.wait_for_bytes(len(data))
    quiet(site.size, "the destination")
    assert site.output() == data, _difference(site.output(), data)


def _difference(found: bytes, wanted: bytes) -> str:
    at = next((at for at, pair in enumerate(zip(found, wanted, strict=False)) if len({*pair}) > 1), "the end")
    return f"{len(found)} bytes instead of {len(wanted)}, the first other one at {at}"


# Lines that come in parts, and fragments


@pytest.mark.case(10)
def test_a_line_that_takes_many_looks_to_be_written_is_one_line(site: Site) -> None:
    site.aggregator()
    collector = site.collector()
    writer = site.writer()
    collector.wait_for("file_followed")
    writer.lines.append(make_line("a", 0, 0))
    with writer.path.open("ab", buffering=0) as file:
        for at in range(0, len(writer.lines[0]), 8):
            file.write(writer.lines[0][at : at + 8])
            scans(collector, site.logs, 1)
    site.assert_delivered()


@pytest.mark.case(11)
def test_a_fragment_is_held_while_it_grows_and_through_a_restart(site: Site) -> None:
    _, collector, writer = site.shipped(1)
    line = make_line("a", 0, 1, 21 << 10)
    with writer.path.open("ab", buffering=0) as file:
        file.write(line[: 20 << 10])
        quiet(site.size, "a fragment")
        file.write(line[20 << 10 : -1])
        quiet(site.size, "a fragment")
        assert collector.stop() == 0
        site.collector().wait_for("file_followed")
        quiet(site.size, "a fragment")
        file.write(b"\n")
    writer.lines.append(line)
    site.assert_delivered()


@pytest.mark.case(12)
@pytest.mark.parametrize("how", ["renamed", "unlinked"])
def test_the_fragment_at_the_end_of_a_file_that_is_gone_is_shipped_once_and_stands_alone(site: Site, how: str) -> None:
    site.aggregator()
    collector = site.collector()
    writer = site.writer()
    writer.write(10)
    rest = writer.write_part(len(make_line("a", 0, 10)) - 1)
    site.wait_for_bytes(site.bytes_written)
    if how == "renamed":
        writer.path.rename(site.logs / "a.old")
    else:
        writer.path.unlink()
    # The destination gives it the newline that it never had.
    assert rest == b"\n"
    writer.lines.append(make_line("a", 0, 10))
    writer.reopen()
    writer.write(10)
    site.assert_delivered()
    collector.wait_for("file_retired")
    collector.kill()
    site.collector()
    site.assert_delivered()


# Empty lines, and ends of lines


@pytest.mark.case(13)
def test_empty_lines_are_lines_and_blanks_stay_and_a_restart_sends_none_again(site: Site) -> None:
    data = b"\n\nx\n\n  \n\ty\t\n"
    path = site.logs / "a.log"
    path.write_bytes(data)
    site.aggregator()
    collector = site.collector()
    assert_arrives(site, data)
    assert collector.stop() == 0
    collector = site.collector()
    collector.wait_for("file_followed", position=len(data))
    with path.open("ab") as file:
        file.write(b"\n" * 5)
    assert_arrives(site, data + b"\n" * 5)


@pytest.mark.case(13)
def test_of_a_file_of_nothing_but_empty_lines_a_restart_sends_none_again(site: Site) -> None:
    (site.logs / "a.log").write_bytes(b"\n" * 5000)
    site.aggregator()
    collector = site.collector()
    assert_arrives(site, b"\n" * 5000)
    collector.kill()
    site.collector().wait_for("file_followed", position=5000)
    assert_arrives(site, b"\n" * 5000)


@pytest.mark.case(14)
def test_a_crlf_on_both_sides_of_an_edge_ends_one_line_and_a_lone_cr_none(site: Site) -> None:
    lines = []
    for number, edge in enumerate([4096, 8192, 65536, READ]):
        fresh = [b"a" * (edge - 1) + b"\r\n", b"b" * (edge - 2) + b"\r\r\n", b"sh\rort%d\r\n" % number]
        (site.logs / f"{number}.log").write_bytes(b"".join(fresh))
        lines += fresh
    site.aggregator(max_batch_size="1")
    site.collector()
    site.wait_for_bytes(sum(map(len, lines)))
    quiet(site.size, "the destination")
    assert sorted(site.output().split(b"\n")) == sorted([*(line.removesuffix(b"\n") for line in lines), b""])


# Bytes


@pytest.mark.case(15)
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_every_byte_arrives_as_it_was_written_wherever_reads_begin_and_end(site: Site, compression: str) -> None:
    every_value = bytes(value for value in range(256) if value != 0x0A) + b"\n"
    lone = [b"\xc5\n", b"\0\n", b"a\0b\0\n", b"\xed\xa0\x80\n", b"\xef\xbb\xbfbom\n", b"\xc0\xaf\n", b"\xf0\x9f\x98\n"]
    data = every_value * 100 + b"".join(lone) * 100 + _characters_across_reads(12)
    assert _cut_characters(data) == {1, 2, 3}
    (site.logs / "a.log").write_bytes(data)
    site.aggregator(max_batch_size="7")
    site.collector(compression=compression)
    assert_arrives(site, data)


def _characters_across_reads(count: int) -> bytes:
    """Lines of characters of four bytes, each line by another number of bytes aside."""
    return b"".join(
        b"x" * (number // 2) + "\N{GRINNING FACE}".encode() * ((READ - 200_000) // 4) + b"\n" for number in range(count)
    )


def _cut_characters(data: bytes) -> set[int]:
    """How many bytes of a character stand before the end of a read, where one is cut there."""
    cut, start = set(), 0
    while start + READ < len(data):
        end = start + READ
        cut |= {size for size in (1, 2, 3) if data[end - size : end - size + 4] == "\N{GRINNING FACE}".encode()}
        start = data.rindex(b"\n", start, end) + 1
    return cut


@pytest.mark.case(16)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-8"])
def test_other_encodings_and_their_marks_pass_as_the_bytes_they_are(site: Site, encoding: str) -> None:
    text = "\ufefffirst\n" + "\u0a0a\u010a\u0a01 second\r\n" * 3 + "\n" + "third\n"
    data = text.encode(encoding)
    path = site.logs / "a.log"
    path.write_bytes(data)
    site.aggregator()
    collector = site.collector()
    whole_lines = data[: data.rindex(b"\n") + 1]
    assert_arrives(site, whole_lines)
    with path.open("ab") as file:
        file.write(data)
    assert_arrives(site, data + whole_lines)
    # The second half of a last newline waits as any fragment does; the destination ends it with a newline of one byte.
    path.rename(site.logs / "a.old")
    collector.wait_for("file_retired")
    assert_arrives(site, data + data + (b"" if data == whole_lines else b"\n"))


# Over-long lines


@pytest.mark.case(17)
def test_lines_about_as_long_as_they_may_be_leave_their_neighbours_whole(site: Site) -> None:
    path = site.logs / "a.log"
    lines = [b"before", b"a" * 999, b"between", b"b" * 1000, b"between", b"c" * 1001, b"after", "ä".encode() * 1250]
    path.write_bytes(b"\n".join(lines) + b"\nafter\n" + b"d" * 1500)
    pieces = [*lines[:5], b"c" * 1000, b"c", b"after", *["ä".encode() * 500] * 2, "ä".encode() * 250, b"after"]
    arrived = b"\n".join(pieces) + b"\n" + b"d" * 1000 + b"\n"
    site.aggregator()
    collector = site.collector(max_line_size="1000")
    # What was too long when it was first seen, and still grew, goes on as what it is.
    assert_arrives(site, arrived)
    assert collector.stop() == 0
    collector = site.collector(max_line_size="1000")
    collector.wait_for("file_followed", position=path.stat().st_size - 500)
    with path.open("ab") as file:
        file.write(b"d" * 1000 + b"\nlast\n")
    assert_arrives(site, arrived + b"d" * 1000 + b"\n" + b"d" * 500 + b"\nlast\n")


@pytest.mark.case(17)
def test_each_line_that_is_split_is_counted_once(site: Site) -> None:
    (site.logs / "a.log").write_bytes(b"a" * 1000 + b"\n" + b"b" * 1001 + b"\n" + b"c" * 5000 + b"\nshort\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    site.aggregator()
    site.collector(max_line_size="1000", metrics_address=address)
    site.wait_for_bytes(1001 + 1003 + 5005 + 6)
    with urllib.request.urlopen(f"http://{address}/metrics") as answer:
        assert b"\nmega_collector_collector_long_lines_total 2.0\n" in answer.read()


@pytest.mark.case(18)
def test_fifty_megabytes_without_newline_take_no_memory_hold_up_no_other_file_and_survive_a_kill(site: Site) -> None:
    line = b"".join(b"%08d" % number + b"x" * ((64 << 10) - 8) for number in range(800))
    path = site.logs / "a.log"
    other = site.writer("b.log")
    aggregator, collector = site.aggregator(), site.collector(window_size="4MiB")
    other.write(10)
    site.assert_delivered()
    memory = collector.peak_memory()
    with path.open("ab", buffering=0) as file:
        for number in range(8):
            for at in range(number * len(line) // 8, (number + 1) * len(line) // 8, 64 << 10):
                file.write(line[at : at + (64 << 10)])
            if number == 3:
                until(lambda: site.size() > MIB, "nothing of the line arrives")
                assert collector.peak_memory() < memory + 32 * MIB
                collector.kill()
                collector = site.collector(window_size="4MiB")
            before = site.size()
            other.write(1)
            until(lambda at=before: other.lines[-1] in output(site, at), "the other file waits for the long line")  # type: ignore[misc]
        file.write(b"\n" + b"after\n" * 10)
    pieces = [line[at : at + MIB] + b"\n" for at in range(0, len(line), MIB)]
    site.wait_for_bytes(sum(map(len, (*pieces, *other.lines))) + 60)
    quiet(site.size, "the destination")
    found = site.output().splitlines(keepends=True)
    assert [each for each in found if not each.startswith(b"b:")] == [*pieces, *[b"after\n"] * 10]
    assert [each for each in found if each.startswith(b"b:")] == other.lines
    assert collector.peak_memory() < memory + 32 * MIB
    assert aggregator.running


def output(site: Site, begin: int) -> bytes:
    """What the destination holds from there on."""
    with site.out.open("rb") as file:
        file.seek(begin)
        return file.read()


# Many files, many writers


@pytest.mark.case(19)
@pytest.mark.parametrize("files", [1, 8])
def test_a_backlog_lets_the_lines_of_other_files_pass(site: Site, files: int) -> None:
    """The destination takes what the test takes from it: how much of the backlog is ahead of a line is no accident.

    That is what is in flight, and a block of each file: all together less than four windows of four blocks.
    """
    backlog, window = 24 * MIB, 1 * MIB
    for number in range(files):
        append(site, site.logs / f"a{number}.log", f"a{number}", backlog // files // 1000, padding=980)
    live = [site.writer("b.log"), site.writer("c.log")]
    with Pace() as pace:
        aggregator = site.aggregator(file_configuration=None, text_configuration="1", stdout=pace.writing)
        pace.close_writing()
        collector = site.collector(window_size=str(window))
        for writer in live * 2:
            writer.write(1)
            begin = pace.size
            while writer.lines[-1] not in pace.data[-LONGEST:]:
                pace.take()
                assert pace.size - begin < 4 * window, f"{writer.path.name} waits for the backlog"
        assert pace.size < backlog
        while pace.size < site.bytes_written:
            pace.take()
        assert collector.stop() == 0
        assert aggregator.stop() == 0
        assert not pace.take()
    assert_exactly(bytes(pace.data), site.written)


LONGEST = (1 << 16) + 2000
"""A chunk that is taken from the pipe, and a line before it."""


class Pace:
    """A pipe of which the test takes as much as it says. A context manager."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()
        self.data = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._reading)

    @property
    def size(self) -> int:
        return len(self.data)

    def close_writing(self) -> None:
        """This process's end."""
        os.close(self.writing)

    def take(self) -> bool:
        """Wait for the next bytes; false at the end."""
        chunk = os.read(self._reading, 1 << 16)
        self.data += chunk
        return bool(chunk)


@pytest.mark.case(20)
def test_many_writers_of_one_file_that_is_rotated_meanwhile_each_keep_their_order(site: Site) -> None:
    site.aggregator()
    site.collector(paths=f"{site.logs}/a.log*")
    path, count = site.logs / "a.log", 1500
    with writers([f"w{number}" for number in range(8)], path, count) as appending:
        until(lambda: path.exists() and path.stat().st_size > 8 * count * LINE // 3, "nothing is written")
        path.rename(site.logs / "a.log.1")
        counts = {name: [int(each) for each in process.communicate()[0].split()] for name, process in appending.items()}
    assert max(map(len, counts.values())) == 2, "nobody wrote on in the new file"
    for name, numbers in counts.items():
        for generation, number in enumerate(numbers):
            site.written[name, generation] = [appended_line(name, generation, each) for each in range(number)]
    site.assert_delivered()


@contextmanager
def writers(names: list[str], path: Path, count: int) -> Iterator[dict[str, "subprocess.Popen[bytes]"]]:
    """Programs that append to one file, begun at once."""
    program = Path(__file__).with_name("appending.py")
    started = {
        name: subprocess.Popen(
            [sys.executable, program, path, name, str(count)],
            env={"PYTHONPATH": str(program.parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in names
    }
    try:
        for process in started.values():
            assert process.stdin is not None
            process.stdin.close()
            process.stdin = None
        yield started
    finally:
        for process in started.values():
            process.kill()
            process.wait()
