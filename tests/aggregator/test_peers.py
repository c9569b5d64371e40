"""The collectors: what each stream may have in flight, and whom a commit is told."""

import math

from blocks import make_block, make_source
from harness.until import until
from mega_collector.aggregator.outbox import Outbox
from mega_collector.aggregator.peers import Peers
from mega_collector.protocol import Ack, FromAggregator, Grant, Stage, Status

MIB = 1 << 20


def _said(outbox: Outbox) -> list[FromAggregator]:
    outbox.close()
    return list(outbox.drain())


FIRST = 256 << 10


def _commit(peers: Peers, *collectors: str) -> None:
    peers.commit({name: {b"1": 10} for name in collectors}, {})


def _grants(outbox: Outbox) -> list[FromAggregator]:
    return [each for each in _said(outbox) if isinstance(each, Grant)]


class Told(Outbox):
    """Remembers what it was granted last."""

    window = 0

    def grant(self, window: int) -> None:
        self.window = window


def test_a_stream_begins_with_little_and_has_its_share_from_its_first_acknowledgement_on() -> None:
    peers, outbox = Peers(64 * MIB), Outbox()
    assert peers.join("a", outbox)[1] == FIRST
    _commit(peers, "a")
    _commit(peers, "a")
    assert _grants(outbox) == [Grant(64 * MIB)]


def test_the_buffer_is_shared_out_among_the_streams_and_each_is_told() -> None:
    peers = Peers(64 * MIB)
    first, second, third = Outbox(), Outbox(), Outbox()
    peers.join("a", first)
    _commit(peers, "a")
    peers.join("a", second)
    peers.join("b", third)
    _commit(peers, "a")
    assert (peers.streams, len(peers)) == (3, 2)
    assert _grants(first) == [Grant(64 * MIB // 3)]  # what it had not been told before counts no more
    assert _grants(second) == [Grant(64 * MIB // 3)]
    assert _grants(third) == []


def test_what_a_stream_leaves_is_shared_out_again() -> None:
    peers = Peers(64 * MIB)
    staying, leaving = Outbox(), Outbox()
    peers.join("a", staying)
    peers.join("b", leaving)
    _commit(peers, "a", "b")
    peers.leave("b", leaving)
    assert peers.streams == 1
    assert _grants(staying) == [Grant(64 * MIB)]


def test_nobody_is_left_without_anything() -> None:
    peers = Peers(MIB)
    outboxes = [Outbox() for _ in range(100)]
    for outbox in outboxes:
        peers.join("a", outbox)
    _commit(peers, "a")
    assert [_grants(outbox) for outbox in outboxes] == [[Grant(64 << 10)]] * 4 + [[]] * 96  # the others had no more


def test_of_many_streams_those_that_have_much_to_send_take_turns() -> None:
    peers = Peers(12 * MIB)
    outboxes = [Told() for _ in range(50)]
    for outbox in outboxes:
        peers.join("a", outbox)
    _commit(peers, "a")
    for outbox in outboxes[:4]:
        peers.receive(outbox, [64 << 10])
    assert [outbox.window for outbox in outboxes[:4]] == [2 * MIB, 2 * MIB, 2 * MIB, 0]
    assert peers.next_turn < math.inf

    def fourth() -> bool:
        peers.take_turns()
        return outboxes[3].window == 2 * MIB

    until(fourth, "it is the fourth's turn")


def test_a_commit_is_told_to_every_stream_of_its_collector_and_to_no_other() -> None:
    peers = Peers(MIB)
    one, two, other = Outbox(), Outbox(), Outbox()
    for name, outbox in (("a", one), ("a", two), ("b", other)):
        peers.join(name, outbox)
    peers.commit({"a": {b"1": 10, b"2": 20}}, {})
    acks = [[each for each in _said(outbox) if isinstance(each, Ack)] for outbox in (one, two, other)]
    assert acks == [[Ack({b"1": 10, b"2": 20})], [Ack({b"1": 10, b"2": 20})], []]


def test_a_commit_for_a_collector_that_has_gone_is_kept_for_its_return() -> None:
    peers = Peers(MIB)
    outbox, source = Outbox(), make_source("a")
    peer, _ = peers.join("me", outbox)
    peer.admission.open(source, 0, None)
    peer.admission.admit(make_block(b"a line\n", 0, source))
    peers.leave("me", outbox)
    peers.commit({"me": {source.id: 7}}, {})
    again, _ = peers.join("me", Outbox())
    assert again.admission.expected(source.id) == 7


def test_a_source_that_has_ended_is_forgotten_with_the_next_sweep() -> None:
    peers = Peers(MIB)
    source = make_source("a")
    peer, _ = peers.join("me", Outbox())
    peer.admission.open(source, 7, None)
    peers.commit({"me": {source.id: 7}}, {"me": {source.id}})
    assert peer.admission.expected(source.id) == 7
    peer.sweep()
    assert peer.admission.expected(source.id) is None


FULL = Status(Stage.DESTINATION, "/x: No space left on device", 3, 8.0)


def test_every_stream_hears_what_holds_up_the_aggregator_but_not_before_its_welcome() -> None:
    peers = Peers(64 * MIB)
    first, second, gone = Outbox(), Outbox(), Outbox()
    for outbox in (first, second, gone):
        peers.join("a", outbox)
    peers.welcomed(first)
    peers.welcomed(gone)
    peers.leave("a", gone)
    peers.tell(FULL)
    peers.welcomed(second)
    peers.tell(Status())
    assert [_said(each) for each in (first, second, gone)] == [[FULL, Status()], [FULL, Status()], []]


def test_while_all_is_well_a_stream_hears_nothing_of_it() -> None:
    peers, outbox = Peers(64 * MIB), Outbox()
    peers.join("a", outbox)
    peers.welcomed(outbox)
    assert _said(outbox) == []


def test_what_is_described_again_and_again_while_it_may_not_come_is_answered_once_on_each_stream() -> None:
    peers, one, other = Peers(MIB), Outbox(), Outbox()
    source = make_source("a", collector="me")
    for outbox in (one, other):
        peers.join("me", outbox)
    peers.turn_back("me", source.id)
    for outbox in (one, other, one, one):
        assert peers.wait(outbox, source)
    assert peers.let_come("me", [source.id]) == [(one, source), (other, source)]
