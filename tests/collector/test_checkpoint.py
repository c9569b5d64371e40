"""The checkpoint, on real files."""

import json
import os
import shutil
import stat
import subprocess
import sys
import time
import zlib
from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from collector.entry import make_entry
from mega_collector.collector.state.checkpoint import Checkpoint, CheckpointError, Entry, is_fresh
from mega_collector.collector.state.record import Edge, encode
from mega_collector.errors import StartError
from mega_collector.marker import Marker


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "state"


def reopened(directory: Path) -> dict[bytes, Entry]:
    checkpoint = Checkpoint(directory)
    entries = dict(checkpoint.entries)
    assert checkpoint.damage is None
    checkpoint.close()
    return entries


def as_entries(*entries: Entry) -> dict[bytes, Entry]:
    return {entry.source_id: entry for entry in entries}


def write(directory: Path, *entries: Entry) -> None:
    checkpoint = Checkpoint(directory)
    for entry in entries:
        checkpoint.put(entry)
        checkpoint.flush()
    checkpoint.close()


def test_what_was_flushed_is_there_after_a_restart(directory: Path) -> None:
    checkpoint = Checkpoint(directory)
    assert checkpoint.fresh
    for number in range(5):
        checkpoint.put(make_entry(number, 100))
    checkpoint.flush()
    checkpoint.put(make_entry(0, 200))
    checkpoint.forget(make_entry(1).source_id)
    checkpoint.flush()
    checkpoint.close()
    assert reopened(directory) == as_entries(make_entry(0, 200), *(make_entry(each, 100) for each in (2, 3, 4)))


@pytest.mark.parametrize("said", ["ended", "untold", "unconfirmed"])
def test_what_is_seldom_said_of_a_source_is_kept_too(directory: Path, said: str) -> None:
    entry = replace(make_entry(1, 100), **{said: True})  # type: ignore[arg-type]
    checkpoint = Checkpoint(directory)
    checkpoint.put(entry)
    checkpoint.flush()
    checkpoint.close()
    assert reopened(directory) == as_entries(entry)


def test_what_was_not_flushed_is_not_kept(directory: Path) -> None:
    checkpoint = Checkpoint(directory)
    checkpoint.put(make_entry(1, 100))
    checkpoint.flush()
    checkpoint.put(make_entry(1, 200))
    checkpoint.close()
    assert reopened(directory) == as_entries(make_entry(1, 100))


def test_only_the_very_first_start_is_fresh_and_only_until_it_has_begun(directory: Path) -> None:
    """What it notes meanwhile is kept: it may be killed at any instant."""
    assert is_fresh(directory)
    for number in range(3):
        checkpoint = Checkpoint(directory)
        assert checkpoint.fresh
        assert len(checkpoint.entries) == number
        checkpoint.put(make_entry(number))
        checkpoint.flush()
        checkpoint.close()
        assert is_fresh(directory)
    checkpoint = Checkpoint(directory)
    checkpoint.begun()
    checkpoint.flush()
    checkpoint.close()
    checkpoint = Checkpoint(directory)
    assert not checkpoint.fresh
    assert not is_fresh(directory)
    assert len(checkpoint.entries) == 3
    checkpoint.close()


@pytest.mark.case(59)
def test_a_flush_writes_what_changed_and_no_more(directory: Path) -> None:
    checkpoint = Checkpoint(directory)
    for number in range(1000):
        checkpoint.put(make_entry(number))
    checkpoint.flush()
    before = checkpoint.statistics().size
    for number in range(10):
        checkpoint.put(make_entry(number, 1))
    checkpoint.flush()
    assert checkpoint.statistics().size - before < 10 * 1000
    before = checkpoint.statistics().size
    checkpoint.flush()
    assert checkpoint.statistics().size == before
    checkpoint.close()


@pytest.mark.case(59)
def test_the_file_does_not_grow_without_end(directory: Path) -> None:
    checkpoint = Checkpoint(directory)
    largest = 0
    for round_ in range(100):
        for number in range(100):
            checkpoint.put(make_entry(number, round_))
        checkpoint.flush()
        largest = max(largest, (directory / "checkpoint").stat().st_size)
    checkpoint.close()
    assert largest < 512 << 10
    assert reopened(directory) == as_entries(*(make_entry(number, 99) for number in range(100)))


