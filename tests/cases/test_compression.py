"""Rotated files that are compressed where the patterns find them: each line once, and never the archive's own bytes."""

import gzip
import lzma
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cases.held import deleted
from cases.logrotate import logrotate
from cases.recycled import recycle, recycling
from collector.accepting import Accepting
from collector.scripted_aggregator import scripted
from harness.lines import make_line, sorted_out
from harness.pipe import Pipe
from harness.process import Process
from harness.site import Site
from harness.until import quiet, until
from harness.writer import Writer

_SMALL = {"window_size": "256KiB", "max_line_size": "64KiB"}
"""So little may be in flight that a destination that hangs leaves the files unread."""


@pytest.mark.case(30)
def test_logrotate_compresses_a_file_of_which_little_was_read(site: Site) -> None:
    """Its tail comes through the open descriptor; the archive is recognised."""
    aggregator = site.aggregator()
    collector = _collector(site, **_SMALL)
    writer = site.writer()
    writer.write(10)
    site.assert_delivered()
    aggregator.freeze()
    writer.write(14_000, padding=200)
    logrotate(site.directory, writer.path, "create", "compress")
    assert sorted(path.name for path in site.logs.iterdir()) == ["a.log", "a.log.1.gz"]
    writer.reopen()
    writer.write(10)
    until(lambda: collector.holds(writer.path), "a new file should be opened")
    assert deleted(collector, site.logs) == 1
    assert site.bytes_written - site.size() > 3_000_000
    aggregator.thaw()
    site.assert_delivered()
    told = collector.wait_for("archive_recognised", path=str(site.logs / "a.log.1.gz"))
    assert told["of"]
    site.assert_delivered()
    until(lambda: not deleted(collector, site.logs), "what was read to its end should be closed")


@pytest.mark.case(30)
def test_logrotate_compresses_one_rotation_later(site: Site) -> None:
    site.aggregator()
    collector = _collector(site)
    writer = site.writer()
    for number in range(4):
        writer.write(100)
        until(lambda: collector.holds(writer.path), "a new file should be opened")
        logrotate(site.directory, writer.path, "create", "compress", "delaycompress")
        writer.write(10)  # to the file that is renamed and not compressed yet
        writer.reopen()
        assert len(list(site.logs.glob("*.gz"))) == number
    writer.write(100)
    site.assert_delivered()
    collector.wait_for("archive_recognised", count=3)
    site.assert_delivered()


@pytest.mark.case(30)
@pytest.mark.parametrize("content", [b"a", b"begin\n"])
def test_an_archive_is_not_taken_for_that_of_the_next_log_which_begins_with_all_that_is_in_it(
    site: Site, content: bytes
) -> None:
    """Nobody has seen what it was made of; but that was written last before the next log was made."""
    site.aggregator()
    collector = _collector(site)
    site.writer("a.log.2").write(1)
    site.assert_delivered()
    collector.freeze()
    log = site.logs / "a.log"
    log.write_bytes(content)
    logrotate(site.directory, log, "create", "compress")
    assert sorted(path.name for path in site.logs.iterdir()) == ["a.log", "a.log.1.gz", "a.log.2"]
    with log.open("ab") as file:
        file.write(content + b"and more\n")
    collector.thaw()
    expected = site.output() + content.removesuffix(b"\n") + b"\n" + content + b"and more\n"
    site.wait_for_bytes(len(expected))
    quiet(site.size, "the destination")
    assert sorted(site.output().splitlines()) == sorted(expected.splitlines())


@pytest.mark.case(30)
def test_rotated_and_compressed_before_the_aggregator_is_there(site: Site) -> None:
    """Every file is held open, and nothing of any was shipped."""
    collector = _collector(site)
    writer = site.writer()
    for _ in range(4):
        writer.write(100)
        until(lambda: collector.holds(writer.path), "a new file should be opened")
        logrotate(site.directory, writer.path, "create", "compress")
        writer.reopen()
    writer.write(100)
    site.aggregator()
    site.assert_delivered()


