"""What a run of bytes looked like, to recognise it later."""

from dataclasses import dataclass

from mega_collector.digest import blake2b

HEAD_SIZE = 1024
"""Bytes at the start of a file that its head marker covers, as far as they are written."""

TAIL_SIZE = 64
"""Bytes before a position that its marker covers at the most."""

_DIGEST_SIZE = 16


@dataclass(frozen=True, slots=True)
class Marker:
    """A digest of `length` bytes. The empty marker matches everything: it says that nothing is known."""

    length: int = 0
    digest: bytes = b""

    @classmethod
    def of(cls, data: bytes | memoryview) -> "Marker":
        """The marker of all of `data`."""
        if not data:
            return cls()
        return cls(len(data), blake2b(data, digest_size=_DIGEST_SIZE).digest())

    def matches_head(self, data: bytes) -> bool:
        """Whether `data` begins with the bytes that were marked."""
        return len(data) >= self.length and Marker.of(data[: self.length]) == self

    def matches_tail(self, data: bytes) -> bool:
        """Whether `data` ends with the bytes that were marked."""
        return len(data) >= self.length and Marker.of(data[len(data) - self.length :]) == self


class Heads(dict[int, bytes | None]):
    """The digests of the first bytes of something, by how many those are: to hold very many markers against.

    `heads[marker.length] == marker.digest` is `marker.matches_head(data)`; each digest is made once.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = data

    def __missing__(self, length: int) -> bytes | None:
        digest = Marker.of(self._data[:length]).digest if length <= len(self._data) else None
        self[length] = digest
        return digest
