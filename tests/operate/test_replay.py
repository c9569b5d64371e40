"""What `replay` says when something is wrong: one line, and every dead letter stays where it is."""

import os
from pathlib import Path

import pytest

from blocks import make_block, make_source
from emitter.batches import make_batch
from harness.site import Site
from mega_collector.batch import Batch
from mega_collector.emitter.dead_letter import encode
from starting.attempt import Attempt, attempt, give_away, tree, unprivileged


def letter(path: Path, content: bytes = b"".join(encode(make_batch(b"lost\n")))) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def replay(directory: Path, *arguments: str, state: str = "aggregator", wrapper: tuple[str, ...] = ()) -> Attempt:
    environ = {"AGGREGATOR_STATE_DIRECTORY": str(directory / state)}
    return attempt("replay", *arguments, cwd=directory, environ=environ, wrapper=wrapper)


def refused(ended: Attempt, *says: str, code: int = 1) -> None:
    assert ended.code == code, ended
    (line,) = ended.stderr.splitlines()
    assert line.startswith("mega-collector: ")
    for words in says:
        assert words in line


def test_no_aggregator_runs(tmp_path: Path) -> None:
    kept = letter(tmp_path / "aggregator" / "dead-letters" / "1.dead")
    refused(replay(tmp_path), f"no aggregator runs in {tmp_path}/aggregator", "AGGREGATOR_STATE_DIRECTORY")
    assert kept.exists()


def test_one_that_was_killed_has_left_its_socket(site: Site) -> None:
    site.aggregator().kill()
    assert (site.directory / "aggregator" / "operator.sock").is_socket()
    letter(site.directory / "aggregator" / "dead-letters" / "1.dead")
    refused(replay(site.directory), "no aggregator runs", "Connection refused")


def test_one_that_hangs_is_told_as_that_by_whoever_hands_something_over(site: Site) -> None:
    site.aggregator().freeze()
    kept = letter(site.directory / "aggregator" / "dead-letters" / "1.dead")
    refused(replay(site.directory), "not delivered: it does not answer: see whether it hangs")
    assert kept.exists()
    environ = {"AGGREGATOR_STATE_DIRECTORY": str(site.directory / "aggregator")}
    released = attempt("ledger", "--release", "web-1", cwd=site.directory, environ=environ)
    refused(released, "nothing is released: it does not answer: see whether it hangs")


def test_no_such_directory(tmp_path: Path) -> None:
    refused(replay(tmp_path, str(tmp_path / "none")), f"{tmp_path}/none: No such file or directory")


def test_where_nothing_was_ever_discarded_there_is_nothing_to_do(tmp_path: Path) -> None:
    ended = attempt("replay", cwd=tmp_path, environ={"AGGREGATOR_STATE_DIRECTORY": str(tmp_path)})
    assert (ended.code, ended.stdout) == (0, "0 dead letters: 0 lines, 0 bytes delivered\n")


def test_no_dead_letters_are_kept(tmp_path: Path) -> None:
    environ = {"AGGREGATOR_DEAD_LETTER_DIRECTORY": ""}
    refused(attempt("replay", cwd=tmp_path, environ=environ), "AGGREGATOR_DEAD_LETTER_DIRECTORY", code=2)


def test_a_directory_from_which_nothing_can_be_removed(tmp_path: Path) -> None:
    give_away(tmp_path)
    kept = letter(tmp_path / "letters" / "1.dead")
    kept.parent.chmod(0o555)
    refused(replay(tmp_path, str(kept.parent), wrapper=unprivileged()), "could not be removed", "owner or mode")


def test_a_directory_that_may_not_be_read(tmp_path: Path) -> None:
    give_away(tmp_path)
    kept = letter(tmp_path / "letters" / "1.dead")
    kept.parent.chmod(0o311)
    refused(replay(tmp_path, str(kept.parent), wrapper=unprivileged()), "letters: Permission denied")


@pytest.mark.parametrize("there", [[], [".nfs1", "lost+found"], ["1.unfinished", "README"]], ids=str)
def test_a_directory_without_dead_letters_is_done(tmp_path: Path, there: list[str]) -> None:
    for name in there:
        letter(tmp_path / "letters" / name)
    (tmp_path / "letters").mkdir(exist_ok=True)
    ended = replay(tmp_path, str(tmp_path / "letters"))
    assert (ended.code, ended.stdout) == (0, "0 dead letters: 0 lines, 0 bytes delivered\n")


def test_a_directory_of_other_files_was_named_by_mistake_and_nothing_is_handed_over(site: Site) -> None:
    site.aggregator()
    state = site.directory / "aggregator"
    kept = letter(state / "dead-letters" / "1.dead")
    named = replay(site.directory, str(kept.parent), str(state))
    refused(named, f"{state}: it holds no dead letter, but other files", "dead-letters in the aggregator's state")
    assert named.stdout == ""
    assert kept.exists()


