"""What must be delivered, what may be, and the judgement of what was.

A **body** is one inode, a **generation** what it holds between two truncations: the source, in this product's words.
An **entry** of a generation is a line (or the unterminated end of a finished file, which gets a newline), and *must*
arrive once, unless its bytes were destroyed before they were known to be committed: then it *may*. The same line may be
an entry of several generations (of a copy, or of what a partial truncation left), and arrives once for each.
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
    must: bool = True
    unclear: bool = False
    """Whether it may be, or may not be, taken for what was delivered of an earlier file or generation."""
    archived: bool = False
    """Whether it is compressed: then it comes instead of the original's, never beside it."""


@dataclass(eq=False, slots=True)
class Generation:
    entries: list[Entry] = field(default_factory=list)
    fragment: bytes = b""
    """The begin of a line that has no end yet."""

    @property
    def content(self) -> bytes:
        return b"".join(entry.data for entry in self.entries) + self.fragment


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
    sealed: bool = False
    """Whether its unterminated end was shipped, or may have been: nothing is written behind that."""

    @property
    def now(self) -> Generation:
        return self.generations[-1]


class Model:
    """`rotate_wait` in seconds. `committed` is always the lines of the destination that are known to stay."""

    def __init__(self, *, rotate_wait: float) -> None:
        self._rotate_wait = rotate_wait
        self.bodies: list[Body] = []

    def appear(self, identity: Identity, copied: bytes = b"") -> Body:
        """A file is made under a name in the pattern or outside; `copied` is what it begins with.

        A new inode is a new source, and what it begins with comes again; but a copy may also be recognised as what a
        rotation or an inode that is given again left. So it need not come, as long as it came of the original.
        """
        body = Body(identity)
        for line in copied.splitlines(keepends=True):
            if line.endswith(b"\n"):
                body.now.entries.append(Entry(line, must=False, unclear=True))
            else:
                body.now.fragment = line
        self.bodies.append(body)
        return body

    def archive(self, identity: Identity, content: bytes) -> Body:
        """A file is made that is an archive of that content."""
        body = Body(identity, sealed=True)
        for line in content.splitlines(keepends=True):
            body.now.entries.append(Entry(line.rstrip(b"\n") + b"\n", must=False, unclear=True, archived=True))
        self.bodies.append(body)
        return body

    def wrote(self, body: Body, data: bytes, *, held: bool) -> None:
        """Just now; the collector has it open still, or has not."""
        assert not body.sealed
        generation = body.now
        in_time = body.lost_at is None or (
            body.held and held and time.monotonic() - body.lost_at < 0.8 * self._rotate_wait
        )
        for line in (generation.fragment + data).splitlines(keepends=True):
            generation.fragment = b"" if line.endswith(b"\n") else line
            if not generation.fragment:
                generation.entries.append(Entry(line, must=in_time))
        if generation.fragment and body.lost_at is not None:
            self._seal(body, must=in_time)

    def lost(self, body: Body, committed: Counter[bytes], *, held: bool) -> None:
        """It has no name in the pattern any more."""
        body.lost_at, body.held = time.monotonic(), held
        if not held:
            self._doom(body.now, committed)
        if body.now.fragment:
            self._seal(body, must=held)

    def regained(self, body: Body) -> None:
        """It has a name again: all that it holds is there to be read."""
        body.known, body.lost_at, body.held = True, None, False
        for entry in body.now.entries:
            entry.must = not entry.unclear
        if body.sealed and body.now.entries:
            # Whether its end was shipped before it came back, only the collector knows.
            body.now.entries[-1].must = False

    def truncated(self, body: Body, size: int, committed: Counter[bytes]) -> None:
        """It was cut to so many bytes."""
        old = body.now
        left = old.content[:size]
        stands = self._standing(old, committed, Counter(entry.data for entry in self._entries()))
        position = 0
        for entry in old.entries:
            if entry not in stands:
                break
            position += len(entry.data)
        # Cut behind what was read, it may pass for what it was: a truncation shows in what was read before.
        noticed = size < position
        new, offset = Generation(), 0
        for entry in old.entries:
            offset += len(entry.data)
            if offset > size:
                break
            unclear = not noticed and entry in stands
            new.entries.append(Entry(entry.data, must=not unclear, unclear=unclear))
        new.fragment = left[len(new.content) :]
        self._doom(old, committed)
        body.generations.append(new)
        body.rest = b""

    def collector_ended(self, committed: Counter[bytes]) -> None:
        """Killed or stopped: what it held open without a name is out of its reach."""
        for body in self.bodies:
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
        return missing

    def judge(self, output: bytes) -> list[str]:
        """What is wrong with the destination: nothing, if each sentence of the promise holds."""
        lines = output.splitlines(keepends=True)
        found, wrong = Counter(lines), []
        most = Counter(entry.data for entry in self._entries() if not entry.archived)
        most.update(set(self._rests()))
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

    def _rests(self) -> Iterable[bytes]:
        """Ends of lines of which the begin was shipped as the last line of a file that is gone.

        What holds all of that file and more, such as an editor's copy of it, goes on where that ended.
        """
        generations = [generation for body in self.bodies for generation in body.generations]
        for ended in (body.now.content[:-1] for body in self.bodies if body.sealed):
            for generation in generations:
                if generation.content.startswith(ended) and generation.content != ended:
                    yield generation.content[len(ended) :].partition(b"\n")[0] + b"\n"

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
        body.now.entries.append(Entry(body.now.fragment + b"\n", must))
        body.now.fragment = body.rest = b""

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


def _short(data: bytes) -> str:
    return repr(data if len(data) < 60 else data[:30] + b"~" + data[-26:])
