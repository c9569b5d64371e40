"""What the checkpoint remembers recognises files."""

from dataclasses import replace
from pathlib import Path

import pytest

from collector.entry import make_entry
from mega_collector.collector.reading.file import Disk
from mega_collector.collector.reading.followed import Followed
from mega_collector.collector.reading.open_files import OpenFiles
from mega_collector.collector.reading.siblings import Siblings
from mega_collector.collector.recognition import remembered as remembered_module
from mega_collector.collector.recognition.ages import Ages
from mega_collector.collector.recognition.copies import Copies
from mega_collector.collector.recognition.remembered import Remembered
from mega_collector.collector.state.checkpoint import Checkpoint
from mega_collector.marker import Marker


def test_of_several_sources_of_which_nothing_was_read_the_one_whose_head_agrees_is_recognised(tmp_path: Path) -> None:
    """With one that was empty any file agrees: one that was truncated since would come once more, as another."""
    log = tmp_path / "a.log"
    log.write_bytes(b"first\n")
    empty = replace(make_entry(1), inode=9, head=Marker())
    headed = replace(make_entry(2), inode=9, head=Marker.of(b"first\n"))
    checkpoint = Checkpoint(tmp_path / "state")
    for entry in (empty, headed):
        checkpoint.put(entry)
    file = Disk().open(bytes(log))
    assert Remembered(checkpoint).recognise(9, file, taken=()) == headed
    assert Remembered(checkpoint).recognise(9, file, taken={headed.source_id}) == empty
    file.close()
    checkpoint.close()


def test_what_is_claimed_as_another_knows_it_is_remembered_no_more(tmp_path: Path) -> None:
    """The aggregator may hold the source under the name or in the file that it had before."""
    checkpoint = Checkpoint(tmp_path / "state")
    entry = make_entry(9)
    checkpoint.put(entry)
    remembered = Remembered(checkpoint)
    remembered.claim(replace(entry, path=b"/elsewhere", inode=entry.inode + 1))
    assert list(remembered) == []
    assert remembered.named(entry.path) == []
    checkpoint.close()


def test_of_several_sources_of_one_file_the_latest_is_recognised(tmp_path: Path) -> None:
    """The one before ended with a truncation behind what was read of it, and its loss is still to be told."""
    checkpoint = Checkpoint(tmp_path / "state")
    log = tmp_path / "a.log"
    log.write_bytes(b"a line\n")
    before = replace(
        make_entry(1), inode=9, path=bytes(log), head=Marker.of(b"a line\n"), position=7, before=Marker.of(b"a line\n")
    )
    after = replace(before, source_id=b"2", position=0, before=Marker())
    for entry in (before, after):
        checkpoint.put(entry)
    file = Disk().open(bytes(log))
    assert Remembered(checkpoint).recognise(9, file, taken=()) == after
    file.close()
    checkpoint.close()


def test_what_has_ended_is_remembered_in_the_number_of_what_was_followed_by_the_process_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archives of all of it may be found before the files that are followed now."""
    monkeypatch.setattr(remembered_module, "_MOST_ENDED", 2)
    checkpoint = Checkpoint(tmp_path / "state")
    for number in range(5):
        checkpoint.put(make_entry(number))
    ended = [replace(make_entry(number, 5), inode=0, ended=True) for number in range(5, 10)]
    for entry in ended:
        checkpoint.put(entry)
    remembered = Remembered(checkpoint)
    last = replace(make_entry(10, 5), inode=0, ended=True)
    remembered.end(last)
    assert [each for each in remembered if each.ended] == [*ended[1:], last]
    checkpoint.close()


@pytest.mark.parametrize("asked", [False, True], ids=["", "asked before"])
def test_what_begins_as_an_archive_does_is_found_whatever_became_of_it_since(tmp_path: Path, *, asked: bool) -> None:
    checkpoint = Checkpoint(tmp_path / "state")
    short, whole, other, empty = (
        replace(make_entry(number), head=Marker.of(head)) for number, head in enumerate([b"be", b"begin", b"end", b""])
    )
    for entry in (short, other, empty):
        checkpoint.put(entry)
    remembered = Remembered(checkpoint)
    if asked:
        assert set(remembered.beginning(b"begin")) == {short, empty}
    remembered.give_back(whole)
    assert set(remembered.beginning(b"begin and more")) == {short, whole, empty}
    assert set(remembered.beginning(b"b")) == {empty}
    remembered.claim(replace(short, head=Marker.of(b"beg")))
    longer = replace(other, head=Marker.of(b"begi"))
    remembered.give_back(longer)
    assert set(remembered.beginning(b"begin")) == {whole, longer, empty}
    assert set(remembered.beginning(b"end")) == {empty}
    checkpoint.close()


@pytest.mark.parametrize("read", [True, False])
def test_of_what_was_passed_over_no_copy_is_taken_for_shipped(tmp_path: Path, *, read: bool) -> None:
    """It was told as lost, and the collector was killed before its end was noted: the copy has it."""
    checkpoint = Checkpoint(tmp_path / "state")
    copy = tmp_path / "a.log.1"
    copy.write_bytes(b"a line that was not read\n")
    before = Marker.of(b"a line") if read else Marker()
    entry = replace(make_entry(1), path=bytes(tmp_path / "a.log"), head=Marker.of(b"a line"), position=6, before=before)
    checkpoint.put(entry)
    disk = Disk()
    siblings = Siblings(disk)
    files = OpenFiles(limit=1, expendable=lambda _: True, disk=disk, siblings=siblings)
    copies = Copies(
        followed=Followed(),
        remembered=Remembered(checkpoint),
        files=files,
        siblings=siblings,
        ages=Ages(files=files, siblings=siblings),
        matches=lambda _: True,
        starts={},
    )
    file = disk.open(bytes(copy))
    assert copies.original(bytes(copy), file) == (entry if read else None)
    file.close()
    checkpoint.close()
