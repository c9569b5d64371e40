from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from emitter.batches import make_batch, make_source
from mega_collector.batch import Batch
from mega_collector.emitter.backoff import LONGEST
from mega_collector.emitter.dead_letters import DeadLetters
from mega_collector.emitter.each import EachEmitter
from mega_collector.emitter.notify import AlertStatistics
from mega_collector.emitter.protocol import Left, OutputState, Taken
from mega_collector.errors import EmitError, RetriesExhausted
from mega_collector.marker import Marker

A, B = (make_batch(f"{name}\n".encode(), source=make_source(name)) for name in ("a", "b"))


class Outputs:
    """One for each source; those that are `failing` take nothing."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.tried: list[str] = []

    def emit(self, batches: Sequence[Batch], resting: Mapping[str, EmitError] | None = None) -> Taken:
        outputs, left = [], []
        for batch in batches:
            name = batch.blocks[0].source.id.decode()
            if name not in (resting or {}):
                self.tried.append(name)
            if name in self.failing:
                left.append(Left(name, EmitError(f"{name}: No space left on device"), (batch,)))
            else:
                outputs.append(OutputState(name, 1, 1, 1, Marker()))
        return Taken(len(batches), outputs=tuple(outputs), left=tuple(left))

    def close(self) -> None:
        pass


class Told:
    """A notifier."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def failed(self, cause: RetriesExhausted) -> None:
        self.said.append(str(cause.cause))

    def recovered(self) -> None:
        self.said.append("recovered")

    def statistics(self) -> AlertStatistics:
        return AlertStatistics(0, 0, 0, 0)

    def close(self, timeout: float) -> None:
        self.said.append("closed")


class Rig:
    def __init__(self, *, discard: bool = False, letters: DeadLetters | None = None, count: int = 2) -> None:
        self.now = 100.0
        self.outputs, self.told = Outputs(), Told()
        self.each = EachEmitter(
            self.outputs,
            count=count,
            delay=1,
            discard=discard,
            dead_letters=letters,
            notifier=self.told,
            clock=lambda: self.now,
        )

    def emit(self, *batches: Batch, after: float = 0) -> Taken:
        self.now += after
        return self.each.emit(batches)


def test_each_output_is_tried_again_at_its_own_pace_and_not_before() -> None:
    rig = Rig()
    rig.outputs.failing = {"a"}
    assert [each.again for each in rig.emit(A, B).left] == [101]
    assert [each.again for each in rig.emit(A, B, after=0.5).left] == [101]
    assert rig.outputs.tried == ["a", "b", "b"]
    assert [each.again for each in rig.emit(A, after=0.5).left] == [103]
    assert rig.each.failing == 1
    rig.outputs.failing = set()
    assert not rig.emit(A, after=2).left
    assert rig.each.failing == 0


def test_when_the_tries_are_used_up_somebody_is_told_and_it_is_tried_at_the_slowest_pace() -> None:
    rig = Rig(count=1)
    rig.outputs.failing = {"a"}
    rig.emit(A)
    assert rig.told.said == []
    left = rig.emit(A, B, after=1).left
    assert [each.again for each in left] == [101 + LONGEST]
    assert rig.told.said == ["a: No space left on device"], "b's success is no recovery while a fails"
    rig.outputs.failing = set()
    rig.emit(A, after=LONGEST)
    assert rig.told.said[-1] == "recovered"


def test_health_says_that_the_destination_fails_where_nothing_is_taken() -> None:
    rig = Rig()
    rig.outputs.failing = {"a"}
    rig.emit(A)
    assert rig.each.statistics().failing
    rig.emit(A, B, after=1)
    assert not rig.each.statistics().failing
    assert rig.each.statistics().failures == 2


def test_what_holds_up_the_worst_output_is_told_with_its_tries_and_the_next_one() -> None:
    rig = Rig(count=9)
    assert rig.each.held_up is None
    rig.outputs.failing = {"a"}
    rig.emit(A)
    rig.emit(A, after=1)
    rig.outputs.failing = {"a", "b"}
    rig.emit(B)
    rig.now += 0.5
    assert rig.each.held_up is not None
    assert rig.each.held_up.words == "a: No space left on device, 2nd try, next in 2 s"
    rig.outputs.failing = {"b"}
    rig.emit(A, after=2)
    assert rig.each.held_up.cause == "b: No space left on device", "a works again"


def test_a_batch_whose_tries_are_used_up_is_given_up_alone(tmp_path: Path) -> None:
    rig = Rig(discard=True, letters=DeadLetters(tmp_path / "letters", 1 << 20), count=1)
    rig.outputs.failing = {"a"}
    rig.emit(A, B)
    taken = rig.emit(A, B, after=1)
    assert (taken.given_up, taken.left) == ((A,), ())
    assert len(list((tmp_path / "letters").glob("*.dead"))) == 1
    assert rig.emit(A, after=1).left, "the next one has its own tries"


def test_what_the_dead_letters_do_not_take_is_not_given_up(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path / "letters", 1 << 20)
    rig = Rig(discard=True, letters=letters, count=0)
    (tmp_path / "letters").rmdir()
    rig.outputs.failing = {"a"}
    taken = rig.emit(A)
    assert taken.given_up == ()
    assert [each.output for each in taken.left] == ["a"]


def test_an_output_that_nothing_comes_for_any_more_is_forgotten() -> None:
    rig = Rig()
    rig.outputs.failing = {"a"}
    rig.emit(A)
    rig.emit(B, after=1000)
    assert rig.each.failing == 0


@pytest.mark.parametrize("discard", [False, True])
def test_closing_closes_the_notifier_too(discard: bool) -> None:
    rig = Rig(discard=discard)
    rig.each.close()
    assert rig.told.said == ["closed"]
