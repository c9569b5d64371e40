import pytest
from structlog.testing import capture_logs

from emitter.batches import make_batch
from emitter.scripted import Pauses, ScriptedEmitter
from mega_collector.emitter.retry import RetryEmitter
from mega_collector.errors import DestinationGone, EmitError, RetriesExhausted, Stopping

HEAD, OTHER = make_batch(b"head\n"), make_batch(b"other\n")
FULL = EmitError("/x: No space left on device")


@pytest.mark.case(67)
def test_takes_after_a_failure_what_comes_after_it_in_order() -> None:
    destination, pauses = ScriptedEmitter([FULL, FULL]), Pauses()
    assert RetryEmitter(destination, count=10, delay=1, pause=pauses).emit([HEAD, OTHER]).count == 2
    assert destination.taken == [HEAD, OTHER]
    assert pauses.seconds == [1, 2]


def test_gives_up_after_count_plus_one_attempts() -> None:
    destination, pauses = ScriptedEmitter([FULL] * 9), Pauses()
    with pytest.raises(RetriesExhausted) as caught:
        RetryEmitter(destination, count=7, delay=1, pause=pauses).emit([HEAD])
    assert caught.value.attempts == len(destination.attempts) == 8
    assert caught.value.cause is caught.value.__cause__ is FULL
    assert pauses.seconds == [1, 2, 4, 8, 16, 32, 60]


def test_tries_once_when_the_same_batch_comes_again() -> None:
    destination, pauses = ScriptedEmitter([FULL] * 4), Pauses()
    retry = RetryEmitter(destination, count=2, delay=1, pause=pauses)
    for attempts in (3, 4):
        with pytest.raises(RetriesExhausted):
            retry.emit([HEAD, OTHER])
        assert len(destination.attempts) == attempts
    assert retry.emit([HEAD, OTHER]).count == 2


def test_gives_another_batch_its_own_count() -> None:
    destination = ScriptedEmitter([FULL] * 6)
    retry = RetryEmitter(destination, count=2, delay=1, pause=Pauses())
    for head, attempts in ((HEAD, 3), (OTHER, 6)):
        with pytest.raises(RetriesExhausted):
            retry.emit([head])
        assert len(destination.attempts) == attempts


def test_gives_the_same_batch_its_count_back_after_a_success() -> None:
    destination = ScriptedEmitter([FULL, FULL, None, FULL, None])
    retry = RetryEmitter(destination, count=1, delay=1, pause=Pauses())
    with pytest.raises(RetriesExhausted):
        retry.emit([HEAD])
    retry.emit([HEAD])
    assert retry.emit([HEAD]).count == 1


def test_does_not_try_again_what_is_gone() -> None:
    destination = ScriptedEmitter([DestinationGone("stdout: nobody reads it any more")])
    with pytest.raises(DestinationGone):
        RetryEmitter(destination, count=5, delay=1, pause=Pauses()).emit([HEAD])
    assert len(destination.attempts) == 1


def test_stops_when_the_shutdown_allows_no_wait() -> None:
    destination, pauses = ScriptedEmitter([FULL] * 9), Pauses(allowed=1)
    with pytest.raises(Stopping):
        RetryEmitter(destination, count=5, delay=1, pause=pauses).emit([HEAD])
    assert len(destination.attempts) == 2


def test_says_whether_the_destination_is_failing_and_why() -> None:
    retry = RetryEmitter(ScriptedEmitter([FULL]), count=0, delay=1, pause=Pauses())
    assert not retry.statistics().failing
    with pytest.raises(RetriesExhausted):
        retry.emit([HEAD])
    failing = retry.statistics()
    assert (failing.failing, failing.failures, failing.exhausted) == (True, 1, 1)
    assert failing.last_error == str(FULL)
    retry.emit([HEAD])
    assert not retry.statistics().failing


def test_tells_of_a_failure_once_until_it_changes_or_is_over() -> None:
    other = EmitError("/x: Input/output error")
    retry = RetryEmitter(ScriptedEmitter([FULL] * 3 + [other] * 2 + [None, other]), count=9, delay=1, pause=Pauses())
    with capture_logs() as logged:
        retry.emit([HEAD])
        retry.emit([HEAD])
    told = [(entry["error"], entry.get("again_in")) for entry in logged if entry["event"] == "emit_failed"]
    assert told == [(str(FULL), 1), (str(other), None), (str(other), 1)]
    assert retry.statistics().failures == 6


def test_closes_the_next() -> None:
    destination = ScriptedEmitter()
    RetryEmitter(destination, count=0, delay=1, pause=Pauses()).close()
    assert destination.is_closed