@pytest.mark.case(59)
def test_twenty_thousand_sources_that_come_and_go_leave_little(directory: Path) -> None:
    checkpoint = Checkpoint(directory)
    for first in range(0, 20_000, 1000):
        for number in range(first, first + 1000):
            checkpoint.put(make_entry(number))
        checkpoint.flush()
        for number in range(first, first + 1000):
            checkpoint.forget(make_entry(number).source_id)
        checkpoint.flush()
    checkpoint.close()
    assert sum(path.stat().st_size for path in directory.iterdir()) < 4 << 20
    assert reopened(directory) == {}


def test_a_large_checkpoint_is_gone_on_with_where_it_is(directory: Path) -> None:
    checkpoint = Checkpoint(directory)
    for number in range(10_001):
        checkpoint.put(make_entry(number))
    checkpoint.flush()
    checkpoint.close()
    inode = (directory / "checkpoint").stat().st_ino
    checkpoint = Checkpoint(directory)
    checkpoint.put(make_entry(7, 77))
    checkpoint.flush()
    checkpoint.close()
    assert (directory / "checkpoint").stat().st_ino == inode
    entries = reopened(directory)
    assert len(entries) == 10_001
    assert entries[make_entry(7).source_id] == make_entry(7, 77)


@pytest.mark.case(58)
def test_the_modes_keep_others_out(directory: Path) -> None:
    write(directory, make_entry(1))
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


@pytest.mark.case(58)
def test_the_state_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b" / "c", make_entry(1))
    assert reopened(tmp_path / "a" / "b" / "c") == as_entries(make_entry(1))


# Damage


SMALL = [make_entry(1, 100), make_entry(2, 200), make_entry(1, 101), make_entry(3, 300)]
EVER_PUT = {(entry.source_id, entry.position) for entry in SMALL}
LAST = as_entries(*SMALL)


def judge(directory: Path, data: bytes) -> None:
    """Start on these bytes: nothing absent in silence, and nothing that was never put."""
    directory.mkdir()
    (directory / "checkpoint").write_bytes(data)
    checkpoint = Checkpoint(directory)
    entries = dict(checkpoint.entries)
    assert {(entry.source_id, entry.position) for entry in entries.values()} <= EVER_PUT
    assert not checkpoint.fresh
    if checkpoint.damage is None:
        assert entries == LAST
    else:
        aside = [path for path in directory.iterdir() if path.name.startswith("checkpoint.damaged-")]
        assert [path.read_bytes() for path in aside] == [data]
    checkpoint.close()
    # It is dealt with once: what is there now is whole.
    assert not [line for line in (directory / "checkpoint").read_bytes().splitlines() if not is_sound(line)]
    shutil.rmtree(directory)


def is_sound(line: bytes) -> bool:
    return line[:8] == b"%08x" % zlib.crc32(line[9:])


@pytest.fixture
def small(tmp_path: Path) -> bytes:
    write(tmp_path / "small", *SMALL)
    return (tmp_path / "small" / "checkpoint").read_bytes()


