"""How a process ends: asked once it drains, asked twice it is forced."""

import faulthandler
import math
import os
import select
import signal
import threading
import time
import weakref
from collections.abc import Callable
from types import FrameType

_FORCED = 1

_TWICE = 0.2
"""Seconds after which a second signal is meant as one: timeout(1) sends it to its child and then to its whole group."""

_PACE = 0.2
"""Seconds between two tries once the end has begun: there is no time left for patience."""

_CLOSING = 10.0
"""Seconds beyond the timeout after which a process that has not ended hangs, which is a defect."""


class Shutdown:
    """Says whether and until when the process may still try. Used from any thread, and from signal handlers.

    It waits on an eventfd, not on a lock: a handler that runs amid a wait must not need what the wait holds.
    `on_asked` is called when the end is asked for the first time.
    """

    def __init__(
        self, timeout: float, *, clock: Callable[[], float] = time.monotonic, on_asked: Callable[[], None] | None = None
    ) -> None:
        self._timeout = timeout
        self._clock = clock
        self._on_asked = on_asked
        self._asked = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        weakref.finalize(self, os.close, self._asked)
        self._deadline: float | None = None
        self._hung_after: float | None = None
        self._woken: int | None = None
        """Readable when a signal has come."""
        self._hung_up = False

    def ask(self) -> None:
        """Begin to end; asking again changes nothing."""
        if self._deadline is not None:
            return
        self._deadline = self._clock() + self._timeout
        if self._hung_after is not None:
            # Shows where every thread stands, and ends the process even if none of them can run any more.
            faulthandler.dump_traceback_later(self._hung_after, exit=True)
        os.eventfd_write(self._asked, 1)
        if self._on_asked is not None:
            self._on_asked()

    @property
    def asked(self) -> bool:
        return self._deadline is not None

    @property
    def deadline(self) -> float:
        """When draining must be over, on the clock; asks if nobody has."""
        self.ask()
        assert self._deadline is not None
        return self._deadline

    @property
    def remaining(self) -> float:
        """Seconds left for draining."""
        return max(self.deadline - self._clock(), 0)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the end is asked for, at most so long; whether it is. In the main thread SIGHUP ends it too."""
        poll = select.poll()
        poll.register(self._asked, select.POLLIN)
        if self._woken is not None and threading.current_thread() is threading.main_thread():
            poll.register(self._woken, select.POLLIN)
        end = None if seconds is None else self._clock() + seconds
        while True:
            left = None if end is None else max(end - self._clock(), 0)
            ready = {descriptor for descriptor, _ in poll.poll(None if left is None else math.ceil(left * 1000))}
            if self._asked in ready or not ready:
                return self._asked in ready
            # A signal has come: its handler runs here, between two calls.
            os.read(self._woken or 0, 1 << 10)
            if self._hung_up and not self.asked:
                return False

    def pause(self, seconds: float) -> bool:
        """Wait before another try; False if there is no time for it. The end's beginning cuts the wait short."""
        if not self.asked:
            self.wait(seconds)
            return True
        time.sleep(min(seconds, _PACE, self.remaining))
        return self.remaining > 0

    def hung_up(self) -> bool:
        """Whether SIGHUP has come since this was asked last."""
        hung_up, self._hung_up = self._hung_up, False
        return hung_up

    def on_signals(self, *, most: float | None = None, hangup: bool = False) -> None:
        """SIGTERM and SIGINT ask; a second one forces. Called from the main thread.

        `most` is how many seconds draining may take in all, where it is more than the timeout. With `hangup`, SIGHUP
        ends nothing: it is told by `hung_up`.
        """
        self._hung_after = (most or self._timeout) + _CLOSING
        # The kernel may give a signal to any thread, and Python runs its handler in this one, once it wakes.
        self._woken, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        weakref.finalize(self, os.close, self._woken)
        weakref.finalize(self, os.close, wake)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._signalled)
        signal.signal(signal.SIGINT, self._signalled)
        if hangup:
            signal.signal(signal.SIGHUP, self._hang_up)

    def _hang_up(self, _number: int, _frame: FrameType | None) -> None:
        self._hung_up = True

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        if self._deadline is None:
            self.ask()
        elif self._clock() - (self._deadline - self._timeout) >= _TWICE:
            os._exit(_FORCED)
