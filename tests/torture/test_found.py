"""Short histories that random ones were boiled down to when they had found something."""

from pathlib import Path

import pytest

from blocks import SOURCE
from harness.site import Site
from harness.template import Template
from mega_collector.collector.reading.file import PlainFile
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.reader import Reading, read
from mega_collector.collector.recognition.resumption import resumption
from mega_collector.collector.state.checkpoint import Entry
from mega_collector.marker import HEAD_SIZE, TAIL_SIZE, Marker
from mega_collector.protocol import Known, Resume
from torture.history import History, Operation
from torture.stage import Stage


def _write(path: Path) -> int:
    path.write_bytes(b"nobody asked for this\n" * 5)
    return path.stat().st_ino


def play(directory: Path, template: Template, *operations: Operation, **collector: str) -> None:
    begin: tuple[Operation, ...] = (("start_aggregator",), ("start_collector",))
    with Stage(directory, History(0, begin + operations, collector), template, patience=30) as stage:
        stage.play()


@pytest.mark.parametrize("moved", [("rotate", "s"), ("swap", False)], ids=["renamed", "link swapped"])
def test_a_file_that_lost_its_name_and_grew_is_not_closed_as_idle(
    moved: Operation, tmp_path: Path, template: Template
) -> None:
    play(
        tmp_path,
        template,
        ("write", "s", 5, 40),
        ("settle",),
        ("freeze_collector",),
        moved,
        ("write", "s", 5, 40),
        ("pause", 2000),
        close_inactive="1500ms",
        watch="poll",
    )


def test_what_was_truncated_is_not_taken_for_what_was_written_since(tmp_path: Path, template: Template) -> None:
    # The first source began as an empty file, and ended with the begin of a line that was never read.
    play(
        tmp_path,
        template,
        ("reopen", "b"),
        ("write", "a", 1, 40),
        ("settle",),
        ("pause", 300),
        ("write", "b", 10, 40),
        ("part", "b", 500),
        ("settle",),
        ("pause", 300),
        ("truncate", "b", 0),
        ("pause", 300),
        ("stop_collector",),
        ("write", "b", 50, 40),
    )


def test_what_was_rewritten_before_anything_was_read_is_recognised_after_a_restart(
    tmp_path: Path, template: Template
) -> None:
    play(
        tmp_path,
        template,
        ("write", "a", 1, 40),
        ("settle",),
        ("part", "b", 900),
        ("pause", 300),
        ("freeze_collector",),
        ("refill", "b", 500),
        ("thaw_collector",),
        ("settle",),
        ("kill_collector",),
        ("rotate", "b"),
        ("reopen", "b"),
        ("write", "b", 1, 40),
        ("settle",),
        watch="poll",
    )


def test_an_empty_file_that_is_gone_is_not_sought_in_whatever_got_its_inode(site: Site) -> None:
    _, collector = site.both()
    writer, empty = site.writer(), site.logs / "b.log"
    empty.touch()
    writer.write(5)
    collector.wait_for("file_followed", path=str(empty))
    site.assert_delivered()
    collector.stop()
    inode = empty.stat().st_ino
    empty.unlink()
    if not any(_write(site.logs / f"{number}.txt") == inode for number in range(1000)):
        pytest.skip("this filesystem gives an inode that is free to no other file soon")
    again = site.collector()
    writer.write(5)
    again.wait_for("file_followed", path=str(writer.path))
    site.assert_delivered()


def test_a_file_that_ends_before_the_size_it_had_was_rewritten(tmp_path: Path) -> None:
    # Looked at, truncated and refilled, and only then read: as one source it would begin, and as another once more.
    path = tmp_path / "a.log"
    path.write_bytes(b"a new line\n")
    follower = Follower(SOURCE, path=SOURCE.path, size=1000, changed_ns=0, now=0, rotate_wait=5)
    follower.settle(SOURCE, 0, b"")
    with path.open("rb") as file:
        assert (
            read(PlainFile(file.fileno()), follower, size=1 << 20, max_line=1 << 10, final=False) is Reading.REWRITTEN
        )


@pytest.mark.parametrize(
    ("size", "complete", "goes_on"), [(4, False, False), (4, True, True), (HEAD_SIZE, False, True)]
)
def test_a_source_that_ended_goes_on_only_where_more_than_a_few_bytes_tell_that_it_is_the_same(
    size: int, complete: bool, goes_on: bool, tmp_path: Path
) -> None:
    # A part of a line was truncated away, and told as lost; the collector was killed before its checkpoint said so; and
    # the next line began with the same bytes.
    path, lines = tmp_path / "a.log", b"a line\n" * 300
    path.write_bytes(lines)
    before, head = Marker.of(lines[max(size - TAIL_SIZE, 0) : size]), Marker.of(lines[:size])
    ended = Known(SOURCE.id, size, before, head, finished=True)
    with path.open("rb") as file:
        decided = resumption(
            SOURCE,
            Resume(SOURCE.id, (ended,)),
            PlainFile(file.fileno()),
            entry=None,
            truncated=False,
            complete=complete,
            taken=(),
        )
    assert (decided.source.id == SOURCE.id, decided.position) == (goes_on, size if goes_on else 0)


