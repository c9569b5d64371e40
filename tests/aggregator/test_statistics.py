"""What holds an aggregator up, in words."""

from dataclasses import fields
from typing import Any

from mega_collector.aggregator.batcher import BatcherStatistics
from mega_collector.aggregator.ingest_buffer import IngestBufferStatistics
from mega_collector.aggregator.pipeline import PipelineStatistics
from mega_collector.aggregator.server import ServerStatistics
from mega_collector.aggregator.statistics import AggregatorStatistics
from mega_collector.aggregator.view import view
from mega_collector.emitter.dead_letters import DeadLetterStatistics
from mega_collector.emitter.notify import AlertStatistics
from mega_collector.emitter.retry import RetryStatistics
from mega_collector.protocol import Stage, Status
from mega_collector.telemetry.view import View

FULL = Status(Stage.DESTINATION, "/x/a.log: No space left on device", 4, 8.0)


def zeros(of: type[Any], **others: object) -> Any:
    return of(**({field.name: 0 for field in fields(of)} | others))


def statistics(*, emitting: float = 0.0, failing: bool = False, **others: Any) -> AggregatorStatistics:
    return AggregatorStatistics(
        server=zeros(ServerStatistics),
        buffer=zeros(IngestBufferStatistics),
        batcher=zeros(BatcherStatistics),
        pipeline=zeros(PipelineStatistics, committing=True, refused=None, emitting=emitting),
        retry=RetryStatistics(1, 0, failing=failing, last_error="/x/a.log: No space left on device", in_a_row=4),
        dead_letters=zeros(DeadLetterStatistics),
        **others,
    )


def shown(of: AggregatorStatistics) -> View:
    return view(of, (), host="here", destination="/x", uptime=1, now=0, notes=())


def test_of_several_outputs_the_worst_is_told_and_how_many_others_take_nothing() -> None:
    some = statistics(failing_outputs=3, failing_output=FULL)
    words = "/x/a.log: No space left on device, and 2 other outputs, 4th try, next in 8 s"
    assert some.held_up.words == words
    assert some.ready == (True, "ready"), "the others flow"
    assert (shown(some).ready, shown(some).state) == (False, f"some outputs take nothing: {words}")
    two = statistics(failing_outputs=2, failing_output=FULL)
    assert two.held_up.words == "/x/a.log: No space left on device, and 1 other output, 4th try, next in 8 s"
    alone = statistics(failing=True, failing_outputs=1, failing_output=FULL)
    assert shown(alone).state == (
        "the destination takes nothing: /x/a.log: No space left on device, 4th try, next in 8 s"
    )


def test_one_that_does_not_answer_is_told_with_its_name_and_for_how_long() -> None:
    hanging = statistics(emitting=17.0, destination="/x/b.log")
    assert hanging.ready == (False, "the destination takes nothing: /x/b.log has not answered for 17 s")
    assert hanging.held_up.words == "/x/b.log does not answer: it is slow, or hangs", "the same for as long as it hangs"
    assert shown(hanging).state == (
        "the destination takes nothing: /x/b.log has not answered for 17 s: it is slow, or hangs"
    )


def test_an_alert_that_does_not_get_out_is_the_first_thing_to_know_where_all_else_is_well() -> None:
    alerts = AlertStatistics(0, 1, 0, 0, problem="PagerDuty refuses it")
    assert shown(statistics(alerts=alerts)).state == "an alert did not get out: PagerDuty refuses it"
    both = statistics(alerts=alerts, emitting=17.0)
    assert "has not answered" in shown(both).state
    bad = [fact.value for group in shown(both).groups for fact in group.facts if fact.bad]
    assert "PagerDuty refuses it" in bad
    assert shown(statistics(alerts=AlertStatistics(1, 1, 0, 0))).ready, "what came after it got there"
