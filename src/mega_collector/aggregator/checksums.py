"""The running checksum of what is committed of each source."""

from collections.abc import Callable, Iterable, Sequence

from mega_collector.block import Block
from mega_collector.checksum import crc32

_MOST = 100_000
"""Sources that are kept: of others the ledger is asked."""


class Checksums:
    """CRC-32 by source, over its committed bytes and those that are about to be. Used by one thread.

    `committed` tells what the ledger has of a source; None: nothing.
    """

    def __init__(self, committed: Callable[[bytes], int | None]) -> None:
        self._committed = committed
        self._running: dict[bytes, int] = {}
        self._asked: set[bytes] = set()
        """Those for which the ledger was asked, and that were not extended since."""

    def look_up(self, source_ids: Iterable[bytes]) -> None:
        """Have at hand what `extend` needs of these sources.

        Raises:
            LedgerError: the ledger cannot be read. Nothing has changed: it can be asked again.
        """
        if len(self._running) > _MOST:
            self._running.clear()
        for source_id in source_ids:
            if source_id not in self._running:
                self._running[source_id] = self._committed(source_id) or 0
                self._asked.add(source_id)

    def extend(self, source_id: bytes, blocks: Sequence[Block]) -> tuple[int, int | None]:
        """The checksum with these blocks behind all that came before; and that of these alone, if the ledger was asked.

        It may have forgotten what came before, as that of a source that had ended, until these are committed.
        """
        checksum = self._running[source_id] = _checksum_of(blocks, self._running[source_id])
        if source_id not in self._asked:
            return checksum, None
        self._asked.discard(source_id)
        return checksum, _checksum_of(blocks)

    def forget(self, source_id: bytes) -> None:
        """The source has ended: the ledger may forget it too."""
        self._running.pop(source_id, None)


def _checksum_of(blocks: Iterable[Block], before: int = 0) -> int:
    checksum = before
    for block in blocks:
        checksum = crc32(block.data, checksum)
    return checksum
