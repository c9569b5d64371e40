"""The part of systemd to which services talk: a socket that keeps what it hears."""

import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.until import until

Message = list[str]


class Heard:
    """A context manager. `environ` is what a service is started with so that it talks to this."""

    def __init__(self, address: Path | str, *, watchdog: float | None = None) -> None:
        """`address` is a path, or the name of an abstract socket behind an @; `watchdog` is in seconds."""
        name = str(address)
        self.environ = {"NOTIFY_SOCKET": name}
        if watchdog is not None:
            self.environ["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        self.messages: list[Message] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self._thread = threading.Thread(target=self._hear, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RD)
        self._thread.join()
        self._socket.close()

    def wait_for(self, line: str, *, after: int = 0) -> Message:
        """Wait for a message with a line that begins so, from the one of that number on."""

        def heard() -> list[Message]:
            return [each for each in self.messages[after:] if any(said.startswith(line) for said in each)]

        return until(heard, lambda: f"{line} was not said: {self.messages}")[0]

    def _hear(self) -> None:
        while message := self._socket.recv(1 << 16):
            self.messages.append(message.decode().split("\n"))
