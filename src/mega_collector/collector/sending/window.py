"""What is in flight between a collector and its aggregator, and what must be said next: a machine."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mega_collector.block import Block, Skip, SkipReason, Source
from mega_collector.marker import TAIL_SIZE
from mega_collector.protocol import (
    BLOCK_SIZE,
    Describe,
    Finish,
    FromCollector,
    Open,
    Refusal,
    RefusalReason,
    Resume,
    block_size,
)

Item = Block | Skip

_MOST_FINISHES = 10_000
"""Ends that are kept to be said again: of one that is lost the aggregator would keep the source for good."""

_MOST_ITEMS = 16_384
"""Items in flight, whatever their size: small blocks cost more memory than their bytes. As many as an aggregator
keeps."""


@dataclass(frozen=True, slots=True)
class Decide:
    """Only the file can tell where its source goes on: answer with `open`.

    `known` is what the aggregator has committed, and nothing is in flight.
    """

    source: Source
    resume: Resume


class Acknowledged(NamedTuple):
    """A source is committed up to `position`; `tail` is the bytes before it, at most `TAIL_SIZE`, as far as at hand.

    `ended` says that this is all of it and that it is forgotten here.
    """

    source: Source
    position: int
    tail: bytes
    ended: bool


@dataclass(frozen=True, slots=True)
class Stopped:
    """The aggregator refuses the source, and sending again cannot help: it is not shipped any further."""

    source: Source
    position: int
    message: str


@dataclass(frozen=True, slots=True)
class Told:
    """The aggregator has answered what a source that is not shipped has come to, or refuses it for good."""

    source: Source


Outcome = FromCollector | Decide | Acknowledged | Stopped | Told


@dataclass(slots=True)
class _Flight:
    source: Source
    acked: int | None = None
    """None until the handshake has settled where the source begins."""
    items: list[Item] = field(default_factory=list)
    """A list: most are empty most of the time, and an empty deque takes ten times the memory."""
    asked: bool = False
    opened: bool = False
    ended: bool = False
    lost: bool = False
    """Whether something was written behind its end that is gone."""
    stopped: bool = False
    held: bool = False
    """Whether its output takes nothing: what is in flight of it leaves its room to others."""
    refused: int = 0
    """Bytes that were in flight when it was stopped."""
    refusal: str = ""
    """Why it was stopped."""
    rewound_to: int = -1
    """The position from which everything was last sent again: what was refused behind it was sent before that."""

    @property
    def end(self) -> int:
        return self.items[-1].end if self.items else self.acked or 0


@dataclass(frozen=True, slots=True)
class WindowStatistics:
    limit: int
    items: int
    """Blocks and skips in flight."""
    in_flight: int
    acknowledged: int
    """Bytes, since the start."""
    sources: int
    stopped: int
    refused: int
    """Bytes that were read of stopped sources, and will not be acknowledged."""
    held: int
    """Bytes of those in flight that the aggregator has let go of: it asks for them when their output takes them."""


class Window:
    """Keeps what is sent and not acknowledged, per source in order, and is bounded in bytes.

    A source is shipped in turns: `begin` asks for the handshake, `open` settles it, `send` takes blocks while there is
    `room`, `end` says that nothing more comes. After a reconnect every source with something in flight goes through
    the handshake again, and what the aggregator does not have is sent again. All methods return what is to be said or
    done, in order.

    What of a source cannot be delivered while others can is kept here, and sent again when it is asked for. There may
    be as much of that as the limit, besides; beyond that it takes the others' room.
    """

    def __init__(self, *, limit: int, largest_block: int = BLOCK_SIZE) -> None:
        self._own_limit = limit
        self._own_largest = self._largest_block = largest_block
        self._allow(limit)
        self._flights: dict[bytes, _Flight] = {}
        self._in_flight = 0
        self._items = 0
        self._finishes: dict[bytes, Finish] = {}
        """Ends of sources that the aggregator has not answered yet."""
        self._stands: dict[bytes, Open] = {}
        """Where sources stand of which nothing is shipped, and which the aggregator may not know."""
        self._held = self._held_items = 0
        """Bytes and items of those that are held up: in flight, but in nobody's way."""
        self._unsent: set[bytes] = set()
        """Sources that have something in flight which was not sent on this connection: it waits for a handshake."""
        self.connected = False
        """Whether a connection stands."""
        self._acknowledged = 0

    # What the tailer asks

    @property
    def in_flight(self) -> int:
        """Bytes."""
        return self._in_flight

    @property
    def idle(self) -> bool:
        """Whether everything that was sent is acknowledged."""
        return not self._items

    @property
    def all_sent(self) -> bool:
        """Whether everything in flight was sent on this connection: nothing waits for a handshake."""
        return not self._unsent

    @property
    def room(self) -> bool:
        """Whether another block may be sent. One may always be in flight, whatever the window, unless that is 0."""
        if not self._limit or self._items - self._held_items >= _MOST_ITEMS:
            return False
        in_flight = self._in_flight - self._held
        return in_flight == 0 or in_flight + self._least <= self._limit

    def next_size(self) -> int:
        """How many bytes the next block should have: a whole one, or as many as fit; 0: none can be sent."""
        if not self.connected or not self.room:
            return 0
        left = self._limit - self._in_flight + self._held
        return self.block_size if left >= self.block_size else max(left, 1)

    @property
    def waits(self) -> bool:
        """Whether the aggregator lets others send for now."""
        return self.connected and not self._limit

    def ready(self, source: Source) -> bool:
        """Whether blocks of the source can be sent now."""
        flight = self._flights.get(source.id)
        return flight is not None and flight.opened and not flight.stopped

    def stopped(self, source: Source) -> bool:
        """Whether the aggregator refuses the source, and sending again cannot help."""
        flight = self._flights.get(source.id)
        return flight is not None and flight.stopped

    def acknowledged(self, source: Source) -> bool:
        """Whether nothing of the source is in flight."""
        flight = self._flights.get(source.id)
        return flight is None or not flight.items

    def in_flight_of(self, source_id: bytes) -> bool:
        """Whether something of that source is in flight, ended or not."""
        flight = self._flights.get(source_id)
        return flight is not None and bool(flight.items)

    def at_rest(self, source: Source) -> bool:
        """Whether nothing of the source is in flight, and it may go on."""
        flight = self._flights.get(source.id)
        return flight is None or not (flight.items or flight.stopped)

    def refusal(self, source: Source) -> str | None:
        """Why the aggregator refuses the source for good; None: it does not."""
        flight = self._flights.get(source.id)
        return flight.refusal if flight is not None and flight.stopped else None

    def committed(self, source: Source) -> int | None:
        """Up to where the source is acknowledged; None: the handshake has not said it."""
        flight = self._flights.get(source.id)
        return None if flight is None else flight.acked

    def position(self, source: Source) -> int:
        """Where the next item of a source that is `ready` begins."""
        return self._flights[source.id].end

    def knows(self, source_id: bytes) -> bool:
        """Whether a source is shipped, or its end is to be answered."""
        return source_id in self._flights or source_id in self._finishes or source_id in self._stands

    def unanswered(self, source_id: bytes) -> Finish | None:
        """The end of a source that the aggregator has not answered yet."""
        return self._finishes.get(source_id)

    @property
    def telling_loss(self) -> bool:
        """Whether the aggregator has not answered the end of a source that is lost."""
        return any(finish.lost for finish in self._finishes.values())

    def statistics(self) -> WindowStatistics:
        # Copied first: whoever asks is another thread than the one that ships.
        flights = list(self._flights.values())
        stopped = [flight for flight in flights if flight.stopped]
        return WindowStatistics(
            limit=self._limit,
            items=self._items,
            in_flight=self._in_flight,
            acknowledged=self._acknowledged,
            sources=len(flights),
            stopped=len(stopped),
            refused=sum(flight.refused for flight in stopped),
            held=self._held,
        )

    # What the tailer tells

    def begin(self, source: Source) -> list[Outcome]:
        """Ask for the handshake of a source, unless it is under way or done on this connection."""
        flight = self._flights.setdefault(source.id, _Flight(source))
        # It goes on after all.
        self._finishes.pop(source.id, None)
        self._stands.pop(source.id, None)
        if flight.asked or flight.opened or not self.connected:
            return []
        flight.asked = True
        return [Describe(source)]

    def postpone(self, source: Source) -> None:
        """A `Decide` about this source cannot be answered now: another `begin` asks again."""
        self._flights[source.id].asked = False

    def abandon(self, source_id: bytes) -> None:
        """Forget the source, and what is in flight of it: whoever begins it next decides where it goes on."""
        flight = self._flights.pop(source_id, None)
        if flight is not None:
            self._drop(flight)

    def open(self, described: Source, source: Source, position: int) -> list[Outcome]:
        """Answer a `Decide` about `described`: it goes on as `source` at `position`."""
        del self._flights[described.id]
        if (given_up := self._flights.get(source.id)) is not None:
            self._drop(given_up)
        flight = self._flights[source.id] = _Flight(source, acked=position)
        self._finishes.pop(source.id, None)
        self._stands.pop(source.id, None)
        if not self.connected:
            return []
        flight.asked = flight.opened = True
        return [Open(source, position)]

    def send(self, item: Item) -> list[Item]:
        """Ship a block, or pass over bytes, of a source that is `ready`."""
        flight = self._flights[item.source.id]
        flight.items.append(item)
        flight.source = item.source
        if isinstance(item, Block):
            self._in_flight += len(item.data)
        self._items += 1
        return [item]

    def end(self, source: Source, *, lost: bool = False) -> list[Outcome]:
        """Nothing more will come of a source, which has `lost` its end; it is forgotten when it is acknowledged."""
        flight = self._flights.get(source.id)
        if flight is None:
            return []
        flight.ended, flight.lost = True, lost
        if flight.opened and flight.items and _is_loss(flight.items[-1]):
            # At once: who is killed in between would take for the lost bytes whatever begins like them.
            return [Finish(source, flight.end)]
        return self._finish(flight)

    def leave(self, source: Source) -> None:
        """Nothing more will come of a source, all of it is acknowledged, and it has not ended: its file is there."""
        self._flights.pop(source.id, None)

    def stand(self, source: Source, position: int) -> list[Outcome]:
        """Tell where a source stands of which nothing is shipped: on each connection, until it is known."""
        self._stands[source.id] = Open(source, position)
        return [Describe(source)] if self.connected else []

    def finish_again(self, source: Source, position: int) -> list[Outcome]:
        """A process before has come to the end of the source, and may not have been heard."""
        self._stands.pop(source.id, None)
        finish = self._finishes[source.id] = Finish(source, position)
        return [Open(source, position), finish] if self.connected else []

    # What the aggregator says

    def connect(self, window: int, *, largest_block: int = BLOCK_SIZE) -> list[Outcome]:
        """A new connection stands: what is in flight goes through the handshake again."""
        self.connected = True
        self._largest_block = min(self._own_largest, largest_block)
        self._allow(min(self._own_limit, window))
        outcomes: list[Outcome] = []
        for finish in self._finishes.values():
            outcomes += [Open(finish.source, finish.position), finish]
        outcomes += [Describe(each.source) for each in self._stands.values()]
        for flight in self._flights.values():
            flight.asked = flight.opened = False
            self._let_go_on(flight)
            flight.rewound_to = -1
            if flight.items:
                self._unsent.add(flight.source.id)
                outcomes += self.begin(flight.source)
        return outcomes

    def disconnect(self) -> None:
        """The connection is gone."""
        self.connected = False
        for flight in self._flights.values():
            flight.asked = flight.opened = False
            self._let_go_on(flight)
            if flight.items:
                self._unsent.add(flight.source.id)

    def grant(self, window: int) -> None:
        """The aggregator changes how many bytes may be in flight."""
        self._allow(min(self._own_limit, window))

    def resume(self, resume: Resume) -> list[Outcome]:
        """The aggregator answers a description."""
        flight = self._flights.get(resume.source_id)
        if flight is None and (stand := self._stands.get(resume.source_id)) is not None:
            there = ((each.source_id, each.position) for each in resume.known)
            return self._answered(stand.source.id) if (stand.source.id, stand.position) in there else [stand]
        if flight is None or not flight.asked or flight.opened:
            return []
        self._let_go_on(flight)
        if flight.acked is None:
            return [Decide(flight.source, self._with_ends(resume))]
        known = next((each for each in resume.known if each.source_id == resume.source_id), None)
        position = flight.acked if known is None else known.position
        if not flight.acked <= position <= flight.end:
            # The ledger went back behind what it had acknowledged, or is ahead of all that was ever sent.
            self._drop(flight)
            flight.acked = None
            return [Decide(flight.source, self._with_ends(resume))]
        acknowledged = self.ack(resume.source_id, position)
        if resume.source_id not in self._flights:
            return acknowledged
        flight.opened = True
        self._unsent.discard(resume.source_id)
        return [*acknowledged, Open(flight.source, position), *flight.items]

    def ack(self, source_id: bytes, position: int) -> list[Outcome]:
        """Everything of a source before `position` is committed."""
        flight = self._flights.get(source_id)
        if flight is None:
            finish = self._finishes.get(source_id)
            return self._answered(source_id) if finish is not None and position >= finish.position else []
        # An answer that comes late, to a connection before, or for a source that was given up, moves nothing.
        if flight.acked is None or position <= flight.acked:
            return []
        tail = self._release(flight, position)
        if tail is None:
            return []
        self._acknowledged += position - flight.acked
        flight.acked = position
        if flight.rewound_to < position:
            flight.rewound_to = -1
        ended = flight.ended and not flight.items
        return [Acknowledged(flight.source, position, tail, ended), *(self._finish(flight) if ended else ())]

    def _answered(self, source_id: bytes) -> list[Outcome]:
        """What was told of a source that is not shipped needs to be told no more."""
        told = self._finishes.pop(source_id, None) or self._stands.pop(source_id, None)
        return [] if told is None else [Told(told.source)]

    def _with_ends(self, resume: Resume) -> Resume:
        """What was told to have ended has, though the aggregator may not have taken it in: nothing goes on as that."""
        finishes = ((each, self._finishes.get(each.source_id)) for each in resume.known)
        known = (each if end is None or end.lost else replace(each, finished=True) for each, end in finishes)
        return replace(resume, known=tuple(known))

    def _allow(self, limit: int) -> None:
        """So many bytes may be in flight from now on."""
        self._limit = limit
        self.block_size = min(self._largest_block, block_size(limit))
        """How large a block should be, in bytes."""
        self._least = min(self.block_size, limit // 4)
        """Bytes of room for which another is made: with less, blocks would be small."""

    def _release(self, flight: _Flight, position: int) -> bytes | None:
        """Let go of what is committed; the bytes before the position, or None: nothing that was sent ends there."""
        items, done, size = flight.items, 0, 0
        for item in items:
            end = item.end
            if end <= position:
                done += 1
                size += _size(item)
            if end >= position:
                break
        else:
            return None
        tail = _tail(item, position)
        del items[:done]
        self._in_flight -= size
        self._items -= done
        if flight.held:
            self._held -= size
            self._held_items -= done
        if not items:
            self._unsent.discard(flight.source.id)
        return tail

    def refuse(self, refusal: Refusal) -> list[Outcome]:
        """The aggregator did not accept something of a source."""
        flight = self._flights.get(refusal.source_id)
        if flight is not None and flight.asked and not flight.opened and refusal.reason is RefusalReason.HELD_UP:
            # It is described already, and will be answered when it may go on.
            self._hold(flight)
            return []
        hopeless = not refusal.retry or refusal.reason is RefusalReason.WRONG_START
        if flight is None:
            # Another collector's by now, or the ledger is an older one: saying it again cannot help.
            return self._answered(refusal.source_id) if hopeless else []
        if not flight.opened or flight.acked is None or flight.stopped:
            return []
        if not refusal.retry:
            return self._stop(flight, refusal)
        if refusal.reason is RefusalReason.HELD_UP:
            flight.asked = flight.opened = False
            if flight.items:
                self._unsent.add(flight.source.id)
            self._hold(flight)
            return self.begin(flight.source)
        if refusal.reason is RefusalReason.NOT_OPEN:
            flight.asked = flight.opened = False
            if flight.items:
                self._unsent.add(flight.source.id)
            return self.begin(flight.source)
        expected = refusal.expected
        if refusal.start != expected and flight.rewound_to == expected:
            # It was in the pipe behind the one that was refused first, and has been sent again since.
            return []
        if not flight.acked <= expected <= flight.end:
            self._drop(flight)
            flight.acked = None
            flight.opened, flight.asked = False, False
            return self.begin(flight.source)
        flight.rewound_to = expected
        return [item for item in flight.items if item.end > expected]

    def _hold(self, flight: _Flight) -> None:
        """Keep what is in flight of it out of the others' way, as far as there may be as much again."""
        size, count = sum(map(_size, flight.items)), len(flight.items)
        if flight.held or self._held + size > self._own_limit or self._held_items + count > _MOST_ITEMS:
            return
        flight.held = True
        self._held += size
        self._held_items += count
        self._unsent.discard(flight.source.id)

    def _let_go_on(self, flight: _Flight) -> None:
        if flight.held:
            flight.held = False
            self._held -= sum(map(_size, flight.items))
            self._held_items -= len(flight.items)

    def _stop(self, flight: _Flight, refusal: Refusal) -> list[Outcome]:
        flight.stopped, flight.refusal = True, refusal.message
        position = flight.acked or 0
        flight.refused = flight.end - position
        self._drop(flight)
        return [Stopped(flight.source, position, refusal.message)]

    def _finish(self, flight: _Flight) -> list[Outcome]:
        if not flight.ended or flight.items:
            return []
        del self._flights[flight.source.id]
        if flight.acked is None:
            return []
        finish = Finish(flight.source, flight.acked, flight.lost)
        self._finishes[flight.source.id] = finish
        if len(self._finishes) > _MOST_FINISHES:
            del self._finishes[next(iter(self._finishes))]
        if not self.connected:
            return []
        # What rested since the connection was made was never opened on it.
        return [finish] if flight.opened else [Open(finish.source, finish.position), finish]

    def _drop(self, flight: _Flight) -> None:
        self._let_go_on(flight)
        self._in_flight -= sum(_size(item) for item in flight.items)
        self._items -= len(flight.items)
        flight.items.clear()
        self._unsent.discard(flight.source.id)


def _tail(item: Item, position: int) -> bytes:
    """The last bytes of an item before a position in it."""
    if isinstance(item, Skip):
        return b""
    end = position - item.start
    return bytes(item.data[max(end - TAIL_SIZE, 0) : end])


def _is_loss(item: Item) -> bool:
    return isinstance(item, Skip) and item.reason is SkipReason.LOST


def _size(item: Item) -> int:
    return len(item.data) if isinstance(item, Block) else 0
