"""Logs that are rotated and compressed in great number: each archive is recognised, however many others there are."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from histories.collector import ROTATE_WAIT
from histories.scenes import count_lines, count_lost, let_pass, make_archive
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