@pytest.mark.case(30)
@pytest.mark.parametrize("unread", [0, 1000])
def test_rotated_and_compressed_while_the_collector_was_down(site: Site, unread: int) -> None:
    """What was not read is in the archive, behind what was."""
    site.aggregator()
    collector = _collector(site)
    writer = site.writer()
    writer.write(1000)
    site.assert_delivered()
    assert collector.stop() == 0
    writer.write(unread)
    _compress(writer, site.logs / "a.log.1.gz")
    writer.write(10)
    collector = _collector(site)
    site.assert_delivered()
    if not unread:
        collector.wait_for("archive_recognised", path=str(site.logs / "a.log.1.gz"))
    assert collector.stop() == 0
    collector = _collector(site)
    writer.write(10)
    site.assert_delivered()


@pytest.mark.case(30)
def test_an_archive_is_not_taken_for_that_of_an_empty_file_that_had_its_name(site: Site) -> None:
    empty = site.logs / "a.log.1"
    empty.touch()
    site.aggregator()
    collector = _collector(site)
    collector.wait_for("file_followed", path=str(empty))
    assert collector.stop() == 0
    empty.rename(site.logs / "a.log.2")
    other = site.writer("other")
    other.write(10)
    _compress(other, site.logs / "a.log.1.gz")
    _collector(site)
    site.assert_delivered()


@pytest.mark.case(30)
@pytest.mark.parametrize("name", ["a.log", "b.log"])
def test_an_archive_is_recognised_by_what_the_aggregator_knows_though_its_original_s_inode_was_given_again(
    site: Site, name: str
) -> None:
    """The checkpoint knows of that inode only that its file was empty: the next file may be the same as well."""
    with recycling(site.logs) as site.logs:
        site.aggregator()
        collector = site.collector(paths=f"{site.logs}/*.log*")
        writer = site.writer()
        checkpoint = site.directory / "collector" / "checkpoint"
        until(lambda: checkpoint.exists() and b"a.log" in checkpoint.read_bytes(), "the source should be noted")
        stale = checkpoint.read_bytes()
        writer.write(100)
        site.assert_delivered()
        collector.kill()
        checkpoint.write_bytes(stale)
        writer.write(50)
        (site.logs / "a.log.1.gz").write_bytes(gzip.compress(writer.path.read_bytes()))
        writer.close()
        recycle(writer.path, site.logs / name, b"")
        writer.path = site.logs / name
        writer.reopen()
        writer.write(200)
        site.collector(paths=f"{site.logs}/*.log*")
        site.assert_delivered()


@pytest.mark.case(30)
def test_an_archive_that_has_the_inode_of_an_empty_log_that_was_closed_is_not_shipped_as_it_is(site: Site) -> None:
    with recycling(site.logs) as site.logs:
        site.aggregator()
        collector = _collector(site, close_inactive="50ms")
        writer = site.writer()
        collector.wait_for("file_followed")
        until(lambda: not collector.holds(writer.path), "it should be closed")
        writer.close()
        recycle(writer.path, site.logs / "a.log.1.gz", gzip.compress(_lines(site, "archived", 100)))
        site.assert_delivered()


@pytest.mark.case(30)
def test_of_several_files_that_only_the_aggregator_knows_the_one_is_found_that_an_archive_is_of(site: Site) -> None:
    """Those before it had the same name, and nothing in them."""
    site.aggregator()
    empty = [site.logs / f"a.log.{number}" for number in (1, 2)]
    for each in empty:
        each.touch()
    collector = _collector(site)
    for each in empty:
        collector.wait_for("file_followed", path=str(each))
    writer = site.writer()
    collector.wait_for("file_followed", path=str(writer.path))
    checkpoint = site.directory / "collector" / "checkpoint"
    until(lambda: b'a.log"' in checkpoint.read_bytes(), "the source should be noted")
    stale = checkpoint.read_bytes()
    writer.write(100)
    site.assert_delivered()
    collector.kill()
    checkpoint.write_bytes(stale)
    for each in empty:
        each.unlink()
    _compress(writer, site.logs / "a.log.1.gz")
    writer.write(10)
    collector = _collector(site)
    site.assert_delivered()
    collector.wait_for("archive_recognised", path=str(site.logs / "a.log.1.gz"))
    site.assert_delivered()


