"""How the ingest buffer is shared out among the streams: a machine."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from mega_collector.protocol import block_size

_FIRST = 256 << 10
"""Bytes that may be in flight at the most on a stream of which nothing is committed yet."""

_SMALLEST = 64 << 10
"""Bytes that may be in flight on every stream that does not wait for its turn, however many there are."""

_FEW = 4
"""So many streams share the buffer evenly."""

_PARTS = 6
"""A turn has one of so many parts of it: blocks of half a MiB, of which several are under way."""

_AT_ONCE = 3
"""Streams whose turn it is: while one begins, the others keep the aggregator busy."""

_TURN = 8 << 20
"""Bytes after which a turn goes to the next that waits for it."""

_LONGEST = 0.5
"""Seconds after which it does so too: some are slow."""

_SILENCE = 0.02
"""Seconds without anything on the stream after which it does so as well."""

_CONFIRMED = 1.0
"""Seconds that one whose turn has ended has to say so: it may hang."""

_FULL = 0.75
"""Of the size that a block may have: as much as this, and there is probably more where it is from."""

_REST = 10.0
"""Seconds in which one that had no use for its turn does not get another."""


class Granted(Protocol):
    """A stream."""

    def grant(self, window: int, /) -> None:
        """So many bytes may be in flight on it from now on."""


@dataclass(slots=True)
class _State:
    window: int = 0
    acknowledged: bool = False
    received: int = 0
    """Bytes in its turn."""
    since: float = 0.0
    """When its turn began."""
    heard: float = 0.0
    """When something came in its turn; at first, when that was confirmed."""
    confirmed: bool = True
    """Whether the stream is known to have heard of its window."""
    rests_until: float = 0.0


class Shares:
    """Says how much may be in flight on each stream, so that all of them together fit into the buffer.

    Without it each of many collectors would send its whole window at a destination that hangs, and what the ingest
    buffer does not take would lie in the transport's own buffers. A stream has its share only from its first
    acknowledgement on: otherwise those that come first would have filled the buffer before the others are there.

    An even share of many is small, and small blocks cost several times as much as large ones. So of many streams those
    that have more to send than fits into their share take turns: three of them have half of the buffer, and the others
    wait, as long as those whose turn it is make use of it. The next turn begins when it is confirmed that the one
    before is over: what was sent in it is in the buffer then. The other half is for those that have little to send,
    which nobody holds up.
    """

    def __init__(self, buffer_size: int) -> None:
        self._buffer_size = buffer_size
        self._streams: dict[Granted, _State] = {}
        self._turns: set[Granted] = set()
        self._leaving: dict[Granted, float] = {}
        """Those whose turn has ended, and who have not confirmed it; until when that is waited for."""
        self._waiting: deque[Granted] = deque()
        self._even = buffer_size

    def __len__(self) -> int:
        return len(self._streams)

    def join(self, stream: Granted) -> int:
        """A stream opens; the bytes that may be in flight on it."""
        state = self._streams[stream] = _State()
        self._share_out()
        state.window = min(self._even, _FIRST)
        return state.window

    def leave(self, stream: Granted, now: float) -> None:
        """A stream has ended."""
        del self._streams[stream]
        self._turns.discard(stream)
        self._leaving.pop(stream, None)
        if stream in self._waiting:
            self._waiting.remove(stream)
        self._share_out()
        self._next(now)

    def acknowledge(self, stream: Granted) -> None:
        """Something of what came on the stream is committed."""
        state = self._streams[stream]
        if not state.acknowledged:
            state.acknowledged = True
            self._grant(stream, self._even)

    def receive(self, stream: Granted, size: int, largest: int, now: float) -> None:
        """So many bytes came on a stream; the largest block of them tells whether there is more where they are from."""
        state = self._streams.get(stream)
        if state is None or not state.acknowledged or self._even >= self._turn:
            return
        more = largest >= block_size(state.window or self._even) * _FULL
        if stream in self._turns:
            state.received += size
            state.heard = now
            if state.confirmed and not more:
                self._end(stream, now)
            elif state.received >= _TURN and self._waiting:
                self._wait(stream, now)
        elif more and now >= state.rests_until and stream not in self._waiting:
            self._wait(stream, now)

    def confirm(self, stream: Granted, window: int, now: float) -> None:
        """Nothing more comes on a stream that was sent under a grant before this."""
        state = self._streams.get(stream)
        if state is None or window != state.window or state.confirmed:
            return
        state.confirmed = True
        state.heard = now
        if self._leaving.pop(stream, None) is not None:
            self._next(now)

    @property
    def next_due(self) -> float:
        """When `due` has something to do; infinity: it has not."""
        if not self._waiting:
            return math.inf
        return min([*map(self._turn_ends, self._turns), *self._leaving.values()])

    def due(self, now: float) -> None:
        """Let the next have their turn, if one makes no use of it. Called while the aggregator takes what comes."""
        if now < self.next_due:
            return
        for stream in [each for each in self._turns if now >= self._turn_ends(each)]:
            state = self._streams[stream]
            if now < state.since + _LONGEST:
                self._end(stream, now)
            elif state.received >= self._turn:
                self._wait(stream, now)
            else:
                self._rest(stream, now)
        for stream in [each for each, until in self._leaving.items() if now >= until]:
            del self._leaving[stream]
        self._next(now)

    def _turn_ends(self, stream: Granted) -> float:
        state = self._streams[stream]
        return min(state.since + _LONGEST, state.heard + _SILENCE if state.confirmed else math.inf)

    @property
    def _turn(self) -> int:
        """Bytes that may be in flight of one whose turn it is."""
        return self._buffer_size // _PARTS

    def _share_out(self) -> None:
        even = self._even_share()
        if even == self._even:
            return
        self._even = even
        if even >= self._turn:
            self._turns.clear()
            self._leaving.clear()
            self._waiting.clear()
        for stream, state in self._streams.items():
            if state.acknowledged and stream not in self._turns and stream not in self._waiting:
                self._grant(stream, even)

    def _even_share(self) -> int:
        count = max(len(self._streams), 1)
        if count <= _FEW:
            return max(self._buffer_size // count, _SMALLEST)
        # By halves: otherwise all would have to be told whenever one comes or goes.
        share = max(self._buffer_size // 2 // count, _SMALLEST)
        return 1 << (share.bit_length() - 1)

    def _wait(self, stream: Granted, now: float) -> None:
        """Its turn comes after that of all who wait."""
        self._end_turn(stream, now)
        self._waiting.append(stream)
        self._grant(stream, 0)
        self._next(now)

    def _rest(self, stream: Granted, now: float) -> None:
        """It is slow: nobody needs to wait for that."""
        self._streams[stream].rests_until = now + _REST
        for each in self._waiting:
            self._grant(each, self._even)
        self._end(stream, now)

    def _end(self, stream: Granted, now: float) -> None:
        """It has nothing more to send at present."""
        self._end_turn(stream, now)
        self._grant(stream, self._even)
        self._next(now)

    def _end_turn(self, stream: Granted, now: float) -> None:
        if stream in self._turns:
            self._turns.remove(stream)
            self._leaving[stream] = now + _CONFIRMED

    def _next(self, now: float) -> None:
        while self._waiting and len(self._turns) + len(self._leaving) < _AT_ONCE:
            stream = self._waiting.popleft()
            state = self._streams[stream]
            state.received, state.since, state.heard = 0, now, now
            self._turns.add(stream)
            self._grant(stream, self._turn)

    def _grant(self, stream: Granted, window: int) -> None:
        state = self._streams[stream]
        if state.window != window:
            state.window, state.confirmed = window, False
            stream.grant(window)
