"""When collectors are told what holds up the aggregator."""

from dataclasses import replace

from mega_collector.aggregator.announcement import Announcement
from mega_collector.protocol import Stage, Status

FULL = Status(Stage.DESTINATION, "/x: No space left on device", 1, 60.0)


def test_nothing_is_told_while_all_is_well() -> None:
    assert not Announcement().due(Status(), 0.0)


def test_what_is_new_is_told_at_once_and_once() -> None:
    announcement = Announcement()
    assert announcement.due(FULL, 0.0)
    # That time passes is no news.
    assert not announcement.due(replace(FULL, next_try_in=12.0), 48.0)


def test_another_try_another_cause_and_the_end_are_told_but_not_more_often_than_every_three_seconds() -> None:
    announcement = Announcement()
    announcement.due(FULL, 0.0)
    assert not announcement.due(replace(FULL, tries=2), 1.0)
    assert announcement.due(replace(FULL, tries=2), 3.0)
    assert announcement.due(Status(Stage.COMMIT, "the ledger cannot be written"), 6.0)
    assert not announcement.due(Status(), 8.0)
    assert announcement.due(Status(), 9.0)
