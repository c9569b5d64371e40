"""Writers, a collector and an aggregator in memory, what may happen to them, and the judgement of what came of it.

The reference: every byte of every generation of every file stands at the destination once, in order, up to the last
whole line; to the last byte where the file is finished. Only what was, at some moment, where no collector could have
had it (truncated unread, unlinked while nobody held it open, never seen before it was moved away) may be missing, and
then only from its end.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, pairwise
from random import Random

from histories.aggregator import MemoryAggregator, Row
from histories.collector import MemoryCheckpoint, MemoryCollector
from histories.disk import Generation, Inode, MemoryDisk, is_matched
from mega_collector.block import Source
from mega_collector.collector.reading.follower import Follower

_NAMES = [b"/logs/%c.log" % letter for letter in b"abc"]
_TURNS = [b"", b".1", b".2", b".3"]

_DAY = 86400.0

_FURTHER = 0.3
"""How often what is renamed beside a look was out of the pattern before."""


class World:
    """One history. Every operation takes its choices from `random`; those that cannot be done now do nothing."""

    def __init__(
        self,
        random: Random,
        *,
        max_open_files: int = 100,
        batch_age: float = 0.0,
        start_at_end: bool = False,
        ignore_older: float | None = None,
    ) -> None:
        self.random = random
        self.now = 1000.0
        self.disk = MemoryDisk()
        self.aggregator = MemoryAggregator()
        self.checkpoint = MemoryCheckpoint()
        self._max_open_files = max_open_files
        self._batch_age = batch_age
        self._start_at_end = start_at_end
        self._ignore_older = ignore_older
        self.collector: MemoryCollector | None = None
        self._writers: list[Inode] = []
        """Files that a program holds open for writing, whatever their names."""
        self._parts: dict[Inode, bytes] = {}
        """What is still to be written of a line."""
        self._dates = count(1)
        self.operations: list[str] = []
        self.start()

    # What is done

    def perform(self, name: str) -> None:
        self.operations.append(name)
        OPERATIONS[name](self)

    def write(self) -> None:
        inode = self._any_writable()
        if inode is not None:
            self.append(inode, self.random.randint(1, 6))

    def write_part(self) -> None:
        inode = self._any_writable()
        if inode is not None and inode not in self._parts:
            line = inode.generation.next_line()
            cut = self.random.randint(1, len(line) - 1)
            self._parts[inode] = line[cut:]
            self.disk.append(inode, line[:cut])

    def rename(self) -> None:
        """The cascade of a rotation: .2 to .3, .1 to .2, and the file to .1."""
        name = self.random.choice(_NAMES)
        for old, new in reversed(list(pairwise(_TURNS))):
            self._move(name + old, name + new)

    def rename_beside(self) -> None:
        """Between any two looks of the collector: a rotation as with dates, or what was moved away is moved again."""
        gone = sorted(name for name in self.disk.names if name.startswith(b"/logs/old"))
        away = self.random.choice(gone) if gone and self.random.random() < _FURTHER else None
        name = away or self.random.choice(_NAMES)
        new = self._fresh(b"old" if away else self.random.choice([b"a", b"b", b"c"]), b"" if away else b".log")

        self.disk.beside(self.random.randint(0, 12), lambda: self.rotate(name, new, reopen=not away))

    def rename_out(self) -> None:
        name = self._any_name()
        if name is not None:
            self._move(name, b"/logs/old%d" % self.random.randint(0, 3))

    def rename_in(self) -> None:
        name = self._any_name(matched=False)
        if name is not None:
            self._move(name, self.random.choice(_NAMES) + b".back")

    def replace(self) -> None:
        """As an editor does it: written beside, renamed over."""
        inode = self.disk.create(b"/logs/new")
        self.append(inode, self.random.randint(1, 6))
        self._move(b"/logs/new", self.random.choice(_NAMES))

    def copy_and_truncate(self) -> None:
        inode = self._any_writable()
        if inode is not None:
            self.truncate(inode)

    def truncate_and_refill(self) -> None:
        inode = self._any_writable()
        if inode is not None:
            self.truncate(inode)
            self.append(inode, self.random.randint(1, 12))

    def unlink(self) -> None:
        name = self._any_name()
        if name is not None:
            self._unlink(name)

    def recreate(self) -> None:
        """Unlinked and made again at once: often with the same inode."""
        name = self.random.choice(_NAMES)
        if name in self.disk.names:
            self._unlink(name)
        self._create(name)

    def create(self) -> None:
        name = self.random.choice(_NAMES)
        if name not in self.disk.names:
            self._create(name)

    def hard_link(self) -> None:
        name, new = self._any_name(), self.random.choice(_NAMES) + b".hard"
        if name is not None and new not in self.disk.names:
            self.disk.link(name, new)

    def swap_link(self) -> None:
        target = b"/logs/target%d" % self.random.randint(0, 2)
        if target not in self.disk.names:
            self._create(target)
        before = self.disk.links.get(b"/logs/link.log")
        self.disk.links[b"/logs/link.log"] = target
        if before is not None and before != target and before in self.disk.names:
            self._left_the_pattern(self.disk.names[before])

    # The collector and the aggregator

    def poll(self) -> None:
        self._step(self.random.choice([0.01, 0.5, 1.0]))

    def wait(self) -> None:
        """Time passes, and all goes well."""
        for _ in range(self.random.choice([2, 8, 25])):
            self.pass_by(1.0)

    def speak(self) -> None:
        self._talk(self.random.randint(1, 5), 0, 0)

    def commit(self) -> None:
        self._talk(1000, self.random.randint(1, 3), 0)

    def listen(self) -> None:
        self._talk(0, 0, self.random.randint(1, 5))

    def settle(self) -> None:
        """Everything that was said is heard, committed and acknowledged."""
        self._talk(1000, 1000, 1000)

    def refuse(self) -> None:
        self.aggregator.refuse_next = True

    def reconnect(self) -> None:
        if self.collector is not None:
            if self.collector.connected:
                self.collector.disconnect()
            self.collector.connect()

    def disconnect(self) -> None:
        if self.collector is not None and self.collector.connected:
            self.collector.disconnect()

    def kill_aggregator(self) -> None:
        self.disconnect()
        self.aggregator.crash()

    def kill(self) -> None:
        """The collector is killed: what of files that have no name was only in its hands is gone."""
        if self.collector is None:
            return
        self.collector.die()
        self.collector = None
        self.checkpoint.crash()
        for generation in self.disk.generations:
            if not self._can_be_found(generation):
                self._excuse(generation)

    def wipe(self) -> None:
        """The collector is killed, and its state is lost. What has ended there may come again if it is found again.

        Only a whole head would tell that it is no other file that begins alike; and none here is so long.
        """
        self.checkpoint.wipe()
        self.kill()
        for inode in self.disk.names.values():
            ended = any(row.finished for row in self._rows_of(inode.generation))
            inode.generation.may_repeat |= ended or self.aggregator.ends(inode.number)

    def start(self) -> None:
        if self.collector is None:
            self.collector = MemoryCollector(
                self.disk,
                self.checkpoint,
                self.aggregator,
                lambda: self.now,
                max_open_files=self._max_open_files,
                batch_age=self._batch_age,
                start_at_end=self._start_at_end,
                ignore_older=self._ignore_older,
            )
            self.collector.connect()

    # The judgement

    def finish(self) -> None:
        """Let everything come to rest, and judge."""
        for inode in list(self._parts):
            if self._is_writable(inode):
                self.append(inode, 0)
        self.aggregator.refuse_next = False
        self.start()
        self.reconnect()
        while self.collector is not None and self.collector.recollects:
            self.pass_by(1.0)
        for _ in range(40):
            self.pass_by(1.0)
        self.judge()
        # By then it has asked what the aggregator still holds.
        self.pass_by(_DAY)
        for _ in range(40):
            self.pass_by(1.0)
        self.judge()
        assert self.collector is not None
        assert self.collector.tailer.behind == (), "all is acknowledged"
        for source_id, row in self.aggregator.ledger.items():
            over = row.finished or row.gone
            kept = source_id in self.collector.sources or self._is_there(row.source)
            assert over or kept, f"{row} stays in the ledger for good"

    def judge(self) -> None:
        arrived: dict[int, list[tuple[int, bytes]]] = {}
        for row in self.aggregator.ledger.values():
            if row.shipped:
                generation = self._generation_of(row)
                arrived.setdefault(generation.number, []).extend(row.shipped)
        matched = {id(inode.generation) for _, inode in self.disk.matched()}
        for generation in self.disk.generations:
            end = self._judge_order(generation, arrived.get(generation.number, []))
            content = bytes(generation.content)
            whole = content.rfind(b"\n") + 1
            if generation.excused:
                assert end >= generation.least, f"{generation} arrived up to {end} only"
            elif id(generation) in matched:
                # A piece of a line may stand alone, if the file had no name for so long that it seemed to be finished.
                assert end >= whole, f"{generation} arrived up to {end}, not {whole}"
            else:
                assert end == len(content), f"{generation} arrived up to {end} of {len(content)}"
        excused = {generation.inode for generation in self.disk.generations if generation.excused}
        for source in self.aggregator.lost:
            assert source.inode in excused, f"{source} was told as lost"

    def _judge_order(self, generation: Generation, blocks: list[tuple[int, bytes]]) -> int:
        end = furthest = 0
        for start, data in blocks:
            repeats = generation.may_repeat and start == 0
            assert start == end or repeats, f"{generation}: {start} came after {end}: {blocks}"
            end = start + len(data)
            furthest = max(furthest, end)
        return furthest

    def _is_there(self, source: Source) -> bool:
        """Whether a file that no pattern matches still has its name: it may come back."""
        inode = self.disk.names.get(source.path)
        return not is_matched(source.path) and inode is not None and inode.number == source.inode

    def _generation_of(self, row: Row) -> Generation:
        """Whose bytes were shipped as this source. It is one generation's: they all say whose they are."""
        having = [
            each
            for each in self.disk.generations
            if each.inode == row.source.inode
            and all(each.content[start : start + len(data)] == data for start, data in row.shipped)
        ]
        assert len(having) == 1, f"{row} is of {having}"
        return having[0]

    # How it is done

    def rotate(self, name: bytes, new: bytes, *, reopen: bool = True) -> None:
        """If it is still there."""
        if name in self.disk.names:
            self.disk.rename(name, new)
            if reopen:
                self._writers.append(self.disk.create(name))

    def add(self, name: bytes, lines: int) -> Inode:
        """A file that a program writes from now on."""
        inode = self.disk.create(name)
        self._writers.append(inode)
        self.append(inode, lines)
        return inode

    def append(self, inode: Inode, lines: int) -> None:
        data = self._parts.pop(inode, b"") + b"".join(inode.generation.next_line() for _ in range(lines))
        if data:
            self.disk.append(inode, data)

    def pass_by(self, seconds: float) -> None:
        """Time passes, and everything that was said is heard, committed and acknowledged."""
        self._step(seconds)
        self._talk(1000, 1000, 1000)

    def _step(self, seconds: float) -> None:
        self.now += seconds
        if self.collector is not None:
            self.collector.tailer.step()

    def _talk(self, speak: int, commit: int, listen: int) -> None:
        if self.collector is not None and self.collector.connected:
            self.collector.speak(speak)
        self.aggregator.commit(commit)
        if self.collector is not None and self.collector.connected:
            self.collector.listen(listen)

    def _create(self, name: bytes) -> None:
        self.add(name, self.random.randint(0, 4))

    def truncate(self, inode: Inode) -> None:
        least = self._read_of(inode)
        old = self.disk.truncate(inode)
        self._parts.pop(inode, None)
        self._excuse(old, least)

    def _move(self, old: bytes, new: bytes) -> None:
        inode = self.disk.names.get(old)
        if inode is None or self.disk.names.get(new) is inode:
            return
        replaced = self.disk.names.get(new)
        self.disk.rename(old, new)
        if replaced is not None:
            self._left_the_pattern(replaced)
        self._left_the_pattern(inode)

    def _unlink(self, name: bytes) -> None:
        inode = self.disk.names[name]
        self.disk.unlink(name)
        self._left_the_pattern(inode)

    def _left_the_pattern(self, inode: Inode) -> None:
        """What nobody holds, and cannot be found again, may be lost."""
        if any(each is inode for _, each in self.disk.matched()):
            return
        if self.collector is None:
            found = inode.names > 0 and self._is_remembered(inode.generation)
        else:
            found = inode.open > 0 or (inode.names > 0 and self._is_followed(inode))
        if not found:
            self._excuse(inode.generation)

    def _is_followed(self, inode: Inode) -> bool:
        follower = self.collector.follower(inode.number) if self.collector is not None else None
        return follower is not None and self._followed_generation(follower) is inode.generation

    def _is_remembered(self, generation: Generation) -> bool:
        return any(
            entry.inode == generation.inode
            and not entry.ended
            and entry.position > 0
            and entry.before.matches_tail(bytes(generation.content[: entry.position]))
            for entry in self.checkpoint.durable.values()
        )

    def _excuse(self, generation: Generation, least: int | None = None) -> None:
        delivered = self._delivered(generation)
        generation.least = (
            min(generation.least, delivered) if generation.excused else (delivered if least is None else least)
        )
        generation.excused = True

    def _delivered(self, generation: Generation) -> int:
        ends = [start + len(data) for row in self._rows_of(generation) for start, data in row.shipped]
        return max(ends, default=0)

    def _rows_of(self, generation: Generation) -> list[Row]:
        """As the bytes of each say whose they are."""
        rows = (row for row in self.aggregator.ledger.values() if row.source.inode == generation.inode)
        return [
            row
            for row in rows
            if any(generation.content[start : start + len(data)] == data for start, data in row.shipped)
        ]

    def _is_held(self, inode: Inode) -> bool:
        return inode.open > 0

    def _read_of(self, inode: Inode) -> int:
        """How much of its present generation the collector has read: that is in its hands."""
        if self.collector is None:
            return self._delivered(inode.generation)
        follower = self.collector.follower(inode.number)
        if follower is None or not follower.settled or inode.generation is not self._followed_generation(follower):
            return self._delivered(inode.generation)
        return follower.position

    def _followed_generation(self, follower: Follower) -> Generation | None:
        own = [each for each in self.disk.generations if each.inode == follower.source.inode]
        tail, position = follower.tail, follower.position
        matching = [each for each in own if tail and each.content[position - len(tail) : position] == tail]
        return matching[-1] if matching else None

    def _can_be_found(self, generation: Generation) -> bool:
        for inode in self.disk.names.values():
            if inode.generation is generation:
                return any(each is inode for _, each in self.disk.matched()) or self._is_remembered(generation)
        return False

    def _fresh(self, begin: bytes, end: bytes) -> bytes:
        """A name that nothing ever had."""
        return b"/logs/%b%d%b" % (begin, next(self._dates) + 10, end)

    def _any_name(self, *, matched: bool = True) -> bytes | None:
        names = sorted(name for name in self.disk.names if is_matched(name) is matched)
        return self.random.choice(names) if names else None

    def _any_writable(self) -> Inode | None:
        writable = [inode for inode in self._writers if self._is_writable(inode)]
        return self.random.choice(writable) if writable else None

    def _is_writable(self, inode: Inode) -> bool:
        """A program writes on to a file that was renamed; nobody promises anything of one that was let go."""
        return any(each is inode for _, each in self.disk.matched()) or self._is_held(inode)


