"""In which stage a file waits, and for what."""

from dataclasses import replace

import pytest

from mega_collector.collector.reading.lag import FileLag, Hold
from mega_collector.collector.whereabouts import NOWHERE, Step, Surroundings, waiting, whereabouts
from mega_collector.protocol import Stage, Status

FULL = Status(Stage.DESTINATION, "/x: No space left on device", 14, 60.0)
WELL = Surroundings(connected=True, failure=None, status=Status(), batch_age=15.0, room=True)
HANGING = Step(5.0, b"/nfs/a")


def a_file(hold: Hold, reason: str = "") -> FileLag:
    return FileLag(b"/a", 100, 1.0, 2.0, hold, reason)


@pytest.mark.parametrize(
    ("hold", "around", "stage", "cause"),
    [
        (Hold.READABLE, replace(WELL, hanging=HANGING), Stage.READING, "waits for /nfs/a and gets no answer"),
        (Hold.SENT, replace(WELL, hanging=Step(5.0, None)), Stage.READING, "waits for a filesystem"),
        (Hold.UNREADABLE, NOWHERE, Stage.READING, "the reason"),
        (Hold.READABLE, NOWHERE, Stage.CONNECTION, "the first connection is being made"),
        (Hold.SENT, replace(NOWHERE, failure="nothing listens"), Stage.CONNECTION, "nothing listens"),
        (Hold.REFUSED, replace(WELL, status=FULL), Stage.CONNECTION, "refuses the source for good: the reason"),
        (Hold.SENT, replace(WELL, status=FULL), Stage.DESTINATION, "/x: No space left on device"),
        (Hold.READABLE, replace(WELL, status=FULL, room=False), Stage.DESTINATION, "/x: No space left on device"),
        (Hold.DESCRIBED, WELL, Stage.CONNECTION, "does not say from where on"),
        (Hold.SENT, WELL, Stage.INGEST_BUFFER, "does not say why it waits"),
        (Hold.READABLE, replace(WELL, room=False), Stage.WINDOW, "COLLECTOR_WINDOW_SIZE"),
        (Hold.READABLE, replace(WELL, room=False, waits=True), Stage.INGEST_BUFFER, "other collectors have their turn"),
        (Hold.READABLE, WELL, Stage.READING, "it has not been its turn"),
    ],
)
def test_the_nearest_obstacle_is_named(hold: Hold, around: Surroundings, stage: Stage, cause: str) -> None:
    where = whereabouts(a_file(hold, "the reason"), around)
    assert where.stage is stage
    assert cause in where.cause


def test_how_often_it_was_tried_is_said_and_makes_no_other_cause() -> None:
    where = whereabouts(a_file(Hold.SENT), replace(WELL, status=FULL))
    assert where.words == "/x: No space left on device, 14th try, next in 60 s"
    later = whereabouts(a_file(Hold.SENT), replace(WELL, status=replace(FULL, tries=15, next_try_in=3.0)))
    assert later.cause == where.cause


@pytest.mark.parametrize("number", [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (21, "21st"), (112, "112th")])
def test_tries_are_counted_as_people_do(number: tuple[int, str]) -> None:
    assert Status(Stage.COMMIT, "no", number[0]).words == f"no, {number[1]} try"


def test_a_batch_may_wait_to_be_full_without_being_stuck() -> None:
    assert whereabouts(a_file(Hold.SENT), WELL).patience == 15.0
    assert whereabouts(a_file(Hold.SENT), replace(WELL, status=FULL)).patience == 0.0


def test_what_the_tailer_hangs_at_is_told_even_if_no_file_is_known_to_wait() -> None:
    (what,) = waiting([], replace(WELL, hanging=HANGING))
    assert (what.what, what.stage, what.since) == ("/nfs/a", Stage.READING, 5.0)
