import gzip
import os
import shutil
import stat
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from structlog.testing import capture_logs

from emitter.tree import HOUR, Tree, make_batch, make_block, make_source
from harness.until import until
from mega_collector.block import Source
from mega_collector.emitter.compressor import Compressor, Job
from mega_collector.emitter.configuration import Compression, Rotation
from mega_collector.emitter.protocol import Taken
from mega_collector.emitter.removed import Removed
from mega_collector.marker import Marker

A, B = make_source("a.log"), make_source("b.log")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def left(taken: Taken) -> dict[str, list[bytes]]:
    return {Path(each.output).name: [bytes(block.data) for block in each.blocks] for each in taken.left}


# Which file


def test_each_block_goes_to_the_file_of_its_source_and_time(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "{host}/{path}/%H")
    source = make_source("a.log", "web")
    tree.emit(
        make_batch(make_block(source, b"1\n"), make_block(B, b"2\n"), make_block(source, b"3\n", received=HOUR)),
        make_batch(make_block(source, b"4\n", received=HOUR), make_block(B, b"5\n")),
    )
    assert tree.files() == {"web/a.log/00": b"1\n", "web/a.log/01": b"3\n4\n", "_/b.log/00": b"2\n5\n"}


def test_files_and_their_directories_have_the_mode_that_is_asked_for(tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        Tree(tmp_path, "{path}", mode=0o640).put("d/a.log")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "logs/d/a.log").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "logs/d").stat().st_mode) == 0o750