@pytest.mark.parametrize("lost", [False, True])
def test_a_copy_of_a_file_goes_on_before_what_was_told_as_lost_of_that(lost: bool, tmp_path: Path) -> None:
    # What was not read was truncated away, and passed over as lost. The copy was made where no pattern looks, and came
    # back after a kill, for which the checkpoint did not know yet that the source had ended.
    path, line = tmp_path / "a.log.3", b"x" * 1723
    path.write_bytes(line)
    read_of_it = Entry(SOURCE.id, SOURCE.path, 1, 2, Marker.of(line[:HEAD_SIZE]), 1024, Marker.of(line[960:1024]))
    before = Marker() if lost else Marker.of(line[-TAIL_SIZE:])
    ended = Known(SOURCE.id, 1723, before, Marker.of(line[:HEAD_SIZE]), finished=True)
    with path.open("rb") as file:
        decided = resumption(
            SOURCE,
            Resume(SOURCE.id, (ended,)),
            PlainFile(file.fileno()),
            entry=read_of_it,
            truncated=False,
            complete=False,
            taken=(),
        )
    assert (decided.source.id == SOURCE.id, decided.position) == ((False, 1024) if lost else (True, 1723))


@pytest.mark.parametrize("complete", [False, True])
def test_of_others_that_ended_only_an_archive_goes_on_as_one(complete: bool, tmp_path: Path) -> None:
    # A log that was deleted and made anew of the same text may be given its inode.
    path, lines = tmp_path / "a.log", b"a line\n" * 300
    path.write_bytes(lines)
    tail = Marker.of(lines[-TAIL_SIZE:])
    ended = Known(b"ended", len(lines), tail, Marker.of(lines[:HEAD_SIZE]), finished=True)
    with path.open("rb") as file:
        decided = resumption(
            SOURCE,
            Resume(SOURCE.id, (ended,)),
            PlainFile(file.fileno()),
            entry=None,
            truncated=False,
            complete=complete,
            taken=(),
        )
    assert (decided.source.id, decided.position) == ((b"ended", len(lines)) if complete else (SOURCE.id, 0))


def test_a_source_of_which_nothing_came_is_not_preferred_to_one_that_the_file_agrees_with(tmp_path: Path) -> None:
    # An empty file was followed as one source, and the same file, grown, as another, that has ended.
    path, lines = tmp_path / "a.log", b"a line\n" * 100
    path.write_bytes(lines)
    shipped = Known(b"grown", 350, Marker.of(lines[350 - TAIL_SIZE : 350]), Marker.of(lines[:350]))
    empty = Known(SOURCE.id, 0, Marker(), Marker())
    with path.open("rb") as file:
        goes_on = resumption(
            SOURCE,
            Resume(SOURCE.id, (empty, shipped)),
            PlainFile(file.fileno()),
            entry=None,
            truncated=False,
            complete=False,
            taken=(),
        )
    assert (goes_on.source.id, goes_on.position) == (b"grown", 350)


@pytest.mark.parametrize("linked", [(), (("link", "a", True),)], ids=["open", "under another name"])
def test_an_archive_waits_for_the_file_that_holds_all_of_it_though_nothing_of_that_was_shipped_yet(
    linked: tuple[Operation, ...], tmp_path: Path, template: Template
) -> None:
    play(
        tmp_path,
        template,
        ("kill_aggregator",),
        ("reopen", "a"),
        ("pause", 300),
        ("freeze_collector",),
        *linked,
        ("write", "a", 3, 40),
        ("part", "a", 500),
        ("rotate", "a"),
        ("compress", "a", True),
        ("thaw_collector",),
        ("pause", 500),
        ("start_aggregator",),
        ("write", "a", 10, 40),
    )


def test_an_archive_is_recognised_though_its_original_was_written_to_further_and_is_let_go_of_at_once(
    tmp_path: Path, template: Template
) -> None:
    # The markers of what is remembered lie behind the end of the archive then.
    play(
        tmp_path,
        template,
        ("write", "b", 1, 40),
        ("settle",),
        ("kill_aggregator",),
        ("reopen", "a"),
        ("pause", 300),
        ("freeze_collector",),
        ("write", "a", 13, 40),
        ("rotate", "a"),
        ("compress", "a", True),
        ("write", "a", 6, 40),
        ("thaw_collector",),
        ("pause", 1000),
        ("start_aggregator",),
    )


def test_what_a_file_holds_behind_the_unfinished_end_of_another_is_shipped_from_there(
    tmp_path: Path, template: Template
) -> None:
    # An editor's copy of a file that ended so, and was finished so, comes under a name that tells whose it is.
    play(
        tmp_path,
        template,
        ("write", "a", 5, 40),
        ("settle",),
        ("part", "a", 500),
        ("pause", 300),
        ("freeze_collector",),
        ("replace", "a", 9),
        ("leave", "a"),
        ("thaw_collector",),
        ("pause", 1000),
        ("come_back", "a"),
    )
