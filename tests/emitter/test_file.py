import os
import resource
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from emitter.batches import make_batch
from emitter.ledger import Ledger
from mega_collector.emitter.emitted import Emitted
from mega_collector.errors import EmitError, StartError
from mega_collector.marker import TAIL_SIZE, Marker

ONE, TWO, THREE = make_batch(b"one\n"), make_batch(b"two\n"), make_batch(b"three\n")


def aside(ledger: Ledger) -> list[bytes]:
    return [path.read_bytes() for path in sorted(ledger.state_directory.iterdir())]


def events(logs: Sequence[Mapping[str, object]]) -> list[object]:
    return [log["event"] for log in logs]


# A ledger that was restored


def test_nothing_is_cut_for_a_ledger_that_was_restored_from_an_older_copy(ledger: Ledger) -> None:
    emitter = ledger.start()
    for batch in (ONE, TWO):
        ledger.commit(emitter.emit([batch]))
        emitter.committed()
    older = ledger.state
    ledger.commit(emitter.emit([THREE]))
    emitter.committed()
    emitter.close()
    ledger.state = older
    with capture_logs() as logs:
        emitter = ledger.start()
    assert "output_adopted" in events(logs)
    ledger.commit(emitter.emit([ONE]))
    emitter.close()
    assert ledger.path.read_bytes() == b"one\ntwo\nthree\none\n"


def test_what_a_kill_left_is_cut_whatever_was_committed_before(ledger: Ledger) -> None:
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE, TWO]))
    emitter.committed()
    emitter.emit([THREE])
    emitter.close()
    ledger.start().close()
    assert ledger.path.read_bytes() == b"one\ntwo\n"


def test_a_file_that_others_cut_is_stamped_anew_before_it_is_appended_to(ledger: Ledger) -> None:
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE, TWO]))
    emitter.committed()
    os.truncate(ledger.path, 0)
    emitter.emit([ONE])
    emitter.close()
    ledger.start().close()
    assert ledger.path.read_bytes() == b""


def test_what_a_kill_left_is_cut_also_where_the_file_says_more_than_was_ever_committed_of_it(ledger: Ledger) -> None:
    """Others cut it, and the process was killed when the ledger knew of that and the file did not."""
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE, TWO]))
    emitter.committed()
    os.truncate(ledger.path, 0)
    stamp = os.getxattr(ledger.path, "user.mega-collector.committed")
    emitter.emit([])
    emitter.close()
    os.setxattr(ledger.path, "user.mega-collector.committed", stamp)
    emitter = ledger.start()
    emitter.emit([THREE])
    emitter.close()
    ledger.start().close()
    assert ledger.path.read_bytes() == b""


# What an emit answers


def test_the_new_state_is_length_and_last_bytes(ledger: Ledger) -> None:
    emitter = ledger.start()
    batch = make_batch(b"x" * 200 + b"\n", b"unterminated")
    (state,) = emitter.emit([batch, ONE]).outputs
    content = ledger.path.read_bytes()
    status = ledger.path.stat()
    assert state.length == len(content) == 201 + 13 + 4
    assert state.before == Marker.of(content[-TAIL_SIZE:])
    assert (state.path, state.device, state.inode) == (str(ledger.path), status.st_dev, status.st_ino)
    assert emitter.statistics() == Emitted(2, 3, 201 + 12 + 4)
    emitter.close()


def test_a_state_that_is_not_in_the_ledger_is_remembered_before_the_first_append(ledger: Ledger) -> None:
    emitter = ledger.start()
    ledger.on_remember = lambda: None if not ledger.path.stat().st_size else pytest.fail("it was appended to before")
    ledger.commit(emitter.emit([ONE]))
    ledger.commit(emitter.emit([TWO]))
    assert [state.length for state in ledger.remembered] == [0]
    emitter.close()


def test_nothing_is_appended_if_the_state_cannot_be_remembered(ledger: Ledger) -> None:
    def fail() -> None:
        raise EmitError("the ledger cannot be written")

    emitter = ledger.start()
    ledger.on_remember = fail
    with pytest.raises(EmitError, match="ledger"):
        emitter.emit([ONE])
    assert ledger.path.read_bytes() == b""
    emitter.close()


