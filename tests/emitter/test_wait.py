import pytest

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