@pytest.fixture
def fast() -> Iterator[Path]:
    """A directory in memory, if there is such a filesystem: a thousand starts would sync for long."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as directory:
        yield Path(directory) / "state"


@pytest.mark.case(55)
def test_a_checkpoint_cut_short_at_any_byte_is_noticed(fast: Path, small: bytes) -> None:
    for length in range(len(small)):
        judge(fast, small[:length])


@pytest.mark.case(55)
def test_a_checkpoint_with_any_byte_flipped_gives_no_wrong_position(fast: Path, small: bytes) -> None:
    for at in range(len(small)):
        judge(fast, small[:at] + bytes([small[at] ^ 1 << at % 8]) + small[at + 1 :])


@pytest.mark.case(55)
def test_a_checkpoint_of_zeros_or_garbage_is_put_aside(fast: Path, small: bytes) -> None:
    for data in (b"", bytes(len(small)), b"\n" * 100, b"\xff" * 200_000, b'{"version": 1}\n', small[::-1]):
        judge(fast, data)


@pytest.mark.case(55)
def test_zeros_from_any_byte_on_are_noticed(fast: Path, small: bytes) -> None:
    for length in range(0, len(small), 7):
        judge(fast, small[:length] + bytes(len(small) - length))


@pytest.mark.case(55)
def test_lines_with_a_good_checksum_that_say_something_else_are_damage(fast: Path, small: bytes) -> None:
    for body in (b"[]", b"7", b"{}", b'{"source": 3}', b'{"format": "of another program", "version": 1}'):
        judge(fast, small + b"%08x %b\n" % (zlib.crc32(body), body))


OLD = [make_entry(1, 50), make_entry(2, 60), make_entry(3, 70)]
"""What the previous file knows, where there is one."""


def judge_with_previous(directory: Path, data: bytes, *, lost: Collection[int]) -> None:
    """Start on these bytes, which have lost those lines of `SMALL`: every other line counts, and what was before."""
    directory.mkdir()
    previous = [encode(Edge("me", end=False)), *map(encode, OLD), encode(Edge("me", end=True))]
    (directory / "checkpoint.previous").write_bytes(b"".join(previous))
    (directory / "checkpoint").write_bytes(data)
    checkpoint = Checkpoint(directory)
    kept = [entry for number, entry in enumerate(SMALL) if number not in lost]
    assert checkpoint.entries == (as_entries(*OLD, *kept) if checkpoint.damage else LAST)
    assert checkpoint.damage or not lost
    checkpoint.close()
    shutil.rmtree(directory)


def lines_of_small() -> list[bytes]:
    """A whole checkpoint: the first line, those of `SMALL`, the last one."""
    return [encode(Edge("me", end=False)), *map(encode, SMALL), encode(Edge("me", end=True))]


@pytest.mark.case(55)
def test_a_checkpoint_cut_short_at_any_byte_lacks_only_what_is_behind_and_falls_back_to_the_previous_one(
    fast: Path,
) -> None:
    lines = lines_of_small()
    data = b"".join(lines)
    ends = list(accumulate(map(len, lines)))[1:-1]
    for length in range(len(data)):
        judge_with_previous(fast, data[:length], lost={number for number, end in enumerate(ends) if end > length})


@pytest.mark.case(55)
def test_a_checkpoint_with_any_byte_flipped_lacks_only_that_line_and_falls_back_to_the_previous_one(
    fast: Path,
) -> None:
    lines = lines_of_small()
    data = b"".join(lines)
    starts = list(accumulate(map(len, lines), initial=0))
    for at in range(len(data)):
        flipped = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        line = bisect_right(starts, at) - 1
        # A newline that is none any more glues the next line to it.
        lost = {line - 1, line} if data[at : at + 1] == b"\n" else {line - 1}
        judge_with_previous(fast, flipped, lost=lost & set(range(len(SMALL))))


@pytest.mark.case(55)
def test_a_checkpoint_of_zeros_falls_back_to_the_previous_one(fast: Path) -> None:
    data = b"".join(lines_of_small())
    judge_with_previous(fast, bytes(len(data)), lost=range(len(SMALL)))


def test_what_a_damaged_file_lacks_comes_from_the_previous_one(directory: Path) -> None:
    write(directory, make_entry(1, 100), make_entry(2, 200))
    write(directory, make_entry(2, 201))
    path = directory / "checkpoint"
    path.write_bytes(bytes(path.stat().st_size))
    checkpoint = Checkpoint(directory)
    assert checkpoint.entries == as_entries(make_entry(1, 100), make_entry(2, 200))
    assert checkpoint.damage is not None
    assert "2 sources were found" in checkpoint.damage
    checkpoint.close()


def test_what_a_damaged_file_has_is_newer_than_the_previous_one(directory: Path) -> None:
    write(directory, make_entry(1, 100), make_entry(2, 200), make_entry(3, 300))
    checkpoint = Checkpoint(directory)
    checkpoint.put(make_entry(1, 101))
    checkpoint.forget(make_entry(3).source_id)
    checkpoint.flush()
    checkpoint.close()
    path = directory / "checkpoint"
    path.write_bytes(path.read_bytes()[:-1])
    checkpoint = Checkpoint(directory)
    assert checkpoint.entries == as_entries(make_entry(1, 101), make_entry(2, 200))
    assert checkpoint.damage is not None
    assert "cut short" in checkpoint.damage or "cannot be read" in checkpoint.damage
    checkpoint.close()


@pytest.mark.case(55)
def test_a_missing_file_is_replaced_by_the_previous_one_and_told(directory: Path) -> None:
    write(directory, make_entry(1, 100))
    write(directory)
    (directory / "checkpoint").unlink()
    checkpoint = Checkpoint(directory)
    assert checkpoint.entries == as_entries(make_entry(1, 100))
    assert checkpoint.damage is not None
    assert ".damaged-" not in checkpoint.damage, "there is nothing to keep"
    assert not checkpoint.fresh
    checkpoint.close()


@pytest.mark.case(55)
@pytest.mark.parametrize("left_over", [b"", b"torn", None])
def test_a_file_that_was_left_unfinished_is_not_used(directory: Path, left_over: bytes | None) -> None:
    write(directory, make_entry(1, 100))
    whole = (directory / "checkpoint").read_bytes()
    (directory / "checkpoint.new").write_bytes(whole if left_over is None else left_over)
    write(directory, make_entry(1, 101))
    assert reopened(directory) == as_entries(make_entry(1, 101))
    assert not (directory / "checkpoint.new").exists()


# What forbids the start


def snapshot(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def line(**fields: object) -> bytes:
    body = json.dumps(fields).encode()
    return b"%08x %b\n" % (zlib.crc32(body), body)


FIRST_VERSION = (
    b'32ca4a90 {"format":"mega-collector checkpoint","version":1,"collector":"me","end":false}\n'
    b'765ec6e1 {"source":"000102030405060708090a0b0c0d0e0f","path":"/var/log/a \xc3\xbf.log","device":2049,"inode":131,'
    b'"head":[4,"88f5f6e9bd7dd246ff36dbff901a15d2"],"position":4096,"before":[6,"81b85ee02ce4015b475c0d917655e68d"]}\n'
    b'853d779e {"forgotten":"00000000000000000000000000000000"}\n'
    b'59c38a9a {"format":"mega-collector checkpoint","version":1,"collector":"me","end":true}\n'
)
"""As it was written by the first release: whatever becomes of the format, this is read."""


@pytest.mark.case(57)
def test_a_checkpoint_of_the_first_version_is_gone_on_with(directory: Path) -> None:
    directory.mkdir()
    (directory / "checkpoint").write_bytes(FIRST_VERSION)
    checkpoint = Checkpoint(directory)
    head, before = Marker.of(b"head"), Marker.of(b"before")
    entry = Entry(bytes(range(16)), b"/var/log/a \xff.log", 2049, 131, head, 4096, before)
    assert checkpoint.entries == {entry.source_id: entry}
    assert checkpoint.collector_id == "me"
    assert checkpoint.damage is None
    checkpoint.close()


@pytest.mark.case(57)
def test_what_a_line_says_besides_what_is_known_is_passed_over(directory: Path) -> None:
    directory.mkdir()
    first, entry, _, last = FIRST_VERSION.splitlines()
    fields = {**json.loads(entry[9:]), "later": ["something", 7]}
    body = b"\n".join([first, line(**fields).rstrip(b"\n"), last, b""])
    (directory / "checkpoint").write_bytes(body)
    checkpoint = Checkpoint(directory)
    assert [each.position for each in checkpoint.entries.values()] == [4096]
    assert checkpoint.damage is None
    checkpoint.close()


@pytest.mark.case(57)
def test_a_newer_version_is_left_alone(directory: Path) -> None:
    directory.mkdir()
    data = line(format="mega-collector checkpoint", version=999) + line(new="things") + b"and others"
    (directory / "checkpoint").write_bytes(data)
    for _ in range(2):
        with pytest.raises(StartError, match=r"checkpoint is of version 999, and this mega-collector knows 1"):
            Checkpoint(directory)
    assert snapshot(directory) == {"checkpoint": data, "lock": b""}


@pytest.mark.case(58)
def test_a_second_process_is_refused_and_a_killed_one_is_not_in_the_way(directory: Path) -> None:
    program = "import sys; from pathlib import Path; from mega_collector.collector.state.checkpoint import Checkpoint;"
    program += "c = Checkpoint(Path(sys.argv[1])); print(flush=True); sys.stdin.read()"
    with child(program, directory) as process:
        assert process.stdout
        assert process.stdout.readline()
        before = snapshot(directory)
        with pytest.raises(StartError, match="state is in use by another collector"):
            Checkpoint(directory)
        assert snapshot(directory) == before
        process.kill()
    assert reopened(directory) == {}


@pytest.mark.case(58)
def test_a_directory_in_the_place_of_the_checkpoint_forbids_the_start(directory: Path) -> None:
    (directory / "checkpoint").mkdir(parents=True)
    with pytest.raises(StartError, match="checkpoint is no regular file"):
        Checkpoint(directory)


def test_a_fifo_in_the_place_of_the_checkpoint_forbids_the_start(directory: Path) -> None:
    directory.mkdir()
    os.mkfifo(directory / "checkpoint")
    with pytest.raises(StartError, match="checkpoint is no regular file"):
        Checkpoint(directory)


@pytest.mark.case(58)
def test_a_link_in_the_place_of_the_checkpoint_forbids_the_start(directory: Path, tmp_path: Path) -> None:
    write(directory, make_entry(1))
    (directory / "checkpoint").rename(tmp_path / "elsewhere")
    (directory / "checkpoint").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StartError, match="checkpoint is a link"):
        Checkpoint(directory)


@pytest.mark.case(58)
def test_a_file_in_the_place_of_the_directory_forbids_the_start(directory: Path) -> None:
    directory.write_bytes(b"mine")
    with pytest.raises(StartError, match="state"):
        Checkpoint(directory)
    assert directory.read_bytes() == b"mine"


def test_a_refused_start_leaves_the_directory_free(directory: Path) -> None:
    (directory / "checkpoint").mkdir(parents=True)
    with pytest.raises(StartError):
        Checkpoint(directory)
    (directory / "checkpoint").rmdir()
    write(directory)


# Trouble at run time


@pytest.mark.case(56)
def test_a_removed_directory_is_made_again(directory: Path) -> None:
    checkpoint = Checkpoint(directory)
    checkpoint.put(make_entry(1, 100))
    checkpoint.flush()
    shutil.rmtree(directory)
    checkpoint.put(make_entry(2, 200))
    checkpoint.flush()
    with pytest.raises(StartError, match="in use"):
        Checkpoint(directory)
    checkpoint.close()
    assert reopened(directory) == as_entries(make_entry(1, 100), make_entry(2, 200))


def test_a_directory_that_cannot_be_made_again_fails_the_flush_until_it_can(directory: Path) -> None:
    checkpoint = Checkpoint(directory)
    shutil.rmtree(directory)
    directory.write_bytes(b"in the way")
    checkpoint.put(make_entry(1, 100))
    for failures in (1, 2):
        with pytest.raises(CheckpointError, match="cannot be written: File exists"):
            checkpoint.flush()
        assert checkpoint.statistics().failures == failures
    directory.unlink()
    checkpoint.flush()
    checkpoint.close()
    assert reopened(directory) == as_entries(make_entry(1, 100))


def test_a_directory_that_another_took_over_is_left_to_it(directory: Path) -> None:
    first = Checkpoint(directory)
    shutil.rmtree(directory)
    second = Checkpoint(directory)
    second.put(make_entry(2, 200))
    second.flush()
    first.put(make_entry(1, 100))
    with pytest.raises(CheckpointError, match="in use by another collector"):
        first.flush()
    second.close()
    assert reopened(directory) == as_entries(make_entry(2, 200))
    first.close()


def test_a_checkpoint_that_was_replaced_is_written_anew(directory: Path) -> None:
    checkpoint = Checkpoint(directory)
    checkpoint.put(make_entry(1, 100))
    checkpoint.flush()
    (directory / "checkpoint").unlink()
    (directory / "checkpoint").write_bytes(b"what is this")
    checkpoint.put(make_entry(2, 200))
    checkpoint.flush()
    checkpoint.close()
    assert reopened(directory) == as_entries(make_entry(1, 100), make_entry(2, 200))


def test_a_new_file_that_cannot_take_its_place_is_not_kept_and_the_old_one_stays(directory: Path) -> None:
    checkpoint = Checkpoint(directory)
    checkpoint.put(make_entry(1, 100))
    checkpoint.flush()
    checkpoint.close()
    checkpoint = Checkpoint(directory)
    before = (directory / "checkpoint").read_bytes()
    (directory / "checkpoint.previous").unlink()
    (directory / "checkpoint.previous").mkdir()
    shutil.copyfile(directory / "checkpoint", directory / "copy")
    (directory / "copy").rename(directory / "checkpoint")
    checkpoint.put(make_entry(2, 200))
    for _ in range(2):
        with pytest.raises(CheckpointError, match="Is a directory"):
            checkpoint.flush()
        assert (directory / "checkpoint").read_bytes() == before
        assert not (directory / "checkpoint.new").exists()
    (directory / "checkpoint.previous").rmdir()
    checkpoint.flush()
    checkpoint.close()
    assert reopened(directory) == as_entries(make_entry(1, 100), make_entry(2, 200))


TESTS = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent / 'src'}"}


def run(*command: str | Path) -> str:
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def can(*command: str) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.case(56)
def test_a_file_size_limit_fails_the_flush_and_spoils_nothing(directory: Path) -> None:
    assert run(sys.executable, TESTS / "collector" / "trouble.py", "limit", directory) == "File too large"


NAMESPACE = ["unshare", "-Urm", "--"]


@pytest.mark.case(56)
@pytest.mark.skipif(
    not can(*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"), reason="no filesystem can be mounted in a namespace"
)
def test_a_full_disk_fails_the_flush_and_spoils_nothing(directory: Path) -> None:
    said = run(*NAMESPACE, sys.executable, TESTS / "collector" / "trouble.py", "full", directory)
    assert said == "No space left on device"


NOBODY = ["setpriv", "--reuid=65534", "--clear-groups", "--"] if os.geteuid() == 0 else []


@pytest.mark.case(56)
@pytest.mark.skipif(bool(NOBODY) and not can(*NOBODY, sys.executable, "-c", "0"), reason="nobody else can run Python")
def test_a_read_only_directory_fails_the_flush_and_spoils_nothing(tmp_path: Path) -> None:
    for path in (tmp_path, *tmp_path.parents[:3]):
        path.chmod(0o755)
    place = tmp_path / "place"
    place.mkdir()
    os.chown(place, 65534 if NOBODY else -1, -1)
    trouble = TESTS / "collector" / "trouble.py"
    assert run(*NOBODY, sys.executable, trouble, "read-only", place / "state") == "Permission denied"


# Killed


def child(program: str, directory: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", program, directory],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


FLUSHES_FOR_EVER = """
import sys
from itertools import count
from pathlib import Path
from collector.entry import make_entry
from mega_collector.collector.state.checkpoint import Checkpoint

