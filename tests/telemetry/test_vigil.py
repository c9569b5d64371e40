"""What is stuck is told once, and when it is over."""

from structlog.testing import capture_logs

from mega_collector.protocol import Stage
from mega_collector.stuck import Waiting
from mega_collector.telemetry.vigil import Vigil


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def look(vigil: Vigil, *waiting: Waiting) -> list[tuple[str, object, object]]:
    """What is logged at a look: event, path, and how many tellings were withheld."""
    with capture_logs() as logs:
        vigil.look(waiting)
    return [(log["event"], log["path"], log.get("withheld")) for log in logs]


A = Waiting("/a", Stage.READING, "Input/output error", 900.0)


def test_it_is_told_when_it_begins_and_when_it_is_over() -> None:
    vigil = Vigil("file_stuck", "file_unstuck", after=60, clock=Clock())
    assert look(vigil, A) == [("file_stuck", "/a", 0)]
    assert look(vigil, A) == []
    assert vigil.stuck == 1
    assert look(vigil) == [("file_unstuck", "/a", None)]


def test_what_comes_and_goes_is_told_once_in_a_while_and_how_often_it_did() -> None:
    clock = Clock()
    vigil = Vigil("file_stuck", "file_unstuck", after=60, clock=clock)
    assert look(vigil, A) + look(vigil) == [("file_stuck", "/a", 0), ("file_unstuck", "/a", None)]
    for _ in range(5):
        assert look(vigil, A) + look(vigil) == []
    clock.now += 3600
    assert look(vigil, A) == [("file_stuck", "/a", 5)]


def test_what_was_withheld_and_stays_is_told_after_all() -> None:
    clock = Clock()
    vigil = Vigil("file_stuck", "file_unstuck", after=60, interval=600, clock=clock)
    look(vigil, A)
    for _ in range(3):
        assert [*look(vigil)[1:], *look(vigil, A)] == []
    clock.now += 599
    assert look(vigil, A) == []
    clock.now += 1
    assert look(vigil, A) == [("file_stuck", "/a", 2)]
    assert look(vigil, A) == []
    assert look(vigil) == [("file_unstuck", "/a", None)]


def test_the_words_of_now_are_told_and_not_those_by_which_causes_are_told_apart() -> None:
    with capture_logs() as logs:
        Vigil("file_stuck", "file_unstuck", after=60, clock=Clock()).look([A._replace(words="I/O error, 3rd try")])
    (log,) = logs
    assert log == {
        "event": "file_stuck",
        "log_level": "warning",
        "path": "/a",
        "files": 1,
        "stage": "reading",
        "cause": "I/O error, 3rd try",
        "seconds": 100,
        "withheld": 0,
    }
