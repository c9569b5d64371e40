"""What a collector shows: the one thing to know first, and of each file where it waits, if it waits for too long."""

from dataclasses import fields, replace
from typing import Any

from mega_collector.collector.reading.lag import FileLag, Hold
from mega_collector.collector.sending.publisher import PublisherStatistics
from mega_collector.collector.sending.shipper import ShipperStatistics
from mega_collector.collector.statistics import CollectorStatistics
from mega_collector.collector.tailer import TailerStatistics
from mega_collector.collector.view import Unfound, view
from mega_collector.collector.whereabouts import NOWHERE, Surroundings
from mega_collector.protocol import Hello, Stage, Status
from mega_collector.telemetry.view import View

NOW = 1000.0
NOTHING = Unfound()


def lag(path: bytes, size: int = 10, *, seconds: float = 1.0) -> FileLag:
    return FileLag(path, size, NOW - seconds, NOW - seconds, Hold.SENT, "")


def around(*, connected: bool = True, status: Status | None = None, batch_age: float = 15.0) -> Surroundings:
    status = status or Status()
    return Surroundings(connected=connected, failure="refused", status=status, batch_age=batch_age, room=True)


def zeros(of: type[Any]) -> dict[str, Any]:
    return {field.name: 0 for field in fields(of)}


def statistics(*behind: FileLag, surroundings: Surroundings = NOWHERE, **others: Any) -> CollectorStatistics:
    connected = surroundings.connected
    return CollectorStatistics(
        TailerStatistics(**zeros(TailerStatistics) | {"behind": behind, "now": NOW}),
        ShipperStatistics(**zeros(ShipperStatistics)),
        PublisherStatistics(connected, 1, 0, None if connected else "refused"),
        surroundings=surroundings,
        **others,
    )


def shown(of: CollectorStatistics, unfound: Unfound = NOTHING) -> View:
    return view(of, hello=Hello("me", "here"), address="a:1", uptime=1, now=NOW, notes=(), unfound=unfound)


def test_what_rightly_takes_its_time_is_on_its_way() -> None:
    found = shown(statistics(lag(b"/a", seconds=10), surroundings=around()))
    assert [(row.cells, row.bad) for row in found.tables[0].rows] == [(("/a", "10 B", "10 s", "on its way", ""), False)]
    assert found.ready


def test_what_takes_longer_is_told_with_the_stage_and_the_cause_and_comes_first() -> None:
    found = shown(statistics(lag(b"/a", seconds=1), lag(b"/b", seconds=90), surroundings=around()))
    first, second = found.tables[0].rows
    assert first.cells[:4] == ("/b", "10 B", "2 min", "ingest buffer")
    assert "does not say why" in first.cells[4]
    assert first.bad
    assert second.cells[3] == "on its way"


def test_what_goes_on_but_is_late_is_told_as_that_however_lately_something_was_acknowledged() -> None:
    slow = replace(lag(b"/a", seconds=200), progressed_at=NOW - 1)
    found = shown(statistics(slow, surroundings=around()))
    (row,) = found.tables[0].rows
    assert (row.bad, row.cells[3]) == (True, "ingest buffer")
    assert "goes on, but more slowly than lines are written: the destination is slow" in row.cells[4]
    assert (found.ready, found.state) == (False, "files that are late: 1, see below")
    batches = around(batch_age=3600)
    assert shown(statistics(slow, surroundings=batches)).ready, "a batch may rightly take so long"


def test_what_holds_up_the_aggregator_is_the_first_thing_to_know() -> None:
    full = Status(Stage.DESTINATION, "/x: No space left on device", 14, 60.0)
    found = shown(statistics(lag(b"/a"), surroundings=around(status=full)))
    assert not found.ready
    assert found.state == (
        "the aggregator waits for its destination: /x: No space left on device, 14th try, next in 60 s"
    )
    assert found.tables[0].rows[0].cells[3:] == ("destination", "/x: No space left on device, 14th try, next in 60 s")