# Starting after an unclean end


@pytest.mark.case(71)
def test_what_was_not_committed_is_cut_exactly_and_laid_aside(ledger: Ledger) -> None:
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE]))
    emitter.emit([TWO])  # killed before the commit
    emitter.close()
    with capture_logs() as logs:
        emitter = ledger.start()
    assert ledger.path.read_bytes() == b"one\n"
    assert aside(ledger) == [b"two\n"]
    assert events(logs) == ["output_cut"]
    ledger.commit(emitter.emit([TWO, THREE]))
    assert ledger.path.read_bytes() == b"one\ntwo\nthree\n"
    emitter.close()


def test_the_very_first_append_is_cut_too(ledger: Ledger) -> None:
    emitter = ledger.start()
    emitter.emit([ONE])
    emitter.close()
    ledger.start().close()
    assert ledger.path.read_bytes() == b""
    assert aside(ledger) == [b"one\n"]


def test_the_first_append_to_an_adopted_file_is_cut_too(ledger: Ledger) -> None:
    ledger.path.write_bytes(b"foreign")
    emitter = ledger.start()
    emitter.emit([ONE])
    emitter.close()
    ledger.start().close()
    assert ledger.path.read_bytes() == b"foreign"
    assert aside(ledger) == [b"\none\n"]


def test_only_the_last_parts_laid_aside_are_kept(ledger: Ledger) -> None:
    emitter = ledger.start()
    for number in range(12):
        emitter.emit([make_batch(b"%d\n" % number)])
        emitter.close()
        emitter = ledger.start()
    emitter.close()
    assert aside(ledger) == [b"%d\n" % number for number in range(4, 12)]


def test_of_what_finds_no_room_to_be_laid_aside_nothing_is_left_and_what_was_laid_before_stays(ledger: Ledger) -> None:
    large = bytes(100) + b"\n"
    for batch in (ONE, make_batch(large)):
        emitter = ledger.start()
        emitter.emit([batch])
        emitter.close()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, limits[1]))
    try:
        for _ in range(10):
            with pytest.raises(StartError, match=r"File too large: what is to be cut from .*out\.log "):
                ledger.start()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert aside(ledger) == [b"one\n"]
    ledger.start().close()
    assert aside(ledger) == [b"one\n", large]


def test_what_cannot_be_laid_aside_is_not_cut(ledger: Ledger) -> None:
    emitter = ledger.start()
    emitter.emit([ONE])
    emitter.close()
    ledger.state_directory.rmdir()
    with pytest.raises(StartError, match="No such file or directory"):
        ledger.start()
    assert ledger.path.read_bytes() == b"one\n"


def test_a_file_as_committed_is_left_alone_in_silence(ledger: Ledger) -> None:
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE]))
    emitter.close()
    with capture_logs() as logs:
        ledger.start().close()
    assert not logs
    assert not aside(ledger)


# Files that are not recognised


def test_a_file_without_record_is_adopted_whole(ledger: Ledger) -> None:
    ledger.path.write_bytes(b"foreign\n")
    with capture_logs() as logs:
        emitter = ledger.start()
    assert events(logs) == ["output_adopted"]
    ledger.commit(emitter.emit([ONE]))
    assert ledger.path.read_bytes() == b"foreign\none\n"
    emitter.close()


def test_a_line_that_others_left_unfinished_is_not_glued_to_ours(ledger: Ledger) -> None:
    ledger.path.write_bytes(b"foreign")
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE]))
    ledger.commit(emitter.emit([TWO]))
    assert ledger.path.read_bytes() == b"foreign\none\ntwo\n"
    assert ledger.state is not None
    assert ledger.state.length == 16
    emitter.close()


@pytest.mark.parametrize("content", [b"on", b"two\nmore\n", b"xxx\n"])
def test_a_file_that_others_changed_is_never_cut(ledger: Ledger, content: bytes) -> None:
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE]))
    emitter.close()
    ledger.path.write_bytes(content)
    with capture_logs() as logs:
        ledger.start().close()
    assert ledger.path.read_bytes() == content
    assert events(logs) == ["output_adopted"]


