"""Random histories, a few of them: `scripts/torture` plays as many as one likes."""

from pathlib import Path

import pytest

from harness.template import Template
from torture.history import random_history
from torture.stage import Stage

_MENDED: list[int] = []
"""Seeds whose histories once failed."""


@pytest.mark.parametrize("seed", [123, 5, *_MENDED])
def test_what_must_be_delivered_is_and_nothing_else(seed: int, tmp_path: Path, template: Template) -> None:
    with Stage(tmp_path, random_history(seed), template) as stage:
        stage.play()


def test_a_seed_gives_the_same_history_always() -> None:
    assert random_history(7) == random_history(7)
    assert random_history(7) != random_history(8)
