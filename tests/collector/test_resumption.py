"""Where a source goes on, of what the aggregator and the checkpoint know."""

from dataclasses import replace
from pathlib import Path

import pytest

from collector.entry import make_entry
from mega_collector.block import Source
from mega_collector.collector.reading.file import Disk
from mega_collector.collector.recognition.resumption import resumption
from mega_collector.marker import HEAD_SIZE, Marker
from mega_collector.protocol import Known, Resume, Sent

_CONTENT = b"".join(b"a line of number %05d\n" % number for number in range(200))


@pytest.mark.parametrize("since", [0, 1100, 3000])
def test_what_was_cut_behind_what_was_read_goes_on_as_what_it_was_shipped_as_since(tmp_path: Path, since: int) -> None:
    """The collector was killed when it had told the loss and read on, and before it had noted either."""
    path = tmp_path / "a.log"
    path.write_bytes(_CONTENT)
    head = Marker.of(_CONTENT[:HEAD_SIZE])
    noted = replace(make_entry(1), inode=9, position=2000, head=head, before=Marker.of(_CONTENT[1936:2000]))
    described = Source(noted.source_id, bytes(path), noted.device, 9, head, "me")
    lost = Known(noted.source_id, 6000, Marker(), head, finished=True)
    known = [lost]
    if since:
        known.append(Known(b"since", since, Marker.of(_CONTENT[since - 64 : since]), head))
    file = Disk().open(bytes(path))
    goes_on = resumption(
        described, Resume(described.id, tuple(known)), file, entry=noted, truncated=False, complete=False, taken=()
    )
    file.close()
    assert goes_on.known
    assert goes_on.position == max(since, 2000)
    assert (goes_on.source.id == b"since") is (since > 2000)


@pytest.mark.parametrize("read", [0, 2000])
def test_a_copy_of_what_was_told_as_lost_comes_from_where_that_was_read(tmp_path: Path, read: int) -> None:
    """The collector was killed when it had told the loss, and before it had noted that."""
    path = tmp_path / "a.log.1"
    path.write_bytes(_CONTENT)
    head = Marker.of(_CONTENT[:45])
    before = Marker.of(_CONTENT[read - 64 : read] if read else b"")
    noted = replace(make_entry(1), inode=9, position=read, head=head, before=before)
    described = Source(noted.source_id, bytes(path), noted.device, 10, head, "me")
    lost = Known(noted.source_id, 3000, Marker(), head, finished=True)
    file = Disk().open(bytes(path))
    goes_on = resumption(
        described, Resume(described.id, (lost,)), file, entry=noted, truncated=False, complete=False, taken=()
    )
    file.close()
    assert (goes_on.known, goes_on.position) == (True, read)
    assert goes_on.source.id != described.id


@pytest.mark.parametrize("noted", [0, 2000])
@pytest.mark.parametrize("copy", [False, True])
def test_what_was_sent_before_the_rest_was_lost_counts_and_not_what_was_noted_of_it(
    tmp_path: Path, noted: int, copy: bool
) -> None:
    """The copy comes from there; or the file itself goes on there, if it was cut behind that."""
    path = tmp_path / ("a.log.1" if copy else "a.log")
    path.write_bytes(_CONTENT)
    head = Marker.of(_CONTENT[:HEAD_SIZE])
    entry = replace(make_entry(1), inode=9, position=noted, head=head, before=Marker.of(_CONTENT[:noted][-64:]))
    described = Source(entry.source_id, bytes(path), entry.device, 9 + copy, head, "me")
    sent = Sent(3000, Marker.of(_CONTENT[3000 - 64 : 3000]))
    lost = Known(entry.source_id, 3500 if copy else 6000, Marker(), head, finished=True, sent=sent)
    file = Disk().open(bytes(path))
    goes_on = resumption(
        described, Resume(described.id, (lost,)), file, entry=entry, truncated=False, complete=False, taken=()
    )
    file.close()
    assert (goes_on.known, goes_on.position) == (True, 3000)
    assert goes_on.source.id != described.id


@pytest.mark.parametrize("sent", [0, 3000])
def test_what_only_begins_as_what_was_lost_in_part_is_not_taken_for_it(tmp_path: Path, sent: int) -> None:
    """It was written anew behind its head, and is longer than what was lost: nothing of it was sent."""
    path = tmp_path / "a.log"
    path.write_bytes(_CONTENT[:HEAD_SIZE] + b"another line of text\n" * 200)
    head = Marker.of(_CONTENT[:HEAD_SIZE])
    entry = replace(make_entry(1), inode=9, position=0, head=head, before=Marker())
    described = Source(entry.source_id, bytes(path), entry.device, 9, head, "me")
    before = Sent(sent, Marker.of(_CONTENT[:sent][-64:]))
    lost = Known(entry.source_id, 3500, Marker(), head, finished=True, sent=before)
    file = Disk().open(bytes(path))
    goes_on = resumption(
        described, Resume(described.id, (lost,)), file, entry=entry, truncated=False, complete=False, taken=()
    )
    file.close()
    assert goes_on.position == 0
    assert goes_on.source.id != described.id


@pytest.mark.parametrize("copy", [False, True])
def test_where_no_marker_is_of_what_was_sent_before_the_rest_was_lost_what_was_noted_counts(
    tmp_path: Path, copy: bool
) -> None:
    """As in what an older aggregator has left: then the file may hold something else there."""
    content = _CONTENT[:2000] + b"another line of text\n" * 200
    path = tmp_path / ("a.log.1" if copy else "a.log")
    path.write_bytes(content)
    head = Marker.of(content[:HEAD_SIZE])
    entry = replace(make_entry(1), inode=9, position=2000, head=head, before=Marker.of(content[2000 - 64 : 2000]))
    described = Source(entry.source_id, bytes(path), entry.device, 9 + copy, head, "me")
    lost = Known(entry.source_id, 3500, Marker(), head, finished=True, sent=Sent(3000, Marker()))
    file = Disk().open(bytes(path))
    goes_on = resumption(
        described, Resume(described.id, (lost,)), file, entry=entry, truncated=False, complete=False, taken=()
    )
    file.close()
    assert (goes_on.known, goes_on.position) == (True, 2000)
    assert goes_on.source.id != described.id