def test_what_others_appended_after_a_clean_end_is_never_cut(ledger: Ledger) -> None:
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE]))
    emitter.close()
    with ledger.path.open("ab") as file:
        file.write(b"foreign\n")
    ledger.start(clean=True).close()
    assert ledger.path.read_bytes() == b"one\nforeign\n"


def test_what_others_appended_after_a_clean_end_is_never_cut_though_the_next_process_is_killed_at_once(
    ledger: Ledger,
) -> None:
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE]))
    emitter.close()
    with ledger.path.open("ab") as file:
        file.write(b"foreign\n")
    ledger.start(clean=True).close()
    ledger.start(clean=False).close()
    assert ledger.path.read_bytes() == b"one\nforeign\n"


def test_what_others_appended_and_cannot_be_remembered_forbids_the_start(ledger: Ledger) -> None:
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE]))
    emitter.close()
    with ledger.path.open("ab") as file:
        file.write(b"foreign\n")

    def fail() -> None:
        raise EmitError("the ledger cannot be written")

    ledger.on_remember = fail
    with pytest.raises(StartError, match="the ledger cannot be written"):
        ledger.start(clean=True)


def test_a_file_renamed_while_nobody_wrote_is_found_and_cut_under_its_new_name(ledger: Ledger) -> None:
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE]))
    emitter.emit([TWO])
    emitter.close()
    ledger.path.rename(ledger.path.with_suffix(".1"))
    with capture_logs() as logs:
        emitter = ledger.start()
    assert ledger.path.with_suffix(".1").read_bytes() == b"one\n"
    assert "output_renamed" in events(logs)
    ledger.commit(emitter.emit([TWO]))
    assert ledger.path.read_bytes() == b"two\n"
    emitter.close()


# The path, while it runs


@pytest.mark.case(96)
def test_a_renamed_file_is_left_and_a_new_one_gets_the_bytes(ledger: Ledger) -> None:
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE]))
    ledger.path.rename(ledger.path.with_suffix(".1"))
    ledger.commit(emitter.emit([TWO]))
    assert ledger.path.with_suffix(".1").read_bytes() == b"one\n"
    assert ledger.path.read_bytes() == b"two\n"
    assert ledger.state is not None
    assert ledger.state.inode == ledger.path.stat().st_ino
    emitter.close()


@pytest.mark.case(96)
def test_asked_to_reopen_it_lets_go_of_a_renamed_file_at_once(ledger: Ledger) -> None:
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE]))
    before = emitter.writes_to
    emitter.reopen()
    assert emitter.writes_to == before
    ledger.path.rename(ledger.path.with_suffix(".1"))
    emitter.reopen()
    assert emitter.writes_to[0][1] == ledger.path.stat().st_ino != before[0][1]
    ledger.commit(emitter.emit([TWO]))
    assert ledger.path.with_suffix(".1").read_bytes() == b"one\n"
    assert ledger.path.read_bytes() == b"two\n"
    emitter.close()


@pytest.mark.case(96)
def test_what_cannot_be_reopened_is_an_error_until_it_can(ledger: Ledger) -> None:
    emitter = ledger.start()
    ledger.path.parent.rename(ledger.path.parent.with_name("elsewhere"))
    with pytest.raises(EmitError, match="No such file"):
        emitter.reopen()
    ledger.path.parent.mkdir()
    ledger.commit(emitter.emit([ONE]))
    assert ledger.path.read_bytes() == b"one\n"
    emitter.close()


@pytest.mark.case(96)
def test_a_removed_file_is_made_anew(ledger: Ledger) -> None:
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE]))
    ledger.path.unlink()
    ledger.commit(emitter.emit([TWO]))
    assert ledger.path.read_bytes() == b"two\n"
    emitter.close()


@pytest.mark.case(96)
def test_a_file_renamed_during_the_append_gets_no_trace_of_it(ledger: Ledger) -> None:
    ledger.path.write_bytes(b"before\n")
    emitter = ledger.start()
    ledger.on_remember = lambda: ledger.rename(".1")
    ledger.commit(emitter.emit([ONE]))
    assert ledger.path.with_suffix(".1").read_bytes() == b"before\n"
    assert ledger.path.read_bytes() == b"one\n"
    emitter.close()


