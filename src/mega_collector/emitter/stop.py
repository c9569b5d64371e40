"""The end of all waiting."""

import math
import os
import select


class Stop:
    """Once set, nobody waits any more: neither for the next try nor for a pipe to take more.

    An eventfd, because a wait for a pipe can watch it too (`fileno`), and a signal handler may set it.
    """

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def set(self) -> None:
        os.eventfd_write(self._fd, 1)

    def pause(self, seconds: float) -> bool:
        """Wait that long; False, at once, as soon as it is set."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return not poll.poll(math.ceil(seconds * 1000))

    def fileno(self) -> int:
        """Readable once it is set."""
        return self._fd

    def close(self) -> None:
        os.close(self._fd)
