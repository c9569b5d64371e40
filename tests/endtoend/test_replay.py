"""What was discarded comes back when the destination works again: once, whatever is killed in between."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.health import NOT_SERVING, SERVING, health
from harness.lines import assert_exactly
from harness.process import Process
from harness.site import Site, environ
from harness.until import until
from pagerduty_server import PagerDutyServer

LINES = 600
KEY = "R0UT1NGK3Y5s3cr3t0123456789abcde"


class Drain:
    """A site whose destination can be taken away, and whose aggregator gives up what it cannot deliver."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.letters = site.directory / "aggregator" / "dead-letters"
        self._away = site.out.parent.with_name("away")

    def aggregator(self, notify: str | None = None) -> Process:
        return self.site.aggregator(
            file_configuration=str(self.site.out),
            notify_configuration=notify,
            after_retries="discard",
            retry_count="0",
            max_batch_size="10",
            max_batch_bytes="100KiB",
        )

    def break_(self) -> None:
        self.site.out.parent.rename(self._away)

    def mend(self) -> None:
        self._away.rename(self.site.out.parent)

    def discard(self, lines: int) -> None:
        """Write lines, and have them discarded and acknowledged."""
        self.break_()
        self.site.writer().write(lines)
        collector = self.site.collector()
        until(lambda: self.size() >= self.site.bytes_written, "the dead letters")
        assert collector.stop() == 0
        assert collector.events("stopped", acknowledged=self.site.bytes_written)
        self.mend()

    def replay(self, *arguments: str) -> Process:
        variables = environ("AGGREGATOR", {"state_directory": str(self.site.directory / "aggregator")}, {})
        return self.site.start("replay", *arguments, variables)

    def left(self) -> list[Path]:
        return sorted(self.letters.glob("*.dead"))

    def size(self) -> int:
        """Of what the dead letters hold: the header is on two lines."""
        return sum(len(path.read_bytes().split(b"\n", 2)[2]) for path in self.left())


@pytest.fixture
def drain(site: Site) -> Drain:
    return Drain(site)


def test_what_was_discarded_comes_back_in_order_and_nothing_a_second_time(drain: Drain) -> None:
    drain.aggregator()
    drain.discard(LINES)
    letters, kept = drain.left(), drain.site.directory / "kept"
    assert len(letters) >= LINES / 10
    kept.mkdir()
    for letter in letters:
        (kept / letter.name).write_bytes(letter.read_bytes())
    first = drain.replay()
    assert first.wait() == 0
    *told, total = first.stdout.read_text().splitlines()
    assert [line.partition(": ")[0] for line in told] == list(map(str, letters))
    size = drain.site.bytes_written
    assert total == f"{len(letters)} dead letters: {LINES} lines, {size} bytes delivered"
    assert drain.left() == []
    drain.site.assert_delivered()
    # Somebody has kept copies.
    second = drain.replay(str(kept))
    assert second.wait() == 0
    total = second.stdout.read_text().splitlines()[-1]
    assert total == f"{len(letters)} dead letters: 0 lines, 0 bytes delivered, {size} bytes delivered before"
    assert list(kept.iterdir()) == []
    drain.site.assert_delivered()


def test_it_goes_on_beside_what_comes_meanwhile(drain: Drain) -> None:
    drain.aggregator()
    drain.discard(LINES)
    collector = drain.site.collector()
    drain.site.writer("b.log").write(LINES)
    assert drain.replay().wait() == 0
    drain.site.wait_for_bytes(drain.site.bytes_written)
    drain.site.assert_delivered()
    assert collector.running


@pytest.mark.parametrize("seed", [1, 2])
def test_an_aggregator_killed_in_the_middle_again_and_again_delivers_each_line_once(drain: Drain, seed: int) -> None:
    chance = random.Random(seed)
    aggregator = drain.aggregator()
    drain.discard(LINES)
    for _ in range(4):
        goal = drain.site.size() + chance.randrange(drain.site.bytes_written // 6)
        replay = drain.replay()
        _wait_for(replay, drain.site, goal)
        aggregator.kill()
        assert replay.wait() in {0, 1}
        aggregator = drain.aggregator()
    assert drain.replay().wait() == 0
    assert drain.left() == []
    assert_exactly(drain.site.output(), drain.site.written)


@pytest.mark.parametrize("end", [Process.stop, Process.kill])
def test_an_aggregator_that_ends_in_the_middle_is_told_as_that(drain: Drain, end: Callable[[Process], object]) -> None:
    aggregator = drain.aggregator()
    drain.discard(LINES)
    replay = drain.replay()
    _wait_for(replay, drain.site, 1)
    end(aggregator)
    assert replay.wait() == 1
    (line,) = replay.said().splitlines()
    assert re.search(r": (the aggregator|not delivered: it) has ended meanwhile: |: .* is shutting down: ", line), line


def test_a_destination_that_fails_again_keeps_the_dead_letters_as_they_are(drain: Drain) -> None:
    aggregator = drain.aggregator()
    drain.discard(50)
    before = drain.left()
    drain.break_()
    replay = drain.replay()
    assert replay.wait() == 1
    (line,) = replay.said().splitlines()
    assert line.startswith(f"mega-collector: {before[0]}: not delivered: ")
    assert "No such file or directory" in line
    assert drain.left() == before
    drain.mend()
    assert drain.replay().wait() == 0
    drain.site.assert_delivered()
    assert aggregator.stop() == 0
    assert not (drain.site.directory / "aggregator" / "operator.sock").exists()


@pytest.mark.parametrize("name", ["out.log", "{host}.log"])
def test_what_came_back_says_that_the_destination_works_again(drain: Drain, name: str) -> None:
    """Though no new line has come since: health serves, and the incident is resolved."""
    drain.site.out = drain.site.out.with_name(name)
    with PagerDutyServer() as service:
        notify = {"integration_key": KEY, "incident_key": "drain/1", "identifier": "Drain #1", "url": service.url}
        drain.aggregator(json.dumps(notify))
        drain.discard(50)
        until(lambda: health(drain.site.address) == NOT_SERVING, "health should follow the destination")
        until(lambda: _said(service) == ["trigger"], "an incident")
        assert drain.replay().wait() == 0
        until(lambda: health(drain.site.address) == SERVING, "health should follow the destination")
        until(lambda: _said(service) == ["trigger", "resolve"], "its end")


def _said(service: PagerDutyServer) -> list[str]:
    return [json.loads(request)["event_action"] for request in service.requests]


def _wait_for(replay: Process, site: Site, size: int) -> None:
    until(lambda: site.size() >= size or not replay.running, "the replay")
