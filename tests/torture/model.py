"""What must be delivered, what may be, and the judgement of what was.

A **body** is one inode, a **generation** what it holds between two truncations: the source, in this product's words.
An **entry** of a generation is a line, or a piece of one that is longer than any may be, or the unterminated end of a
finished file: what lacks a newline gets one. It *must* arrive once, unless its bytes were destroyed before they were
known to be committed: then it *may*. The same line may be an entry of several generations (of a copy, or of what a
partial truncation left), and arrives once for each.
"""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

Identity = tuple[int, int]


@dataclass(eq=False, slots=True)
class Entry:
    data: bytes
    """As it is at the destination."""
    must: bool = True
    unclear: bool = False
    """Whether it may be, or may not be, taken for what was delivered of an earlier file or generation."""
    archived: bool = False
    """Whether it is compressed: then it comes instead of the original's, never beside it."""
    unended: bool = False
    """Whether the newline is not the file's."""

    @property
    def written(self) -> bytes:
        return self.data[:-1] if self.unended else self.data


@dataclass(eq=False, slots=True)
class Generation:
    entries: list[Entry] = field(default_factory=list)
    fragment: bytes = b""
    """The begin of a line that has no end yet."""
    forgotten: bool = False
    """Whether only the aggregator may know what of it was shipped, by an inode that is gone: it may come again."""

    @property
    def content(self) -> bytes:
        return b"".join(entry.written for entry in self.entries) + self.fragment

    def add(self, data: bytes, *, longest: int, must: bool = True, unclear: bool = False) -> None:
        """It is written behind what is there. A line that is longer than the longest is cut, also while it grows."""
        for line in (self.fragment + data).splitlines(keepends=True):
            *pieces, self.fragment = _pieces(line, longest)
            self.entries += [Entry(piece + b"\n", must, unclear, unended=True) for piece in pieces]
            if self.fragment.endswith(b"\n"):
                self.entries.append(Entry(self.fragment, must, unclear))
                self.fragment = b""

    def seal(self, *, must: bool = True, unclear: bool = False) -> None:
        """Its last line gets no end any more."""
        if self.fragment:
            self.entries.append(Entry(self.fragment + b"\n", must, unclear, unended=True))
            self.fragment = b""


@dataclass(eq=False, slots=True)
class Body:
    """An inode, as long as it lives."""

    identity: Identity
    generations: list[Generation] = field(default_factory=lambda: [Generation()])
    rest: bytes = b""
    """What completes the fragment, as its writer has it."""
    lost_at: float | None = 0.0
    """When it lost its last name in the pattern, on the monotonic clock; None while it has one."""
    held: bool = False
    """Whether a collector that runs has it open, though it has no name."""
    known: bool = False
    """Whether it ever had a name in the pattern."""
    came_back: bool = False
    """Whether it had lost its name in the pattern before it got the one that it has."""
    wiped: bool = False
    """Whether the collector's state was lost while it had none."""
    unsaved: bool = False
    """Whether the collector may have been killed before it could note that it has it."""
    sealed: bool = False
    """Whether its unterminated end was shipped, or may have been: nothing is written behind that."""

    @property
    def now(self) -> Generation:
        return self.generations[-1]


