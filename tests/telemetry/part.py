"""A half that is not there: a number that grows, and whether all is well."""

from collections.abc import Iterable, Sequence

from mega_collector.telemetry.metrics import Sample
from mega_collector.telemetry.recent import Note
from mega_collector.telemetry.view import Fact, Flow, Group, Row, Table, View


class Part:
    def __init__(self, words: str = "words") -> None:
        self.words = words
        """Stands everywhere where a log or a peer may say something."""
        self.ready = (True, "serving")
        self.scrapes = self.samplings = self.looks = 0

    def samples(self) -> Iterable[Sample]:
        self.scrapes += 1
        yield Sample("mega_collector_scrapes_total", "counter", "Scrapes.", self.scrapes)

    def flows(self) -> Sequence[Flow]:
        self.samplings += 1
        return (Flow("Read", "bytes", self.samplings), Flow("Read", "lines", 2 * self.samplings))

    def view(self) -> View:
        self.looks += 1
        ready, state = self.ready
        words = self.words
        return View(
            half="collector",
            host=words,
            version=words,
            uptime=100,
            ready=ready,
            state=f"{state} {words} look {self.looks}.",
            flows=(Flow(words, "bytes", 1), Flow("Read", "lines", 2)),
            groups=(Group(words, (Fact(words, words), Fact(words, words, bad=True))),),
            tables=(
                Table(words, (words, "b"), (Row((words, words)), Row((words, ""), bad=True)), none=words, left_out=3),
                Table("Empty", ("a",), (), none=words),
            ),
            notes=(Note(words, "warning", words, words, 3), Note(words, "error", words, words)),
        )