@pytest.mark.case(30)
@pytest.mark.parametrize(
    "end",
    [
        Process.stop,
        Process.kill,
    ],
)
def test_rotated_and_compressed_again_and_again_while_the_collector_was_down(
    site: Site, end: Callable[[Process], object]
) -> None:
    """However stale its checkpoint is: the aggregator knows what it has."""
    site.aggregator()
    collector = _collector(site)
    writer = site.writer()
    writer.write(1000)
    site.assert_delivered()
    end(collector)
    for number in range(3):
        writer.write(500)
        for older in range(number, 0, -1):
            (site.logs / f"a.log.{older}.gz").rename(site.logs / f"a.log.{older + 1}.gz")
        _compress(writer, site.logs / "a.log.1.gz")
    writer.write(10)
    _collector(site)
    site.assert_delivered()


@pytest.mark.case(30)
def test_an_archive_that_was_never_seen_is_shipped_once_whatever_becomes_of_its_name(site: Site) -> None:
    site.aggregator()
    archive = site.logs / "a.log.1.gz"
    archive.write_bytes(gzip.compress(_lines(site, "old", 1000)))
    collector = _collector(site)
    site.assert_delivered()
    for number in (1, 2):
        (site.logs / f"a.log.{number}.gz").rename(site.logs / f"a.log.{number + 1}.gz")
        quiet(site.size, "the destination")
    assert collector.stop() == 0
    (site.logs / "a.log.3.gz").rename(site.logs / "a.log.4.gz")
    collector = _collector(site)
    site.writer().write(10)
    site.assert_delivered()
    archive.write_bytes(gzip.compress(_lines(site, "another", 1000)))
    site.assert_delivered()


@pytest.mark.case(30)
@pytest.mark.parametrize("parts", [(3, 200), (200, -8), (-8, -4)])
def test_an_archive_that_is_still_written_waits_until_it_is_whole(site: Site, parts: tuple[int, int]) -> None:
    """Its header, its data or its trailer is missing at first; and there is nothing in it before that."""
    archive, data = site.logs / "a.log.1.gz", gzip.compress(_lines(site, "old", 1000))
    archive.touch()
    site.aggregator()
    collector = _collector(site)
    with archive.open("ab", buffering=0) as file:
        for end in parts:
            file.write(data[:end][archive.stat().st_size :])
            collector.wait_for("archive_waits", path=str(archive))
            quiet(site.size, "the destination")
            assert site.size() == 0
        file.write(data[archive.stat().st_size :])
    site.assert_delivered()
    assert archive.read_bytes() == data


@pytest.mark.case(30)
def test_an_archive_that_is_written_under_another_name_and_renamed_when_it_is_whole_is_recognised(
    site: Site, watch: str
) -> None:
    _, collector, writer = site.shipped(1000, paths=f"{site.logs}/*", watch=watch)
    rotated, unfinished = site.logs / "a.log.1", site.logs / "a.log.1.gz.tmp"
    writer.rotate(rotated)
    data = gzip.compress(rotated.read_bytes())
    unfinished.write_bytes(data[:200])
    collector.wait_for("archive_waits", path=str(unfinished))
    with unfinished.open("ab") as file:
        file.write(data[200:])
    unfinished.rename(site.logs / "a.log.1.gz")
    rotated.unlink()
    collector.wait_for("archive_recognised")
    writer.write(10)
    site.assert_delivered()


@pytest.mark.case(30)
def test_an_archive_that_is_copied_and_removed_between_two_looks_is_not_shipped_again(site: Site, watch: str) -> None:
    """As it is moved to another filesystem: it has another inode there."""
    site.aggregator()
    archive, moved = site.logs / "a.log.1.gz", site.logs / "old" / "a.log.1.gz"
    moved.parent.mkdir()
    archive.write_bytes(gzip.compress(_lines(site, "old", 1000)))
    collector = site.collector(paths=f"{site.logs}/**/*.gz", watch=watch)
    site.assert_delivered()
    collector.wait_for("file_retired")
    for _ in range(2):
        collector.freeze()
        moved.write_bytes(archive.read_bytes())
        archive.unlink()
        collector.thaw()
        collector.wait_for("archive_recognised", path=str(moved))
        site.assert_delivered()
        moved, archive = archive, moved