class Model:
    """`rotate_wait` in seconds, `max_line_size` in bytes, without the newline.

    `committed` is always the lines of the destination that are known to stay.
    """

    def __init__(self, *, rotate_wait: float, max_line_size: int) -> None:
        self._rotate_wait = rotate_wait
        self._longest = max_line_size
        self.bodies: list[Body] = []

    def appear(self, identity: Identity, copied: bytes = b"") -> Body:
        """A file is made under a name in the pattern or outside; `copied` is what it begins with.

        A new inode is a new source, and what it begins with comes again; but a copy may also be recognised as what a
        rotation or an inode that is given again left. So it need not come, as long as it came of the original.
        """
        body = Body(identity)
        body.now.add(copied, longest=self._longest, must=False, unclear=True)
        self.bodies.append(body)
        return body

    def archive(self, identity: Identity, content: bytes) -> Body:
        """A file is made that is an archive of that content."""
        body = Body(identity, sealed=True)
        body.now.add(content, longest=self._longest, must=False, unclear=True)
        body.now.seal(must=False, unclear=True)
        for entry in body.now.entries:
            entry.archived = True
        self.bodies.append(body)
        return body

    def wrote(self, body: Body, data: bytes, *, held: bool) -> None:
        """Just now; the collector has it open still, or has not."""
        assert not body.sealed
        generation = body.now
        in_time = body.lost_at is None or (
            body.held and held and time.monotonic() - body.lost_at < 0.8 * self._rotate_wait
        )
        generation.add(data, longest=self._longest, must=in_time)
        if generation.fragment and body.lost_at is not None:
            self._seal(body, must=in_time)

    def lost(self, body: Body, committed: Counter[bytes], *, held: bool) -> None:
        """It has no name in the pattern any more."""
        body.lost_at, body.held = time.monotonic(), held
        body.now.forgotten |= body.unsaved
        if not held:
            self._doom(body.now, committed)
        if body.now.fragment:
            self._seal(body, must=held)

    def regained(self, body: Body) -> None:
        """It has a name again: all that it holds is there to be read."""
        body.came_back |= body.known
        body.now.forgotten |= body.wiped
        body.known, body.lost_at, body.held = True, None, False
        for entry in body.now.entries:
            entry.must = not entry.unclear
        if body.sealed and body.now.entries:
            # Whether its end was shipped before it came back, only the collector knows.
            body.now.entries[-1].must = False

    def truncated(self, body: Body, size: int, committed: Counter[bytes]) -> None:
        """It was cut to so many bytes."""
        old = body.now
        stands = self._standing(old, committed, Counter(entry.data for entry in self._entries()))
        position = 0
        for entry in old.entries:
            if entry not in stands:
                break
            position += len(entry.written)
        # Cut behind what was read, it may pass for what it was: a truncation shows in what was read before.
        noticed = size < position
        new = Generation()
        new.add(old.content[:size], longest=self._longest)
        for before, entry in zip(old.entries, new.entries, strict=False):
            # What may have passed for what it was at the cut before may do so again. What came once, and is wanted more
            # often, may have come of this one.
            if not noticed and (committed[before.data] or (before.unclear and not before.must)):
                entry.must, entry.unclear = False, True
        self._doom(old, committed)
        body.generations.append(new)
        body.rest = b""

    def collector_ended(self, committed: Counter[bytes], *, unsaved: bool = False, wiped: bool = False) -> None:
        """Killed or stopped: what it held open without a name is out of its reach.

        `unsaved`: it has begun to follow something since it wrote its checkpoint. `wiped`: that is lost. The aggregator
        has the rest; but of what has ended only a whole head tells that it is no new file.
        """
        for body in self.bodies:
            body.wiped |= wiped and body.known and body.lost_at is not None
            body.now.forgotten |= wiped and body.came_back
            body.unsaved = unsaved
            body.now.forgotten |= unsaved and body.known and body.lost_at is not None
            if body.held:
                body.held = False
                self._doom(body.now, committed)

    def missing(self, found: Counter[bytes]) -> list[Entry]:
        """What must be there and is not."""
        left, missing = Counter(found), []
        for entry in self._entries():
            if entry.must:
                left[entry.data] -= 1
                if left[entry.data] < 0:
                    missing.append(entry)
        return self._unexcused(missing, found) if missing else []

    def judge(self, output: bytes) -> list[str]:
        """What is wrong with the destination: nothing, if each sentence of the promise holds."""
        lines = output.splitlines(keepends=True)
        found, wrong = Counter(lines), []
        most = Counter(entry.data for entry in self._entries() if not entry.archived)
        most.update({piece for _, rest in self._divided() for piece in rest})
        most.update(
            entry.data for generation in self._generations() if generation.forgotten for entry in generation.entries
        )
        wrong += [f"missing: {self._whose(entry.data)}" for entry in self.missing(found)]
        for data, count in found.items():
            if not most[data]:
                wrong.append(f"never written: {_short(data)}")
            elif count > most[data]:
                wrong.append(f"{count} times instead of {most[data]}: {self._whose(data)}")
        at = {data: number for number, data in enumerate(lines)}
        for body in self.bodies:
            for number, generation in enumerate(body.generations):
                there = [e.data for e in generation.entries if most[e.data] == 1 and e.data in at]
                for before, after in pairwise(there):
                    if at[before] > at[after]:
                        wrong.append(f"order, inode {body.identity[1]} generation {number}: {_short(after)} too early")
                        break
        return wrong

    def counts(self) -> tuple[int, int]:
        """How many entries must arrive, and how many may."""
        must = sum(entry.must for entry in self._entries())
        return must, sum(1 for _ in self._entries()) - must

    def _entries(self) -> Iterable[Entry]:
        known = (body for body in self.bodies if body.known)
        return (entry for body in known for generation in body.generations for entry in generation.entries)

    def _generations(self) -> Iterable[Generation]:
        return (generation for body in self.bodies for generation in body.generations)

    def _unexcused(self, missing: list[Entry], found: Counter[bytes]) -> list[Entry]:
        """Without the lines of which both parts came: the begin as an earlier file's end, and the rest."""
        wanted = Counter(entry.data for entry in self._entries() if entry.must)
        come = {
            entry
            for entries, rest in self._divided()
            if all(found[piece] > wanted[piece] for piece in rest)
            for entry in entries
        }
        return [entry for entry in missing if entry not in come]

    def _divided(self) -> Iterable[tuple[list[Entry], list[bytes]]]:
        """Lines of which the begin was shipped as the last line of a file that is gone: what is behind that comes.

        What holds all of that file and more goes on where that ended: an editor's copy of it, or one that was made anew
        of the same inode and begins alike, as any line of a log may if no more of one was shipped than what all have in
        common. With the entries of each such line that are cut or behind the cut, and what comes of them instead.
        """
        contents = [(generation, generation.content) for generation in self._generations()]
        for ended in {body.now.content for body in self.bodies if body.sealed}:
            for generation, content in contents:
                if content.startswith(ended) and content != ended:
                    rest = content[len(ended) :].partition(b"\n")[0]
                    entries = _within(generation, len(ended), len(ended) + len(rest))
                    yield entries, [piece + b"\n" for piece in _pieces(rest, self._longest)]

    def _standing(self, generation: Generation, committed: Counter[bytes], wanted: Counter[bytes]) -> set[Entry]:
        """Of its entries, those that are committed for certain: as often as the line is wanted."""
        return {entry for entry in generation.entries if committed[entry.data] >= wanted[entry.data]}

    def _doom(self, generation: Generation, committed: Counter[bytes]) -> None:
        """Its bytes are gone. Of what is not committed, that must come still of which there is a copy."""
        wanted = Counter(entry.data for entry in self._entries() if entry.must)
        lost = set(generation.entries) - self._standing(generation, committed, wanted)
        living = {
            entry.data
            for body in self.bodies
            if body.lost_at is None and body.now is not generation
            for entry in body.now.entries
        }
        gone = {entry.data for entry in lost} - living
        left = Counter({data: committed[data] for data in gone})
        for entry in sorted(self._entries(), key=lambda entry: entry in lost):
            if entry.data in gone and entry.must:
                left[entry.data] -= 1
                entry.must = left[entry.data] >= 0
        for entry in lost:
            # What is wanted once may come of the copy; what is wanted more often is wanted of another one too.
            entry.must &= wanted[entry.data] == 1

    def _seal(self, body: Body, *, must: bool) -> None:
        body.sealed = True
        body.now.seal(must=must)
        body.rest = b""

    def _whose(self, data: bytes) -> str:
        places = [
            f"inode {body.identity[1]} generation {number} entry {place} of {len(generation.entries)}"
            f" ({'must' if entry.must else 'may'}{', sealed' if body.sealed else ''})"
            for body in self.bodies
            for number, generation in enumerate(body.generations)
            for place, entry in enumerate(generation.entries)
            if entry.data == data
        ]
        return f"{_short(data)} [{'; '.join(places)}]"


def _within(generation: Generation, start: int, end: int) -> list[Entry]:
    """Those of its entries that have bytes in that range."""
    found, position = [], 0
    for entry in generation.entries:
        if position < end and position + len(entry.written) > start:
            found.append(entry)
        position += len(entry.written)
    return found


def _short(data: bytes) -> str:
    return repr(data if len(data) < 60 else data[:30] + b"~" + data[-26:])


def _pieces(line: bytes, longest: int) -> list[bytes]:
    """The last is what is left: it may have a newline, which does not count."""
    whole = max(len(line.removesuffix(b"\n")) - 1, 0) // longest * longest
    return [*(line[at : at + longest] for at in range(0, whole, longest)), line[whole:]]
