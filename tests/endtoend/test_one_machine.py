"""Both halves in one process: `mega-collector run`."""

import gzip
import subprocess

import pytest

from harness.lines import assert_exactly
from harness.pipe import Pipe
from harness.process import Process
from harness.site import Site
from harness.until import quiet, until


def _to_output(site: Site, *arguments: str) -> Process:
    return site.start("run", str(site.logs / "*.log"), "--output", str(site.out), *arguments)


def test_once_to_stdout_ships_what_is_there_each_time_and_ends(site: Site) -> None:
    site.writer("a.log").write(10_000)
    site.writer("b.log").write(100)
    for _ in range(2):
        process = site.start("run", "--once", str(site.logs / "a.log"), str(site.logs / "b.log"))
        assert process.wait() == 0
        assert_exactly(process.stdout.read_bytes(), site.written)
        assert not process.said()


@pytest.mark.case(86)
def test_once_to_a_file_ships_each_line_once_over_all_runs(site: Site) -> None:
    writer = site.writer()
    for count in (10_000, 10):
        writer.write(count)
        assert _to_output(site, "--once").wait() == 0
        assert_exactly(site.output(), site.written)
    writer.rotate(site.logs / "b.log")
    writer.write(10)
    assert _to_output(site, "--once").wait() == 0
    assert_exactly(site.output(), site.written)


def test_once_ends_where_files_have_gone_and_been_moved_meanwhile_and_tells_of_each_once(site: Site) -> None:
    """What is moved is found beside at once, what is gone is looked for longer, and an archive takes its time."""
    writers = [site.writer(f"{name}.log") for name in "abcd"]
    for writer in writers:
        writer.write(100)
    assert _to_output(site, "--once").wait() == 0
    gone, moved, compressed, _ = (writer.path for writer in writers)
    gone.unlink()
    moved.rename(moved.with_suffix(".old"))
    compressed.with_suffix(".log.gz").write_bytes(gzip.compress(compressed.read_bytes()))
    compressed.unlink()
    process = site.start("run", str(site.logs / "*.log*"), "--output", str(site.out), "--once")
    assert process.wait() == 0
    assert [event["path"] for event in process.events("source_lost") if "reason" in event] == [str(gone)]
    process = site.start("run", str(site.logs / "*.log*"), "--output", str(site.out), "--once")
    assert process.wait() == 0
    assert not process.events("source_lost"), "the aggregator had heard of it"
    assert_exactly(site.output(), site.written)


def test_once_ships_a_last_line_without_newline(site: Site) -> None:
    (site.logs / "a.log").write_bytes(b"one\ntwo")
    for _ in range(2):
        assert _to_output(site, "--once").wait() == 0
        assert site.output() == b"one\ntwo\n"


def test_once_ends_where_a_busy_file_ended_when_it_was_found(site: Site) -> None:
    path = site.logs / "busy.log"
    path.write_bytes(b"a line\n" * 1000)
    with path.open("ab") as file, subprocess.Popen(["sh", "-c", "while :; do echo a line; done"], stdout=file) as busy:
        process = site.start("run", "--once", str(path))
        code = process.wait()
        busy.kill()
    assert code == 0
    lines = process.stdout.read_bytes().splitlines()
    assert len(lines) >= 1000
    # What was being written when it was found may be cut.
    assert set(lines[:-1]) == {b"a line"}


def test_once_with_nothing_to_ship_ends_cleanly(site: Site) -> None:
    (site.logs / "empty.log").touch()
    assert _to_output(site, "--once").wait() == 0
    assert site.output() == b""


def test_files_are_followed_through_rotation(site: Site) -> None:
    writer = site.writer()
    writer.write(100)
    process = _to_output(site)
    site.assert_delivered()
    writer.rotate(site.logs / "old")
    writer.write(100)
    site.assert_delivered()
    assert process.stop() == 0
    writer.write(100)
    _to_output(site)
    site.assert_delivered()


def test_a_pipe_gets_lines_as_they_come(site: Site) -> None:
    writer = site.writer()
    with Pipe() as pipe:
        process = site.start("run", str(site.logs / "a.log"), stdout=pipe.writing)
        pipe.close_writing()
        pipe.drain()
        for _ in range(3):
            writer.write(100)
            until(lambda: pipe.size == site.bytes_written, process.said)
            quiet(lambda: pipe.size, "the pipe")
        assert process.stop() == 0
    assert_exactly(pipe.data, site.written)


@pytest.mark.case(86)
def test_a_reader_that_has_enough_ends_it_with_an_error(site: Site) -> None:
    site.writer().write(10_000)
    with Pipe() as pipe:
        process = site.start("run", str(site.logs / "a.log"), stdout=pipe.writing)
        pipe.close_writing()
        until(lambda: pipe.waiting, process.said)
        pipe.close_reading()
        assert process.wait() == 1


@pytest.mark.case(100)
def test_the_output_may_lie_among_the_logs(site: Site) -> None:
    site.writer().write(100)
    site.out = site.logs / "out.log"
    process = _to_output(site)
    site.assert_delivered()
    assert process.stop() == 0


def test_a_second_run_with_the_same_output_is_refused(site: Site) -> None:
    site.writer().write(100)
    _to_output(site)
    site.assert_delivered()
    second = _to_output(site, "--once")
    assert second.wait() == 2
    assert len(second.said().splitlines()) == 1
    site.assert_delivered()
