"""Histories of many logs that logrotate rotates with renamecopy, one after the other, while few files can be opened.

Collector and aggregator are killed just before, meanwhile or behind; with delaycompress the copy before becomes an
archive. The reference: every line stands at the destination once.
"""

import gzip
import sys
from collections import Counter
from random import Random

from histories.world import World, seeded_ids
from mega_collector.block import Source

_LONG = 1000
"""Seconds: archives are shipped one after the other, and the window is small."""


class CrowdedWorld(World):
    """Logs that are never lost: nothing is removed before a copy or an archive has it."""

    def __init__(
        self,
        random: Random,
        *,
        logs: int,
        max_open_files: int,
        batch_age: float,
        compressed: bool,
        restless: bool,
        torn: bool = False,
    ) -> None:
        super().__init__(random, max_open_files=max_open_files, batch_age=batch_age)
        self._logs = [b"/logs/app%d.log" % number for number in range(logs)]
        self._compressed = compressed
        self._restless = restless
        self._torn = torn
        """Whether the collector looks between any two steps of a rotation."""
        self.lines: Counter[bytes] = Counter()
        self.disk.have_inodes(1000)
        self.disk.unsorted = random
        for name in self._logs:
            self.disk.create(name)

    def write_some(self) -> None:
        """To most logs; one that is not there is made."""
        for name in self._logs:
            if self.random.random() < 0.85:
                self._write_to(name, self.random.choice([1, 1, 3, 10]))

    def _write_to(self, name: bytes, count: int) -> None:
        lines = [b"%b %06d %b\n" % (name[6:], next(self._dates), b"p" * self.random.randrange(9)) for _ in range(count)]
        self.lines.update(lines)
        self.disk.append(self.disk.names.get(name) or self.disk.create(name), b"".join(lines))

    def rotate_all(self) -> None:
        for name in self._logs:
            log = self.disk.names.get(name)
            if log is not None and log.generation.content:
                self._rotate(name)

    def _rotate(self, name: bytes) -> None:
        """As logrotate does it."""
        if self._compressed:
            self._compress(name + b".1")
        count = 1
        while self._turned(name, count) in self.disk.names:
            count += 1
        for number in range(count - 1, 0, -1):
            old = self._turned(name, number)
            self.disk.rename(old, self._turned(name, number + 1))
        self._look_between()
        moved = name + b".tmp"
        self.disk.rename(name, moved)
        self._look_between()
        content = bytes(self.disk.names[moved].generation.content)
        copy = self.disk.create(name + b".1")
        half = self.random.choice([0, len(content) // 2]) if self._torn else 0
        if half:
            self.disk.append(copy, content[:half])
            self._look_between()
        self.disk.append(copy, content[half:])
        self._look_between()
        self.disk.unlink(moved)
        self._look_between()

    def _turned(self, name: bytes, number: int) -> bytes:
        return b"%b.%d" % (name, number) + (b".gz" if self._compressed else b"")

    def _compress(self, name: bytes) -> None:
        if name not in self.disk.names:
            return
        data = gzip.compress(bytes(self.disk.names[name].generation.content))
        archive = self.disk.create(name + b".gz")
        half = self.random.choice([0, len(data) // 2]) if self._torn else 0
        if half:
            self.disk.append(archive, data[:half])
            self._look_between()
        self.disk.append(archive, data[half:])
        self._look_between()
        self.disk.unlink(name)

    def _look_between(self) -> None:
        if not self._restless or self.random.random() > 0.1:
            return
        if self.random.random() < 0.05:
            self.start()
        self._step(self.random.choice([0.01, 0.5, 1.0]))
        if self.random.random() < 0.5:
            self._talk(self.random.randint(0, 100), self.random.randint(0, 100), self.random.randint(0, 100))

    def let_some_pass(self, most: int) -> None:
        for _ in range(self.random.randint(0, most)):
            self.pass_by(self.random.choice([0.1, 1.0, 1.0]))

    def stop(self) -> None:
        """In good order: all that was read is acknowledged, if that can be, and noted."""
        if self.collector is not None:
            self.settle()
            self._step(0.01)
            self.collector.shipper.save(now=True)
            self.kill()

    def play_round(self, event: str) -> None:
        self.write_some()
        self.let_some_pass(3)
        if event in ("kill", "kill, down"):
            self.kill()
        if event == "stop":
            self.stop()
        if event in ("kill aggregator", "aggregator down"):
            self.kill_aggregator()
        if event == "kill":
            self.start()
            for _ in range(self.random.randint(0, 3)):
                self._step(self.random.choice([0.01, 1.0]))
                self._talk(self.random.randint(0, 100), self.random.randint(0, 100), self.random.randint(0, 100))
        if event == "kill aggregator":
            self.reconnect()
        if self.random.random() < 0.5:
            self.write_some()
        self.rotate_all()
        if self.random.random() < 0.5:
            self.let_some_pass(3)
        self.write_some()
        self.start()
        if event == "aggregator down":
            for _ in range(self.random.randint(0, 10)):
                self._step(1.0)
            self.reconnect()
        self.let_some_pass(25)

    def _is_there(self, source: Source) -> bool:
        """An archive stands in the ledger for as long as it is there."""
        return any(inode.number == source.inode for inode in self.disk.names.values())

    def _arrived(self) -> Counter[bytes]:
        """How often each line has come."""
        return Counter(
            line
            for row in self.aggregator.ledger.values()
            for _, data in row.shipped
            for line in data.splitlines(keepends=True)
        )

    def judge(self) -> None:
        arrived = self._arrived()
        extra, missing = arrived - self.lines, self.lines - arrived
        assert not missing, f"{missing.total()} did not come: {sorted(missing)[:3]}"
        assert not extra, f"{extra.total()} came twice: {sorted(extra)[:3]}"

    def finish(self) -> None:
        self.start()
        self.reconnect()
        for _ in range(_LONG):
            self.pass_by(1.0)
            assert self.collector is not None
            if self.lines == self._arrived() and not self.collector.goes_through_archives:
                break
        super().finish()


EVENTS = ["none", "none", "kill", "stop", "kill aggregator", "kill, down", "aggregator down"]


def play_crowd(
    seed: int,
    rounds: int,
    *,
    logs: int = 8,
    max_open_files: int = 100,
    most_open: int = sys.maxsize,
    compressed: bool = False,
    restless: bool = False,
    torn: bool = False,
) -> CrowdedWorld:
    """One history, judged.

    Raises:
        AssertionError: something was lost or doubled.
    """
    random = Random(seed)
    with seeded_ids(seed):
        world = CrowdedWorld(
            random,
            logs=logs,
            max_open_files=max_open_files,
            batch_age=seed % 2 * 15.0,
            compressed=compressed,
            restless=restless,
            torn=torn,
        )
        world.disk.most_open = most_open
        for _ in range(rounds):
            event = random.choice(EVENTS)
            world.operations.append(event)
            world.play_round(event)
        world.finish()
    return world
