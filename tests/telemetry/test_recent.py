"""What a person reads first: what was said at warning or above, each once."""

import io

import structlog

from mega_collector.telemetry.logs import configure
from mega_collector.telemetry.recent import RECENT, Recent


def say(recent: Recent, level: str, event: str, **keys: object) -> None:
    recent(None, "", {"timestamp": "now", "level": level, "event": event, **keys})


def test_only_warnings_and_errors_are_kept() -> None:
    recent = Recent()
    for level in ("debug", "info", "warning", "error"):
        say(recent, level, "happened", path="/a")
    assert [(note.level, note.event, note.words) for note in recent.notes()] == [
        ("error", "happened", "path=/a"),
        ("warning", "happened", "path=/a"),
    ]
    assert (recent.count("warning"), recent.count("error")) == (1, 1)


def test_what_is_said_again_stands_there_once_as_the_latest_and_the_latest_first() -> None:
    recent = Recent()
    for cause in ("one", "two", "one"):
        say(recent, "warning", "failed", cause=cause, next_try=cause * 2)
    assert [(note.words, note.times) for note in recent.notes()] == [("cause=one", 2), ("cause=two", 1)]


def test_a_flood_of_long_words_costs_little() -> None:
    recent = Recent()
    for number in range(10_000):
        say(recent, "error", "failed", cause=f"{number}" * 1000)
    assert len(recent.notes()) == 50
    assert max(len(note.words) for note in recent.notes()) < 400
    assert recent.count("error") == 10_000


def test_the_log_of_the_process_goes_through_it() -> None:
    configure("info", "json", io.StringIO())
    before = RECENT.count("warning")
    structlog.get_logger().warning("happened", path="/a\x1b[2J", exc_info=ValueError("x"))
    assert RECENT.count("warning") == before + 1
    assert "/a\\x1b[2J" in RECENT.notes()[0].words
    assert "Traceback" not in RECENT.notes()[0].words