checkpoint = Checkpoint(Path(sys.argv[1]))
first = max((entry.position for entry in checkpoint.entries.values()), default=0)
for position in count(first + 1):
    for number in range(100):
        checkpoint.put(make_entry(number, position))
    checkpoint.flush()
    print(position, flush=True)
"""


@pytest.mark.case(50)
def test_a_kill_at_any_instant_loses_nothing_that_was_flushed(directory: Path) -> None:
    flushed = 0
    for kill_after in (1, 3, 8, 15, 16, 17):
        with child(FLUSHES_FOR_EVER, directory) as process:
            assert process.stdout
            for _ in range(kill_after):
                said = int(process.stdout.readline())
                assert said > flushed
                flushed = said
            # Not quite at the instant of the line: a few microseconds further each time.
            until = time.perf_counter_ns() + 100_000 * kill_after
            while time.perf_counter_ns() < until:
                pass
            process.kill()
            flushed = max([flushed, *map(int, process.stdout.read().split())])
        # It may hold the next flush too, or a part of it: a kill can cut a write short, which is then told as damage.
        positions = set(positions_of(directory))
        assert positions <= {flushed, flushed + 1}


def positions_of(directory: Path) -> Iterator[int]:
    checkpoint = Checkpoint(directory)
    entries = list(checkpoint.entries.values())
    checkpoint.close()
    assert len(entries) == 100
    yield from (entry.position for entry in entries)


def test_what_another_collector_shipped_goes_on_under_ids_of_its_own(directory: Path) -> None:
    """And it stays so, whatever of the checkpoint is damaged then: the file before is this collector's too."""
    checkpoint = Checkpoint(directory, collector="first")
    checkpoint.put(make_entry(1, 100))
    checkpoint.put(replace(make_entry(2, 200), ended=True, untold=True))
    checkpoint.flush()
    checkpoint.close()
    checkpoint = Checkpoint(directory, collector="second")
    assert (checkpoint.was, checkpoint.collector_id) == ("first", "second")
    taken_over = dict(checkpoint.entries)
    checkpoint.close()
    as_before = {make_entry(1).path: make_entry(1, 100), make_entry(2).path: replace(make_entry(2, 200), ended=True)}
    assert {e.path: replace(e, source_id=as_before[e.path].source_id) for e in taken_over.values()} == as_before
    assert not taken_over.keys() & {make_entry(1).source_id, make_entry(2).source_id}
    (directory / "checkpoint").write_bytes(b"")
    for collector in ("second", None):
        checkpoint = Checkpoint(directory, collector=collector)
        assert (checkpoint.was, checkpoint.collector_id, dict(checkpoint.entries)) == (None, "second", taken_over)
        checkpoint.close()