@pytest.mark.parametrize("planted", ["d", "d/a.log"])
def test_a_link_below_the_root_is_not_followed(tree: Tree, tmp_path: Path, planted: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.log").write_bytes(b"theirs\n")
    link = tree.root / planted
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(elsewhere / "a.log" if planted.endswith(".log") else elsewhere)
    taken = tree.put("d/a.log", "b.log")
    assert left(taken) == {"a.log": [b"x\n"]}
    assert "symbolic link" in str(taken.left[0].cause)
    assert (elsewhere / "a.log").read_bytes() == b"theirs\n"
    assert tree.files() == {"b.log": b"x\n"}


# Some that fail


def test_what_one_file_does_not_take_is_left_and_the_others_take_theirs(tree: Tree) -> None:
    (tree.root / "a.log").mkdir()
    taken = tree.put("a.log", "b.log")
    assert (taken.count, left(taken)) == (1, {"a.log": [b"x\n"]})
    assert [Path(state.path).name for state in taken.outputs] == ["b.log"]
    assert "Is a directory" in str(taken.left[0].cause)
    (tree.root / "a.log").rmdir()
    assert not tree.put("a.log").left
    assert tree.files() == {"a.log": b"x\n", "b.log": b"x\n"}


def test_what_comes_behind_what_was_left_is_left_too_whatever_file_it_is_for(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "{path}/%H")
    (tree.root / "a.log/00").mkdir(parents=True)
    taken = tree.emit(
        make_batch(make_block(A, b"1\n"), make_block(A, b"2\n", received=HOUR)),
        make_batch(make_block(A, b"3\n", received=HOUR), make_block(B, b"4\n")),
    )
    assert left(taken) == {"00": [b"1\n", b"2\n", b"3\n"]}
    assert [bytes(block.data) for block in taken.left[0].behind] == [b"2\n", b"3\n"]
    assert tree.files() == {"b.log/00": b"4\n"}


def test_an_output_that_rests_is_not_tried(tree: Tree) -> None:
    taken = tree.emit(make_batch(make_block(A, b"1\n"), make_block(B, b"2\n")), resting=["a.log"])
    assert left(taken) == {"a.log": [b"1\n"]}
    assert tree.files() == {"b.log": b"2\n"}


def test_nothing_is_appended_where_the_ledger_cannot_remember_it(tree: Tree) -> None:
    tree.fails_to_remember = True
    assert left(tree.put("a.log")) == {"a.log": [b"x\n"]}
    assert tree.files() == {"a.log": b""}


# Files that are open


def test_no_more_files_are_open_than_may_be_and_rows_are_kept_of_those_alone(tree: Tree) -> None:
    names = [f"{number}.log" for number in range(10)]
    tree.put(*names)
    tree.put("0.log")
    assert tree.emitter.open_files <= 4
    assert len(tree.rows) <= 4
    for _ in range(3):
        tree.put(*names)
    assert set(tree.files().values()) == {b"x\n" * 4, b"x\n" * 5}


def test_a_file_that_is_closed_and_opened_amid_an_emit_is_cut_back_to_before_it(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "{path}/%H", most_open=1)
    tree.put("a.log", "b.log")
    again = [make_block(make_source("b.log"), b"6\n", received=HOUR), make_block(B, b"7\n", received=0)]
    tree.emitter.emit(
        [make_batch(make_block(A, b"1\n"), make_block(B, b"2\n")), make_batch(make_block(A, b"3\n"), *again)]
    )
    tree.restart()
    assert tree.files() == {"a.log/00": b"x\n", "b.log/00": b"x\n", "b.log/01": b""}


def test_after_being_asked_every_file_is_opened_anew_before_the_next_append(tree: Tree) -> None:
    tree.put("a.log", "b.log")
    tree.emitter.reopen()
    tree.put("b.log")
    assert tree.emitter.open_files == 1
    assert tree.files() == {"a.log": b"x\n", "b.log": b"x\nx\n"}


def test_whose_file_it_is_is_told_by_its_path_and_not_by_an_inode_that_may_be_another_s(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "{path}")

    def is_output(path: Path, inode: int | None = None) -> bool:
        return tree.emitter.is_output(_found(path, inode))

    tree.put("a.log")
    (tmp_path / "link").symlink_to(tree.root)
    (tmp_path / "logs.log").write_bytes(b"")
    assert is_output(tree.root / "a.log")
    assert is_output(tmp_path / "link" / "a.log")
    assert not is_output(tree.root / "a.log", inode=1)
    assert not is_output(tmp_path / "logs.log")
    assert tree.emitter.writes_to == ()


@pytest.mark.parametrize("name", ["out.log", "{path}"])
@pytest.mark.parametrize("compression", [None, Compression.GZIP])
def test_what_was_found_is_told_though_it_is_renamed_compressed_or_removed_before_it_is_asked_for(
    tmp_path: Path, name: str, compression: Compression | None
) -> None:
    tree = Tree(tmp_path, name, rotation=Rotation(keep=2, size=2), compression=compression)
    found: list[Source] = []
    with ExitStack() as opened:  # as a collector has them: none has the inode of another
        for _ in range(5):
            for path in tree.root.iterdir():
                opened.enter_context(path.open("rb"))
                found.append(_found(path))
            tree.put("out.log")
            if compression:
                _await_compressed(tree)
            assert [each.path for each in found if not tree.emitter.is_output(each)] == []
    tree.emitter.close()


def test_what_an_earlier_process_has_renamed_is_told(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "out.log", rotation=Rotation(keep=2, size=2))
    tree.put("any")
    found = _found(tree.root / "out.log")
    tree.put("any")
    tree.restart()
    assert tree.emitter.is_output(found)


def test_a_log_that_has_the_inode_of_an_output_that_was_removed_is_none(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "out.log", rotation=Rotation(keep=1, size=2))
    tree.put("any")
    found = _found(tree.root / "out.log")
    with (tree.root / "out.log").open("rb"):
        for _ in range(2):
            tree.put("any")
    assert tree.emitter.is_output(found)
    assert not tree.emitter.is_output(replace(found, path=bytes(tree.root / "app.log")))
    assert not tree.emitter.is_output(replace(found, path=bytes(tmp_path / "out.log")))


def _found(path: Path, inode: int | None = None) -> Source:
    """As a collector finds it."""
    status = path.stat()
    return Source(b"", bytes(path), status.st_dev, inode or status.st_ino, Marker())


# The start


def test_every_file_that_may_hold_more_than_was_committed_is_cut_back(tree: Tree) -> None:
    tree.put("a.log", "b.log", "c.log")
    tree.emitter.emit([make_batch(make_block(A, b"1\n"), make_block(B, b"2\n"), make_block(make_source("d"), b"3\n"))])
    tree.restart()
    assert tree.files() == {"a.log": b"x\n", "b.log": b"x\n", "c.log": b"x\n", "d": b""}
    assert sorted(path.read_bytes() for path in tree.state_directory.iterdir()) == [b"1\n", b"2\n", b"3\n"]


def test_a_file_that_cannot_be_mended_at_the_start_holds_up_itself_alone(tree: Tree) -> None:
    tree.put("d/a.log", "b.log")
    tree.emitter.emit([make_batch(make_block(make_source("d/a.log"), b"1\n"))])
    (tree.root / "d").rename(tree.root / "away")
    (tree.root / "d").write_bytes(b"")
    with capture_logs() as logs:
        tree.restart()
    assert "output_not_mended" in [log["event"] for log in logs]
    assert not tree.emitter.settled
    assert left(tree.put("d/a.log", "b.log")) == {"a.log": [b"x\n"]}
    (tree.root / "d").unlink()
    (tree.root / "away").rename(tree.root / "d")
    tree.put("d/a.log")
    assert tree.files() == {"b.log": b"x\nx\n", "d/a.log": b"x\nx\n"}
    assert tree.emitter.settled


def test_what_others_append_after_a_clean_end_is_never_cut(tree: Tree) -> None:
    tree.put("a.log")
    with (tree.root / "a.log").open("ab") as file:
        file.write(b"theirs\n")
    tree.restart(clean=True)
    tree.put("a.log")
    assert tree.files() == {"a.log": b"x\ntheirs\nx\n"}


# Rotation


def test_a_file_is_rotated_before_what_comes_when_it_has_its_size(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "out.log", rotation=Rotation(keep=2, size=4))
    for number in range(9):
        tree.put("any", data=b"%d\n" % number)
    assert tree.files() == {"out.log": b"8\n", "out.log.1": b"6\n7\n", "out.log.2": b"4\n5\n"}


def test_an_emit_ends_where_a_file_must_be_rotated(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "out.log", rotation=Rotation(keep=9, size=4))
    batches = [make_batch(make_block(A, b"%d\n" % number)) for number in range(5)]
    assert tree.emit(*batches).count == 2
    assert tree.emit(*batches[2:]).count == 2


def test_a_file_is_rotated_when_a_new_period_has_begun(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "out.log", rotation=Rotation(keep=2, every=HOUR))
    tree.put("any", data=b"1\n")
    for hour in (5, 5.5, 6):
        tree.now = int(hour * HOUR)
        os.utime(tree.root / "out.log", ns=(0, int((hour - 1 if hour == 5 else 5) * HOUR)))
        tree.put("any", data=b"%d\n" % tree.now)
    assert list(tree.files()) == ["out.log", "out.log.1", "out.log.2"]


def test_a_file_that_others_changed_is_not_rotated(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "out.log", rotation=Rotation(keep=2, size=4))
    tree.put("any", data=b"12345\n")
    with (tree.root / "out.log").open("ab") as file:
        file.write(b"theirs\n")
    tree.put("any")
    assert tree.files() == {"out.log": b"12345\ntheirs\nx\n"}


def test_a_file_that_cannot_be_rotated_is_appended_to_and_that_is_said_once(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "out.log", rotation=Rotation(keep=1, size=1))
    tree.put("any")
    (tree.root / "out.log.1" / "full").mkdir(parents=True)
    with capture_logs() as logs:
        tree.put("any")
        tree.put("any")
    assert [log["event"] for log in logs] == ["output_not_rotated"]
    assert tree.files() == {"out.log": b"x\nx\nx\n"}


def test_what_a_kill_left_of_a_rotation_is_gone_on_with(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "out.log", rotation=Rotation(keep=5, size=2))
    for number in range(4):
        tree.put("any", data=b"%d\n" % number)
    (tree.root / "out.log.3").rename(tree.root / "out.log.4")
    (tree.root / "out.log.2").rename(tree.root / "out.log.3")
    tree.restart()
    for number in range(4, 6):
        tree.put("any", data=b"%d\n" % number)
    contents = list(tree.files().values())
    assert contents == [b"5\n", b"4\n", b"3\n", b"2\n", b"1\n", b"0\n"]


def test_a_kill_behind_the_renaming_leaves_nothing_to_cut(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "out.log", rotation=Rotation(keep=5, size=2))
    tree.put("any", data=b"1\n")
    (tree.root / "out.log").rename(tree.root / "out.log.1")
    tree.restart()
    tree.put("any", data=b"2\n")
    assert tree.files() == {"out.log": b"2\n", "out.log.1": b"1\n"}


# Compression


@pytest.mark.parametrize("compression", Compression)
def test_rotated_files_are_compressed_with_their_mode_and_time(tmp_path: Path, compression: Compression) -> None:
    tree = Tree(tmp_path, "out.log", rotation=Rotation(keep=5, size=2), compression=compression, mode=0o640)
    for number in range(4):
        tree.put("any", data=b"%d\n" % number)
    _await_compressed(tree)
    files = tree.files()
    assert list(files) == ["out.log", *(f"out.log.{number}{compression.suffix}" for number in (1, 2, 3))]
    assert [_plain(data, compression) for data in list(files.values())[1:]] == [b"2\n", b"1\n", b"0\n"]
    assert stat.S_IMODE((tree.root / f"out.log.1{compression.suffix}").stat().st_mode) == 0o640
    tree.emitter.close()


def test_what_is_rotated_while_something_is_compressed_is_compressed_too(tmp_path: Path) -> None:
    compressor, path = Compressor(Compression.GZIP, Removed()), tmp_path / "out.log"
    for number in range(1, 40):
        (tmp_path / f"out.log.{number}").write_bytes(b"x\n")
        compressor.submit(Job(path, None))
    until(lambda: compressor.idle, "everything should have been compressed")
    assert len(list(tmp_path.glob("*.gz"))) == 39
    compressor.stop()


def test_what_is_over_is_compressed_when_nothing_more_comes(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "{path}/%H", compression=Compression.GZIP)
    tree.put("a.log")
    tree.now = HOUR + 59_000_000_000
    tree.put("b.log")
    assert "a.log/00" in tree.files()
    tree.now = HOUR + 200_000_000_000
    tree.put("b.log")
    _await_compressed(tree)
    assert gzip.decompress(tree.files()["a.log/00.gz"]) == b"x\n"
    tree.put("b.log")
    assert [Path(path).name for path in tree.rows] == ["01"]
    tree.emitter.close()


def test_what_comes_late_for_a_compressed_file_is_kept_even_if_it_is_the_same(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "{path}/%H", compression=Compression.GZIP)
    for _ in range(2):
        tree.now = 0
        tree.put("a.log")
        tree.now = 3 * HOUR
        tree.restart()
        _await_compressed(tree)
    assert set(tree.files()) == {"a.log/00", "a.log/00.gz"}
    tree.emitter.close()


@pytest.mark.parametrize("killed", ["before", "amid", "behind"])
def test_what_a_kill_left_of_compressing_is_gone_on_with(tmp_path: Path, killed: str) -> None:
    tree = Tree(tmp_path, "{path}/%H", compression=Compression.GZIP)
    tree.put("a.log")
    if killed == "amid":
        (tree.root / "a.log/.00.compressing").write_bytes(gzip.compress(b"x\n")[:9])
    if killed == "behind":
        (tree.root / "a.log/00.gz").write_bytes(gzip.compress(b"x\n"))
        shutil.copystat(tree.root / "a.log/00", tree.root / "a.log/00.gz")
    tree.now = 3 * HOUR
    tree.restart()
    _await_compressed(tree)
    assert {name: gzip.decompress(data) for name, data in tree.files().items()} == {"a.log/00.gz": b"x\n"}
    tree.emitter.close()


def test_a_compressed_file_that_holds_something_else_costs_nothing(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "{path}/%H", compression=Compression.GZIP)
    tree.put("a.log")
    other = gzip.compress(b"y\n")
    (tree.root / "a.log/00.gz").write_bytes(other)
    tree.now = 3 * HOUR
    with capture_logs() as logs:
        tree.restart()
        _await_compressed(tree)
    assert tree.files() == {"a.log/00": b"x\n", "a.log/00.gz": other}
    assert "output_not_compressed" in [log["event"] for log in logs]
    tree.emitter.close()


def _await_compressed(tree: Tree) -> None:
    compressor = tree.emitter._compressor
    assert compressor is not None
    until(lambda: compressor.idle, "everything should have been compressed")


def _plain(data: bytes, compression: Compression) -> bytes:
    if compression is Compression.GZIP:
        return gzip.decompress(data)
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)