@pytest.mark.case(30)
def test_that_an_archive_is_still_written_is_told_once(site: Site) -> None:
    archive, data = site.logs / "a.log.1.gz", gzip.compress(_lines(site, "old", 1000))
    archive.write_bytes(data[:3])
    site.aggregator()
    collector = _collector(site)
    collector.wait_for("archive_waits")
    for end in range(1000, len(data), len(data) // 5):
        archive.write_bytes(data[:end])
        quiet(site.size, "the destination")
    archive.write_bytes(data)
    site.assert_delivered()
    assert len(collector.events("archive_waits")) == 1


@pytest.mark.case(30)
def test_an_archive_that_stays_truncated_holds_up_nothing(site: Site) -> None:
    (site.logs / "a.log.1.gz").write_bytes(gzip.compress(_lines(site, "a", 1000))[:-8])
    site.written.clear()
    site.aggregator()
    collector = _collector(site)
    writer = site.writer()
    writer.write(10)
    collector.wait_for("archive_waits")
    site.assert_delivered()
    writer.write(10)
    site.assert_delivered()
    assert collector.stop() == 0


@pytest.mark.case(30)
@pytest.mark.parametrize("found", [True, False])
def test_an_archive_that_was_given_up_is_no_loss_while_its_original_is_known(site: Site, found: bool) -> None:
    """As gzip(1) does it where the disk is full: what it has written is removed, and the original stays."""
    site.aggregator()
    collector = site.collector(paths=str(site.logs / ("a.log*" if found else "a.log")) + f"\n{site.logs}/*.gz")
    writer = site.writer()
    writer.write(1000)
    site.assert_delivered()
    plain = site.logs / "a.log.1"
    writer.rotate(plain)
    archive = site.logs / "a.log.1.gz"
    whole = gzip.compress(plain.read_bytes())
    archive.write_bytes(whole[: len(whole) // 2])
    collector.wait_for("archive_waits")
    if not found:
        collector.wait_for("file_retired")
    archive.unlink()
    writer.write(10)
    site.assert_delivered()
    archive.write_bytes(whole)
    collector.wait_for("archive_recognised")
    site.assert_delivered()
    assert collector.events("source_lost") == []


@pytest.mark.case(30)
@pytest.mark.parametrize("again", ["a.log.2.gz", "a.log.1.gz"])
def test_an_archive_that_has_the_inode_and_the_size_of_one_that_was_shipped_is_shipped_too(
    site: Site, again: str
) -> None:
    with recycling(site.directory) as logs:
        site.aggregator()
        collector = site.collector(paths=str(logs / "*.gz"), watch="poll")
        oldest, newest = (gzip.compress(_lines(site, name, 100), 0) for name in ("oldest", "newest"))
        newest_lines = site.written.pop(("newest", 0))
        (logs / "a.log.2.gz").write_bytes(oldest)
        collector.wait_for("file_retired")
        site.assert_delivered()
        collector.freeze()
        assert len(newest) == len(oldest)
        recycle(logs / "a.log.2.gz", logs / again, newest)
        site.written["newest", 0] = newest_lines
        collector.thaw()
        site.assert_delivered()


@pytest.mark.case(30)
def test_all_members_of_an_archive_are_read(site: Site) -> None:
    """As `cat a.gz b.gz` makes it, or a compressor that works in parallel; a member may be empty."""
    data = b"".join(gzip.compress(part) for part in (_lines(site, "old", 1000), b"", _lines(site, "older", 1000)))
    (site.logs / "a.log.1.gz").write_bytes(data)
    site.aggregator()
    _collector(site)
    site.assert_delivered()


@pytest.mark.case(30)
def test_what_was_shipped_is_recognised_in_an_archive_of_several_members(site: Site) -> None:
    """And a member may end within a line."""
    site.aggregator()
    collector = _collector(site)
    writer = site.writer()
    writer.write(1000)
    site.assert_delivered()
    assert collector.stop() == 0
    writer.write(500)
    data = writer.path.read_bytes()
    middle = len(data) // 2 + 1
    writer.path.unlink()
    writer.reopen()
    (site.logs / "a.log.1.gz").write_bytes(gzip.compress(data[:middle]) + gzip.compress(data[middle:]))
    _collector(site)
    site.assert_delivered()


@pytest.mark.case(30)
def test_a_file_that_is_only_named_like_an_archive_is_shipped_as_it_is(site: Site) -> None:
    site.aggregator()
    collector = _collector(site)
    (site.logs / "a.log.gz").write_bytes(_lines(site, "plain", 100))
    site.assert_delivered()
    assert not [event for event in collector.events() if event["event"].startswith("archive")]


@pytest.mark.case(30)
def test_an_archive_that_gzip_has_not_made_is_told_once_and_nothing_of_it_is_shipped(site: Site) -> None:
    site.aggregator()
    collector = _collector(site)
    writer = site.writer()
    writer.write(100)
    site.assert_delivered()
    plain, archive = site.logs / "a.log.1", site.logs / "a.log.1.xz"
    writer.rotate(plain)
    with archive.open("wb", 0) as file:
        # By its name it is none of the logs before it is written, and nothing is to be told of it yet.
        writer.write(10)
        site.assert_delivered()
        assert not collector.events("not_followed")
        file.write(lzma.compress(plain.read_bytes()))
    plain.unlink()
    writer.write(10)
    site.assert_delivered()
    told = collector.wait_for("not_followed", path=str(archive))
    assert told["reason"] == "it is compressed by xz, and only gzip's archives are read"
    quiet(lambda: len(collector.events("not_followed")), "an archive that is not read")
    # What is only named so is a log.
    (site.logs / "a.log.2.xz").write_bytes(_lines(site, "plain", 100))
    site.assert_delivered()
    assert len(collector.events("not_followed")) == 1


@pytest.mark.case(30)
@pytest.mark.parametrize("where", ["data", "checksum", "length"])
def test_a_damaged_archive_is_told_once_and_the_others_flow(site: Site, where: str) -> None:
    data = bytearray(gzip.compress(_lines(site, "damaged", 1000)))
    data[{"data": len(data) // 2, "checksum": -8, "length": -4}[where]] ^= 0xFF
    damaged = site.logs / "a.log.2.gz"
    damaged.write_bytes(data)
    unsure = site.written.pop(("damaged", 0))
    site.aggregator()
    collector = _collector(site)
    told = collector.wait_for("archive_damaged", path=str(damaged))
    assert told["level"] == "warning"
    assert told["error"]
    site.writer().write(10)
    (site.logs / "a.log.1.gz").write_bytes(gzip.compress(_lines(site, "sound", 1000)))
    _assert_delivered_but_for(site, unsure)
    damaged.rename(site.logs / "a.log.3.gz")
    quiet(site.size, "the destination")
    assert len(collector.events("archive_damaged")) == 1


@pytest.mark.case(30)
def test_an_archive_that_is_damaged_while_it_is_shipped_holds_up_no_other(site: Site) -> None:
    archive = site.logs / "a.log.1.gz"
    archive.write_bytes(gzip.compress(b"\n".join(os.urandom(100).hex().encode() for _ in range(20_000))))
    with Pipe() as pipe:
        aggregator = site.aggregator(file_configuration=None, text_configuration="1", stdout=pipe.writing)
        pipe.close_writing()
        collector = _collector(site, **_SMALL)
        until(lambda: pipe.full, "the pipe should fill")
        with archive.open("r+b") as file:
            file.seek(archive.stat().st_size // 2)
            file.write(bytes(100_000))
        sound = _lines(site, "sound", 10)
        (site.logs / "a.log.2.gz").write_bytes(gzip.compress(sound))
        pipe.drain()
        collector.wait_for("archive_damaged", path=str(archive))
        until(lambda: sound in pipe.data, "the other archive should be shipped")
        aggregator.kill()


@pytest.mark.case(30)
def test_an_archive_that_the_aggregator_refuses_for_good_holds_up_no_other(site: Site) -> None:
    refused, sound = site.logs / "a.log.1.gz", site.logs / "a.log.2.gz"
    refused.write_bytes(gzip.compress(_lines(site, "refused", 200_000), 1))
    accepting = Accepting(refused=bytes(refused))
    with scripted(accepting) as aggregator:
        collector = _collector(site, remote_address=aggregator.target)
        collector.wait_for("source_stopped", path=str(refused))
        sound.write_bytes(gzip.compress(_lines(site, "sound", 10)))
        until(lambda: bytes(sound) in accepting.taken, "the other archive should be shipped")
        collector.kill()


@pytest.mark.case(30)
def test_an_archive_that_was_refused_for_good_is_not_taken_for_shipped(site: Site) -> None:
    """A process that comes later tries it anew."""
    refused, sound = site.logs / "a.log.1.gz", site.logs / "a.log.2.gz"
    refused.write_bytes(gzip.compress(_lines(site, "refused", 10)))
    with scripted(Accepting(refused=bytes(refused))) as aggregator:
        collector = _collector(site, remote_address=aggregator.target)
        collector.wait_for("source_stopped", path=str(refused))
        sound.write_bytes(gzip.compress(_lines(site, "sound", 10)))
        collector.wait_for("file_retired", path=str(sound))
        collector.stop()
    accepting = Accepting()
    with scripted(accepting) as aggregator:
        collector = _collector(site, remote_address=aggregator.target)
        until(lambda: bytes(refused) in accepting.taken, "the archive should be shipped")
        collector.kill()


@pytest.mark.case(30)
def test_the_last_line_of_an_archive_may_lack_its_newline(site: Site) -> None:
    (site.logs / "a.log.1.gz").write_bytes(gzip.compress(_lines(site, "old", 10).removesuffix(b"\n")))
    site.aggregator()
    _collector(site)
    site.assert_delivered()


@pytest.mark.case(30)
def test_an_archive_is_read_piece_by_piece(site: Site) -> None:
    """A small one can hold a lot."""
    line = make_line("a", 0, 0, padding=1000)
    (site.logs / "a.log.1.gz").write_bytes(gzip.compress(line * 100_000, compresslevel=1))
    assert (site.logs / "a.log.1.gz").stat().st_size < 2_000_000
    site.aggregator()
    collector = _collector(site)
    size = len(line) * 100_000
    site.wait_for_bytes(size)
    quiet(site.size, "the destination")
    assert site.output() == line * 100_000
    assert collector.peak_memory() < 150_000_000


@pytest.mark.case(30)
def test_a_tail_that_is_only_in_an_archive_that_no_pattern_finds_is_told_as_lost(site: Site) -> None:
    aggregator, collector, writer = site.shipped(100)
    shipped = site.bytes_written
    assert collector.stop() == 0
    writer.write(100)
    _compress(writer, site.logs / "a.log.1.gz")
    del site.written["a", 0][100:]
    writer.write(10)
    collector = site.collector()
    for half in (collector, aggregator):
        half.wait_for("source_lost", path=str(writer.path), start=shipped, end=None)
    site.assert_delivered()


def _collector(site: Site, **settings: str) -> Process:
    return site.collector(paths=str(site.logs / "a.log*"), **settings)


def _lines(site: Site, name: str, count: int) -> bytes:
    """Lines that are to be delivered."""
    lines = [make_line(name, 0, number) for number in range(count)]
    site.written[name, 0] = lines
    return b"".join(lines)


def _compress(writer: Writer, archive: Path) -> None:
    """As logrotate does it: there is a new file, then the archive, which has the old one's times, and that one goes."""
    plain = archive.with_suffix("")
    writer.rotate(plain)
    facts = plain.stat()
    archive.write_bytes(gzip.compress(plain.read_bytes()))
    os.utime(archive, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    plain.unlink()


def _assert_delivered_but_for(site: Site, unsure: list[bytes]) -> None:
    """Everything arrived; and of some lines so many of the first as may be, but nothing that was not written."""
    site.wait_for_bytes(site.bytes_written)
    found = sorted_out(site.output()).get(("damaged", 0), [])
    assert found == unsure[: len(found)]
    if found:
        site.written["damaged", 0] = found
    site.assert_delivered()


@pytest.mark.case(30)
def test_an_archive_that_was_shipped_is_known_by_the_ledger_though_the_state_of_the_collector_is_lost(
    site: Site,
) -> None:
    """One that was never anything else; and one of which the rest was shipped."""
    everything = f"{site.logs}/*.log*"
    _, collector, writer = site.shipped(10, paths=everything)
    assert collector.stop() == 0
    writer.write(10)
    site.writer("b.log").write(5)
    for name in ("a.log", "b.log"):
        plain = site.logs / name
        (site.logs / f"{name}.1.gz").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    for done in ("file_retired", "archive_recognised"):
        collector = site.collector(paths=everything)
        collector.wait_for(done, count=2)
        site.assert_delivered()
        collector.kill()
        shutil.rmtree(site.directory / "collector")
