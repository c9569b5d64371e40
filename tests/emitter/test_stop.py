import threading
from collections.abc import Iterator

import pytest

from mega_collector.emitter.stop import Stop


@pytest.fixture
def stop() -> Iterator[Stop]:
    stop = Stop()
    yield stop
    stop.close()


def test_pauses_to_the_end_while_it_is_not_set(stop: Stop) -> None:
    assert stop.pause(0.001)


def test_ends_every_pause_from_then_on_once_it_is_set(stop: Stop) -> None:
    stop.set()
    stop.set()
    assert not stop.pause(1000)
    assert not stop.pause(0)


def test_wakes_whoever_waits(stop: Stop) -> None:
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(stop.pause(1000)))
    waiting.start()
    stop.set()
    waiting.join(10)
    assert answers == [False]
