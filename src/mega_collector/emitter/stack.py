"""The emitters as they stand around a destination."""

from collections.abc import Callable, Set as AbstractSet
from dataclasses import dataclass

from mega_collector.emitter.configuration import AfterRetries
from mega_collector.emitter.dead_letters import DeadLetters, DeadLetterStatistics
from mega_collector.emitter.discard import DiscardEmitter
from mega_collector.emitter.each import EachEmitter
from mega_collector.emitter.file_tree import FileTree
from mega_collector.emitter.notify import AlertStatistics, Notifier, NotifyEmitter, Telling
from mega_collector.emitter.pauses import Pauses
from mega_collector.emitter.protocol import Emitter
from mega_collector.emitter.retry import RetryEmitter
from mega_collector.emitter.wait import WaitEmitter
from mega_collector.protocol import Status


@dataclass(frozen=True, slots=True)
class Stack:
    """`emitter` is the outermost; the others are told apart for their statistics."""

    emitter: WaitEmitter | DiscardEmitter | EachEmitter
    retry: RetryEmitter | EachEmitter
    discard: DiscardEmitter | EachEmitter | None
    pauses: Pauses
    notifier: Notifier | None = None

    @property
    def failing(self) -> int:
        """Of several outputs, how many are failing."""
        return self.emitter.failing if isinstance(self.emitter, EachEmitter) else 0

    @property
    def failing_output(self) -> Status | None:
        """Of several outputs, how it stands with the one that fails worst."""
        return self.emitter.held_up if isinstance(self.emitter, EachEmitter) else None

    @property
    def alerts(self) -> AlertStatistics | None:
        """None: nobody is alerted."""
        return None if self.notifier is None else self.notifier.statistics()

    @property
    def dead_letters(self) -> DeadLetterStatistics:
        return DeadLetterStatistics(0, 0, 0) if self.discard is None else self.discard.dead_letters()

    def replayed(self, outputs: AbstractSet[str]) -> None:
        """The destination took what came back of the dead letters, past the emitters: so it works again."""
        if isinstance(self.retry, EachEmitter):
            self.retry.recover(outputs)
            return
        self.retry.recover()
        if self.notifier is not None:
            Telling()(self.notifier.recovered)


def stack(
    destination: Emitter,
    *,
    retry_count: int,
    retry_delay: float,
    after_retries: AfterRetries,
    dead_letters: DeadLetters | None,
    notifier: Notifier | None,
    close_within: Callable[[], float] = lambda: 3.0,
    pause: Callable[[float], bool],
) -> Stack:
    """Retry, then notify if somebody is to be alerted, then wait or discard: of several outputs for each by itself."""
    pauses = Pauses(pause)
    if isinstance(destination, FileTree):
        each = EachEmitter(
            destination,
            count=retry_count,
            delay=retry_delay,
            discard=after_retries is AfterRetries.DISCARD,
            dead_letters=dead_letters,
            notifier=notifier,
            close_within=close_within,
        )
        return Stack(each, each, discard=each, pauses=pauses, notifier=notifier)
    retry = RetryEmitter(destination, count=retry_count, delay=retry_delay, pause=pauses)
    watched = retry if notifier is None else NotifyEmitter(retry, notifier, close_within=close_within)
    if after_retries is AfterRetries.WAIT:
        return Stack(WaitEmitter(watched, pause=pauses), retry, discard=None, pauses=pauses, notifier=notifier)
    discard = DiscardEmitter(watched, dead_letters)
    return Stack(discard, retry, discard, pauses, notifier)
