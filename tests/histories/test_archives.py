"""Logs that are rotated and compressed in great number: each archive is recognised, however many others there are."""

from collections.abc import Callable, Sequence
from itertools import product
from random import Random
from typing import Any

import pytest

from histories.collector import ROTATE_WAIT
from histories.disk import MemoryDisk
from histories.scenes import count_lines, count_lost, let_pass, look, make_archive
from histories.world import World
from mega_collector.collector.recognition import remembered
from mega_collector.collector.rotation import origins

_LOGS = 25


@pytest.mark.parametrize("retired", [False, True], ids=["followed", "let go of"])
def test_what_an_archive_was_made_of_is_not_sought_among_all_that_are_there(
    retired: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand of them would keep the collector from everything else for minutes."""
    world = World(Random(0))
    contents = _rotate_all(world)
    if retired:
        let_pass(world, 4 * int(ROTATE_WAIT))
    compared = _count_calls(monkeypatch, "is_named_after", "is_plausible", "entry_of", "is_own")
    for name, content in contents.items():
        make_archive(world, name + b".1.gz", content)
        world.disk.unlink(name + b".1")
    let_pass(world, 4 * _LOGS)
    assert count_lines(world) == 2 * _LOGS
    assert count_lost(world) == 0
    assert _LOGS <= sum(compared.values()) <= 12 * _LOGS


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
def test_all_logs_are_rotated_at_once_and_compressed_when_all_were_let_go_of(
    killed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than are remembered of those that come and go."""
    monkeypatch.setattr(remembered, "_MOST_ENDED", 3)
    world = World(Random(0))
    contents = _rotate_all(world)
    let_pass(world, 8)
    for name in contents:
        world.disk.unlink(name + b".1")
    let_pass(world, 4 * int(ROTATE_WAIT))
    if killed:
        world.kill()
        world.start()
        let_pass(world, 8)
    for name, content in contents.items():
        make_archive(world, name + b".2.gz", content)
    let_pass(world, 4 * _LOGS)
    assert count_lines(world) == 2 * _LOGS
    assert count_lost(world) == 0


@pytest.mark.parametrize(("archived", "most_open"), [(True, 100), (True, 1), (False, 100)], ids=["", "closed", "gone"])
@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("seen", ["followed", "found", "late"])
@pytest.mark.parametrize("content", [b"a", b"a\n", b"a\n" * 40 + b"a"], ids=["part", "line", "lines"])
def test_what_a_log_held_comes_though_those_beside_it_begin_with_all_of_it(
    content: bytes, seen: str, answered: bool, archived: bool, most_open: int
) -> None:
    """Whenever somebody looks: it was `seen` before it was written to, or first when it was rotated, or compressed."""
    for looks in product([False, True], repeat=5):
        if archived or seen != "late" or any(looks[:4]):
            _rotate_among_alike(content, seen, looks, answered=answered, archived=archived, most=most_open)


@pytest.mark.parametrize("seen", ["followed", "found"])
def test_what_was_renamed_while_it_was_open_is_no_copy_where_nobody_can_tell_when_files_were_made(
    seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryDisk, "born", lambda *_: 0)
    for looks in product([False, True], repeat=5):
        _rotate_among_alike(b"a", seen, looks)


def _rotate_among_alike(
    content: bytes, seen: str, looks: Sequence[bool], *, answered: bool = True, archived: bool = False, most: int = 100
) -> None:
    world, name = World(Random(0), max_open_files=most), b"/logs/a.log"
    world.add(b"/logs/b.log", 1)
    world.disk.append(world.disk.create(name + b".2"), content + b"c\n")
    let_pass(world, 3)
    log = world.disk.create(name)
    if seen == "followed":
        let_pass(world, 4)
    elif seen == "found":
        look(world, 1)
    steps = [
        lambda: world.disk.append(log, content),
        lambda: world.disk.rename(name, name + b".1"),
        lambda: world.disk.append(world.disk.create(name), content + b"b\n"),
        (lambda: make_archive(world, name + b".1.gz", content, of=log)) if archived else (lambda: None),
        lambda: world.disk.unlink(name + b".1"),
    ]
    for step, looked in zip(steps, looks, strict=True):
        step()
        if looked and answered:
            let_pass(world, 1)
        elif looked:
            look(world, 1)
    if not answered:
        look(world, 3)
    let_pass(world, 4 * int(ROTATE_WAIT))
    shipped = sorted(b"".join(data for _, data in row.shipped) for row in world.aggregator.ledger.values())
    assert [each for each in shipped if each.startswith(b"a")] == [content, content + b"b\n", content + b"c\n"], looks
    # Where it waits for a descriptor while it is compressed, it may be told as lost, though it comes.
    assert count_lost(world) == 0 or most == 1


def _rotate_all(world: World) -> dict[bytes, bytes]:
    """What each log held that is rotated, by its name."""
    names = [b"/logs/app%05d.log" % number for number in range(_LOGS)]
    logs = [world.add(name, 2) for name in names]
    let_pass(world, 8)
    for name in names:
        world.rotate(name, name + b".1")
        world.add(name, 0)
    return {name: bytes(log.generation.content) for name, log in zip(names, logs, strict=True)}


def _count_calls(monkeypatch: pytest.MonkeyPatch, *names: str) -> dict[str, int]:
    """How often those of the module are called from now on."""
    calls = dict.fromkeys(names, 0)

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            calls[name] += 1
            return function(*arguments, **more)

        return call

    for name in names:
        monkeypatch.setattr(origins, name, counted(name, getattr(origins, name)))
    return calls


def test_what_waited_for_a_descriptor_beside_the_next_log_that_begins_with_all_of_it_is_no_copy_of_that() -> None:
    world, name = World(Random(0)), b"/logs/a.log"
    world.disk.most_open = 1
    world.add(b"/logs/b.log", 1)
    let_pass(world, 3)
    log = world.disk.create(name)
    world.disk.append(log, b"a")
    world.disk.rename(name, name + b".1")
    world.disk.append(world.disk.create(name), b"ab\n")
    look(world, 1)
    world.disk.most_open = 100
    let_pass(world, 2)
    world.disk.unlink(name + b".1")
    let_pass(world, 4 * int(ROTATE_WAIT))
    shipped = sorted(b"".join(data for _, data in row.shipped) for row in world.aggregator.ledger.values())
    assert [each for each in shipped if each.startswith(b"a")] == [b"a", b"ab\n"]
    assert count_lost(world) == 0
