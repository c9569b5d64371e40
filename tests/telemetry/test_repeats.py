"""What is said again in the same words is held back, and counted."""

import pytest
from structlog import DropEvent

from mega_collector.telemetry.repeats import Repeats


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def said(repeats: Repeats, **event: object) -> object:
    """How often it was withheld, if it is said; `None`: it is withheld."""
    try:
        return repeats(None, "", {"level": "warning", "event": "sick", "timestamp": object(), **event}).get(
            "repeated", 0
        )
    except DropEvent:
        return None


def test_the_same_words_are_said_once_a_minute_and_then_how_often_they_came() -> None:
    clock = Clock()
    repeats = Repeats(clock=clock)
    assert [said(repeats, error="EIO") for _ in range(4)] == [0, None, None, None]
    clock.now += 60
    assert [said(repeats, error="EIO") for _ in range(2)] == [3, None]


@pytest.mark.parametrize("other", [{"path": "/b"}, {"path": "/a", "start": 5}, {"event": "well"}, {"level": "error"}])
def test_another_fact_is_always_said(other: dict[str, object]) -> None:
    repeats = Repeats()
    assert said(repeats, path="/a") == 0
    assert said(repeats, **{"path": "/a", **other}) == 0


def test_what_is_of_the_normal_course_is_always_said() -> None:
    repeats = Repeats()
    assert [said(repeats, level="info") for _ in range(3)] == [0, 0, 0]