def test_the_first_append_to_a_new_file_in_the_place_is_cut_after_a_kill(ledger: Ledger) -> None:
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE]))
    ledger.path.rename(ledger.path.with_suffix(".1"))
    emitter.emit([TWO])
    emitter.close()
    ledger.start().close()
    assert ledger.path.read_bytes() == b""


@pytest.mark.case(96)
def test_a_truncated_file_goes_on_without_a_hole(ledger: Ledger) -> None:
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE]))
    os.truncate(ledger.path, 0)
    with capture_logs() as logs:
        ledger.commit(emitter.emit([TWO]))
    assert ledger.path.read_bytes() == b"two\n"
    assert events(logs) == ["output_changed"]
    emitter.close()


def test_what_others_append_meanwhile_stays(ledger: Ledger) -> None:
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE]))
    with ledger.path.open("ab") as file:
        file.write(b"foreign")
    ledger.commit(emitter.emit([TWO]))
    assert ledger.path.read_bytes() == b"one\nforeign\ntwo\n"
    emitter.close()


def test_who_changes_the_file_at_each_batch_is_told_of_once(ledger: Ledger) -> None:
    emitter = ledger.start()
    with capture_logs() as logs:
        for _ in range(5):
            ledger.commit(emitter.emit([ONE]))
            with ledger.path.open("ab") as file:
                file.write(b"theirs\n")
    assert events(logs) == ["output_changed"]
    emitter.close()


def test_a_directory_that_is_gone_is_an_error_until_it_is_back(ledger: Ledger) -> None:
    emitter = ledger.start()
    ledger.path.unlink()
    ledger.path.parent.rmdir()
    with pytest.raises(EmitError, match=r"out\.log: No such file or directory"):
        emitter.emit([ONE])
    ledger.path.parent.mkdir()
    ledger.commit(emitter.emit([ONE]))
    assert ledger.path.read_bytes() == b"one\n"
    emitter.close()


def test_a_pipe_in_the_place_of_the_file_is_an_error_and_no_hang(ledger: Ledger) -> None:
    emitter = ledger.start()
    ledger.path.unlink()
    os.mkfifo(ledger.path)
    with pytest.raises(EmitError, match="no regular file"):
        emitter.emit([ONE])
    emitter.close()


def test_a_path_that_cannot_be_looked_at_is_not_taken_for_a_removed_file(ledger: Ledger) -> None:
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE]))
    kept = ledger.path.with_suffix(".kept")
    ledger.path.rename(kept)
    ledger.path.symlink_to(ledger.path)  # a loop: stat fails with ELOOP
    with pytest.raises(EmitError, match="symbolic links"):
        emitter.emit([TWO])
    kept.replace(ledger.path)
    ledger.commit(emitter.emit([TWO]))
    assert ledger.path.read_bytes() == b"one\ntwo\n"
    emitter.close()


@pytest.mark.case(96)
def test_a_link_is_followed_to_its_new_target(ledger: Ledger, tmp_path: Path) -> None:
    ledger.path.symlink_to(tmp_path / "first")
    emitter = ledger.start()
    ledger.commit(emitter.emit([ONE]))
    ledger.path.unlink()
    ledger.path.symlink_to(tmp_path / "second")
    ledger.commit(emitter.emit([TWO]))
    assert ((tmp_path / "first").read_bytes(), (tmp_path / "second").read_bytes()) == (b"one\n", b"two\n")
    emitter.close()


# What forbids the start


def test_a_second_writer_is_refused(ledger: Ledger) -> None:
    emitter = ledger.start()
    with pytest.raises(StartError, match=r"out\.log: another process writes it"):
        ledger.start()
    emitter.close()
    ledger.start().close()


def test_a_missing_directory_is_named(ledger: Ledger) -> None:
    ledger.path.parent.rmdir()
    with pytest.raises(StartError, match=rf"^{ledger.path}: No such file or directory$"):
        ledger.start()
