"""Where a source goes on, by what the aggregator has committed, what the checkpoint holds, and what the file says."""

import uuid
from collections.abc import Container
from dataclasses import dataclass, replace

from mega_collector.block import Source
from mega_collector.collector.reading.file import File
from mega_collector.collector.recognition.identity import agrees, head_of
from mega_collector.collector.state.checkpoint import Entry
from mega_collector.marker import HEAD_SIZE
from mega_collector.protocol import Known, Resume, Sent


@dataclass(frozen=True, slots=True)
class Resumption:
    """The source goes on as `source` at `position`; `known` says that something of it was shipped before."""

    source: Source
    position: int
    known: bool


def resumption(
    described: Source,
    resume: Resume,
    file: File,
    *,
    entry: Entry | None,
    truncated: bool,
    complete: bool,
    taken: Container[bytes],
) -> Resumption:
    """Where `file`, described as `described`, goes on.

    First what the aggregator has committed counts, if the file still agrees with it; then `entry`, the checkpoint's
    own; else the file is new. What the aggregator knows of another source of the same device and inode is that of a
    collector that lost its state, and counts likewise, unless this source began with a truncation that was seen, or
    that id is `taken` by another file.

    A source that has ended goes on only where more than a few bytes tell that it is the same: in an archive, which was
    looked through (`complete`), or, if it was described, behind a whole head or in a copy, which its name tells too. A
    file that was truncated may begin again as it did, and so may one that was deleted and made anew, which may be given
    its inode. A copy goes on under another id: once its inode is noted, nothing more would tell it from those. If the
    end was lost, and passed over, and this is a copy that has it, it goes on where that began; or it is the file
    itself, which was cut behind that, and goes on as what it was shipped as since.

    Raises:
        OSError: the file cannot be read.
    """
    agreeing: list[Known] = []
    lost_behind: int | None = None
    copy = entry is not None and entry.inode != described.inode
    for known in resume.known:
        own = known.source_id == described.id
        # Without a marker of the bytes before it (they were passed over), nothing tells that it is this file.
        recognised = known.position > 0 and known.before.length > 0
        usable = own or (recognised and not truncated and known.source_id not in taken)
        certain = not known.finished or complete or (own and (copy or known.head.length == HEAD_SIZE))
        behind = _lost_behind(file, known, entry) if own and certain else None
        if behind is not None and (copy or behind or _sent(known) is not None):
            lost_behind = behind
        elif usable and certain and _agrees(file, known, entry):
            agreeing.append(known)
    # Of two at one position, the one that has not ended went on from the other, and nobody noted that.
    best = max(agreeing, key=lambda each: (each.position, not each.finished), default=None)
    if lost_behind is not None and (best is None or best.position <= lost_behind):
        return Resumption(replace(described, id=new_id()), lost_behind, known=True)
    if best is not None:
        ended = copy and best.finished and best.source_id == described.id
        return Resumption(replace(described, id=new_id() if ended else best.source_id), best.position, known=True)
    if any(known.source_id == described.id for known in resume.known):
        # What was committed by this id had other bytes, or has ended: this is another source.
        return Resumption(_anew(described, file), 0, known=False)
    if entry is None:
        begins_so = described.head.matches_head(file.read(described.head.length, 0))
        return Resumption(described if begins_so else _anew(described, file), 0, known=False)
    if agrees(file, position=entry.position, head=entry.head, tail=entry.before):
        return Resumption(described, entry.position, known=True)
    # It was rewritten since it was recognised.
    return Resumption(_anew(described, file), 0, known=False)


def new_id() -> bytes:
    """The id of a source that is followed for the first time."""
    return uuid.uuid4().bytes


def _anew(described: Source, file: File) -> Source:
    """Another source: the file may not begin any more as it did when it was described."""
    return replace(described, id=new_id(), head=head_of(file))


def _lost_behind(file: File, known: Known, entry: Entry | None) -> int | None:
    """Up to where a source was sent that has ended behind what was lost, if the file holds that; else None.

    An aggregator that does not tell so knows no less than the checkpoint.
    """
    if not known.finished or known.before.length:
        return None
    head, sent = known.head, _sent(known)
    if sent is None and entry is not None and entry.marked and entry.position < known.position:
        head, sent = entry.head, Sent(entry.position, entry.before)
    if sent is None or not agrees(file, position=sent.position, head=head, tail=sent.before):
        return None
    return sent.position


def _sent(known: Known) -> Sent | None:
    """Up to where it was sent before the rest was lost, if something tells the bytes before that.

    Of what was lost before the ledger was one that keeps their marker, or by one that was lost itself, nothing does.
    """
    sent = known.sent
    return None if sent is None or (sent.position and not sent.before.length) else sent


def _agrees(file: File, known: Known, entry: Entry | None) -> bool:
    sent, tail = _sent(known), known.before
    if sent is not None and not agrees(file, position=sent.position, head=known.head, tail=sent.before):
        # Of what was lost behind that nothing is known, and its head alone does not tell the file from others.
        return False
    if not tail.length and entry is not None and (entry.source_id, entry.position) == (known.source_id, known.position):
        # A ledger that was lost knows of the position only.
        tail = entry.before
    return agrees(file, position=known.position, head=known.head, tail=tail)
