"""What the pages of real processes show."""

import os
import re
from pathlib import Path

from harness.until import until
from seeing.looking import Seen
from telemetry.markup import Markup

HOSTILE = os.fsencode("<img src=x onerror=alert(1)>\n\x1b[31m'\"&.log") + b"\xff.log"


def test_both_pages_show_what_flows_and_the_aggregators_shows_every_collector(seen: Seen) -> None:
    seen.aggregator()
    seen.collector(host="web-1", tags="env=production")
    seen.site.writer().write(1000)
    seen.site.assert_delivered()
    size = f"{seen.site.bytes_written / 1000:.1f} kB so far"
    for half in ("aggregator", "collector"):
        seen.wait_for(half, size, "1,000 lines so far", "ready")
    words = Markup(seen.wait_for("aggregator", "web-1", "env=production", "connected for")).words
    assert str(seen.site.out) in words


def test_what_lags_is_told_to_the_aggregator_with_the_files_that_are_behind(seen: Seen) -> None:
    seen.aggregator()
    collector = seen.collector(host="web-1")
    writer = seen.site.writer("slow.log")
    writer.write(1)
    seen.site.assert_delivered()
    seen.break_destination()
    writer.write(5000)
    page = seen.wait_for("aggregator", "slow.log", "No such file or directory", "✕ takes nothing")
    assert "emit_failed" in Markup(page).words
    assert "slow.log" in seen.wait_for("collector", "slow.log")
    seen.wait_for("aggregator", 'collector_lag_bytes{collector="', path="/metrics")
    seen.mend_destination()
    seen.site.assert_delivered()
    seen.wait_for("aggregator", "up to date")
    collector.kill()
    seen.wait_for("aggregator", "gone for")


def test_names_that_mean_harm_are_words_on_both_pages_and_in_the_metrics(seen: Seen) -> None:
    seen.aggregator()
    seen.collector(host="<b>web</b>", tags="<i>k</i>=<script>alert(1)</script>", metrics_files="5")
    seen.site.writer().write(10)
    seen.site.assert_delivered()
    seen.break_destination()
    (Path(os.fsdecode(os.fsencode(seen.site.logs) + b"/" + HOSTILE))).write_bytes(b"a line\n" * 1000)
    for half in ("aggregator", "collector"):
        words = Markup(seen.wait_for(half, "onerror=alert(1)")).words
        assert "<img src=x onerror=alert(1)>\\x0a\\x1b[31m'\"&.log\\xff.log" in words
        assert "<script>alert(1)</script>" in words
    text = seen.wait_for("collector", "onerror", path="/metrics")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r'\w+(\{(\w+="([^"\\]|\\.)*",?)*\})? [-+.\w]+', line) for line in lines), lines
    seen.mend_destination()
    until(lambda: b"a line\n" * 1000 in seen.site.output(), "the lines")


def test_metrics_name_so_many_files_and_no_more(seen: Seen) -> None:
    """Of those that are behind: nobody takes what they have."""
    for number in range(20):
        (seen.site.logs / f"{number}.log").write_bytes(b"a line\n" * number)
    seen.collector(metrics_files="3")
    until(lambda: seen.metric("collector", "files") == 20, "the files")
    # It is measured once a second: the first time not all may have been found.
    named = until(lambda: found if (found := _named(seen)) >= 3 else 0, "those that are behind")
    assert named == 3


def _named(seen: Seen) -> int:
    return seen.get("collector", "/metrics").count("collector_file_lag_bytes{")
