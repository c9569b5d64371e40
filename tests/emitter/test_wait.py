import pytest
from structlog.testing import capture_logs

from emitter.batches import make_batch
from emitter.scripted import Pauses, ScriptedEmitter
from mega_collector.emitter.retry import RetryEmitter
from mega_collector.emitter.wait import WaitEmitter
from mega_collector.errors import EmitError, Stopping

HEAD = make_batch(b"head\n")
FULL = EmitError("/x: No space left on device")


def test_goes_on_at_the_slowest_pace_with_one_attempt_each() -> None:
    destination, pauses = ScriptedEmitter([FULL] * 6), Pauses()
    retry = RetryEmitter(destination, count=2, delay=1, pause=pauses)
    assert WaitEmitter(retry, pause=pauses).emit([HEAD]).count == 1
    assert pauses.seconds == [1, 2, 60, 60, 60, 60]
    assert destination.taken == [HEAD]


def test_stops_when_the_shutdown_allows_no_wait() -> None:
    pauses = Pauses(allowed=1)
    retry = RetryEmitter(ScriptedEmitter([FULL] * 9), count=0, delay=1, pause=pauses)
    with pytest.raises(Stopping):
        WaitEmitter(retry, pause=pauses).emit([HEAD])
    assert pauses.seconds == [60, 60]


def test_tells_of_a_failure_once_until_it_changes_or_is_over() -> None:
    other = EmitError("/x: Input/output error")
    destination = ScriptedEmitter([FULL] * 3 + [other] * 2 + [None, other])
    wait = WaitEmitter(RetryEmitter(destination, count=0, delay=1, pause=Pauses()), pause=Pauses())
    with capture_logs() as logged:
        wait.emit([HEAD])
        wait.emit([HEAD])
    told = [(entry["error"], entry.get("again_in")) for entry in logged if entry["event"] == "destination_failing"]
    assert told == [(str(FULL), 60), (str(other), None), (str(other), 60)]