def test_where_the_settings_say_that_dead_letters_are_laid_there_may_be_other_files(tmp_path: Path) -> None:
    letter(tmp_path / "letters" / "replayed" / "1.dead")
    ended = replay(tmp_path, "--dead-letter-directory", str(tmp_path / "letters"))
    assert (ended.code, ended.stdout) == (0, "0 dead letters: 0 lines, 0 bytes delivered\n")


def test_what_is_damaged_or_foreign_is_kept_and_said_and_does_not_stop_the_rest(site: Site) -> None:
    site.aggregator()
    letters = site.directory / "letters"
    whole = b"".join(encode(make_batch(b"lost\n")))
    letter(letters / "1.dead", whole[:-1])
    letter(letters / "2.dead", b"")
    letter(letters / "3.dead", b"another file\n")
    letter(letters / "4.dead", b"mega-collector dead letter 2 0 0\n")
    (letters / "5.dead").mkdir()
    letter(letters / "6.dead", whole)
    os.mkfifo(letters / "7.dead")
    before = tree(letters)
    ended = replay(site.directory, str(letters))
    assert (ended.code, ended.stderr) == (1, "")
    assert ended.stdout.splitlines() == [
        f"{letters}/1.dead: kept: this dead letter is damaged: its digest does not match",
        f"{letters}/2.dead: kept: this is no dead letter",
        f"{letters}/3.dead: kept: this is no dead letter",
        f"{letters}/4.dead: kept: format 2 is not known here: a newer release wrote it",
        f"{letters}/5.dead: kept: it cannot be read: Is a directory",
        f"{letters}/6.dead: kept: 0 lines, 0 bytes delivered, 5 bytes that the ledger does not know as discarded",
        f"{letters}/7.dead: kept: it cannot be read: it is no file",
        "7 dead letters, 7 kept: 0 lines, 0 bytes delivered, 5 bytes that the ledger does not know as discarded",
    ]
    assert tree(letters) == before
    assert site.output() == b""


def test_a_link_that_leads_nowhere_is_left(site: Site) -> None:
    site.aggregator()
    link = site.directory / "aggregator" / "dead-letters" / "1.dead"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to("elsewhere")
    ended = replay(site.directory)
    assert (ended.code, ended.stderr) == (1, "")
    line, total = ended.stdout.splitlines()
    assert line == f"{link}: kept: it is a link that leads nowhere"
    assert total.startswith("1 dead letter, 1 kept: ")
    assert link.is_symlink()


def test_a_letter_larger_than_a_message_usually_is_passes(site: Site) -> None:
    site.aggregator()
    source = make_source("large", collector="me")
    block = make_block(b"x" * 20_000_000 + b"\n", 0, source)
    path = letter(site.directory / "large.dead", b"".join(encode(Batch((block,), 1, len(block.data)))))
    ended = replay(site.directory, str(path))
    assert ended.stdout.startswith(f"{path}: kept: 0 lines, 0 bytes delivered, 20000001 bytes that")


def test_a_state_directory_too_long_for_a_socket_and_one_beside_what_is_no_socket(site: Site) -> None:
    long = site.directory / ("x" * 120)
    aggregator = site.aggregator(state_directory=str(long))
    assert (long / "operator.sock").stat().st_mode & 0o777 == 0o600
    path = letter(long / "dead-letters" / "1.dead")
    ended = replay(site.directory, state=long.name)
    assert ended.stdout.startswith(f"{path}: kept: 0 lines"), ended
    assert aggregator.stop() == 0
    assert not (long / "operator.sock").exists()
    # It ships all the same.
    (long / "operator.sock").mkdir()
    aggregator = site.aggregator(state_directory=str(long))
    assert str(aggregator.wait_for("operator_unavailable")["error"]).startswith("operator.sock is no socket")
    site.collector()
    site.writer().write(10)
    site.assert_delivered()


def test_a_socket_left_by_a_killed_one_is_replaced_and_private(site: Site) -> None:
    site.aggregator().kill()
    site.aggregator()
    path = letter(site.directory / "aggregator" / "dead-letters" / "1.dead")
    assert (site.directory / "aggregator" / "operator.sock").stat().st_mode & 0o777 == 0o600
    assert replay(site.directory).stdout.startswith(f"{path}: kept: 0 lines")


def test_nobody_who_reads_what_it_says_does_not_end_it_in_the_middle(site: Site) -> None:
    site.aggregator()
    letters = site.directory / "aggregator" / "dead-letters"
    for number in range(3):
        letter(letters / f"{number}.dead", b"".join(encode(Batch((), 0, 0))))
    ended = replay(site.directory, wrapper=("sh", "-c", '"$@" | true', "sh"))
    assert ended.stderr == ""
    assert list(letters.iterdir()) == []
