"""What single histories do to a world, and ask of it."""

import gzip

from histories.disk import Inode, MemoryFile
from histories.world import World


def look(world: World, times: int) -> None:
    """Nothing is said or heard."""
    for _ in range(times):
        world.now += 1.0
        world.poll()


def let_pass(world: World, seconds: int) -> None:
    for _ in range(seconds):
        world.pass_by(1.0)


def count_lines(world: World) -> int:
    """How many have come."""
    shipped = [data for row in world.aggregator.ledger.values() for _, data in row.shipped]
    return b"".join(shipped).count(b"\n")


def count_lost(world: World) -> int:
    """Sources that this process of the collector has told of as lost."""
    assert world.collector is not None
    return world.collector.tailer.statistics().sources_lost


def make_archive(world: World, name: bytes, content: bytes, *, of: Inode | None = None) -> Inode:
    """`of`: the file of which gzip makes it, and from which it takes the time of the last writing."""
    archive = world.disk.create(name)
    world.disk.append(archive, gzip.compress(content))
    if of is not None:
        archive.mtime = of.mtime
    return archive


def make_copy(world: World, name: bytes, log: Inode) -> Inode:
    """As it is now."""
    return make_copy_of(world, name, bytes(log.generation.content))


def make_copy_of(world: World, name: bytes, content: bytes) -> Inode:
    made = world.disk.create(name)
    world.disk.append(made, content)
    return made


def note_opened(world: World) -> list[bytes]:
    """The names by which files are opened from now on."""
    opened: list[bytes] = []
    open_it = world.disk.open

    def open_and_note(path: bytes) -> MemoryFile:
        opened.append(path)
        return open_it(path)

    world.disk.open = open_and_note  # type: ignore[method-assign]
    return opened