OPERATIONS: dict[str, Callable[[World], None]] = {
    operation.__name__: operation
    for operation in (
        World.write,
        World.write_part,
        World.rename,
        World.rename_beside,
        World.rename_out,
        World.rename_in,
        World.replace,
        World.copy_and_truncate,
        World.truncate_and_refill,
        World.unlink,
        World.recreate,
        World.create,
        World.hard_link,
        World.swap_link,
        World.poll,
        World.wait,
        World.speak,
        World.commit,
        World.listen,
        World.settle,
        World.refuse,
        World.reconnect,
        World.disconnect,
        World.kill_aggregator,
        World.kill,
        World.start,
        World.wipe,
    )
}

_WEIGHTS = {
    "write": 12,
    "write_part": 3,
    "poll": 14,
    "wait": 2,
    "settle": 6,
    "speak": 4,
    "commit": 4,
    "listen": 4,
    "create": 3,
    "start": 3,
}


@contextmanager
def seeded_ids(seed: int) -> Iterator[None]:
    """New sources have ids that come of the seed, too: in their order the aggregator tells of them."""
    random, uuid4 = Random(seed), uuid.uuid4
    uuid.uuid4 = lambda: uuid.UUID(int=random.getrandbits(128))
    try:
        yield
    finally:
        uuid.uuid4 = uuid4


def play(seed: int, length: int, *, beside: bool = True) -> list[str]:
    """One history, judged; its operations. In every other one what grows waits until its batch needs it.

    `beside`: files are also renamed while the collector looks at them.

    Raises:
        AssertionError: something was lost, doubled, torn or out of order.
    """
    random = Random(seed)
    with seeded_ids(seed):
        world = World(random, max_open_files=random.choice([100, 100, 2]), batch_age=seed % 2 * 15.0)
        names = [name for name in OPERATIONS if beside or name != World.rename_beside.__name__]
        for name in random.choices(names, [_WEIGHTS.get(name, 1) for name in names], k=length):
            world.perform(name)
        world.finish()
    return world.operations
