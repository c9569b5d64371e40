"""Histories of logs that are rotated, by renaming or by copying and cutting, and compressed a part at a time.

The reference: every line stands at the destination once, as it is always in a file that the pattern matches. What is
told as lost was lost as far as anybody could see.
"""

import gzip
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from histories.disk import Inode
from histories.world import World, seeded_ids
from mega_collector.block import Source
from mega_collector.marker import TAIL_SIZE

_LOGS = [b"/logs/a.log", b"/logs/b.log"]

_AT_ONCE = 3
"""Lines."""

_FEW = 4
"""Descriptors: then what waits for one may be deleted meanwhile."""

_FEW_OF_THE_SYSTEM = 2

_KILLED = 1.5
"""How often the collector is, beside the weights of what else happens."""


@dataclass
class _Compression:
    """Of a file that was rotated: its archive is written in two parts, and then it is removed."""

    name: bytes
    archive: Inode | None = None
    rest: list[bytes] = field(default_factory=list)


class RotatedWorld(World):
    """Logs that are never lost: nothing is removed before an archive has it, nothing cut before a copy has it."""

    def __init__(
        self,
        random: Random,
        *,
        max_open_files: int = 100,
        batch_age: float = 0.0,
        numbered: bool = False,
        alike: bool = False,
        at_end: bool = False,
    ) -> None:
        super().__init__(random, max_open_files=max_open_files, batch_age=batch_age, start_at_end=at_end)
        self._alike = alike
        """Whether all lines are of one length and end alike, and so many are written at once."""
        self._numbered = numbered
        """Whether what was rotated before is renamed at each rotation: a.log.1 to a.log.2, a.log.1.gz to a.log.2.gz."""
        self._few = max_open_files == _FEW
        self._at_end = at_end
        self._lines: Counter[bytes] = Counter()
        self._compressions: list[_Compression] = []
        self._cut_as: dict[int, bytes | None] = {}
        """As which source a file was followed when it was cut last."""
        self._expired = False
        self._excused: set[int] = set()
        """Inodes of files that were cut twice between two looks, or are gone while their copies are there."""
        for name in _LOGS:
            self.disk.create(name)
        if at_end:
            # The aggregator knows something from now on: a start without the state is not the first.
            self.pass_by(1.0)
            for name in _LOGS:
                self._write_to(self.disk.names[name], 1)
            for _ in range(5):
                self.pass_by(1.0)

    def limit_open(self, most: int) -> None:
        """The system opens only so many files for the collector."""
        self.disk.most_open = most
        self._few = self._few or most < sys.maxsize

    def write_lines(self) -> None:
        log = self.disk.names[self.random.choice(_LOGS)]
        self._write_to(log, _AT_ONCE if self._alike else self.random.randint(1, 5))

    def _write_to(self, inode: Inode, count: int) -> None:
        if self._alike:
            lines = [b"%06d%b\n" % (next(self._dates), b"x" * TAIL_SIZE) for _ in range(count)]
        else:
            lines = [inode.generation.next_line() for _ in range(count)]
        self._lines.update(lines)
        self.disk.append(inode, b"".join(lines))

    def rotate_log(self) -> None:
        name = self.random.choice(_LOGS)
        new = self._rotated(name)
        self.disk.rename(name, new)
        self.disk.create(name)
        self._compressions.append(_Compression(new))

    def copy_log(self) -> None:
        """And cut it."""
        name = self.random.choice(_LOGS)
        new, log = self._rotated(name), self.disk.names[name]
        self.disk.append(self.disk.create(new), bytes(log.generation.content))
        follower = None if self.collector is None else self.collector.follower(log.number)
        source = None if follower is None else follower.source.id
        if self._cut_as.get(log.number, b"") == source:
            self._excused.add(log.number)
        self._cut_as[log.number] = source
        self.disk.truncate(log)
        self._compressions.append(_Compression(new))

    def move_log(self) -> None:
        """Copy it, and remove it: renamecopy. Its inode may be given away at once."""
        name = self.random.choice(_LOGS)
        new, log = self._rotated(name), self.disk.names[name]
        self.disk.append(self.disk.create(new), bytes(log.generation.content))
        self._excused.add(log.number)
        self.disk.unlink(name)
        if self.random.random() < 0.5:
            self.disk.create(b"/logs/none%d" % next(self._dates))
        self.disk.create(name)
        self._compressions.append(_Compression(new))

    def _rotated(self, log: bytes) -> bytes:
        """What it is called next."""
        if not self._numbered:
            return self._fresh(log.removeprefix(b"/logs/") + b".", b"")
        for number in range(len(self.disk.names), 0, -1):
            old, new = b"%b.%d" % (log, number), b"%b.%d" % (log, number + 1)
            for suffix in (b"", b".gz"):
                if old + suffix in self.disk.names:
                    self.disk.rename(old + suffix, new + suffix)
            for compression in self._compressions:
                if compression.name == old:
                    compression.name = new
        return log + b".1"

    def compress(self) -> None:
        """One step of it."""
        if self._compressions:
            self._compress(self.random.choice(self._compressions))

    def _compress(self, compression: _Compression) -> None:
        name = compression.name
        if compression.archive is None:
            data = gzip.compress(bytes(self.disk.names[name].generation.content))
            cut = self.random.choice([0, 5, len(data) // 2, len(data)])
            compression.archive = self.disk.create(name + b".gz")
            self.disk.append(compression.archive, data[:cut])
            compression.rest.append(data[cut:])
        elif compression.rest:
            self.disk.append(compression.archive, compression.rest.pop())
            compression.archive.mtime = self.disk.names[name].mtime
        else:
            self.disk.unlink(name)
            self._compressions.remove(compression)

    def expire(self) -> None:
        """An archive of which all has come is deleted."""
        written = {id(each.archive) for each in self._compressions}
        arrived = self._arrived()
        for name, inode in self.disk.names.items():
            if name.endswith(b".gz") and id(inode) not in written:
                lines = gzip.decompress(bytes(inode.generation.content)).splitlines(keepends=True)
                if all(arrived[line] for line in lines):
                    self._expired = True
                    self.disk.unlink(name)
                    return

    def pass_a_second(self) -> None:
        self.pass_by(1.0)

    def finish(self) -> None:
        for compression in list(self._compressions):
            while compression.archive is not None and compression in self._compressions:
                self._compress(compression)
        if self._alike:
            # Much is written, and the window is small.
            self.start()
            self.reconnect()
            for _ in range(80):
                self.pass_by(1.0)
        super().finish()

    def _arrived(self) -> Counter[bytes]:
        """How often each line has come."""
        return Counter(
            line
            for row in self.aggregator.ledger.values()
            for _, data in row.shipped
            for line in data.splitlines(keepends=True)
        )

    def _is_there(self, source: Source) -> bool:
        """An archive stands in the ledger for as long as it is there, perhaps as what had its inode before."""
        return any(inode.number == source.inode for inode in self.disk.names.values())

    def judge(self) -> None:
        arrived = self._arrived()
        assert arrived - self._lines == Counter(), "these came twice"
        assert self._lines - arrived == Counter(), "these did not come"
        if self._few or self._expired:
            return
        for source in self.aggregator.lost:
            # Of what was empty when it was seen last, nobody knows whether more was written.
            # Nor of what seemed to begin at its end, if it was gone when that turned out to be no first start.
            unknown = source.id in self.aggregator.unread and (source.head.length == 0 or self._at_end)
            assert unknown or source.inode in self._excused, f"{source} was told as lost"


_WEIGHTS: dict[Callable[[RotatedWorld], None], float] = {
    RotatedWorld.write_lines: 10,
    RotatedWorld.rotate_log: 3,
    RotatedWorld.copy_log: 1,
    RotatedWorld.compress: 6,
    RotatedWorld.poll: 10,
    RotatedWorld.pass_a_second: 6,
    RotatedWorld.wait: 1,
    RotatedWorld.speak: 4,
    RotatedWorld.commit: 4,
    RotatedWorld.listen: 4,
    RotatedWorld.disconnect: 1,
    RotatedWorld.reconnect: 3,
    RotatedWorld.kill_aggregator: 0.7,
    RotatedWorld.kill: _KILLED,
    RotatedWorld.start: 4,
}


def play_rotations(
    seed: int,
    length: int,
    *,
    wiped: bool = False,
    numbered: bool = False,
    expired: bool = False,
    alike: bool = False,
    moved: bool = False,
    at_end: bool = False,
    most_open: int = sys.maxsize,
    killed: float = _KILLED,
) -> int:
    """One history, judged; how many operations it had. `wiped`: the collector's state is lost now and then.

    `numbered`, `alike`: as of `RotatedWorld`. `expired`: what has come is deleted; then it may be told as lost.
    `moved`: some logs are copied and removed. `at_end`: a first start begins at the end of its files, and this is none.
    `most_open`: files that the system opens for the collector. `killed`: how often that is.

    Raises:
        AssertionError: something was lost or doubled, or told as lost that was not.
    """
    random = Random(seed)
    weights = _WEIGHTS | {RotatedWorld.wipe: 0.4} if wiped else _WEIGHTS
    if expired:
        weights = weights | {RotatedWorld.expire: 1.5}
    if moved:
        weights = weights | {RotatedWorld.move_log: 1.5}
    weights = weights | {RotatedWorld.kill: killed}
    with seeded_ids(seed):
        few, age = random.choice([100, 100, _FEW]), seed % 2 * 15.0
        world = RotatedWorld(random, max_open_files=few, batch_age=age, numbered=numbered, alike=alike, at_end=at_end)
        world.limit_open(most_open)
        for operation in random.choices(list(weights), list(weights.values()), k=length):
            operation(world)
        world.finish()
    return length


def play_some(seed: int, length: int) -> int:
    """As the seed has it: in every second a state is lost, and so on."""
    return play_rotations(
        seed,
        length,
        wiped=seed % 2 == 1,
        numbered=seed // 2 % 2 == 1,
        alike=seed // 4 % 2 == 1,
        expired=seed // 8 % 4 == 3,
        moved=seed // 32 % 4 == 3,
        at_end=seed // 128 % 16 == 7,
        most_open=_FEW_OF_THE_SYSTEM if seed // 128 % 16 == 9 else sys.maxsize,
        killed=3 * _KILLED if seed // 128 % 16 == 11 else _KILLED,
    )
