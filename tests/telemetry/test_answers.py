"""Whoever asks how often: what it costs is bounded, and nothing is done for those who do not ask."""

from collections.abc import Callable, Iterable

import pytest

from mega_collector.telemetry.answers import Answers
from mega_collector.telemetry.metrics import Sample
from telemetry.part import Part

METRICS, PAGE = b"GET /metrics HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"


class Bench:
    """Answers on a clock of the test's own, which goes on by `takes` whenever the part is asked."""

    def __init__(self, takes: float = 0.0) -> None:
        self.now = 1000.0
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.part = Slow(self, takes)
        self.answers = Answers(self.part, self._call_later, private=True, clock=lambda: self.now)

    def _call_later(self, seconds: float, call: Callable[[], None]) -> None:
        self.later.append((self.now + seconds, call))

    def run(self, seconds: float) -> None:
        """Let that much time pass."""
        end = self.now + seconds
        while self.later and self.later[0][0] <= end:
            self.now, call = self.later.pop(0)
            call()
        self.now = end


class Slow(Part):
    def __init__(self, bench: Bench, takes: float) -> None:
        super().__init__()
        self._bench = bench
        self._takes = takes

    def samples(self) -> Iterable[Sample]:
        self._bench.now += self._takes
        return super().samples()


def test_making_an_answer_takes_a_tenth_of_the_time_at_the_most() -> None:
    bench = Bench(takes=0.1)
    for _ in range(1000):
        bench.answers.to(METRICS)
        bench.now += 0.01
    # Ten seconds for the thousand who ask, and a second for the answers.
    assert bench.part.scrapes == pytest.approx(10, abs=2)


def test_a_mistake_costs_no_more_than_an_answer() -> None:
    bench = Bench()
    asked = 0

    def broken() -> None:
        nonlocal asked
        asked += 1
        bench.now += 0.1
        raise KeyError

    bench.part.samples = broken  # type: ignore[method-assign, assignment]
    for _ in range(10):
        assert b" 500 " in bench.answers.to(METRICS)
        bench.now += 0.01
    assert asked == 1


def test_nothing_is_sampled_for_tools() -> None:
    bench = Bench()
    bench.answers.to(METRICS)
    assert not bench.later
    assert not bench.part.samplings


def test_samples_are_taken_once_a_second_while_somebody_looks_and_for_half_a_minute_after() -> None:
    bench = Bench()
    bench.answers.to(PAGE)
    bench.run(10)
    assert bench.part.samplings == 11
    bench.run(1000)
    assert bench.part.samplings == 30
    assert not bench.later
    bench.answers.to(PAGE)
    assert bench.part.samplings == 31


def test_many_who_look_share_the_samples() -> None:
    bench = Bench()
    for _ in range(50):
        bench.answers.to(PAGE)
    bench.run(1)
    assert bench.part.samplings == 2
