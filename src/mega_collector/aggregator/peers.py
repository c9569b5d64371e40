"""The collectors that are known in this process: what is expected of each, and where its acknowledgements go."""

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mega_collector.aggregator.admission import Admission, held_up
from mega_collector.aggregator.outbox import Outbox
from mega_collector.aggregator.shares import Shares
from mega_collector.block import Source
from mega_collector.protocol import Status


@dataclass(slots=True)
class Peer:
    """One collector, on however many streams."""

    admission: Admission = field(default_factory=Admission)
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held from a block's admission until it is in the ingest buffer, so that two streams of one collector cannot
    change the order of a source's blocks."""
    outboxes: set[Outbox] = field(default_factory=set)
    lives: list[bytes] = field(default_factory=list)
    """Which of its processes each of the streams is of that may still bring something."""
    held: set[bytes] = field(default_factory=set)
    """Sources that were turned back, and may not come again yet."""
    waiting: dict[bytes, dict[Outbox, Source]] = field(default_factory=dict)
    """Those of them that have been described since, and where the answers go: one each, however often it was asked."""
    finished: deque[tuple[bytes, int]] = field(default_factory=deque)
    """Sources that are committed to their end, which the next `sweep` forgets."""

    def alone(self, life: bytes) -> bool:
        """Whether nothing more can come of another process."""
        return {*self.lives} <= {life}

    def sweep(self) -> None:
        """Forget what has ended. Called under the lock, which a commit cannot take: who holds it may wait for one."""
        while self.finished:
            self.admission.forget(*self.finished.popleft())


class Peers:
    """All collectors, and all streams, which share the ingest buffer."""

    def __init__(self, buffer_size: int) -> None:
        self._peers: dict[str, Peer] = {}
        self._lock = threading.Lock()
        self._shares = Shares(buffer_size)
        self._welcomed: set[Outbox] = set()
        self._claims: dict[bytes, str] = {}
        """Whose the sources are that are open and of which nothing is committed: the ledger does not know it yet."""
        self._status = Status()

    @property
    def streams(self) -> int:
        return len(self._shares)

    def __len__(self) -> int:
        return len(self._peers)

    def join(self, collector: str, outbox: Outbox, life: bytes = b"") -> tuple[Peer, int]:
        """A stream opens: the collector that it is of, and the bytes that may be in flight on it.

        It is to `leave` when nothing more is said on it, and to `release` when nothing more is heard.
        """
        with self._lock:
            peer = self._peers.setdefault(collector, Peer())
            peer.outboxes.add(outbox)
            peer.lives.append(life)
            return peer, self._shares.join(outbox)

    def leave(self, collector: str, outbox: Outbox) -> None:
        """A stream has ended: nothing more is said on it."""
        with self._lock:
            peer = self._peers[collector]
            peer.outboxes.discard(outbox)
            for waiting in peer.waiting.values():
                waiting.pop(outbox, None)
            self._welcomed.discard(outbox)
            self._forget(collector)
            self._shares.leave(outbox, time.monotonic())

    def release(self, collector: str, life: bytes = b"") -> None:
        """Nothing more is heard on a stream."""
        with self._lock:
            self._peers[collector].lives.remove(life)
            self._forget(collector)

    def claim(self, collector: str, source_id: bytes) -> bool:
        """Whether a source that the ledger does not know is that collector's: it is whose opens it first."""
        with self._lock:
            return self._claims.setdefault(source_id, collector) == collector

    def disclaim(self, source_id: bytes) -> None:
        """The ledger knows whose a source is."""
        with self._lock:
            self._claims.pop(source_id, None)

    def welcomed(self, outbox: Outbox) -> None:
        """The first word is said on a stream: from now on it hears what holds up the aggregator."""
        with self._lock:
            self._welcomed.add(outbox)
            if self._status.stage is not None:
                outbox.hint(self._status)

    def tell(self, status: Status) -> None:
        """Tell every stream what holds up the aggregator. Never waits."""
        with self._lock:
            self._status = status
            for outbox in self._welcomed:
                outbox.hint(status)

    def receive(self, outbox: Outbox, sizes: Sequence[int]) -> None:
        """Blocks of so many bytes came on a stream."""
        with self._lock:
            self._shares.receive(outbox, sum(sizes), max(sizes), time.monotonic())

    def confirm(self, outbox: Outbox, window: int) -> None:
        """Nothing more comes on a stream that was sent under a grant before this."""
        with self._lock:
            self._shares.confirm(outbox, window, time.monotonic())

    @property
    def next_turn(self) -> float:
        """When `take_turns` is to be called."""
        with self._lock:
            return self._shares.next_due

    def take_turns(self) -> None:
        """Those whose turn to send has lasted too long make room for the next. Called while what comes is taken."""
        with self._lock:
            self._shares.due(time.monotonic())

    def commit(self, positions: Mapping[str, dict[bytes, int]], finished: Mapping[str, set[bytes]]) -> None:
        """Positions by collector are committed: tell every open stream of each."""
        with self._lock:
            for collector, advanced in positions.items():
                peer = self._peers.get(collector)
                if peer is None:
                    continue
                for source_id, position in advanced.items():
                    peer.admission.commit(source_id, position)
                    self._claims.pop(source_id, None)
                for source_id in finished.get(collector, ()):
                    peer.admission.end(source_id)
                for outbox in peer.outboxes:
                    outbox.ack(advanced)
                    self._shares.acknowledge(outbox)
                peer.finished += [(source_id, advanced[source_id]) for source_id in finished.get(collector, ())]
                self._forget(collector)

    def turn_back(self, collector: str, source_id: bytes) -> None:
        """Nothing of what is in flight of a source will be committed: tell every open stream of its collector."""
        with self._lock:
            peer = self._peers.get(collector)
            if peer is None:
                return
            peer.held.add(source_id)
            at = peer.admission.turn_back(source_id) or 0
            for outbox in peer.outboxes:
                outbox.urge(held_up(source_id, at, at))
            self._forget(collector)

    def wait(self, outbox: Outbox, source: Source) -> bool:
        """Whether the description of a source is to be answered when it may come again, on that outbox."""
        with self._lock:
            peer = self._peers[source.collector]
            if source.id not in peer.held:
                return False
            peer.waiting.setdefault(source.id, {})[outbox] = source
            return True

    def let_come(self, collector: str, source_ids: Iterable[bytes]) -> list[tuple[Outbox, Source]]:
        """These sources may come again: the descriptions that are to be answered now, and where."""
        with self._lock:
            peer = self._peers.get(collector)
            if peer is None:
                return []
            peer.held.difference_update(source_ids)
            return [each for source_id in source_ids for each in peer.waiting.pop(source_id, {}).items()]

    def _forget(self, collector: str) -> None:
        """Keep nothing of a collector that has gone, once all it sent is committed: collectors may come without end."""
        peer = self._peers[collector]
        if not peer.lives and not peer.outboxes and peer.admission.settled:
            for source_id in peer.admission:
                if self._claims.get(source_id) == collector:
                    del self._claims[source_id]
            del self._peers[collector]
