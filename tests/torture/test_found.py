"""Short histories that random ones were boiled down to when they had found something."""

from pathlib import Path

import pytest

from torture.history import History, Operation
from torture.stage import Stage


def play(directory: Path, *operations: Operation, **collector: str) -> None:
    begin: tuple[Operation, ...] = (("start_aggregator",), ("start_collector",))
    with Stage(directory, History(0, begin + operations, collector), patience=10) as stage:
        stage.play()


@pytest.mark.xfail(strict=True, reason="an idle file is closed without another look at it, through the descriptor")
@pytest.mark.parametrize("moved", [("rotate", "s"), ("swap", False)], ids=["renamed", "link swapped"])
def test_a_file_that_lost_its_name_and_grew_is_not_closed_as_idle(moved: Operation, tmp_path: Path) -> None:
    play(
        tmp_path,
        ("write", "s", 5, 40),
        ("settle",),
        ("freeze_collector",),
        moved,
        ("write", "s", 5, 40),
        ("pause", 2000),
        close_inactive="1500ms",
        watch="poll",
    )
