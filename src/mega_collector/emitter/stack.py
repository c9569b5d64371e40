"""The emitters as they stand around a destination."""

from collections.abc import Callable
from dataclasses import dataclass

from mega_collector.emitter.configuration import AfterRetries
from mega_collector.emitter.dead_letters import DeadLetters, DeadLetterStatistics
from mega_collector.emitter.discard import DiscardEmitter
from mega_collector.emitter.pauses import Pauses
from mega_collector.emitter.protocol import Emitter
from mega_collector.emitter.retry import RetryEmitter
from mega_collector.emitter.wait import WaitEmitter


@dataclass(frozen=True, slots=True)
class Stack:
    """`emitter` is the outermost; the others are told apart for their statistics."""

    emitter: WaitEmitter | DiscardEmitter
    retry: RetryEmitter
    discard: DiscardEmitter | None
    pauses: Pauses

    @property
    def dead_letters(self) -> DeadLetterStatistics:
        return DeadLetterStatistics(0, 0, 0) if self.discard is None else self.discard.dead_letters()


def stack(
    destination: Emitter,
    *,
    retry_count: int,
    retry_delay: float,
    after_retries: AfterRetries,
    dead_letters: DeadLetters | None,
    notify: Callable[[Emitter], Emitter] | None,
    pause: Callable[[float], bool],
) -> Stack:
    """Retry, then notify if somebody is to be alerted, then wait or discard."""
    pauses = Pauses(pause)
    retry = RetryEmitter(destination, count=retry_count, delay=retry_delay, pause=pauses)
    watched = notify(retry) if notify else retry
    if after_retries is AfterRetries.WAIT:
        return Stack(WaitEmitter(watched, pause=pauses), retry, discard=None, pauses=pauses)
    discard = DiscardEmitter(watched, dead_letters)
    return Stack(discard, retry, discard, pauses)
