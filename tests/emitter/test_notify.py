"""The emitter that tells a notifier."""

from collections.abc import Sequence

import pytest

from mega_collector.batch import Batch
from mega_collector.emitter.notify import AlertStatistics, NotifyEmitter
from mega_collector.emitter.protocol import Taken
from mega_collector.errors import EmitError, RetriesExhausted, Stopping

BATCHES = (Batch(blocks=(), entries=0, size=0),)


class Scripted:
    """An emitter that does what it is told."""

    def __init__(self, *results: Taken | Exception) -> None:
        self.results = list(results)
        self.closed = False

    def emit(self, batches: Sequence[Batch]) -> Taken:
        assert batches is BATCHES
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    def close(self) -> None:
        self.closed = True


class Recorder:
    """A notifier that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def failed(self, cause: RetriesExhausted) -> None:
        self.told.append(cause)

    def recovered(self) -> None:
        self.told.append("recovered")

    def statistics(self) -> AlertStatistics:
        return AlertStatistics(0, 0, 0, 0)

    def close(self, timeout: float) -> None:
        self.told.append(("close", timeout))


class Broken:
    """A notifier with a defect."""

    def failed(self, cause: RetriesExhausted) -> None:
        raise RuntimeError("key 0123456789")

    def recovered(self) -> None:
        raise RuntimeError("key 0123456789")

    def statistics(self) -> AlertStatistics:
        return AlertStatistics(0, 0, 0, 0)

    def close(self, timeout: float) -> None:
        raise RuntimeError("key 0123456789")


EXHAUSTED = RetriesExhausted(11, EmitError("disk full"))


def test_success_is_passed_on_and_told() -> None:
    notifier, taken = Recorder(), Taken(1)
    assert NotifyEmitter(Scripted(taken), notifier).emit(BATCHES) is taken
    assert notifier.told == ["recovered"]


def test_exhausted_retries_are_told_and_raised() -> None:
    notifier = Recorder()
    with pytest.raises(RetriesExhausted) as caught:
        NotifyEmitter(Scripted(EXHAUSTED), notifier).emit(BATCHES)
    assert caught.value is EXHAUSTED
    assert notifier.told == [EXHAUSTED]


@pytest.mark.parametrize("error", [EmitError("once"), Stopping("shutdown")])
def test_other_errors_are_raised_and_not_told(error: Exception) -> None:
    notifier = Recorder()
    with pytest.raises(type(error)):
        NotifyEmitter(Scripted(error), notifier).emit(BATCHES)
    assert notifier.told == []


def test_discarding_is_no_recovery() -> None:
    notifier = Recorder()
    NotifyEmitter(Scripted(Taken(1, discarded=True)), notifier).emit(BATCHES)
    assert notifier.told == []


def test_close_closes_the_next_emitter_and_then_the_notifier() -> None:
    notifier, emitter = Recorder(), Scripted()
    NotifyEmitter(emitter, notifier, close_within=lambda: 1.5).close()
    assert emitter.closed
    assert notifier.told == [("close", 1.5)]


@pytest.mark.case(75)
def test_case_75_broken_notifier_stops_no_batch_and_its_error_text_is_not_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    taken = Taken(1)
    emitter = NotifyEmitter(Scripted(taken, EXHAUSTED), Broken())
    assert emitter.emit(BATCHES) is taken
    with pytest.raises(RetriesExhausted):
        emitter.emit(BATCHES)
    emitter.close()
    shown = capsys.readouterr()
    assert (shown.out + shown.err).count("RuntimeError") == 1
    assert "0123456789" not in shown.out + shown.err
