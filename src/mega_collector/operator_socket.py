"""Where a half listens to whoever runs it."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from mega_collector.address import MAX_SOCKET_PATH, Address

_NAME = "operator.sock"


class OperatorSocket:
    """The socket in a state directory, by a path that the kernel takes, however long the directory's is.

    Raises:
        OSError: the directory cannot be opened.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / _NAME
        self._directory: int | None = None
        self._within = self.path
        if len(os.fsencode(self.path)) > MAX_SOCKET_PATH:
            self._directory = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            self._within = Path(f"/proc/self/fd/{self._directory}/{_NAME}")

    @property
    def address(self) -> Address:
        """For this process, until it is closed."""
        return Address(path=self._within)

    def require_free(self) -> None:
        """Look whether it can be made, in the place of another if need be.

        Raises:
            OSError: what has its name is no socket.
        """
        with suppress(FileNotFoundError):
            if not stat.S_ISSOCK(self._within.lstat().st_mode):
                raise OSError(f"{_NAME} is no socket: move it away, and start anew")

    def close(self) -> None:
        if self._directory is not None:
            os.close(self._directory)
            self._directory = None