def test_without_a_connection_that_is_the_first_thing_to_know() -> None:
    found = shown(statistics(surroundings=around(connected=False)))
    assert (found.ready, found.state) == (False, "not connected: refused")


def test_stuck_files_are_no_good_state_whatever_the_cause() -> None:
    found = shown(statistics(surroundings=around(), files_stuck=3))
    assert (found.ready, found.state) == (False, "files that are stuck: 3, see below")


def test_a_file_that_cannot_be_read_is_told_at_once_and_not_only_when_it_has_waited() -> None:
    closed = FileLag(b"/a", 0, NOW - 1, NOW - 1, Hold.UNREADABLE, "Permission denied")
    found = shown(statistics(closed, surroundings=around()))
    assert not found.ready
    assert found.state.startswith("files that cannot be read: 1 (Permission denied): `mega-collector check collector`")
    (row,) = found.tables[0].rows
    assert (row.bad, row.cells) == (True, ("/a", "unknown", "1 s", "reading", "Permission denied"))


def test_where_nothing_is_followed_the_patterns_without_a_file_are_the_first_thing_to_know() -> None:
    unfound = Unfound(patterns=(b"/a/*.lgo", b"/\xff"), hidden=((b"/b", "Permission denied"),))
    found = shown(statistics(surroundings=around()), unfound)
    assert not found.ready
    assert found.state.startswith("no file matches /a/*.lgo nor /\\xff: ")
    (_, table) = found.tables
    assert [(row.cells[0], row.bad) for row in table.rows] == [("/a/*.lgo", False), ("/\\xff", False), ("/b", True)]


def test_where_others_have_files_a_pattern_without_one_is_shown_and_is_no_bad_state() -> None:
    followed = statistics(surroundings=around())
    followed = replace(followed, tailer=replace(followed.tailer, files=1))
    found = shown(followed, Unfound(patterns=(b"/a/*.lgo",)))
    assert found.ready
    assert [row.cells[0] for row in found.tables[1].rows] == ["/a/*.lgo"]
    assert len(shown(followed).tables) == 1, "nothing is said of what was found"


def test_a_pattern_whose_files_are_passed_over_is_not_said_to_match_none() -> None:
    found = shown(statistics(surroundings=around()), Unfound(patterns=(b"/a/*.log",), passed_over=7))
    assert found.ready
    ((_, why),) = [row.cells for row in found.tables[1].rows]
    assert why == "no file matches it, but perhaps one of 7 that are passed over"


def test_so_many_files_are_shown_and_the_others_counted() -> None:
    files = [lag(b"/%d" % number, seconds=number) for number in range(200)]
    (table,) = shown(statistics(*files, surroundings=around())).tables
    assert (len(table.rows), table.left_out) == (50, 150)
    assert table.rows[0].cells[0] == "/199"


def samples(of: CollectorStatistics, files: int) -> dict[str, list[tuple[str, float]]]:
    found: dict[str, list[tuple[str, float]]] = {}
    for each in of.samples(files=files):
        name = each.name.removeprefix("mega_collector_collector_")
        found.setdefault(name, []).append((each.labels.get("path", ""), each.value))
    return found


def test_metrics_have_so_many_files_those_that_lag_most() -> None:
    found = samples(statistics(*[lag(b"/%d" % size, size) for size in range(100)]), files=2)
    assert found["file_lag_bytes"] == [("/99", 99), ("/98", 98)]


def test_files_of_one_name_or_of_names_that_look_alike_are_one_in_the_metrics() -> None:
    files = lag(b"/a\xff", 10, seconds=3), lag(b"/a\\xff", 5), lag(b"/a\xff", 1, seconds=9)
    found = samples(statistics(*files), files=100)
    assert found["file_lag_bytes"] == [("/a\\xff", 16)]
    assert found["file_lag_seconds"] == [("/a\\xff", 9)]
